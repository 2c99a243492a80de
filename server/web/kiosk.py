"""The wall: the board from five metres away, one question a screen, one after another."""

from flask import Blueprint, render_template

from server.auth.gate import readers
from server.context import running
from server.queries.snapshot import attention, floor_now
from server.queries.stage_summary import StageTile
from server.web.board import dues, finished_on
from server.web.template_filters import tongue

blueprint = Blueprint("wall", __name__)
SENTENCES = 3


@blueprint.get("/wall")
@readers
def wall() -> str:
    """What needs someone, what is in process, the tightest stage, what is late, what was finished."""
    with running().store.read() as connection:
        floor = floor_now(connection, tongue(), running().clock.utc_us())
        conditions = attention(connection, floor)
        late, due_today = dues(connection, floor)
        finished = finished_on(connection, floor)
    return render_template(
        "wall.html",
        page="wall",
        line=floor.line,
        grave=sum(each.grave for each in conditions),
        conditions=conditions[:SENTENCES],
        tightest=max(floor.line.tiles, key=tightness, default=None),
        late=late,
        due_today=due_today,
        finished=finished,
    )


def tightness(tile: StageTile) -> tuple[float, float]:
    """How tight a stage is: how full against its limit, then how old its oldest item is against its target."""
    full = tile.items / tile.stage.limit if tile.stage.limit else 0.0
    old = (tile.ages.max_s or 0) / tile.stage.target_s if tile.stage.target_s else 0.0
    return max(full, min(old, 1.0)), old
