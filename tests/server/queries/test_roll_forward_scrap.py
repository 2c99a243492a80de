"""Normal and abnormal scrap have their lines in the roll-forward: pieces are divided by the allowance of their operation."""

import pytest
from rolled_shop import lines, period, rolled

from server.queries.roll_forward import RollBy, entries_of, grain_of
from server.queries.value_entries import ValueLine


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


def with_allowance(small, **ppm):
    operations = [{"op": 10 * (n + 1), "stage": stage, "scrap_ppm": ppm.get(stage, 0)}
                  for n, stage in enumerate(("saw", "deburr", "test", "pack"))]  # fmt: skip
    small.say("routing.define", small.ago(days=20), routing="line", operations=operations)


def scrap_lines(small, *hours, by=RollBy.COMPONENT):
    """The normal and the abnormal scrap of a period in whole units of the currency."""
    roll = rolled(small, small.ago(hours=hours[0]), small.ago(hours=hours[1]) if hours[1:] else small.now_us, by)
    assert roll.gap == 0
    return tuple(-roll.total.lines.get(line, 0) / 1e6 for line in (ValueLine.NORMAL_SCRAP, ValueLine.SCRAPPED))


def test_scrap_within_the_allowance_of_what_came_to_the_operation_is_normal(small):
    with_allowance(small, deburr=20_000)  # two of a hundred
    small.release("WO-1", qty=100)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.scan("WO-1", "saw", small.ago(hours=8), action="scrap", qty_milli=1_000)  # bar 2: no allowance at Saw
    small.scan("WO-1", "deburr", small.ago(hours=7), qty_milli=50_000)
    small.scan(
        "WO-1", "deburr", small.ago(hours=6), action="scrap", qty_milli=3_000
    )  # bar 2 and labour 1: one is normal
    small.scan("WO-1", "deburr", small.ago(hours=5), qty_milli=40_000)
    small.scan("WO-1", "deburr", small.ago(hours=4), action="scrap", qty_milli=500)
    small.scan("WO-1", "deburr", small.ago(hours=3), action="scrap", qty_milli=500)
    small.settle()
    assert scrap_lines(small, 10) == (5.4, 8.6)  # 1.8 of 90 pieces are normal
    assert [scrap_lines(small, begin, begin - 1.25) for begin in (9, 7.5, 6.5, 4.5, 3.5)] == [
        (0, 2), (0, 0), (3, 6), (1.5, 0), (0.9, 0.6),
    ]  # fmt: skip
    with small.store.read() as connection:
        of = period(small, connection, small.ago(hours=10), small.now_us)
        postings = {
            (entry.line, entry.posting.milli)
            for entry in entries_of(connection, of, grain_of(RollBy.COMPONENT, item=True))
            if entry.line in (ValueLine.NORMAL_SCRAP, ValueLine.SCRAPPED)
        }
    assert postings == {
        *((ValueLine.NORMAL_SCRAP, milli) for milli in (1_000, 500, 300)),
        *((ValueLine.SCRAPPED, milli) for milli in (1_000, 2_000, 200)),
    }
    # A late scan that brings more pieces there before the scrap makes more of it normal.
    small.scan("WO-1", "deburr", small.ago(hours=6.5), station="late-1", qty_milli=5_000)
    small.settle()
    assert scrap_lines(small, 10) == (5.7, 8.3)


def test_the_serials_of_an_order_share_its_allowance(small):
    with_allowance(small, saw=500_000)
    names = [f"SN-{n}" for n in range(4)]
    small.release("WO-1", qty=4, items=names)
    for n, name in enumerate(names):
        small.scan(name, "saw", small.ago(hours=9 - n), qty_milli=1_000)
    small.scan("SN-0", "saw", small.ago(hours=4), action="scrap", all=True)
    small.scan("SN-1", "saw", small.ago(hours=3), action="scrap", all=True)
    small.scan("SN-2", "saw", small.ago(hours=2), action="scrap", all=True)
    small.settle()
    assert scrap_lines(small, 10) == (4, 2)


def test_an_order_keeps_the_allowance_of_its_release(small):
    small.release("WO-1", qty=10, at_us=small.ago(days=3))
    operations = [{"op": 10, "stage": "saw", "scrap_ppm": 999_999}, {"op": 20, "stage": "pack"}]
    small.say("routing.define", small.ago(days=2), routing="line", operations=operations)
    small.release("WO-2", qty=10, at_us=small.ago(days=1))
    for order in ("WO-1", "WO-2"):
        small.scan(order, "saw", small.ago(hours=3))
    for order in ("WO-1", "WO-2"):
        small.scan(order, "saw", small.ago(hours=2), action="scrap", qty_milli=1_000)
    small.settle()
    found = rolled(small, small.ago(hours=2.5), small.now_us, RollBy.ORDER)
    assert [(row.key, lines(row)) for row in found.rows] == [
        ("WO-1", {"abnormal_scrap": -2_000_000}),
        ("WO-2", {"normal_scrap": -2_000_000}),
    ]


def test_scrap_in_front_of_an_operation_by_a_scan_at_it_came_there(small):
    with_allowance(small, deburr=500_000)
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.scan("WO-1", "deburr", small.ago(hours=8), action="scrap", qty_milli=4_000)
    small.settle()
    assert scrap_lines(small, 10) == (4, 4)
