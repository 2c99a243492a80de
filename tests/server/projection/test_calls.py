"""Calls and answers: paired by stage in effective order, whatever the order of arrival."""

import random
from collections.abc import Callable
from typing import Any

import engines
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.projection.rebuild import compare, rebuild
from server.queries.calls import Call, CallEvent, calls_until, open_calls, pair
from station.core.event import LogPosition

engine = engines.both_at_night

FOREVER_US = 2**60
S_US = 1_000_000


def paired(
    hub_db: Any, now_us: int = FOREVER_US
) -> list[tuple[str | None, str | None, str | None, str | None, int | None]]:
    """(place, reason, called by, answered by, seconds) of each call in effective order."""
    hub_db.drain()
    with hub_db.store.read() as connection:
        open_now = [each for each in calls_until(connection, now_us) if each.is_open]
        assert open_calls(connection, now_us) == open_now
        return [
            (
                call.call.place[1], call.call.reason, call.call.by, call.answered_by,
                None if call.answered_us is None else call.waited_s(0),
            )
            for call in calls_until(connection, now_us)
        ]  # fmt: skip


def call(log: Any, stage: str | None, kind: str = "supervisor", **fields: Any) -> Any:
    return log.scan(f"WIP:CALL:{kind}", stage, scheme="command", action="call", reason=kind, **fields)


def answer(log: Any, stage: str | None, **fields: Any) -> Any:
    return log.scan("WIP:ANSWER", stage, scheme="command", action="answer", **fields)


def test_one_answer_ends_all_open_calls_of_its_stage_and_no_other(hub_db: Any) -> None:
    log = hub_db.log("saw-1", 1)
    log.anchor()
    answer(log, "saw", operator="early")
    call(log, "saw", operator="K7", after_s=10)
    call(log, "saw", "material", after_s=10)
    call(log, "mill", after_s=10)
    answer(log, "saw", operator="B2", after_s=30)
    call(log, "saw", after_s=10)
    hub_db.deliver(*log.rows)
    assert paired(hub_db) == [
        ("saw", "supervisor", "K7", "B2", 50),
        ("saw", "material", None, "B2", 40),
        ("mill", "supervisor", None, None, None),
        ("saw", "supervisor", None, None, None),
    ]
    with hub_db.store.read() as connection:
        assert [each.call.place for each in open_calls(connection, FOREVER_US)] == [("stage", "mill"), ("stage", "saw")]


def test_an_answer_on_the_hub_takes_effect_at_the_time_that_it_names(hub_db: Any) -> None:
    log, office = hub_db.log("saw-1", 1), hub_db.log("hub", 9)
    log.anchor()
    office.anchor()
    call(log, "saw", after_s=10)
    call(log, "saw", "material", after_s=100)
    between_us = log.zero_us + 60 * S_US
    office.entry("answer", {"stage": "saw"}, holds_from_us=between_us, after_s=900)
    hub_db.deliver(*log.rows, *office.rows)
    assert paired(hub_db) == [
        ("saw", "supervisor", None, "Ann", 49),
        ("saw", "material", None, None, None),
    ]


def test_a_voided_call_vanishes_and_a_voided_answer_opens_its_calls_again(hub_db: Any) -> None:
    log, office = hub_db.log("saw-1", 1), hub_db.log("hub", 9)
    log.anchor()
    office.anchor()
    wrong, right, done = call(log, "saw"), call(log, "saw", "material"), answer(log, "saw", operator="B2")
    hub_db.deliver(*log.rows, *office.rows)
    assert [row[3] for row in paired(hub_db)] == ["B2", "B2"]
    undone = office.void(wrong)
    hub_db.deliver(undone)
    assert [row[1] for row in paired(hub_db)] == ["material"]
    hub_db.deliver(office.void(done))
    assert paired(hub_db) == [("saw", "material", None, None, None)]
    hub_db.deliver(office.void(undone))
    assert [row[1] for row in paired(hub_db)] == ["supervisor", "material"]
    assert right is not wrong
    assert compare(hub_db.store) == []


def test_a_correction_of_the_stage_moves_the_call_and_one_of_the_action_ends_it(hub_db: Any) -> None:
    log, office = hub_db.log("saw-1", 1), hub_db.log("hub", 9)
    log.anchor()
    office.anchor()
    moved, ended = call(log, "saw"), call(log, "mill", "material")
    for row, put in ((moved, {"stage": "deburr", "operator": "K7"}), (ended, {"action": "hold"})):
        span = {"from_seq": row.seq, "to_seq": row.seq}
        office.entry("correct", {"log": row.log.hex(), **span, "set": put})
    hub_db.deliver(*log.rows, *office.rows)
    assert paired(hub_db) == [("deburr", "supervisor", "K7", None, None)]


def test_a_call_without_a_stage_is_answered_at_its_station(hub_db: Any) -> None:
    one, two, office = hub_db.log("saw-1", 1), hub_db.log("saw-2", 2), hub_db.log("hub", 9)
    for log in (one, two, office):
        log.anchor()
    call(one, None)
    call(two, None)
    answer(two, "saw", after_s=5)
    answer(two, None, operator="B2", after_s=5)
    hub_db.deliver(*one.rows, *two.rows, *office.rows)
    assert [row[::3] for row in paired(hub_db)] == [("saw-1", None), ("saw-2", "B2")]
    hub_db.deliver(office.entry("answer", {"station": "saw-1"}, after_s=900))
    assert [row[::3] for row in paired(hub_db)] == [("saw-1", "Ann"), ("saw-2", "B2")]


def test_repeats_and_stations_that_write_entries_neither_call_nor_answer(hub_db: Any) -> None:
    log = hub_db.log("saw-1", 1)
    log.anchor()
    call(log, "saw")
    call(log, "saw", repeat=True)
    answer(log, "saw", repeat=True)
    log.entry("answer", {"stage": "saw"})
    hub_db.deliver(*log.rows)
    assert paired(hub_db) == [("saw", "supervisor", None, None, None)]


def test_a_call_stays_open_over_any_number_of_days(hub_db: Any) -> None:
    log = hub_db.log("saw-1", 1)
    log.anchor()
    call(log, "saw")
    hub_db.deliver(*log.rows)
    assert [row[3] for row in paired(hub_db, log.zero_us + 400 * 86_400 * S_US)] == [None]


def _told(seed: int, hub_db: Any) -> list[Any]:
    """Calls and answers of two stations and the hub, restarts without anchors, and voids."""
    chance = random.Random(seed)
    logs = [hub_db.log("saw-1", 1), hub_db.log("saw-2", 2)]
    office = hub_db.log("hub", 9)
    said: list[Any] = []
    for log in (*logs, office):
        log.anchor()
    for _ in range(40):
        log = chance.choice(logs)
        stage, after_s = chance.choice(["saw", "mill", None]), chance.randint(1, 4000)
        kind = chance.random()
        if kind < 0.45:
            said.append(call(log, stage, chance.choice(["supervisor", "material"]), after_s=after_s))
        elif kind < 0.65:
            said.append(answer(log, stage, after_s=after_s))
        elif kind < 0.75:
            office.mono_ns += after_s * 10**9
            office.entry("answer", {"stage": stage} if stage else {"station": "saw-1"},
                         holds_from_us=chance.choice([None, office.zero_us + chance.randint(0, 60_000) * S_US]))  # fmt: skip
        elif kind < 0.85 and said:
            office.void(chance.choice(said))
        elif kind < 0.9 and said:
            row = chance.choice(said)
            span = {"from_seq": row.seq, "to_seq": row.seq}
            office.entry("correct", {"log": row.log.hex(), **span, "set": {"stage": "mill"}})
        else:
            log.restart(f"{log.boot}+", off_s=chance.randint(1, 5000))
            if chance.random() < 0.5:
                log.anchor()
    for log in logs:
        log.anchor()
    return [row for log in (office, *logs) for row in log.rows]


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_arrival_gives_the_same_calls_and_a_rebuild_the_same_rows(
    seed: int, new_hub_db: Callable[[], Any]
) -> None:
    in_order, shuffled = new_hub_db(), new_hub_db()
    rows = _told(seed, in_order)
    in_order.deliver(*rows)
    wanted = paired(in_order)
    assert any(row[4] is not None for row in wanted)
    chance = random.Random(seed)
    rest = chance.sample(rows, len(rows))
    while rest:
        most = chance.randint(1, 9)
        shuffled.deliver(*rest[:most])
        rest = rest[most:]
        shuffled.drain()
    assert paired(shuffled) == wanted
    assert compare(shuffled.store) == compare(in_order.store) == []
    rebuild(shuffled.store)
    assert paired(shuffled) == wanted


EVENTS = st.lists(
    st.builds(
        CallEvent, st.sampled_from(["call", "answer"]), st.sampled_from(["saw", "mill", None]), st.sampled_from(["a", "b"]),
        at_us=st.integers(0, 5), seq=st.integers(1, 9),
    ),
    max_size=12,
)  # fmt: skip


@given(EVENTS)
def test_each_call_has_the_first_answer_behind_it_at_its_place(events: list[CallEvent]) -> None:
    events = sorted(events, key=lambda event: (event.at_us, event.seq))
    wanted = []
    for index, event in enumerate(events):
        if event.verb == "call":
            later = (other for other in events[index:] if other.verb == "answer" and other.place == event.place)
            found = next(later, None)
            wanted.append(Call(event) if found is None else Call(event, found.at_us, found.by, found.station))
    assert pair(events) == wanted


def test_undo_at_the_bench_leaves_calls_alone_but_a_void_event_takes_one_back(hub_db: Any) -> None:
    log = hub_db.log("saw-1", 1)
    log.anchor()
    row = call(log, "saw")
    log.said("scan", raw=b"WIP:UNDO", scheme="command", action="void", ref=LogPosition(**row.place))
    hub_db.deliver(*log.rows)
    assert paired(hub_db) == []
