"""Wall: the board for a screen that is read from five metres, one figure a panel, one panel after another."""

from typing import Any

from flask import Blueprint, Response

from server.auth.gate import readers
from server.queries.call_alerts import CALL
from server.queries.shared_board import BoardAnswer
from server.queries.stage_summary import StageTile
from server.web.board import board_now
from server.web.shared_page import following_page

blueprint = Blueprint("wall", __name__)
SENTENCES = 3
MOST_CALLS = 6  # open calls are shown beyond the first sentences


@blueprint.get("/wall")
@readers
def wall() -> Response | str:
    """The panels: alerts, work in process, the tightest stage, late orders, stock finished today."""
    answer = board_now()
    return following_page("wall.html", answer, lambda: _page(answer))


def _page(answer: BoardAnswer) -> dict[str, Any]:
    """The variables of the template."""
    listed, line = answer.listed, answer.shop.line
    return {
        "page": "wall",
        "now_us": answer.shop.now_us,
        "line": line,
        "grave": listed.grave,
        "count": listed.total,
        "alerts": listed.alerts[: max(SENTENCES, min(sum(alert.kind == CALL for alert in listed.alerts), MOST_CALLS))],
        "tightest": max(line.tiles, key=tightness, default=None),
        "late": answer.late,
        "due_today": answer.due_today,
        "finished": answer.finished,
        "behind": answer.behind,
    }


def tightness(tile: StageTile) -> tuple[float, float]:
    """Sort key of a stage's load: the greater of fill against the limit and age against the target, then the age."""
    full = tile.items / tile.stage.limit if tile.stage.limit else 0.0
    old = (tile.ages.max_s or 0) / tile.stage.target_s if tile.stage.target_s else 0.0
    return max(full, min(old, 1.0)), old
