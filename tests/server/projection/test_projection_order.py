"""The projection is the same whatever the order of arrival, and the same as one rebuilt from nothing."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from server.projection.rebuild import compare, rebuild

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
