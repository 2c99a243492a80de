"""After any events of a shop, in any order of arrival, the board in memory has the figures of the database."""

from collections.abc import Callable
from typing import Any

import pytest
from live_oracle import compare_live

from server.queries.live_shop import LiveShop

DAY_US = 86_400_000_000
START_US = 20_000 * DAY_US
AT_ONCE = 4


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_after_each_events_of_a_shop(hub_db: Any, story: Callable[[int], list[Any]], seed: int) -> None:
    live, rows, seen = LiveShop(), story(seed), set()
    for number, start in enumerate(range(0, len(rows), AT_ONCE)):
        hub_db.deliver(*rows[start : start + AT_ONCE])
        hub_db.drain()
        with hub_db.store.read() as connection:
            seen.add(repr(compare_live(connection, live, START_US + number * DAY_US // 20)))
    assert len(seen) > 5
    assert live.stock.loads < len(rows) // AT_ONCE
