"""Obsolete and excess stock: each reason, stock with several of them counted once, past times and past knowledge."""

from datetime import date

import pytest

from server.projection.rebuild import rebuild
from server.projection.worker import projected_pos
from server.queries.as_known_at import past_stock
from server.queries.obsolete_stock import Chosen, Reason, ended_orders, obsolete_rows, obsolete_stock

MILLION = 1_000_000


@pytest.fixture
def shop(shop_writer):
    """Pieces of 3.00 at Deburr, each with one reason, or two; WO-9 has none."""
    far = "2999-12-31"
    shop_writer.small_shop()
    shop_writer.say("product.define", shop_writer.ago(days=9), product="lid", routing="line")
    shop_writer.say("cost.set", 0, product="lid", op=10, component="labour", basis="unit", micros=3_000_000)
    for order in ("WO-1", "WO-2", "WO-9"):
        shop_writer.release(order, qty=10, due=far)
    shop_writer.release("WO-3", qty=10, due="2020-01-01")
    shop_writer.release(
        "WO-4", qty=20, due=far, items=[{"item": "L-1", "qty_milli": 5_000}, {"item": "L-2", "qty_milli": 5_000}]
    )
    shop_writer.release("WO-5", product="lid", qty=10, due=far)
    scans = {"WO-1": 6, "WO-2": 2, "WO-3": 6, "L-1": 2, "L-2": 2, "WO-5": 2, "WO-9": 2}
    pieces = {"WO-2": 12_000, "L-1": 5_000, "L-2": 5_000}
    for order, days in sorted(scans.items(), key=lambda one: -one[1]):
        for stage, ago in (("saw", days + 0.5), ("deburr", days)):
            shop_writer.scan(order, stage, shop_writer.ago(days=ago), qty_milli=pieces.get(order, 10_000))
    shop_writer.settle()
    shop_writer.say("order.close", shop_writer.ago(days=1), order="WO-4", how="cancelled")
    shop_writer.say(
        "product.define", shop_writer.ago(days=1), product="lid", routing="line", replaced_by="bracket", withdrawn=True
    )
    shop_writer.settle()
    return shop_writer


def rows_of(shop, days=5, at_us=None, known=None, today=None):
    with shop.store.read() as connection:
        valuation, stock = past_stock(connection, known, at_us, shop.now_us)
        ended = ended_orders(connection, stock, known, at_us)
        day = today or date.fromordinal(date(1970, 1, 1).toordinal() + valuation.at_us // 86_400_000_000)
        return obsolete_rows(stock, valuation, days, day, ended), valuation, stock


def found(shop, **asked):
    return [
        (one.row.item, one.row.qty_milli, [str(reason) for reason in one.reasons], one.amount // 1000)
        for one in rows_of(shop, **asked)[0]
    ]


def test_each_piece_has_its_reasons_and_the_highest_value_is_first(shop):
    assert found(shop) == [
        ("WO-1", 10_000, ["not_moved"], 30 * MILLION),
        ("WO-3", 10_000, ["overdue", "not_moved"], 30 * MILLION),
        ("WO-5", 10_000, ["withdrawn", "replaced"], 30 * MILLION),
        ("L-1", 5_000, ["cancelled"], 15 * MILLION),
        ("L-2", 5_000, ["cancelled"], 15 * MILLION),
        ("WO-2", 2_000, ["excess"], 6 * MILLION),
    ]


def test_the_number_of_days_and_the_time_decide(shop):
    assert [item for item, _, reasons, _ in found(shop, days=7) if "not_moved" in reasons] == []
    assert {item for item, _, reasons, _ in found(shop, days=1) if "not_moved" in reasons} == {
        "WO-1", "WO-2", "WO-3", "L-1", "L-2", "WO-5", "WO-9",
    }  # fmt: skip
    then = {item: reasons for item, _, reasons, _ in found(shop, at_us=shop.ago(days=1.5))}
    assert then == {"WO-3": ["overdue"], "WO-2": ["excess"]}


def test_as_known_before_the_close_and_the_withdrawal_neither_is_a_reason(shop):
    with shop.store.read() as connection:
        before = projected_pos(connection) - 2
    then = {item: reasons for item, _, reasons, _ in found(shop, known=before)}
    assert then == {"WO-1": ["not_moved"], "WO-2": ["excess"], "WO-3": ["overdue", "not_moved"]}
    assert {item for item, _, reasons, _ in found(shop, known=before + 1) if "cancelled" in reasons} == {"L-1", "L-2"}


def test_an_order_that_was_closed_otherwise_has_that_reason(shop):
    shop.release("WO-6", qty=5, due="2999-12-31", items=[{"item": "L-6", "qty_milli": 5_000}])
    shop.scan("L-6", "saw", shop.ago(days=1), qty_milli=5_000)
    shop.settle()
    shop.say("order.close", shop.ago(hours=5), order="WO-6", how="short")
    shop.settle()
    assert ("L-6", ["closed"]) in [(item, reasons) for item, _, reasons, _ in found(shop)]


@pytest.mark.parametrize("step", [1, 10_000, 1_000_000])
def test_the_totals_by_reason_count_no_piece_twice(shop, step):
    rows, valuation, stock = rows_of(shop, days=1)
    table = obsolete_stock(rows, Chosen(), step)
    assert sum(total.once_micros for total in table.reasons) == table.value_micros == table.all_micros
    assert sum(micros for _, micros in table.rows) == table.value_micros
    # Every piece in process did not move for a day: the whole value is here, once.
    assert abs(table.value_micros - valuation.total([row for row in stock if row.in_process]).micros) <= step
    assert sum(one.row.qty_milli for one, _ in table.rows) == sum(row.qty_milli for row in stock if row.in_process)
    assert table.items == 7
    by_reason = {total.reason: total for total in table.reasons}
    assert by_reason[Reason.NOT_MOVED].items == 7
    for reason, total in by_reason.items():
        chosen = obsolete_stock(rows, Chosen(reason), step)
        assert (chosen.value_micros, chosen.items) == (total.value_micros, total.items)
        assert chosen.reasons == table.reasons


def test_a_stage_and_a_product_are_chosen(shop):
    rows, _, _ = rows_of(shop)
    assert {one.row.item for one, _ in obsolete_stock(rows, Chosen(product="lid")).rows} == {"WO-5"}
    assert obsolete_stock(rows, Chosen(stage="deburr")).rows == obsolete_stock(rows, Chosen()).rows
    assert obsolete_stock(rows, Chosen(stage="saw")) == ((), (), 0, 0, 0, 0)


def test_an_unknown_quantity_and_a_missing_cost_are_stated(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=4, product="tube", due="2020-01-01")
    shop_writer.release("WO-2", qty=3, due="2020-01-01", items=["L-1"])
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), qty_milli=4_000)
    shop_writer.scan("L-1", "saw", shop_writer.ago(days=1))
    shop_writer.settle()
    rows, _, _ = rows_of(shop_writer)
    assert [(one.row.item, one.row.qty_milli, one.complete, one.amount) for one in rows] == [
        ("L-1", None, False, 0), ("WO-1", 4_000, False, 0),
    ]  # fmt: skip
    assert obsolete_stock(rows, Chosen()).unvalued_items == 2


def test_a_rebuild_gives_the_same_rows(shop):
    before = found(shop)
    rebuild(shop.store)
    assert found(shop) == before
