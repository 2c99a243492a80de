"""Counts: each scan is compared with the ledger at its own moment, and what moved during the walk is explained."""

from random import Random

import pytest

from server.projection.rebuild import rebuild
from server.queries.count_lines import LineKind, count_lines, differing_micros, open_counts
from server.queries.counts import all_counts, count_named, scans_of


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    for number in range(1, 5):
        shop_writer.release(f"WO-{number}", qty=10)
        shop_writer.scan(f"WO-{number}", "saw", shop_writer.ago(hours=9))
    return shop_writer


def opened(shop, hours=5.0, ended=None, **data):
    shop.say("count.open", shop.ago(hours=hours), count="C-1", **data)
    if ended is not None:
        shop.say("count.end", shop.ago(hours=ended), count="C-1", how="finished")


def counted(shop, item, stage, hours, **fields):
    return shop.scan(item, stage, shop.ago(hours=hours), action="count", **fields)


def lines(shop):
    shop.settle()
    with shop.store.read() as connection:
        return count_lines(connection, count_named(connection, "C-1"), shop.now_us)


def told(shop):
    return {(line.item, line.stage): (line.kind, line.difference_milli, line.micros) for line in lines(shop)}


def test_each_kind_of_line(shop):
    opened(shop, stages=["saw", "deburr"], ended=1)
    counted(shop, "WO-1", "saw", 4)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    counted(shop, "WO-3", "deburr", 3)
    shop.release("WO-6", qty=3)
    counted(shop, "WO-6", "saw", 3, qty_milli=3000)
    counted(shop, "NOTHING-7", "saw", 3)
    assert told(shop) == {
        ("WO-1", "saw"): (LineKind.AGREES, 0, 0),
        ("WO-2", "saw"): (LineKind.DIFFERS, -2000, -4_000_000),
        ("WO-3", "deburr"): (LineKind.ELSEWHERE, 10_000, 20_000_000),
        ("WO-4", "saw"): (LineKind.MISSING, -10_000, -20_000_000),
        ("WO-6", "saw"): (LineKind.FOUND, 3000, 6_000_000),
        ("NOTHING-7", "saw"): (LineKind.UNKNOWN, None, None),
    }
    assert [line.item for line in lines(shop)][-1] == "WO-1"
    assert lines(shop)[0].micros in (20_000_000, -20_000_000)
    elsewhere = next(line for line in lines(shop) if line.kind is LineKind.ELSEWHERE)
    assert elsewhere.elsewhere == (("saw", 10_000),)
    assert differing_micros(lines(shop)) == 30_000_000  # what stands at another stage is neither more nor less money


def test_what_moved_during_the_walk_is_explained(shop):
    opened(shop, stages=["saw"], ended=1)
    counted(shop, "WO-1", "saw", 4)
    shop.scan("WO-1", "deburr", shop.ago(hours=3))
    shop.scan("WO-2", "deburr", shop.ago(hours=4))
    shop.scan("WO-3", "deburr", shop.ago(hours=4), qty_milli=4000)
    counted(shop, "WO-3", "saw", 3, qty_milli=6000)
    shop.scan("WO-4", "deburr", shop.ago(hours=4), qty_milli=4000)
    found = told(shop)
    assert found["WO-1", "saw"] == (LineKind.AGREES, 0, 0)
    assert found["WO-2", "saw"][0] is LineKind.MOVED
    assert found["WO-3", "saw"] == (LineKind.AGREES, 0, 0)
    assert found["WO-4", "saw"][:2] == (LineKind.MISSING, -6000)


def test_what_is_not_counted_is_not_missing_where_nobody_walked_or_while_the_walk_goes_on(shop):
    opened(shop)
    counted(shop, "WO-1", "deburr", 4)
    assert told(shop)["WO-2", "saw"][0] is LineKind.UNCOUNTED
    shop.say("count.end", shop.ago(hours=1), count="C-1", how="finished")
    assert told(shop)["WO-2", "saw"][0] is LineKind.UNCOUNTED
    counted(shop, "WO-2", "saw", 2)
    assert told(shop)["WO-3", "saw"][0] is LineKind.MISSING


def test_the_last_scan_counts_and_a_void_or_repeat_does_not(shop):
    opened(shop, ended=1)
    counted(shop, "WO-1", "saw", 4, qty_milli=7000)
    counted(shop, "WO-1", "saw", 3, qty_milli=10_000)
    log, seq = counted(shop, "WO-1", "saw", 2.5, qty_milli=3000)
    counted(shop, "WO-1", "saw", 2, qty_milli=4000, repeat=True)
    shop.settle()
    shop.say("void", log=log, seq=seq)
    line = next(line for line in lines(shop) if line.item == "WO-1")
    assert (line.kind, line.counted_milli, line.times) == (LineKind.AGREES, 10_000, 2)


def test_only_scans_of_its_time_and_scope_belong_to_a_count(shop):
    opened(shop, stages=["saw"], ended=2)
    for stage, hours in (("saw", 6), ("saw", 1), ("deburr", 3), (None, 3)):
        counted(shop, "WO-1", stage, hours)
    shop.settle()
    with shop.store.read() as connection:
        assert not scans_of(connection, count_named(connection, "C-1"), shop.now_us)


def test_a_count_moves_nothing_and_a_rebuild_gives_the_same_lines(shop):
    shop.settle()
    opened(shop, ended=1)
    counted(shop, "WO-2", "deburr", 3, qty_milli=8000)
    before = lines(shop)
    rebuild(shop.store)
    assert lines(shop) == before
    assert {line.stage for line in before if line.item == "WO-2"} == {"deburr", "saw"}


def test_an_open_count_has_its_lines_and_their_value(shop):
    opened(shop)
    counted(shop, "WO-1", "saw", 4)
    counted(shop, "WO-2", "saw", 4, qty_milli=11_000)
    shop.settle()
    with shop.store.read() as connection:
        assert [(one.of.name, one.lines, one.micros) for one in open_counts(connection, shop.now_us)] == [
            ("C-1", 3, 42_000_000)
        ]
        assert [count.how for count in all_counts(connection)] == ["open"]
    shop.say("count.end", count="C-1", how="cancelled")
    shop.settle()
    with shop.store.read() as connection:
        assert not open_counts(connection, shop.now_us)


def test_a_blind_count_that_goes_on_has_no_value_to_show(shop):
    opened(shop, blind=True)
    counted(shop, "WO-2", "saw", 4, qty_milli=11_000)
    shop.settle()
    with shop.store.read() as connection:
        assert [(one.of.name, one.lines, one.micros) for one in open_counts(connection, shop.now_us)] == [("C-1", 0, 0)]


@pytest.mark.parametrize("seed", range(6))
def test_a_person_who_counts_what_is_on_the_floor_finds_no_difference_whatever_moves(shop_writer, seed):
    """Drawn moves during the walk: each item is counted where it is at that minute, or moves away before it is."""
    draw, shop = Random(seed), shop_writer
    shop.small_shop()
    stages = ("saw", "deburr", "test")
    opened(shop, hours=5, ended=1)
    for number in range(12):
        item = f"WO-{number}"
        shop.release(item, qty=10)
        minutes = sorted(draw.sample(range(61, 420), 3), reverse=True)
        for place, minute in enumerate(minutes):  # a station for each scan: the order of a log is that of its scans
            shop.scan(item, stages[place], shop.ago(minutes=minute), station=f"{item}-{minute}")
        seen = draw.sample(range(62, 299), 3)
        for minute in seen:
            there = [stages[place] for place, moved in enumerate(minutes) if moved >= minute]
            if there:
                quantity = {"qty_milli": 10_000} if draw.random() < 0.5 else {}
                at_us = shop.ago(minutes=minute - 0.5)
                shop.scan(item, there[-1], at_us, station=f"{item}-{minute}-count", action="count", **quantity)
    kinds = {line.kind for line in lines(shop)}
    assert LineKind.AGREES in kinds
    assert kinds <= {LineKind.AGREES, LineKind.MOVED, LineKind.MISSING, LineKind.UNCOUNTED}
    for line in lines(shop):
        if line.kind in (LineKind.MISSING, LineKind.UNCOUNTED):
            assert line.times == 0
