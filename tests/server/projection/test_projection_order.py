"""The projection is the same whatever the order of arrival, and the same as one rebuilt from nothing."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from server.projection.rebuild import compare, rebuild
from server.projection.tables import event_state

SEEDS = range(8)


def in_parts(floor: Any, rows: list[Any], chance: random.Random) -> None:
    """Deliver rows a few at a time, the projector folding between, sometimes with its memory lost."""
    rest = list(rows)
    while rest:
        some = chance.randint(1, 15)
        floor.deliver(*rest[:some])
        rest = rest[some:]
        if chance.random() < 0.2:
            floor.projector = type(floor.projector)(floor.store, floor.projector._bell)
        if chance.random() < 0.5:
            floor.drain()
        else:
            floor.projector.step()
    floor.drain()


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_arrival_gives_the_rows_of_a_rebuild(
    seed: int, new_floor: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    rows = story(seed)
    chance = random.Random(seed)
    in_order, shuffled = new_floor(), new_floor()
    in_order.deliver(*rows)
    in_order.drain()
    in_parts(shuffled, chance.sample(rows, len(rows)), chance)
    assert compare(in_order.store) == []
    assert compare(shuffled.store) == []
    assert shuffled.everything() == in_order.everything()
    rebuild(shuffled.store)
    assert shuffled.everything() == in_order.everything()


def test_a_stored_scan_in_a_boot_without_time_leaves_the_next_its_bound_also_after_a_restart(floor: Any) -> None:
    one = floor.log("s", 1)
    floor.deliver(one.anchor(), one.scan("WO-1", "saw"))
    one.restart("dark")
    floor.deliver(one.scan("WO-1", "saw"), *(one.scan("WO-2", "saw", since_ns=0) for _ in range(3)))
    floor.drain()
    floor.projector = type(floor.projector)(floor.store, floor.projector._bell)  # a restart of the hub
    floor.deliver(one.scan("WO-3", "saw"))
    floor.drain()
    assert compare(floor.store) == []
    before, *_stored, after = floor.show(select(event_state.c.lo_us).where(event_state.c.boot == "dark"))
    assert after == before  # it was recorded behind it, whenever the stored ones were made
