"""The projection is the same whatever the order of arrival, and the same as one rebuilt from nothing."""

import random
from collections.abc import Callable
from typing import Any

import engines
import pytest
from sqlalchemy import event as engine_event
from sqlalchemy import select

from server.db.bulk_insert import insert_many
from server.db.position_signal import PositionSignal
from server.projection.boot_clocks import MAX_SEQ
from server.projection.internal_tables import word
from server.projection.order_keys import ROWS_AT_ONCE, place_before, places_backwards
from server.projection.rebuild import compare, rebuild
from server.projection.tables import event_state
from server.projection.words import word_id
from server.projection.worker import Projector
from station.core.event import EventIdentity

engine = engines.both_at_night

SEEDS = range(8)


def in_parts(hub_db: Any, rows: list[Any], chance: random.Random, rows_at_once: int = ROWS_AT_ONCE) -> None:
    """Deliver rows a few at a time, the projector folding between, sometimes with its memory lost."""
    rest = list(rows)
    while rest:
        some = chance.randint(1, 15)
        hub_db.deliver(*rest[:some])
        rest = rest[some:]
        if chance.random() < 0.2:
            hub_db.projector = Projector(hub_db.store, PositionSignal(), rows_at_once=rows_at_once)
        if chance.random() < 0.5:
            hub_db.drain()
        else:
            hub_db.projector.step()
    hub_db.drain()


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_arrival_gives_the_rows_of_a_rebuild(
    seed: int, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    rows = story(seed)
    chance = random.Random(seed)
    in_order, shuffled = new_hub_db(), new_hub_db()
    in_order.deliver(*rows)
    in_order.drain()
    in_parts(shuffled, chance.sample(rows, len(rows)), chance)
    assert compare(in_order.store) == []
    assert compare(shuffled.store) == []
    assert shuffled.everything() == in_order.everything()
    rebuild(shuffled.store)
    assert shuffled.everything() == in_order.everything()


@pytest.mark.parametrize(("seed", "at_once"), [(4, 2), (9, 3), (13, 3), (17, 2), (26, 2)])
def test_a_log_that_is_looked_at_in_small_parts_has_the_same_rows(
    seed: int, at_once: int, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:  # fmt: skip
    chance, hub_db, rows = random.Random(seed), new_hub_db(), story(seed)
    hub_db.projector = Projector(hub_db.store, PositionSignal(), rows_at_once=at_once)
    in_parts(hub_db, chance.sample(rows, len(rows)), chance, at_once)
    assert compare(hub_db.store) == []


@pytest.mark.parametrize("at_once", [2, 3, 4, 20])
def test_a_place_where_two_stand_is_never_cut_in_two(hub_db: Any, at_once: int) -> None:
    log = bytes(16)
    rows = [(pos, "scan", "ok", 0, 0, 0, False, 1, 1 + pos // 2, bytes(32), 2, pos, 0) for pos in range(1, 10)]
    with hub_db.store.write() as connection:
        insert_many(connection, word, [(1, log.hex()), (2, "b")])
        insert_many(connection, event_state, rows)
    with hub_db.store.read() as connection:
        found = [sorted(each.pos for each in here) for here in places_backwards(connection, log.hex(), 5, at_once)]
    assert found == [[6, 7], [4, 5], [2, 3], [1]]


@pytest.mark.parametrize("stages", [("saw", "pack"), (None, "saw")])
@pytest.mark.parametrize("action", [None, "bind"])
def test_two_events_at_one_place_are_in_one_order_whichever_comes_first(
    new_hub_db: Callable[[], Any], action: str | None, stages: tuple[str | None, str]
) -> None:
    """A copied card: two devices recorded another event at the same place of one log, and no anchor gives them a time."""
    floors = new_hub_db(), new_hub_db()
    one, other = floors[0].log("s1", 1), floors[0].log("s1", 2)
    carrier = "TAG-1" if action else None
    first = one.scan("WO-1", stages[0], action=action, carrier=carrier)
    twin = other.scan("WO-2" if action else "WO-1", stages[1], action=action, carrier=carrier,
        origin=EventIdentity(first.log.hex(), first.seq, "55" * 32))  # fmt: skip
    tag = one.scan("TAG-1", "saw")
    for hub_db, rows in zip(floors, ((first, twin, tag), (twin, first, tag)), strict=True):
        hub_db.deliver(*rows[:1])
        hub_db.drain()
        hub_db.deliver(*rows[1:])
        hub_db.drain()
        assert compare(hub_db.store) == []
    assert floors[0].everything() == floors[1].everything()


@pytest.mark.parametrize("stored", [0, 2 * ROWS_AT_ONCE + 1])
def test_a_long_log_of_stored_scans_holds_nobody_up(hub_db: Any, stored: int) -> None:
    """Whoever hands over nothing else must not have the hub ask once for each of them while it holds the ledger."""
    one, asked = hub_db.log("s", 1), []
    hub_db.deliver(one.anchor(), *(one.scan("WO-1", "saw", since_ns=0) for _ in range(stored)))
    hub_db.drain()
    with hub_db.store.read() as connection:
        engine_event.listen(connection.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        found = place_before(connection, one.log_id.hex(), MAX_SEQ)
    assert found is not None
    assert found[0] == stored + 1
    assert len(asked) <= 8, asked


def test_a_stored_scan_in_a_boot_without_time_leaves_the_next_its_bound_also_after_a_restart(hub_db: Any) -> None:
    one = hub_db.log("s", 1)
    hub_db.deliver(one.anchor(), one.scan("WO-1", "saw"))
    one.restart("dark")
    hub_db.deliver(one.scan("WO-1", "saw"), *(one.scan("WO-2", "saw", since_ns=0) for _ in range(3)))
    hub_db.drain()
    hub_db.projector = Projector(hub_db.store, PositionSignal())  # a restart of the hub
    hub_db.deliver(one.scan("WO-3", "saw"))
    hub_db.drain()
    assert compare(hub_db.store) == []
    before, *_stored, after = hub_db.show(select(event_state.c.lo_us).where(event_state.c.boot == word_id("dark")))
    assert after == before  # it was recorded behind it, whenever the stored ones were made
