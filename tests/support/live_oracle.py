"""The board's figures from memory against those that the database computes from all pieces and moves."""

from typing import Any

from sqlalchemy import Connection

from server.locale_format import LocaleFormat
from server.queries import stage_summary
from server.queries.board_state import board_state_now, current_alerts
from server.queries.current_master_data import master_data
from server.queries.live_shop import LiveShop
from server.queries.live_sums import live_sums, live_sums_at
from server.queries.stock_source import stock_source
from server.queries.stock_sums import StockSums, stock_sums, stock_sums_at
from server.queries.valuation import Valuation

MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
MOST_ALERTS = 9  # fewer than there are in most shops: ranks and numbers are compared


def compare_live(connection: Connection, live: LiveShop, now_us: int) -> StockSums:
    """Bring `live` to the connection's snapshot and compare each figure; returns the sums."""
    locale = LocaleFormat()
    read = board_state_now(connection, locale, now_us)
    kept = board_state_now(connection, locale, now_us, live)
    valuation = Valuation(master_data(connection), now_us)
    for most_ticks in (2, 240):
        sums = stock_sums(connection, valuation, stock_source(None), past=False, most_ticks=most_ticks)
        assert _in_order(live_sums(live.stock, valuation, most_ticks)) == _in_order(sums)
    for at_us in (now_us, now_us - 5 * MINUTE_US, now_us - 3 * HOUR_US, now_us - 60 * HOUR_US):
        then = Valuation(valuation.master_data, at_us)
        for most_ticks in (2, 240):
            sums_then = stock_sums_at(connection, then, at_us, most_ticks)
            live_then = live_sums_at(connection, live.stock, then, at_us, most_ticks)
            assert live_then is not None
            assert _in_order(live_then) == _in_order(sums_then), at_us
    assert live.moves.moved_on() in (None, stage_summary.moved_on(connection, now_us))
    day_us = locale.day_bounds(now_us)[0]
    finished = stage_summary.finished_since(connection, day_us, now_us, valuation)
    assert live.moves.finished_today(valuation) in (None, finished)
    assert kept._replace(valuation=read.valuation) == read
    listed = current_alerts(connection, kept, most=MOST_ALERTS, live=live)
    assert listed == current_alerts(connection, read, most=MOST_ALERTS)
    return sums


def _in_order(value: Any) -> Any:
    """Sums without the order of their rows."""
    if isinstance(value, StockSums):
        return {name: _in_order(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _in_order(part) for key, part in value.items()}
    return sorted(value, key=repr) if isinstance(value, list) else value
