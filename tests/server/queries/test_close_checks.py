"""Close checks: each as of the end of the period, with the items and the money that its list has."""

from datetime import date

import pytest

from server.projection.tables import DAY_US
from server.queries.as_known_at import past_stock
from server.queries.close_checks import (
    LISTED,
    Check,
    check_items,
    close_checks,
    closing_shop,
)
from server.queries.obsolete_stock import Chosen, Reason, obsolete_rows, obsolete_stock

MINUTE_US = 60_000_000


@pytest.fixture
def shop(shop_writer):
    """10 pieces of WO-1, of 2.00 each, at Saw for three days."""
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=3))
    shop_writer.settle()
    return shop_writer


def checked(shop, end_us=None, stations=(), later_us=0):
    with shop.store.read() as connection:
        made = closing_shop(connection, list(stations), end_us, shop.now_us + later_us)
        return {one.check: (one.sentence.partition(":")[0], one.micros) for one in close_checks(made)}


def items(shop, check, end_us=None, stations=()):
    with shop.store.read() as connection:
        made = closing_shop(connection, list(stations), end_us, shop.now_us)
        found = check_items(made, check)
        (micros,) = [one.micros for one in close_checks(made) if one.check == check]
    assert sum(one.micros for one in found) == micros
    return found


def station(shop, name, seen_us, waiting=0, oldest_s=None):
    heartbeat = {"seen_us": seen_us, "waiting": waiting, "oldest_waiting_s": oldest_s}
    return {"station": name, "revoked_us": None, "logs": [], "heartbeat": heartbeat}


def test_stock_that_does_not_move_is_stated_as_of_the_end(shop):
    assert checked(shop, later_us=20 * DAY_US) == {}
    stale = {Check.STALE: ("1 item has not moved for more than 30 days", 20_000_000)}
    assert checked(shop, later_us=28 * DAY_US) == stale
    # At an end before that it had not, and as of an end after it the later scan does not count.
    assert checked(shop, end_us=shop.now_us, later_us=28 * DAY_US) == {}
    assert checked(shop, end_us=shop.now_us + 28 * DAY_US, later_us=29 * DAY_US) == stale


def test_what_came_after_the_end_is_not_in_it(shop):
    end_us = shop.ago(days=1)
    shop.scan("WO-1", "deburr", shop.ago(hours=20), qty_milli=14_000)
    shop.release("WO-2", "tube", qty=5)
    shop.scan("WO-2", "saw", shop.ago(hours=10))
    shop.scan("NOTHING-7", "saw", shop.ago(hours=9))
    shop.settle()
    assert checked(shop) == {
        Check.UNKNOWN: ("1 code names nothing", None),
        Check.NO_COST: ("1 item has no full cost", None),
        Check.OVERRUN: ("1 item has more in process than was ordered", 12_000_000),
    }
    assert checked(shop, end_us) == {}
    assert checked(shop, shop.ago(hours=15)) == {
        Check.OVERRUN: ("1 item has more in process than was ordered", 12_000_000)
    }


def test_overruns_and_stale_items_have_the_figures_of_the_obsolete_stock(shop):
    """The lots of a released order are no overrun: a release gives them no quantity."""
    shop.release("WO-3", qty=8, items=[{"item": "L-1", "qty_milli": 4_000}, {"item": "L-2", "qty_milli": 4_000}])
    shop.scan("WO-1", "deburr", shop.ago(days=2), qty_milli=13_000)
    shop.scan("L-1", "saw", shop.ago(days=2), qty_milli=4_000)
    shop.settle()
    later_us = 40 * DAY_US
    found = checked(shop, later_us=later_us)
    with shop.store.read() as connection:
        valuation, stock = past_stock(connection, None, None, shop.now_us + later_us)
    rows = obsolete_rows(stock, valuation, 30, date.min, {})
    for check, reason in ((Check.OVERRUN, Reason.EXCESS), (Check.STALE, Reason.NOT_MOVED)):
        assert found[check][1] == obsolete_stock(rows, Chosen(reason)).value_micros
    assert found[Check.OVERRUN] == ("1 item has more in process than was ordered", 9_000_000)
    assert found[Check.STALE][0].startswith("2 items have")


def test_a_station_is_silent_for_a_period_that_ended_after_its_last_contact(shop):
    shop.say("station.define", 0, station="saw-1", stage="saw")
    shop.say("station.define", 0, station="test-1", stage="test")
    shop.settle()
    stations = [
        station(shop, "saw-1", shop.ago(hours=1)), station(shop, "test-1", shop.ago(minutes=1)),
        station(shop, "new-1", shop.ago(hours=5)),
    ]  # fmt: skip
    assert checked(shop, stations=stations) == {Check.SILENT: ("2 stations are silent", 20_000_000)}
    # saw-1 reported since: what it had scanned before the end arrived.
    assert checked(shop, shop.ago(hours=2), stations) == {Check.SILENT: ("1 station is silent", None)}
    assert checked(shop, shop.ago(minutes=30), stations)[Check.SILENT] == ("2 stations are silent", 20_000_000)
    assert checked(shop, shop.ago(hours=6), stations) == {}
    (one,) = items(shop, Check.SILENT, shop.ago(minutes=30), stations)
    assert (one.item, one.row.stage, one.row.qty_milli, one.micros, one.stations) == (
        "WO-1", "saw", 10_000, 20_000_000, ("saw-1",),
    )  # fmt: skip


def test_a_station_without_a_stage_has_the_items_that_it_scanned_last(shop):
    shop.scan("WO-1", "deburr", shop.ago(hours=9), station="cart-1", qty_milli=4_000)
    shop.settle()
    cart = [station(shop, "cart-1", shop.ago(hours=1), 3, 60)]
    assert checked(shop, stations=cart) == {
        Check.SILENT: ("1 station is silent", 12_000_000),
        Check.UNSENT: ("3 scans are still on stations", 12_000_000),
    }
    assert [(one.row.stage, one.stations) for one in items(shop, Check.UNSENT, None, cart)] == [("deburr", ("cart-1",))]


def test_scans_that_wait_on_stations_count_where_the_oldest_is_from_before_the_end(shop):
    shop.say("station.define", 0, station="saw-1", stage="saw")
    shop.settle()
    held = [station(shop, "saw-1", shop.now_us, 7, 3_600)]
    unsent = {Check.UNSENT: ("7 scans are still on stations", 20_000_000)}
    assert checked(shop, stations=held) == unsent
    assert checked(shop, shop.ago(minutes=59), held) == unsent
    assert checked(shop, shop.ago(minutes=61), held) == {}
    assert checked(shop, shop.ago(days=2), [station(shop, "saw-1", shop.now_us, 7)]) == unsent  # of unknown age
    assert checked(shop, shop.ago(days=5), [station(shop, "saw-1", shop.now_us, 7)]) == {
        Check.UNSENT: ("7 scans are still on stations", None)
    }


def test_items_with_a_scan_before_or_after_the_end_are_estimated(shop):
    """A stored scan of WO-1 was made in the last 30 to 10 hours, of WO-2 in the last 40 to 35, and of WO-3 in 20 to 5."""
    for order, since, at in (("WO-1", 30, 10), ("WO-2", 40, 35), ("WO-3", 20, 5)):
        if order != "WO-1":
            shop.release(order, qty=10)
        stage = "deburr" if order == "WO-1" else "saw"
        shop.scan(order, stage, shop.ago(hours=at), f"reader-{order}", since_ns=shop.mono_ns(shop.ago(hours=since)))
    shop.settle()
    words = "scans of estimated time, which may be of before or after the end"
    assert checked(shop) == {}
    assert checked(shop, shop.ago(hours=15)) == {Check.ESTIMATED: (f"2 items have {words}", 20_000_000)}
    assert checked(shop, shop.ago(hours=25)) == {Check.ESTIMATED: (f"1 item has {words}", 20_000_000)}
    assert checked(shop, shop.ago(hours=37)) == {Check.ESTIMATED: (f"1 item has {words}", 0)}
    assert checked(shop, shop.ago(hours=32)) == {}
    first, second = items(shop, Check.ESTIMATED, shop.ago(hours=15))
    assert (first.item, first.row.stage, first.micros, first.times.scans) == ("WO-1", "saw", 20_000_000, 1)
    assert abs(first.times.earliest_us - shop.ago(hours=30)) < MINUTE_US
    assert abs(first.times.latest_us - shop.ago(hours=10)) < MINUTE_US
    assert (second.item, second.row, second.micros) == ("WO-3", None, 0)


def test_a_scan_of_a_time_without_a_bound_is_estimated_at_each_later_end(shop):
    shop.release("WO-2", qty=10)
    shop.scan("WO-2", "saw", shop.ago(hours=5), "reader-1", since_ns=0)
    shop.settle()
    for days in (1, 9):
        (one,) = items(shop, Check.ESTIMATED, shop.ago(days=days))
        assert (one.item, one.row, one.times.scans) == ("WO-2", None, 1)
    assert checked(shop) == {}


def test_counts_go_on_from_their_opening_to_their_end(shop):
    shop.say("count.open", shop.ago(hours=20), count="C-1", stages=["saw"])
    shop.say("count.end", shop.ago(hours=10), count="C-1", how="finished")
    shop.say("count.open", shop.ago(hours=2), count="C-2", stages=["saw"])
    shop.settle()
    assert checked(shop) == {Check.COUNTING: ("1 count is not finished", 20_000_000)}  # nothing is counted yet
    assert checked(shop, shop.ago(hours=5)) == {}
    assert checked(shop, shop.ago(hours=15)) == {Check.COUNTING: ("1 count was not finished at the end", 20_000_000)}
    assert checked(shop, shop.ago(hours=21)) == {}


@pytest.mark.parametrize("step", [1, 10_000, 1_000_000])
def test_the_values_of_a_list_add_up_in_each_currency(shop, step):
    shop.say("cost.set", shop.ago(days=9), component="bar", basis="unit", micros=333_333)
    for order in ("WO-5", "WO-6", "WO-7"):
        shop.release(order, qty=1)
        shop.scan(order, "saw", shop.ago(days=1))
    shop.settle()
    held = [station(shop, "saw-1", shop.now_us, 7)]
    with shop.store.read() as connection:
        made = closing_shop(connection, held, None, shop.now_us)
        whole = made.valuation.total(made.stock).micros
        for check in LISTED[1:2]:
            values = [one.micros for one in check_items(made, check, step)]
            assert values == sorted(values, reverse=True)
            assert len(values) == 4
            assert abs(sum(values) - whole) * 2 <= step
