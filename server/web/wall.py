"""Wall: the board for a screen that is read from five metres, one figure a panel, one panel after another."""

from flask import Blueprint, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.queries.board_state import board_state_now, current_alerts
from server.queries.call_alerts import CALL
from server.queries.stage_summary import StageTile
from server.web.board import alerts_of_hub, dues, finished_on
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("wall", __name__)
SENTENCES = 3
MOST_CALLS = 6  # open calls are shown beyond the first sentences


@blueprint.get("/wall")
@readers
def wall() -> str:
    """The panels: alerts, work in process, the tightest stage, late orders, stock finished today."""
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop = board_state_now(connection, shop_locale(), current_hub().clock.utc_us())
        alerts = current_alerts(connection, shop, alerts_of_hub(connection, shop.now_us))
        late, due_today = dues(connection, shop)
        finished = finished_on(connection, shop)
    return render_template(
        "wall.html",
        page="wall",
        line=shop.line,
        grave=any(alert.grave for alert in alerts),
        count=len(alerts),
        alerts=alerts[: max(SENTENCES, min(sum(alert.kind == CALL for alert in alerts), MOST_CALLS))],
        tightest=max(shop.line.tiles, key=tightness, default=None),
        late=late,
        due_today=due_today,
        finished=finished,
    )


def tightness(tile: StageTile) -> tuple[float, float]:
    """Sort key of a stage's load: the greater of fill against the limit and age against the target, then the age."""
    full = tile.items / tile.stage.limit if tile.stage.limit else 0.0
    old = (tile.ages.max_s or 0) / tile.stage.target_s if tile.stage.target_s else 0.0
    return max(full, min(old, 1.0)), old
