"""Known: the shop as it was known at an earlier position equals a fold of only the events up to that position."""

import random
from collections.abc import Callable
from typing import Any

import engines
import pytest
from fold_oracle import drawn, summed
from known_oracle import projection_at
from sqlalchemy import select

from server.projection.tables import event_item
from server.queries.as_known_at import known_stock, past_stock, shop_known_at
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at
from server.queries.order_family import without_members
from server.queries.valuation import Valuation

engine = engines.both_at_night

SEEDS = [3, "new", *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (7, 42, "another"))]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_known_equals_a_fold_of_the_events_up_to_there(
    seed: int | str, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    """The story arrives in random parts and nearly in order, so that voids, anchors, bindings and old events come late."""
    seed = drawn(seed)
    chance = random.Random(seed)
    hub_db, rows = new_hub_db(), story(seed)
    rows = arriving(chance, rows)
    for start in range(0, len(rows), 40):
        hub_db.deliver(*rows[start : start + 40])
        hub_db.drain()
    with hub_db.store.read() as connection:
        times = sorted(connection.execute(select(event_item.c.key_us).distinct()).scalars())
        for pos in sorted(chance.sample(range(len(rows)), 4)):
            with projection_at(connection, pos) as oracle, shop_known_at(connection, pos) as shop:
                for at_us in (None, *chance.sample(times, min(3, len(times)))):
                    stock = stock_now(oracle) if at_us is None else stock_at(oracle, at_us)
                    assert summed(known_stock(connection, shop, at_us).rows) == summed(stock), (seed, pos, at_us)
                now_us = times[-1] + 1
                valuation, found = past_stock(connection, pos, at_us, now_us)
                each_once = without_members(oracle, stock, Valuation(master_data(oracle), valuation.at_us), at_us)
                assert summed(found) == summed(each_once), (seed, pos, at_us)


def arriving(chance: random.Random, rows: list[Any]) -> list[Any]:
    """The rows by their logs in turn: each log in order, some of them late, some places of its middle last."""
    logs: dict[bytes, list[Any]] = {}
    for row in rows:
        logs.setdefault(row.log, []).append(row)
    arrived, late = [], []
    while logs:
        log = chance.choice(list(logs))
        for _ in range(min(chance.randint(1, 12), len(logs[log]))):
            row = logs[log].pop(0)
            (late if chance.random() < 0.08 else arrived).append(row)
        if not logs[log]:
            del logs[log]
    chance.shuffle(late)
    return [*arrived, *late]
