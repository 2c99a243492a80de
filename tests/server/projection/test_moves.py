"""Rows of moves: the stock of any past time and every sum of an item can be read from them."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from fold_oracle import FoldOracle, drawn, summed
from sqlalchemy import func, select

from server.projection.rebuild import compare
from server.projection.tables import DAY_US, LONG, item, move, open_at, parcel
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at

SEEDS = [11, 42, 988083, "new", "another"]
YEAR_S = 365 * 86_400


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stock_of_any_past_time_is_that_of_a_fold(
    seed: int | str, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    """The story arrives in random parts and in random order, so that old events come late."""
    seed = drawn(seed)
    chance = random.Random(seed)
    hub_db, rows = new_hub_db(), story(seed)
    chance.shuffle(rows)
    for start in range(0, len(rows), 20):
        hub_db.deliver(*rows[start : start + 20])
        hub_db.drain()
    with hub_db.store.read() as connection:
        oracle = FoldOracle(connection)
        first, last = oracle.times[0], oracle.times[-1]
        exact = chance.sample(oracle.times, min(20, len(oracle.times)))
        asked = [*exact, *(chance.randint(first - DAY_US, last + DAY_US) for _ in range(15))]
        midnights = [(one // DAY_US + nights) * DAY_US for one in exact[:5] for nights in (0, 1)]
        found = 0
        for at_us in [*asked, *midnights]:
            stock = summed(stock_at(connection, at_us))
            assert stock == oracle.stock_at(at_us), at_us
            found += len(stock)
        assert found
        assert summed(stock_at(connection, last)) == summed(stock_now(connection))
    assert compare(hub_db.store) == []


@pytest.mark.parametrize("seed", SEEDS[2:4])
def test_the_moves_of_an_item_sum_to_what_is_there(
    seed: int | str, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    hub_db = new_hub_db()
    hub_db.deliver(*story(drawn(seed)))
    hub_db.drain()
    sums: dict[tuple[str, str], int] = {}
    for name, source, target, milli in hub_db.show(
        select(move.c.item, move.c.from_state, move.c.to_state, move.c.qty_milli)
    ):
        sums[name, source] = sums.get((name, source), 0) - (milli or 0)
        sums[name, target] = sums.get((name, target), 0) + (milli or 0)
    there: dict[tuple[str, str], int] = {}
    for name, state, milli in hub_db.show(
        select(parcel.c.item, parcel.c.state, func.sum(parcel.c.qty_milli)).group_by(parcel.c.item, parcel.c.state)
    ):
        there[name, state] = milli or 0
    for row in hub_db.show(select(item.c.item, item.c.ordered_milli, item.c.overrun_milli, item.c.adjusted_milli)):
        there |= {(row[0], "ordered"): -row[1], (row[0], "overrun"): -row[2], (row[0], "adjusted"): row[3]}
    known = {name for name, is_known in hub_db.show(select(item.c.item, item.c.known_qty)) if is_known}
    assert known or not isinstance(seed, int)  # a drawn story may have no item of known quantity
    for name in known:
        of_item = {state: milli for (one, state), milli in sums.items() if one == name and milli}
        assert of_item == {state: milli for (one, state), milli in there.items() if one == name and milli}
        assert sum(of_item.values()) == 0


def test_a_piece_that_stayed_for_years_is_found_at_any_time_between(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    scans = [saw.scan("WO-1", "saw"), saw.scan("WO-1", "pack", after_s=3 * YEAR_S), saw.scan("WO-1", "saw", after_s=60)]
    hub_db.deliver(saw.anchor(), *scans)
    hub_db.drain()
    assert hub_db.show(select(open_at.c.day, open_at.c.n)) == [(LONG, 2)]
    times = {0: None, 2: "saw", 2 * YEAR_S: "saw", 3 * YEAR_S + 30: "pack", 3 * YEAR_S + 120: "saw", 9 * YEAR_S: "saw"}
    with hub_db.store.read() as connection:
        for after_s, stage in times.items():
            stages = [row.stage for row in stock_at(connection, saw.zero_us + after_s * 1_000_000)]
            assert stages == ([stage] if stage else []), after_s


def test_a_refold_leaves_no_day_of_the_moves_before(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    kept, voided = saw.scan("WO-1", "saw"), saw.scan("WO-1", "pack", after_s=3 * 86_400)
    hub_db.deliver(saw.anchor(), kept, voided)
    hub_db.drain()
    assert len(hub_db.show(select(open_at))) == 3
    hub_db.deliver(saw.undo(voided))
    hub_db.drain()
    assert hub_db.show(select(open_at)) == []
    assert compare(hub_db.store) == []
