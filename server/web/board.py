"""Board: the current alerts and the line, now or as of a past time."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, render_template, request
from sqlalchemy import Connection, and_, func, select

from server.api.health import backup_note, hub_faults, lost_by_restore, unused_patterns
from server.api.past_query import asked_against, asked_past
from server.auth.gate import readers
from server.config import seconds_of
from server.context import current_hub
from server.locale_format import LocaleFormat, due_day
from server.projection.tables import item
from server.queries.alerts import Alert, BoardState
from server.queries.board_state import (
    AlertList,
    board_state_at,
    board_state_now,
    board_state_since,
    current_alerts,
)
from server.queries.hub_alerts import of_backup, of_faults
from server.queries.lag import lag_of
from server.queries.order_progress import is_order
from server.queries.past_board import past_board
from server.queries.shared_board import BoardAnswer
from server.queries.site import ignored_settings
from server.queries.stage_summary import StockSummary, finished_since
from server.queries.stock_change import stock_change
from server.query_words import PAST_WORDS, query_words
from server.web.age_strip import strip
from server.web.board_dates import date_fields
from server.web.shared_page import REFRESH, following_page
from server.web.stock_change import ChangeTable, change_table
from server.web.template_filters import read_lag, read_site, shop_locale

blueprint = Blueprint("board", __name__)
FIRST = 7  # alerts that are visible without opening the rest


@blueprint.get("/")
@readers
@query_words(*PAST_WORDS, "against")
def board() -> Response | str:
    """The board now, or as of a past time and as known at a position; `against`: what came and went since another time."""
    past = _asked_board() if request.args else None
    if past is not None:
        return render_template("board.html", **past)
    answer = board_now()
    return following_page("board.html", answer, lambda: _page(answer, shop_locale(), answer.shop.now_us, None, None))


def _asked_board() -> dict[str, Any] | None:
    """The variables of the page for the query of the request; None where it asks for the present."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        locale = shop_locale(connection)
        past, against_us = asked_past(connection, now_us), asked_against(connection, now_us)
        if against_us is not None:
            from_us, asked_us = sorted((past.time_us, against_us))
            answer = _board_at(connection, locale, asked_us, None)
            was = board_state_at(connection, locale, from_us)
            change = change_table(stock_change(connection, was, answer.shop), locale)
            return _page(answer, locale, now_us, asked_us, change)
    if not past.is_past:
        return None
    shop = None if past.known is not None or past.at_us is None else _state_since(locale, past.at_us)
    with current_hub().store.read() as connection:
        answer = _board_at(connection, locale, past.at_us, past.known, shop)
        return _page(answer, locale, now_us, past.time_us, None)


def _page(
    answer: BoardAnswer, locale: LocaleFormat, now_us: int, asked_us: int | None, change: ChangeTable | None
) -> dict[str, Any]:
    """The variables of the template."""
    shop = answer.shop
    longest_s = max((tile.ages.max_s or 0 for tile in shop.line.tiles if not tile.stage.target_s), default=1)
    strips = {
        tile.stage.stage: strip(tile.ticks, tile.bars, tile.stage.target_s, longest_s) for tile in shop.line.tiles
    }
    return {
        "page": "board",
        "now_us": now_us,
        "asked_us": asked_us,
        "line": shop.line,
        "strips": strips,
        "finished": answer.finished,
        "late": answer.late,
        "due_today": answer.due_today,
        "alerts": answer.listed.alerts,
        "alert_count": answer.listed.total,
        "first": FIRST,
        "behind": answer.behind,
        "change": change,
        "dates": date_fields(locale, now_us, asked_us, None if change is None else change.from_us),
    }


def board_now() -> BoardAnswer:
    """The board of the present, which all viewers share; its lag is that of the page."""
    hub = current_hub()
    follows = REFRESH in request.headers
    answer = hub.board.answer(hub.store, _compute, follows=follows)
    g.lag = answer.lag
    return answer


def _compute(connection: Connection) -> BoardAnswer:
    now_us, live = current_hub().clock.utc_us(), current_hub().board.live
    shop = board_state_now(connection, shop_locale(connection), now_us, live)
    listed = current_alerts(connection, shop, alerts_of_hub(connection, now_us), live=live)
    finished = live.moves.finished_today(shop.valuation) or finished_on(connection, shop)
    return BoardAnswer(shop, listed, finished, *dues(connection, shop), lag_of(connection, now_us))


def _state_since(locale: LocaleFormat, at_us: int) -> BoardState | None:
    """The snapshot of a past time from what the process has in memory; None where that does not have it."""
    hub = current_hub()
    with hub.board.newest(hub.store) as (connection, live):
        return board_state_since(connection, locale, at_us, hub.clock.utc_us(), live)


def _board_at(
    connection: Connection, locale: LocaleFormat, at_us: int | None, known: int | None, shop: BoardState | None = None
) -> BoardAnswer:
    read_lag(connection)
    now_us = current_hub().clock.utc_us()
    with past_board(connection, locale, known, at_us, now_us, shop) as found:
        finished = finished_on(found.moves, found.shop)
        return BoardAnswer(found.shop, AlertList([], 0, grave=False), finished, *_dues_at(found.shop), g.lag)


def alerts_of_hub(connection: Connection, now_us: int) -> list[Alert]:
    """The alerts of the running hub: what /healthz knows of its storage, its tasks, its projection and its backups."""
    hub = current_hub()
    alerts = of_faults(hub_faults(hub, connection, now_us))
    remarks = [*lost_by_restore(connection), *unused_patterns(connection, now_us)]
    alerts += of_faults([*remarks, *ignored_settings(read_site(connection), hub.config, now_us)], grave=False)
    if connection.execute(select(item.c.item).limit(1)).first() is None:
        return alerts  # a new hub has nothing to lose yet
    return alerts + of_backup(backup_note(connection, now_us, seconds_of(hub.config.backup.every)))


def finished_on(connection: Connection, shop: BoardState) -> StockSummary:
    """The stock that was finished on the day of the snapshot, up to the snapshot or, for a past day, its end."""
    start_us, end_us = shop_locale().day_bounds(shop.now_us)
    until_us = min(end_us, current_hub().clock.utc_us()) if shop.now_us < start_us else shop.now_us
    return finished_since(connection, start_us, until_us, shop.valuation)


def dues(connection: Connection, shop: BoardState) -> tuple[int, int]:
    """The numbers of open orders that are late and that are due today."""
    today = shop_locale().today(shop.now_us)
    c = item.c
    open_orders = select(func.count()).where(and_(c.status == "open", is_order()))
    tomorrow = (today + timedelta(days=1)).isoformat()
    late = connection.execute(open_orders.where(and_(c.due >= "0", c.due < today.isoformat()))).scalar_one()
    due_today = connection.execute(open_orders.where(and_(c.due >= today.isoformat(), c.due < tomorrow))).scalar_one()
    return late, due_today


def _dues_at(shop: BoardState) -> tuple[int, int]:
    """The same numbers for the orders with stock in a past snapshot."""
    today = shop_locale().today(shop.now_us)
    days = [(day, count) for due, count in shop.dues.items() if (day := due_day(due)) is not None]
    return sum(count for day, count in days if day < today), sum(count for day, count in days if day == today)
