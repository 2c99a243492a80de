"""The projector at work: its thread, its queue, its limits, and what bad bytes do to the others (nothing)."""

import itertools
import random
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import select
from statements import counted_statements

from server.db.position_signal import PositionSignal
from server.db.schema import ledger
from server.projection.definitions import Definitions
from server.projection.internal_tables import set_aside
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.item_rows import days_between
from server.projection.rebuild import compare, rebuild
from server.projection.station_snapshot import snapshot
from server.projection.tables import DAY_US, LONG, dirty, event_state, item, open_at, parcel
from server.projection.worker import GATHER_S, Projector, behind, projected_pos, recalculating
from station.core.event import Event, encode
from station.core.hash_chain import genesis, link
from station.core.ledger.fold import apply
from station.core.ledger.rules import RULES


def test_the_thread_folds_what_arrives_and_rings(hub_db: Any) -> None:
    bell, stop = PositionSignal(), threading.Event()
    thread = threading.Thread(target=Projector(hub_db.store, bell).run, args=(stop,))
    thread.start()
    try:
        log = hub_db.log("saw-1", 2)
        hub_db.deliver(log.anchor(), log.scan("WO-1", "saw"))
        hub_db.store.arrived.announce(2)
        assert bell.wait(1, timeout=10) == 2
        assert hub_db.show(select(item.c.item)) == [("WO-1",)]
    finally:
        stop.set()
        hub_db.store.arrived.announce(3)
        thread.join(10)
    assert not thread.is_alive()


def test_events_that_arrive_one_by_one_share_a_transaction(hub_db: Any) -> None:
    """In the first pause of the projector 100 events arrive, each in a transaction of its own."""
    log, bell, stop = hub_db.log("saw-1", 2), PositionSignal(), threading.Event()
    pauses: list[tuple[int, float]] = []

    def pause(stopping: threading.Event, seconds: float) -> None:
        pauses.append((bell.pos, seconds))
        if len(pauses) == 2:
            stopping.set()
        for number in range(100 if len(pauses) == 1 else 0):
            hub_db.deliver(log.scan(f"WO-{number % 7}", "saw"))

    hub_db.deliver(log.anchor(), log.scan("WO-1", "saw"))
    with counted_statements() as counted:
        Projector(hub_db.store, bell, now_s=lambda: 0.0, pause=pause).run(stop)
    assert pauses == [(2, GATHER_S), (102, GATHER_S)]
    assert len([text for text in counted.texts if text.startswith("UPDATE projection SET")]) == 2


class _Deliveries(threading.Event):
    """A stop event that delivers events when the projector has done everything: one call, then the next."""

    def __init__(self, done: Callable[[], bool], *calls: Callable[[], None]) -> None:
        super().__init__()
        self._done, self._calls = done, list(calls)

    def is_set(self) -> bool:
        if self._calls and self._done():
            self._calls.pop(0)()
        return super().is_set()


def test_a_projector_with_queued_work_or_a_full_transaction_does_not_pause(hub_db: Any) -> None:
    bell, log = PositionSignal(), hub_db.log("saw-1", 2)
    pauses: list[int] = []

    def done() -> bool:
        with hub_db.store.read() as connection:
            return bell.pos == 513 and recalculating(connection) == 0

    def pause(stopping: threading.Event, _: float) -> None:
        pauses.append(bell.pos)
        stopping.set()

    first = log.scan("WO-1", "saw")
    hub_db.deliver(log.anchor(), first, *(log.scan("WO-1", "saw") for _ in range(510)), log.undo(first))
    hub_db.store.arrived.announce(10_000)  # the thread never waits for an event
    stop = _Deliveries(done, lambda: hub_db.deliver(log.scan("WO-2", "saw")))
    Projector(hub_db.store, bell, pause=pause).run(stop)
    assert pauses == [514]


def failing_at_first(name: str) -> EventInterpreter:
    """An interpreter whose function of this name raises an error of the disk at its first call."""
    real, errors = getattr(DEFAULT_INTERPRETER, name), [OSError("the disk is gone")]

    def fail_once(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return real(*arguments)

    return DEFAULT_INTERPRETER._replace(**{name: fail_once})


def test_an_error_ends_neither_thread_nor_work(hub_db: Any) -> None:
    bell, stop = PositionSignal(), threading.Event()
    projector = Projector(hub_db.store, bell, failing_at_first("links"), after_error_s=0.01)
    log = hub_db.log("saw-1", 2)
    hub_db.deliver(log.scan("WO-1", "saw"))
    thread = threading.Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        assert bell.wait(0, timeout=10) == 1
    finally:
        stop.set()
        hub_db.store.arrived.announce(9)
        thread.join(10)


def test_a_failed_transaction_leaves_nothing_in_memory(hub_db: Any) -> None:
    log = hub_db.log("saw-1", 2)
    hub_db.deliver(log.anchor(), log.scan("WO-1", "saw"))
    hub_db.drain()
    hub_db.projector = Projector(hub_db.store, PositionSignal(), failing_at_first("item_row"))
    hub_db.deliver(log.scan("WO-1", "deburr"), log.scan("WO-2", "saw"))
    with pytest.raises(OSError, match="the disk is gone"):
        hub_db.drain()
    hub_db.drain()
    assert compare(hub_db.store) == []
    assert len(hub_db.show(select(event_state))) == 4


def test_the_queue_of_dirty_items_survives_a_restart(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    first = saw.scan("WO-1", "saw")
    hub_db.deliver(office.anchor(), saw.anchor(), first)
    hub_db.drain()
    hub_db.deliver(saw.undo(first))
    hub_db.projector.step()
    with hub_db.store.read() as connection:
        assert (recalculating(connection), behind(connection), projected_pos(connection)) == (1, 0, 4)
    hub_db.projector = Projector(hub_db.store, PositionSignal())
    hub_db.drain()
    with hub_db.store.read() as connection:
        assert recalculating(connection) == 0
    assert hub_db.show(select(item)) == []


def test_fresh_work_goes_before_old(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    first = saw.scan("WO-1", "saw")
    hub_db.deliver(saw.anchor(), first, saw.undo(first))
    hub_db.projector.step()
    hub_db.deliver(saw.scan("WO-2", "saw"))
    hub_db.projector.step()
    assert [row[0] for row in hub_db.show(select(dirty.c.item))] == []
    assert [row[0] for row in hub_db.show(select(item.c.item))] == ["WO-2"]


def test_no_bytes_stop_the_events_behind_them(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hostile = [
        b"", b"\x00", b"{}", b'{"v":99,"kind":"scan"}', b"[" * 9000, b"\xff\xfe", b'{"v":1,"kind":"scan"}',
        encode(Event(kind="scan", station="s", sw="t", raw=b"x" * 4000, stage="<script>")),
        encode(Event(kind="scan", station="s", sw="t", raw=b"\x00{}\xff", qty_milli=5, stage="s")),
        encode(Event(kind="anchor", station="s", sw="t", boot="b", t1=5, t4=1, t2=2**62, t3=-(2**63))),
        encode(Event(kind="entry", station="s", sw="t", what="order.release", data={"order": 5, "items": [None, {}]})),
        encode(Event(kind="entry", station="s", sw="t", what="order.release", data={"order": "A", "priority": 2**63})),
        encode(Event(kind="entry", station="s", sw="t", what="routing.define", data={"routing": "r", "operations": 7})),
        encode(Event(kind="entry", station="s", sw="t", what="product.define", data={"product": {"a": 1}})),
        encode(Event(kind="entry", station="s", sw="t", what="correct", data={"log": "x", "set": []})),
        encode(Event(kind="entry", station="s", sw="t", what="code.bind", data={"code": "A", "to": 5})),
        encode(Event(kind="entry", station="s", sw="t", what="pattern.define", data={"name": "p", "regex": "("})),
        encode(Event(kind="entry", station="s", sw="t", what="void", data={"log": "00" * 16, "seq": 2**70})),
    ]  # fmt: skip
    for encoded in hostile:
        prev = saw.rows[-1].hash if saw.rows else genesis(saw.log_id)
        saw.rows.append(
            type(hub_db.log("x", 9).scan("x"))(saw.log_id, len(saw.rows) + 1, encoded, prev, link(prev, encoded))
        )
    good = saw.scan("WO-1", "saw", qty_milli=1000)
    hub_db.deliver(*saw.rows)
    hub_db.drain()
    assert hub_db.show(select(parcel.c.stage).where(parcel.c.item == "WO-1")) == [("saw",)]
    states = dict(
        hub_db.show(select(ledger.c.seq, event_state.c.status).join(ledger, ledger.c.pos == event_state.c.pos))
    )
    assert [states[n] for n in range(1, 8)] == ["not_understood"] * 3 + ["future"] + ["not_understood"] * 3
    assert states[good.seq] == "ok"
    assert compare(hub_db.store) == []


def test_an_event_whose_hash_does_not_fit_is_kept_and_counts_for_nothing(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    bent = saw.scan("WO-1", "saw")
    bent.hash = bytes(32)
    hub_db.deliver(bent, saw.scan("WO-2", "saw"))
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status, event_state.c.kind).order_by(event_state.c.pos)) == [
        ("damaged", None),
        ("ok", "scan"),
    ]
    assert hub_db.show(select(item.c.item)) == [("WO-2",)]


def test_a_fact_that_cannot_be_folded_is_passed_over_and_logged(hub_db: Any) -> None:
    def broken(state: Any, item_event: Any, master_data: Any) -> Any:
        if item_event.stage == "weld":
            msg = "nobody thought of this"
            raise KeyError(msg)
        return apply(state, item_event, master_data)

    interpreter = DEFAULT_INTERPRETER._replace(apply=broken)
    hub_db.projector = Projector(hub_db.store, PositionSignal(), interpreter)
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.anchor(), saw.scan("WO-1", "saw"), saw.scan("WO-1", "weld"), saw.scan("WO-1", "pack"))
    hub_db.drain()
    assert hub_db.show(select(parcel.c.stage)) == [("pack",)]
    assert hub_db.show(select(set_aside.c.pos, set_aside.c.part)) == [(3, "fact")]
    assert compare(hub_db.store, interpreter) == []


def test_a_cost_changes_no_fold(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    release = office.entry("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 5000})
    hub_db.deliver(office.anchor(), release)
    hub_db.drain()
    cost = {"product": "bracket", "op": 10, "component": "labour", "basis": "unit", "micros": 5}
    hub_db.deliver(office.entry("cost.set", cost))
    hub_db.projector.step()
    assert hub_db.show(select(dirty)) == []
    with hub_db.store.read() as connection:
        assert [one.data for one in Definitions(connection).of("cost.set")] == [cost]


def test_the_snapshot_says_what_holds_now(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    hub_db.deliver(
        office.anchor(),
        office.entry("stage.define", {"stage": "saw", "name": "Saw"}),
        office.entry("stage.define", {"stage": "saw", "name": "Cold saw"}, holds_from_us=2**60),
        office.entry("cost.set", {"product": "b", "op": 1, "component": "labour", "basis": "unit", "micros": 1}),
        office.entry("rule.define", {"rule": "skipped", "on": True}),
        office.entry("code.bind", {"code": "TAG-1", "as": "item", "to": "WO-1"}),
    )
    hub_db.drain()
    with hub_db.store.read() as connection:
        version, body = snapshot(connection, now_us=office.zero_us + DAY_US)
        assert snapshot(connection, now_us=office.zero_us + 2 * DAY_US) == (version, body)
    told = msgspec.json.decode(body)
    assert [each["data"] for each in told["definitions"]] == [
        {"on": True, "rule": "skipped"},
        {"name": "Saw", "stage": "saw"},
    ]
    assert told["rules"] == [rule.name for rule in RULES if rule.on or rule.name == "skipped"]
    assert told["bindings"] == {"TAG-1": "WO-1"}
    assert told["codes"] == [{"code": "TAG-1", "as": "item", "to": "WO-1"}]


def test_the_snapshot_has_every_code_that_is_bound_and_none_that_was_let_go(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        office.entry("pattern.define", {"name": "order", "regex": "S-(?P<id>.+)", "as": "item"}),
        office.entry("code.bind", {"code": "CARD", "as": "command", "to": "WIP:SCRAP"}),
        office.entry("code.bind", {"code": "BADGE", "as": "badge", "to": "A1"}),
        office.entry("code.bind", {"code": '{"stockitem": 123}', "as": "item", "to": "O-20"}),
        office.entry("code.bind", {"code": "BIN", "as": "product", "to": "P"}),
        office.entry("code.bind", {"code": "GONE", "as": "command", "to": "WIP:DONE"}),
        office.entry("code.bind", {"code": "GONE", "as": "command"}),
        saw.scan("S-7", "saw", action="bind", carrier="TOTE"),
    )
    hub_db.drain()
    with hub_db.store.read() as connection:
        _, body = snapshot(connection, now_us=office.zero_us + DAY_US)
    told = msgspec.json.decode(body)
    assert sorted((each["code"], each["as"], each["to"]) for each in told["codes"]) == [
        ("BADGE", "badge", "A1"),
        ("BIN", "product", "P"),
        ("CARD", "command", "WIP:SCRAP"),
        ("TOTE", "item", "7"),
        ('{7B}"stockitem": 123}', "item", "O-20"),
    ]
    assert told["bindings"] == {"TOTE": "7", '{7B}"stockitem": 123}': "O-20"}  # all that an older station reads


def test_what_a_bench_did_with_a_bound_code_is_what_the_ledger_holds(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        office.entry("order.release", {"order": "O-31", "product": "b", "qty_milli": 5000}),
        office.entry("code.bind", {"code": "NEXT-IS-SCRAP", "as": "command", "to": "WIP:SCRAP"}),
        office.entry("code.bind", {"code": '{"o": 31}', "as": "item", "to": "O-31"}),
        saw.scan("NEXT-IS-SCRAP", "saw", scheme="command"),
        saw.scan('{"o": 31}', "saw", action="scrap", qty_milli=1000),
        office.entry("code.bind", {"code": "NEXT-IS-SCRAP"}),  # let go: the scan before stays the card that it was
    )
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("O-31",)]
    parcels = select(parcel.c.state, parcel.c.qty_milli).order_by(parcel.c.state)
    assert hub_db.show(parcels) == [("released", 4000), ("scrapped", 1000)]


@pytest.mark.parametrize(
    ("entered_us", "left_us", "days"),
    [
        (1, 2, []),
        (DAY_US - 1, DAY_US, []),
        (DAY_US - 1, DAY_US + 1, [1]),
        (DAY_US, DAY_US + 1, [1]),
        (5, 3 * DAY_US + 5, [1, 2, 3]),
        (5, 900 * DAY_US, [LONG]),
    ],
)
def test_a_piece_is_open_at_the_days_that_it_saw_begin(entered_us: int, left_us: int, days: list[int]) -> None:
    assert days_between(entered_us, left_us) == days


def test_moves_over_days_can_be_asked_for_by_day(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.anchor(), saw.scan("WO-1", "saw", after_s=60), saw.scan("WO-1", "pack", after_s=2 * 86_400))
    hub_db.drain()
    day = saw.zero_us // DAY_US
    assert hub_db.show(select(open_at.c.day).order_by(open_at.c.day)) == [(day + 1,), (day + 2,)]


def test_a_long_transaction_makes_the_next_one_smaller(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(*[saw.scan(f"WO-{n}", "saw") for n in range(1100)])
    ticks = itertools.count()
    hub_db.projector = Projector(hub_db.store, PositionSignal(), now_s=lambda: float(next(ticks)))
    hub_db.projector.step()
    if not hub_db.projector.pos:
        hub_db.projector.step()  # on PostgreSQL the first one only takes the projector's lock
    assert hub_db.projector.pos == 500
    hub_db.projector.step()
    assert hub_db.projector.pos == 875


class Shop(RuleBasedStateMachine):
    """Rows of a story arrive, the projector steps, loses its memory or is rebuilt; the comparison finds nothing."""

    make: Callable[[], Any]
    story: Callable[[int], list[Any]]

    def __init__(self) -> None:
        super().__init__()
        self.hub_db = type(self).make()
        self.rest: list[Any] = []
        self.seed = 0

    @rule(some=st.integers(1, 40), seed=st.integers(0, 10**6))
    def arrive(self, some: int, seed: int) -> None:
        if not self.rest and not self.seed:
            self.seed = seed + 1
            self.rest = type(self).story(seed)
            random.Random(seed).shuffle(self.rest)
        self.hub_db.deliver(*self.rest[:some])
        self.rest = self.rest[some:]

    @rule()
    def step(self) -> None:
        self.hub_db.projector.step()

    @rule()
    def restart(self) -> None:
        self.hub_db.projector = Projector(self.hub_db.store, PositionSignal())

    @rule()
    def rebuilt(self) -> None:
        rebuild(self.hub_db.store)
        self.restart()

    def teardown(self) -> None:
        self.hub_db.drain()
        assert compare(self.hub_db.store) == []


def test_no_sequence_of_steps_leads_away_from_a_rebuild(
    new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    machine = type("Shop", (Shop,), {"make": staticmethod(new_hub_db), "story": staticmethod(story)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
