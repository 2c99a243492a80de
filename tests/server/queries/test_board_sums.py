"""The board's sums by the database against the same figures from each stock row."""

import random

import pytest
from board_oracle import BoardOracle, estimated, figures
from shop_writer import ShopWriter

from server.locale_format import LocaleFormat
from server.queries.board_state import board_state_at, board_state_now, current_alerts
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at
from server.queries.order_family import without_members
from server.queries.stock_source import stock_source
from server.queries.stock_sums import stock_sums
from server.queries.valuation import Valuation

ABOUT_STOCK = {"limit", "late", "waited", "held"}
STAGES = ["saw", "deburr", "test", "pack", "gate"]


@pytest.fixture
def shop_writer(store):
    return ShopWriter(store)


def drawn_shop(shop_writer, seed, orders=26):
    """Orders of three products, whose routing and bill changed; lots, unknown quantities, holds, an undefined stage."""
    chance = random.Random(seed)
    say, ago = shop_writer.say, shop_writer.ago
    shop_writer.small_shop(saw={"limit": 3, "target_s": 30_000}, test={"target_s": 400_000})
    say("product.define", 0, product="frame", name="Frame", unit="kg", decimals=2, routing="line",
        bom=[{"component": "bar", "qty_milli": 700, "operation": 20},
             {"component": "glue", "qty_milli": 5, "operation": 30}])  # fmt: skip
    say("cost.set", 0, product="frame", op=20, component="labour", basis="order", micros=9_999_999)
    steps = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr", "optional": True}, {"op": 30, "stage": "pack"}]
    say("routing.define", ago(days=6), routing="line", operations=steps)
    say("product.define", ago(days=4), product="bracket", name="Bracket", routing="line",
        bom=[{"component": "bar", "qty_milli": 333, "operation": 10}])  # fmt: skip
    scans = []
    for n in range(orders):
        due = (f"2026-{chance.randint(10, 12)}-{chance.randint(1, 28)}", None)[chance.random() < 0.2]
        fields = {"due": due} if due and len(due) == 10 else {}
        if chance.random() < 0.2:
            fields["items"] = [f"WO-{n}-{lot}" for lot in range(3)]
        product = chance.choice(["bracket", "bracket", "tube", "frame"])
        shop_writer.release(f"WO-{n}", product, chance.randint(3, 30), ago(days=chance.randint(3, 9)), **fields)
        names = [f"WO-{n}", *fields.get("items", [])]
        for _ in range(chance.randint(0, 5)):
            more = {"qty_milli": 1000 * chance.randint(1, 9)} if chance.random() < 0.5 else {}
            action = chance.choice([None, None, None, "hold", "scrap", "out", "release"])
            more |= {"action": action} if action else {}
            scans.append((ago(hours=chance.randint(1, 90)), chance.choice(names), chance.choice(STAGES), more))
    scans += [(ago(hours=n), f"FOUND-{n % 4}", chance.choice(STAGES), {}) for n in range(8)]
    for at_us, code, stage, more in sorted(scans, key=lambda scan: scan[0]):
        shop_writer.scan(code, stage, at_us, **more)
    shop_writer.settle()


def longest_of(line):
    return max((tile.ages.max_s or 0 for tile in line.tiles if not tile.stage.target_s), default=1)


@pytest.mark.parametrize("seed", [3, 71])
def test_every_figure_of_the_board_is_that_of_its_stock_rows(shop_writer, seed):
    drawn_shop(shop_writer, seed)
    with shop_writer.store.read() as connection:
        definitions = master_data(connection)
        for at_us in [None, *(shop_writer.ago(hours=hours) for hours in (0, 2, 30, 55, 100, 230))]:
            then_us = shop_writer.now_us if at_us is None else at_us
            valuation = Valuation(definitions, then_us)
            stock = stock_now(connection) if at_us is None else stock_at(connection, at_us)
            stock = without_members(connection, stock, valuation, at_us)
            oracle = BoardOracle(stock, definitions, then_us)
            if at_us is None:
                shop = board_state_now(connection, LocaleFormat(), then_us)
                assert shop.estimated == estimated(stock)
            else:
                shop = board_state_at(connection, LocaleFormat(), at_us)
            assert figures(shop.line) == oracle.line(shop.line), at_us
            sums = stock_sums(connection, valuation, stock_source(at_us), past=at_us is not None, most_ticks=3)
            for tile in shop.line.tiles:
                stage, target_s = tile.stage.stage, tile.stage.target_s
                assert [tuple(tick) for tick in tile.ticks] == oracle.ticks(stage, target_s)
                bars = [tuple(bar) for bar in sums.bars.get(stage, [])]
                many = oracle.bars(stage, target_s, longest_of(shop.line)) if len(tile.ticks) > 3 else []
                assert bars == many, (at_us, stage)
    assert oracle.stock == []


@pytest.mark.parametrize("seed", [5, 72])
def test_the_first_alerts_are_those_of_all_stock_rows_and_all_are_counted(shop_writer, seed):
    drawn_shop(shop_writer, seed)
    with shop_writer.store.read() as connection:
        shop = board_state_now(connection, LocaleFormat(), shop_writer.now_us)
        stock = without_members(connection, stock_now(connection), shop.valuation)
        oracle = BoardOracle(stock, shop.valuation.master_data, shop.now_us)
        full = current_alerts(connection, shop, most=10_000)
        assert full.total == len(full.alerts) > 15
        of_stock = [alert for alert in oracle.alerts(shop, ()) if alert.kind in ABOUT_STOCK]
        items = {alert.item for alert in full.alerts if alert.kind not in ABOUT_STOCK or alert.also}
        plain = [alert for alert in of_stock if alert.item not in items]
        assert [alert for alert in full.alerts if alert in plain] == plain
        for most in (1, 4, 9):
            cut = current_alerts(connection, shop, most=most)
            assert (cut.alerts, cut.total, cut.grave) == (full.alerts[:most], full.total, full.grave)
