"""Counts and time: a scan belongs by its own time, found in an index; an ended count has the costs of its end."""

from counted_shop import counted, known, opened
from sqlalchemy import event as engine_event

from server.queries.count_lines import LineKind, count_lines
from server.queries.counts import count_named, scans_of


def kinds(shop, now_us):
    shop.settle()
    with shop.store.read() as connection:
        return {line.item: line.kind for line in count_lines(connection, count_named(connection, "C-1"), now_us)}


def test_a_scan_that_arrived_before_the_count_was_opened_and_was_made_later_belongs_to_it(shop_writer):
    """The clock of its station is ahead of that of the hub."""
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    ahead_us = shop_writer.store.clock.utc_us() + 30_000_000
    shop_writer.scan("WO-1", "saw", ahead_us, action="count")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(minutes=1), station="other-1", action="count", qty_milli=4000)
    shop_writer.settle()
    shop_writer.say("count.open", count="C-1")
    assert kinds(shop_writer, ahead_us - 1) == {"WO-1": LineKind.UNCOUNTED}
    assert kinds(shop_writer, ahead_us) == {"WO-1": LineKind.AGREES}


def test_the_scans_of_a_count_are_found_in_the_index_of_counting_scans(shop_writer):
    """So the cost of a count, also of one that is entered for an earlier time, is that of the counting scans of its time."""
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    opened(shop_writer)
    counted(shop_writer, "WO-1", "saw", 3)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        asked = []

        def heard(_connection, _cursor, statement, parameters, *_more):
            asked.append((statement, parameters))

        engine_event.listen(connection.engine, "before_cursor_execute", heard)
        try:
            assert len(scans_of(connection, count_named(connection, "C-1"), shop_writer.now_us)) == 1
        finally:
            engine_event.remove(connection.engine, "before_cursor_execute", heard)
        statement, parameters = next(one for one in asked if "FROM event_item" in one[0].replace("\n", " "))
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
        assert "event_item_count" in str(plan)


def test_an_ended_count_has_the_costs_of_its_end(shop_writer):
    shop_writer.small_shop()
    for order in ("WO-1", "WO-2", "WO-3"):
        shop_writer.release(order, qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    opened(shop_writer, ended=2)
    shop_writer.say("cost.set", shop_writer.ago(hours=4), component="bar", basis="unit", micros=3_000_000)
    counted(shop_writer, "WO-1", "saw", 3, qty_milli=8000)
    counted(shop_writer, "WO-2", "saw", 3, qty_milli=10_000)
    shop_writer.scan("WO-3", "saw", shop_writer.ago(hours=2.8))
    counted(shop_writer, "WO-3", "saw", 2.5, qty_milli=4000)
    values = {("WO-1", "saw"): -6_000_000, ("WO-2", "saw"): 30_000_000, ("WO-3", "saw"): -18_000_000}
    found = known(shop_writer)
    assert {(line.item, line.stage): line.micros for line in found.lines} == values
    etags = {at: one.etag for at, one in found.bookings.items()}
    shop_writer.say("cost.set", shop_writer.ago(hours=1), component="bar", basis="unit", micros=7_000_000)
    shop_writer.scan("WO-3", "deburr", shop_writer.ago(minutes=30), action="scrap")
    found = known(shop_writer)
    assert {(line.item, line.stage): line.micros for line in found.lines} == values
    assert {at: one.etag for at, one in found.bookings.items()} == etags


def test_a_count_that_goes_on_has_the_costs_of_now(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    opened(shop_writer, ended=None)
    counted(shop_writer, "WO-1", "saw", 3, qty_milli=8000)
    shop_writer.say("cost.set", shop_writer.ago(hours=1), component="bar", basis="unit", micros=7_000_000)
    assert [line.micros for line in known(shop_writer).lines] == [-14_000_000]
