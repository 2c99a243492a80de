"""After a restart the station knows its own scans that the hub's items do not include yet."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from station.core.codes import Code, read_code
from station.core.event import Event, LogPosition, encode
from station.core.ledger.routing import Operation
from station.core.protocol import OpenItem
from station.core.snapshot import read_snapshot
from station.journal import Journal
from station.rules.engine import ShopRules
from station.rules.interface import Advice, NoRules, RuleContext
from station.rules.replay import MOST_REPLAYED, replay
from station.rules.snapshot import stored_shop
from station.rules.station_items import MOST_OWN, state_of
from station.sync.master_data_sync import ROWS_A_CHORE, item_parts
from tests.station.fixtures.journals import open_journal

LINE = [{"op": 10 * number, "stage": stage} for number, stage in enumerate(("saw", "weld", "test", "pack"), start=1)]
SHOP = msgspec.json.encode(
    {
        "definitions": [
            {"what": "routing.define", "data": {"routing": "line", "operations": LINE}},
            {"what": "product.define", "data": {"product": "bracket", "routing": "line"}},
            *({"what": "stage.define", "data": {"stage": line["stage"]}} for line in LINE),
        ]
    }
)


def a_row(item: str = "WO-1", thru: int = 0, **fields: Any) -> OpenItem:
    """An order of 40 that was released and not started."""
    given = {"product": "bracket", "state": "released", "qty_milli": 40_000, "routing": "line", "released": True}
    return OpenItem(item, thru=thru, **(given | {"since_us": 1, "outer": {"ordered": -40_000}} | fields))


def scan(journal: Journal, stage: str, item: str = "WO-1", **fields: Any) -> int:
    """Record a scan as the station does; its sequence number."""
    event = Event(
        kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=item.encode(), scheme="text", code=item,
        stage=stage, **fields,
    )  # fmt: skip
    return journal.commit(encode(event)).seq


def undo(journal: Journal, seq: int) -> int:
    """Record an UNDO of a scan."""
    event = Event(
        kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=b"WIP:UNDO", scheme="command", stage="saw",
        action="void", ref=LogPosition(journal.log_id.hex(), seq),
    )  # fmt: skip
    return journal.commit(encode(event)).seq


def places(journal: Journal, item: str = "WO-1") -> dict[str, int | None]:
    """Where the item is for a station that starts now."""
    _, context = stored_shop(journal, lambda *_, **__: None)
    assert isinstance(context.engine, ShopRules)
    return {parcel.stage or parcel.state: parcel.qty_milli for parcel in context.engine.items.state(item).parcels}


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    """A journal with the shop's definitions."""
    with open_journal(tmp_path) as opened:
        opened.save_snapshot("v1", SHOP)
        yield opened


def test_own_scans_behind_the_hubs_items_are_applied_at_a_start(journal: Journal) -> None:
    before = scan(journal, "saw")
    journal.save_items(["WO-1"], [a_row(thru=before, state="here", operation=10, stage="saw")], "1:1", thru=before)
    assert places(journal) == {"saw": 40_000}
    scan(journal, "weld", qty_milli=10_000)
    assert places(journal) == {"saw": 30_000, "weld": 10_000}
    scan(journal, "weld", item="WO-2")
    assert places(journal, "WO-2") == {}  # not known, so not in process


def test_a_row_that_is_newer_than_the_others_has_its_own_place_in_the_log(journal: Journal) -> None:
    journal.save_items(["WO-1", "WO-2"], [a_row(), a_row("WO-2")], "1:1", thru=journal.tip.seq)
    scan(journal, "saw")
    newest = scan(journal, "saw", item="WO-2")
    moved = a_row(thru=newest, state="here", operation=10, stage="saw", entered=10, scanned=[10])
    journal.save_items(["WO-1"], [moved], "", thru=newest)  # the power failed before the last portion
    assert places(journal) == {"saw": 40_000}
    assert places(journal, "WO-2") == {"saw": 40_000}


def test_a_scan_that_was_taken_back_is_not_applied(journal: Journal) -> None:
    journal.save_items(["WO-1"], [a_row()], "1:1", thru=journal.tip.seq)
    wrong = scan(journal, "test")
    scan(journal, "saw", qty_milli=5_000)
    undo(journal, wrong)
    assert places(journal) == {"released": 35_000, "saw": 5_000}


def test_an_order_that_was_released_without_a_routing_has_none_here(journal: Journal) -> None:
    journal.save_items(["WO-1"], [a_row(routing=None)], "1:1", thru=journal.tip.seq)
    scan(journal, "pack")
    assert places(journal) == {"pack": 40_000}


def test_items_that_cannot_be_read_are_fetched_again_and_the_station_starts(journal: Journal) -> None:
    journal.save_items(["WO-1"], [a_row()], "1:1", thru=journal.tip.seq)
    journal._change(lambda db: db.execute("UPDATE item SET more = '{\"item\": 7'"))
    scan(journal, "saw")
    said: list[str] = []
    stored_shop(journal, lambda what, **_: said.append(what))
    assert said == ["the stored items cannot be read; they are fetched again"]
    assert (journal.items_cursor(), journal.items().rows) == ("", [])
    assert places(journal) == {"saw": None}


def test_items_that_are_sent_afresh_replace_all_others_and_keep_own_scans() -> None:
    rules, code = ShopRules(), read_code(b"WO-1", None, ())
    rules.know([a_row(), a_row("WO-2")], complete=True)
    rules.judge(code, Event(kind="scan", station="saw-1", sw="t", stage="saw"), 1)
    rules.know([a_row()], complete=True, afresh=True)
    assert [parcel.stage for parcel in rules.items.state("WO-1").parcels] == ["saw"]
    assert not rules.items.knows("WO-2")


def test_a_hub_that_sends_an_empty_or_disordered_routing_gives_none_or_the_ordered_one() -> None:
    backwards = [Operation(20, "weld"), Operation(10, "saw")]
    states = [state_of((a_row(operations=sent),), read_snapshot(SHOP).master_data()) for sent in ([], backwards)]
    assert [[step.op for step in state.routing.operations] for state in states if state.routing] == [
        [10, 20, 30, 40], [10, 20]
    ]  # fmt: skip


def test_an_item_is_never_divided_between_two_portions() -> None:
    rows = [OpenItem(f"WO-{number // 3}") for number in range(3 * ROWS_A_CHORE)]
    parts = list(item_parts(rows))
    assert [row for part in parts for row in part] == rows
    assert all(len(part) < ROWS_A_CHORE + 3 for part in parts)
    names = [{row.item for row in part} for part in parts]
    assert all(not (first & second) for first, second in pairwise(names))
    assert list(item_parts([])) == [[]]


def test_the_memory_of_own_scans_is_bounded_and_loses_no_scan() -> None:
    rules = ShopRules()
    rules.know([a_row(operations=None)], complete=True)
    code = read_code(b"WO-1", None, ())
    for seq in range(1, MOST_OWN + 50):
        event = Event(kind="scan", station="saw-1", sw="t", stage="saw", qty_milli=1_000, action="scrap")
        rules.judge(code, event, seq)
        if seq % 997 == 0:
            rules.void(seq, seq + 1_000_000)
    taken_back = (MOST_OWN + 49) // 997
    scrapped = sum(parcel.qty_milli or 0 for parcel in rules.items.state("WO-1").parcels if parcel.state == "scrapped")
    assert scrapped == (MOST_OWN + 49 - taken_back) * 1_000


class FailsOnce(NoRules):
    """Rules that fail for the first scan."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def judge(self, code: Code, event: Event, seq: int) -> Advice:  # noqa: ARG002 - the port's signature
        self.seen.append(seq)
        if len(self.seen) == 1:
            msg = "planted"
            raise RuntimeError(msg)
        return Advice()


def test_a_fault_in_one_recorded_scan_costs_no_other_and_only_the_newest_are_applied(journal: Journal) -> None:
    first = scan(journal, "saw")
    later = [scan(journal, "saw", item=f"WO-{number}") for number in (2, 3)]
    rules = FailsOnce()
    context = RuleContext((), rules)
    assert replay(context, journal.events_after, 0, journal.log_id.hex()) == later[-1]
    assert rules.seen == [first, *later]
    rules.seen.clear()
    rules.seen.append(0)
    replay(context, journal.events_after, 0, journal.log_id.hex(), tip=later[0] + MOST_REPLAYED)
    assert rules.seen == [0, later[-1]]


def test_after_the_update_rows_without_all_fields_include_what_the_hub_had_accepted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(tmp_path) as opened:
        opened.save_snapshot("v1", SHOP)
        accepted = scan(opened, "saw")
        opened.mark(1, accepted, 0, "aa")
        scan(opened, "weld", qty_milli=10_000)
    with closing(sqlite3.connect(path)) as raw:  # as the version before left it
        raw.execute("ALTER TABLE item DROP COLUMN more")
        raw.execute("INSERT INTO item VALUES ('WO-1', 'bracket', 10, 'here', 40000, 'saw')")
        raw.execute("DELETE FROM meta WHERE k = 'items_thru'")
        raw.execute("DELETE FROM _sqlite_migrations WHERE name = 'version_4'")
        raw.commit()
    with open_journal(tmp_path) as updated:
        assert places(updated) == {"saw": 30_000, "weld": 10_000}
        assert updated.items_cursor() == ""
