"""Board: the current alerts and the line, now or as of a past time."""

from datetime import timedelta

from flask import Blueprint, render_template
from sqlalchemy import Connection, and_, func, select

from server.api.health import backup_note, hub_faults, lost_by_restore, unused_patterns
from server.api.past_query import asked_past
from server.auth.gate import readers
from server.config import seconds_of
from server.context import current_hub
from server.locale_format import due_day
from server.projection.tables import item
from server.queries.alerts import Alert, BoardState
from server.queries.board_state import current_alerts
from server.queries.hub_alerts import of_backup, of_faults
from server.queries.order_progress import is_order
from server.queries.past_board import past_board
from server.queries.site import ignored_settings
from server.queries.stage_summary import StockSummary, finished_since
from server.query_words import PAST_WORDS, query_words
from server.web.age_strip import strip
from server.web.template_filters import read_lag, read_site, shop_locale

blueprint = Blueprint("board", __name__)
FIRST = 7  # alerts that are visible without opening the rest
MOST = 60  # alerts on the page; the others are on the pages of their stages and orders


@blueprint.get("/")
@readers
@query_words(*PAST_WORDS)
def board() -> str:
    """The board now, or as of a past time and as known at a position."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        locale = shop_locale(connection)
        past = asked_past(connection, now_us)
        asked_us = past.time_us if past.is_past else None
        read_lag(connection)
        with past_board(connection, locale, past.known, past.at_us, now_us) as (shop, moves):
            finished = finished_on(moves, shop)
        alerts = []
        if asked_us is None:
            alerts = current_alerts(connection, shop, alerts_of_hub(connection, now_us))
        late, due_today = dues(connection, shop) if asked_us is None else _dues_at(shop)
    longest_s = max((tile.ages.max_s or 0 for tile in shop.line.tiles if not tile.stage.target_s), default=1)
    return render_template(
        "board.html",
        page="board",
        now_us=now_us,
        asked_us=asked_us,
        line=shop.line,
        strips={tile.stage.stage: strip(tile.ticks, tile.stage.target_s, longest_s) for tile in shop.line.tiles},
        finished=finished,
        late=late,
        due_today=due_today,
        alerts=alerts,
        first=FIRST,
        most=MOST,
    )


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
    due = {row.order: due_day(row.due) for row in shop.stock}
    days = [day for day in due.values() if day is not None]
    return sum(day < today for day in days), sum(day == today for day in days)
