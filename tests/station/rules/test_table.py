"""The table of answers: every verb on every state of an item, with every quantity at every stage, against the hub's fold.

The bench has the hub's rows, as they come over the wire, and its own scans. Its answer must be what the hub folds from the
events that the station has: online (all own scans are in the rows), offline (none is), and after a restart (replayed).
"""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from shop import Story, definition, shop

from server.api.open_items import item_rows
from station.core.codes import read_code
from station.core.event import Event
from station.core.ledger.fold import apply, fold
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import ItemState
from station.core.ledger.rules import BY_NAME, ON_BY_DEFAULT, look_at
from station.core.protocol import OpenItem
from station.core.snapshot import NOW_US, read_snapshot
from station.feedback.compose import answer
from station.feedback.messages import Reason, State
from station.journal.records import Receipt
from station.rules.engine import FIRST_KEY_US, ShopRules
from station.scan.bench_state import BenchAnswer, ScanFields

VERBS = ("", "in", "out", "start", "done", "scrap", "rework", "hold", "release", "finish")
QUANTITIES: dict[str, dict[str, Any]] = {
    "none": {}, "fits": {"qty_milli": 5_000}, "too many": {"qty_milli": 500_000}, "fraction": {"qty_milli": 2_500},
    "all": {"all": True},
}  # fmt: skip
STAGES = ("weld", "nowhere", "oven", None)  # known, undefined, defined but not in the routing, none
DEFINED = shop(definition("stage.define", stage="oven", name="Oven"))


def given(*told: tuple[str, str | None, int | None], ordered: int | None = 40, **more: Any) -> list[ItemEvent]:
    story = Story(DEFINED)
    if ordered is not None:
        story.release(ordered, **more)
    for verb, stage, quantity in told:
        data = {"order": "WO-1", "how": stage} if verb == "order.close" else None
        story.tell(verb, None if data else stage, quantity, **({"data": data} if data else {}))
    return story.item_events


ITEMS: dict[str, list[ItemEvent]] = {
    "not started": given(),
    "here": given(("in", "weld", None)),
    "partly here": given(("in", "weld", 10)),
    "upstream": given(("in", "saw", None)),
    "downstream": given(("in", "test", None)),
    "in several places": given(("in", "test", 10), ("in", "paint", 10)),
    "running": given(("in", "weld", None), ("start", "weld", None)),
    "partly running": given(("in", "weld", None), ("start", "weld", 10)),
    "arrived running": given(("start", "weld", 10)),
    "held here": given(("hold", "weld", None)),
    "held upstream": given(("hold", "saw", None)),
    "finished": given(("done", "pack", None)),
    "partly finished": given(("done", "pack", 10)),
    "scrapped": given(("scrap", "weld", 40)),
    "closed": given(("in", "weld", None), ("order.close", "complete", None)),
    "cancelled": given(("in", "weld", None), ("order.close", "cancelled", None)),
    "unknown": given(ordered=None),
    "no routing": given(("in", "saw", None), product="one-off"),
    "no quantity": given(("", "saw", None), ordered=None),
}


def a_snapshot() -> bytes:
    """The shop as the hub sends it."""
    names = {
        "stage.define": (*DEFINED.names("stage.define"),),
        "routing.define": ("line",),
        "product.define": ("bracket",),
    }
    definitions = [
        {"what": what, "data": DEFINED.at(what, name, NOW_US).data}
        for what, of in names.items()
        for name in of  # type: ignore[union-attr]
    ]
    return msgspec.json.encode({"definitions": definitions})


SNAPSHOT = read_snapshot(a_snapshot())


def rows_of(state: ItemState, thru: int) -> list[OpenItem]:
    """The rows of an item as they come over the wire."""
    sent = msgspec.json.encode(list(item_rows(state, DEFINED, NOW_US)))
    return [msgspec.structs.replace(row, thru=thru) for row in msgspec.json.decode(sent, type=list[OpenItem])]


def an_event(verb: str, stage: str | None, quantity: dict[str, Any]) -> Event:
    return Event(
        kind="scan", station="weld-1", sw="t", raw=b"WO-1", code="WO-1", scheme="text", stage=stage,
        action=verb or None, **quantity,
    )  # fmt: skip


def at_the_hub(state: ItemState, event: Event, seq: int, *, unknown: bool) -> FoldResult:
    """The hub's fold of a scan that comes after everything else."""
    key_us = FIRST_KEY_US + seq
    return apply(
        state,
        ItemEvent(
            key_us=key_us, log="here", seq=seq, verb=event.action or "", stage=event.stage, station=event.station,
            lo_us=key_us, hi_us=key_us, qty_milli=event.qty_milli, all=event.all, unknown=unknown,
        ),
        DEFINED,
    )  # fmt: skip


def expected(result: FoldResult, stage: str | None) -> tuple[State, bool]:
    """The colour that the hub's fold asks for, and whether something moved."""
    moved = result.movement is None or result.movement.moved
    found = [] if result.movement is None else look_at(result.movement)
    amber = any(BY_NAME[rule].advice is not None and (ON_BY_DEFAULT[rule] or not moved) for rule, _ in found)
    return State.AMBER if amber or stage == "nowhere" else State.GREEN, moved


def a_bench(rows: list[OpenItem]) -> ShopRules:
    rules = ShopRules(SNAPSHOT)
    released = OpenItem("WO-9", "bracket", None, "released", 1_000, released=True)
    rules.know([*rows, released], complete=True)
    return rules


def told(rules: ShopRules, event: Event, seq: int) -> Any:
    """The answer at the bench, as the operator gets it."""
    code = read_code(b"WO-1", None, ())
    advice = rules.judge(code, event, seq)
    fields = ScanFields(event.action, event.qty_milli, event.all, stage=event.stage)
    bench = BenchAnswer(State.GREEN, Reason.SAVED, "saved: WO-1")
    return answer(Receipt(b"0" * 16, seq, b"", 0), code, fields, bench, advice)


def parcels(state: ItemState) -> Counter[tuple[Any, ...]]:
    """Where how much of the item is, whatever the clock says: place and history -> thousandths, and the places without."""
    found: Counter[tuple[Any, ...]] = Counter()
    for each in state.parcels:
        runs = each.run_since_us is not None
        place = (
            each.state,
            each.op,
            each.stage,
            each.entered,
            each.reached,
            each.scanned,
            runs,
            each.qty_milli is None,
        )
        found[place] += 1 if each.qty_milli is None else each.qty_milli
    return +found


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb or "bare")
def test_the_answer_is_what_the_hub_folds_online_offline_and_after_a_restart(verb: str, item: str) -> None:
    before = fold("WO-1", ITEMS[item], DEFINED).state
    unknown = item in ("unknown", "no quantity")
    for quantity, stage in product(QUANTITIES.values(), STAGES):
        first, again = an_event(verb, stage, quantity), an_event("", "test", {})
        at_hub = at_the_hub(before, first, 1, unknown=unknown)
        then = at_the_hub(at_hub.state, again, 2, unknown=unknown)
        which = f"{verb or 'bare'} {item} {quantity} at {stage}"

        offline = a_bench(rows_of(before, 0) if before.first_us is not None else [])
        said = told(offline, first, 1)
        colour, moved = expected(at_hub, stage)
        assert (said.state, which) == (colour, which)
        if not moved and colour is State.AMBER and stage != "nowhere":
            assert "nothing was moved" in said.text or any(
                word in said.text for word in ("is on hold", "does not go to", "several places", "not known here")
            ), (said.text, which)
        assert parcels(offline.items.state("WO-1")) == parcels(at_hub.state), which
        assert told(offline, again, 2).state == expected(then, "test")[0], which

        online = a_bench(rows_of(at_hub.state, 1))
        assert told(online, again, 2).state == expected(then, "test")[0], which
        assert parcels(online.items.state("WO-1")) == parcels(then.state), which

        restarted = a_bench(rows_of(before, 0) if before.first_us is not None else [])
        for seq, event in enumerate((first, again), start=1):
            restarted.apply(read_code(b"WO-1", None, ()), event, seq)
        assert parcels(restarted.items.state("WO-1")) == parcels(then.state), which

        undone = a_bench(rows_of(before, 0) if before.first_us is not None else [])
        told(undone, first, 1)
        if before.first_us is not None:
            undone.know(rows_of(at_hub.state, 1), complete=True)
        undone.void(1, 2)
        if before.first_us is not None:
            undone.know(rows_of(at_hub.state, 1), complete=True)  # the hub has not folded the void yet
        assert parcels(undone.items.state("WO-1")) == parcels(before), which


def words() -> Iterator[tuple[str, str, dict[str, Any], str | None, State, str]]:
    """Answers that are told word for word: verb, item, quantity, stage, colour, text."""
    yield "", "upstream", {}, "weld", State.GREEN, "saved: WO-1 -> Paint next"
    yield "", "here", {}, "weld", State.GREEN, "WO-1 is already here -> Paint next"
    yield "finish", "cancelled", {}, "weld", State.AMBER, "WO-1: has ended: nothing was moved"
    yield "scrap", "cancelled", {}, "weld", State.AMBER, "WO-1: has ended: nothing was moved"
    yield "scrap", "here", {"qty_milli": 500_000}, "weld", State.AMBER, "WO-1: 40 were here: count again"
    yield (
        "scrap",
        "here",
        {"qty_milli": 2_500},
        "weld",
        State.AMBER,
        ("WO-1: 2.5 is no whole quantity: UNDO, then count again"),
    )
    yield "in", "here", {}, "nowhere", State.AMBER, "WO-1: nowhere is no stage of the shop: call the supervisor"
    yield "in", "here", {}, "oven", State.AMBER, "WO-1: does not go to Oven"
    yield "release", "here", {}, "weld", State.AMBER, "WO-1: nothing was moved: it is not on hold"
    yield "hold", "held here", {}, "weld", State.AMBER, "WO-1: nothing was moved: it is on hold already"
    yield "out", "downstream", {}, "test", State.GREEN, "saved: WO-1 -> Pack next"
    yield "in", "here", {}, None, State.AMBER, "WO-1: saved without a stage: nothing was moved"
    yield "in", "unknown", {}, "weld", State.AMBER, "WO-1: not known here"


@pytest.mark.parametrize(("verb", "item", "quantity", "stage", "colour", "text"), list(words()))
def test_the_words(verb: str, item: str, quantity: dict[str, Any], stage: str | None, colour: State, text: str) -> None:
    before = fold("WO-1", ITEMS[item], DEFINED).state
    bench = a_bench(rows_of(before, 0) if before.first_us is not None else [])
    said = told(bench, an_event(verb, stage, quantity), 1)
    assert (said.state, said.text) == (colour, text)
