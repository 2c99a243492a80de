"""The board: what needs someone now, and the line."""

from datetime import timedelta

from flask import Blueprint, render_template, request
from sqlalchemy import Connection, and_, func, select

from server.auth.gate import readers
from server.context import running
from server.locale_format import due_day
from server.projection.tables import item
from server.projection.worker import recalculating
from server.queries.alerts import ShopSnapshot
from server.queries.order_progress import is_order
from server.queries.snapshot import attention, floor_at, floor_now
from server.queries.stage_summary import StockSummary, finished_since
from server.web.age_strip import strip
from server.web.form_entries import moment
from server.web.template_filters import tongue

blueprint = Blueprint("board", __name__)
FIRST = 7  # sentences that are seen without opening the rest
MOST = 60  # in all; more of one kind are better read where they are


@blueprint.get("/")
@readers
def board() -> str:
    """The board now, or as of a past time."""
    now_us = running().clock.utc_us()
    asked_us = moment(request.args.get("as_of", ""), tongue())
    if asked_us is not None and asked_us >= now_us:
        asked_us = None
    with running().store.read() as connection:
        if asked_us is None:
            floor = floor_now(connection, tongue(), now_us)
            conditions = attention(connection, floor)
        else:
            floor, conditions = floor_at(connection, tongue(), asked_us), []
        finished = finished_on(connection, floor)
        late, due_today = dues(connection, floor) if asked_us is None else _dues_then(floor)
        behind = recalculating(connection)
    longest_s = max((tile.ages.max_s or 0 for tile in floor.line.tiles if not tile.stage.target_s), default=1)
    return render_template(
        "board.html",
        page="board",
        now_us=now_us,
        asked_us=asked_us,
        line=floor.line,
        tiles=[(tile, strip(tile.ticks, tile.stage.target_s, longest_s)) for tile in floor.line.tiles],
        finished=finished,
        late=late,
        due_today=due_today,
        conditions=conditions,
        first=FIRST,
        most=MOST,
        recalculating=behind,
    )


def finished_on(connection: Connection, floor: ShopSnapshot) -> StockSummary:
    """What was finished on the day of the floor."""
    start_us = tongue().day_start_us(floor.now_us)
    until_us = min(start_us + 86_400_000_000, running().clock.utc_us()) if floor.now_us < start_us else floor.now_us
    return finished_since(connection, start_us, until_us, floor.valuation)


def dues(connection: Connection, floor: ShopSnapshot) -> tuple[int, int]:
    """How many open orders are late, and how many are due today."""
    today = tongue().today(floor.now_us)
    c = item.c
    open_orders = select(func.count()).where(and_(c.status == "open", is_order()))
    tomorrow = (today + timedelta(days=1)).isoformat()
    late = connection.execute(open_orders.where(and_(c.due >= "0", c.due < today.isoformat()))).scalar_one()
    due_today = connection.execute(open_orders.where(and_(c.due >= today.isoformat(), c.due < tomorrow))).scalar_one()
    return late, due_today


def _dues_then(floor: ShopSnapshot) -> tuple[int, int]:
    """The same of what stood in the shop then."""
    today = tongue().today(floor.now_us)
    due = {stand.order: due_day(stand.due) for stand in floor.stands}
    days = [day for day in due.values() if day is not None]
    return sum(day < today for day in days), sum(day == today for day in days)
