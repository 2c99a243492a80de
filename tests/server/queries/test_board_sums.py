"""The board's sums by the database against the same figures from each stock row."""

import pytest
from board_oracle import BoardOracle, estimated, figures
from drawn_shop import drawn_shop

from server.locale_format import LocaleFormat
from server.queries.board_state import board_state_at, board_state_now, current_alerts
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at
from server.queries.order_family import without_members
from server.queries.stock_source import stock_source
from server.queries.stock_sums import stock_sums, stock_sums_at
from server.queries.valuation import Valuation

ABOUT_STOCK = {"limit", "late", "waited", "held"}


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
            if at_us is None:
                sums = stock_sums(connection, valuation, stock_source(None), past=False, most_ticks=3)
            else:
                sums = stock_sums_at(connection, valuation, at_us, most_ticks=3)
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
