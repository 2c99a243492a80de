"""Flow of a span of days: cumulative flow, throughput and durations, read from the sums by day."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from shop_writer import ShopWriter

from server.db.store import Store
from server.queries.flow import Percentile, PlaceDay, Throughput, cumulative_flow, durations_of, throughput
from station.core.ledger.flow import Measure

HOUR_US = 3_600_000_000


@pytest.fixture
def small(store: Store) -> ShopWriter:
    """The small shop, whose days are those of UTC."""
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


def noon(shop_writer: ShopWriter, days_ago: int) -> int:
    """Noon UTC of an earlier day."""
    day_us = 24 * HOUR_US
    return (shop_writer.now_us // day_us - days_ago) * day_us + 12 * HOUR_US


def day_of(us: int) -> date:
    return datetime.fromtimestamp(us / 1_000_000, UTC).date()


def moved(day: date, rows: list[PlaceDay]) -> dict[str, tuple[int, int, int]]:
    """What came, left and is there by place on a day, where anything is."""
    return {row.place: row[2:] for row in rows if row.day == day and any(row[2:])}


def test_the_cumulative_flow_of_a_span_begins_with_what_was_there(small: ShopWriter) -> None:
    start_us = noon(small, 6)
    first = day_of(start_us)
    small.release("WO-1", qty=40, at_us=start_us)
    small.scan("WO-1", "saw", start_us + HOUR_US, action="in")
    small.scan("WO-1", "saw", start_us + 25 * HOUR_US, action="out", qty_milli=30_000)
    small.scan("WO-1", "deburr", start_us + 26 * HOUR_US, action="scrap", qty_milli=2_000)
    small.scan("WO-1", "pack", start_us + 73 * HOUR_US, qty_milli=5_000)
    small.settle()
    with small.store.read() as connection:
        rows = cumulative_flow(connection, first + timedelta(1), first + timedelta(3))
        whole = cumulative_flow(connection, first, first + timedelta(3))
    assert moved(first + timedelta(1), rows) == {
        "saw": (0, 30_000, 10_000),
        "deburr": (30_000, 2_000, 28_000),
        "scrapped": (2_000, 0, 2_000),
    }
    assert moved(first + timedelta(2), rows) == {
        "saw": (0, 0, 10_000),
        "deburr": (0, 0, 28_000),
        "scrapped": (0, 0, 2_000),
    }
    third = moved(first + timedelta(3), rows)
    assert (third["deburr"], third["finished"], third["pack"]) == (
        (0, 5_000, 23_000),
        (5_000, 0, 5_000),
        (5_000, 5_000, 0),
    )
    assert moved(first, whole)["saw"] == (40_000, 0, 40_000)
    assert [row for row in whole if row.day > first and any(row[2:])] == [row for row in rows if any(row[2:])]


def test_the_throughput_of_a_stage_is_what_left_it_and_that_of_the_shop_what_was_finished(small: ShopWriter) -> None:
    start_us = noon(small, 4)
    first = day_of(start_us)
    for number in range(3):
        small.release(f"WO-{number}", qty=10, at_us=start_us)
        small.scan(f"WO-{number}", "saw", start_us + HOUR_US)
        small.scan(f"WO-{number}", "deburr", start_us + (2 + 24 * number) * HOUR_US)
    small.scan("WO-0", "pack", start_us + 30 * HOUR_US)
    small.settle()
    with small.store.read() as connection:
        saw = throughput(connection, first, first + timedelta(2), "saw")
        shop = throughput(connection, first, first + timedelta(2))
    assert saw == [Throughput(first + timedelta(n), 10_000, 1) for n in range(3)]
    assert [row[1:] for row in shop] == [(0, 0), (10_000, 1), (0, 0)]


def test_durations_are_exact_up_to_a_number_and_then_of_buckets(small: ShopWriter) -> None:
    start_us, chance = noon(small, 5), random.Random(5)
    first, last = day_of(start_us), day_of(start_us) + timedelta(2)
    ordered = sorted(chance.randrange(HOUR_US // 10, 40 * HOUR_US) for _ in range(30))
    for number, us in enumerate(ordered):
        small.scan(f"WO-{number}", "saw", start_us)
        small.scan(f"WO-{number}", "deburr", start_us + us)
    small.settle()
    with small.store.read() as connection:
        exact = durations_of(connection, Measure.STAGE, first, last, "saw")
        rough = durations_of(connection, Measure.STAGE, first, last, "saw", exact_to=29)
        assert durations_of(connection, Measure.STAGE, first, last, "deburr") is None
        assert durations_of(connection, Measure.QUEUE, first, last, "saw") is None
        everywhere = durations_of(connection, Measure.STAGE, first, last)
    assert exact is not None
    assert rough is not None
    assert (exact.number, exact.mean_us, exact.exact) == (30, sum(ordered) // 30, True)
    assert exact.percentiles == (Percentile(50, ordered[14]), Percentile(85, ordered[25]), Percentile(95, ordered[28]))
    assert (rough.number, rough.mean_us, rough.exact) == (30, exact.mean_us, False)
    for one, other in zip(exact.percentiles, rough.percentiles, strict=True):
        assert one.us <= other.us <= one.us * 101 // 100
    assert everywhere == exact


def test_days_of_the_durations_are_those_of_the_site(small: ShopWriter) -> None:
    """The stay ends at 23:30 UTC, which is the next day in Tokyo."""
    end_us = noon(small, 3) + 11 * HOUR_US + HOUR_US // 2
    small.say("site.define", None, zone="Asia/Tokyo")
    small.scan("WO-1", "saw", end_us - HOUR_US)
    small.scan("WO-1", "deburr", end_us)
    small.settle()
    day: Any = day_of(end_us)
    with small.store.read() as connection:
        assert durations_of(connection, Measure.STAGE, day, day) is None
        after = durations_of(connection, Measure.STAGE, day + timedelta(1), day + timedelta(1))
    assert after is not None
    assert (after.number, after.mean_us) == (1, HOUR_US)
