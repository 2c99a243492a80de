"""Stage page: the stock to run next, the stock on hold with its reason, and the stock that arrives next."""

from flask import Blueprint, render_template, request

from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import due_day
from server.queries.board_state import board_state_now
from server.queries.call_alerts import by_reason
from server.queries.calls import calls_until
from server.queries.stage_queue import stage_queue
from server.urls import segments
from server.web.age_strip import strip
from server.web.display_names import DisplayNames
from server.web.template_filters import shop_locale
from station.core.ledger.routing import Stage

blueprint = Blueprint("stage", __name__)
MOST_CALLS = 50  # in the list of the newest calls; the API has all
segments(blueprint)


@blueprint.get("/stages/<segment:stage>", merge_slashes=False)
@blueprint.get("/stages", defaults={"stage": None})
@readers
def page(stage: str | None) -> str:
    """The page of one stage."""
    stage = request.args.get("stage", "") if stage is None else stage
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        shop = board_state_now(connection, shop_locale(), now_us)
        calls = [call for call in calls_until(connection, now_us) if call.call.place == ("stage", stage)]
    names = DisplayNames(shop.valuation.master_data, now_us)
    lists = stage_queue(shop.stock, stage, shop.valuation)
    definition = shop.valuation.master_data.stage(stage, now_us)
    if definition is None and not (lists.run_next or lists.held or calls):
        raise ApiError(404, f"the stage {stage!r}", "a stage that is defined or has work", "Open it from the board.")
    tile = next((tile for tile in shop.line.tiles if tile.stage.stage == stage), None)
    longest_s = max((tile.ages.max_s or 1) if tile else 1, 1)
    return render_template(
        "stage.html",
        page="board",
        now_us=now_us,
        today=shop_locale().today(now_us),
        name=names.stage(stage),
        stage=definition or Stage(stage),
        tile=tile,
        strip=strip(tile.ticks, tile.stage.target_s, longest_s)._replace(width=1.2) if tile else None,
        lists=lists,
        open_calls=by_reason(call for call in calls if call.is_open),
        calls=calls[: -MOST_CALLS - 1 : -1],
        valuation=shop.valuation,
        due_day=due_day,
        **names.for_templates(),
    )
