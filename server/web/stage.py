"""Stage page: the stock to run next, the stock on hold with its reason, and the stock that arrives next."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from server.api.past_query import Past, asked_past, keep_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import due_day
from server.queries.as_known_at import past_stock
from server.queries.call_alerts import by_reason
from server.queries.calls import Call
from server.queries.current_stock import StockRow, run_stages, running_stages
from server.queries.past_board import past_board
from server.queries.past_items import past_calls
from server.queries.stage_queue import StageQueue, stage_queue
from server.queries.valuation import Valuation
from server.query_words import PAST_WORDS, query_words
from server.urls import segments, stage_url
from server.web.age_strip import strip
from server.web.board import board_now
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, day, moment, quantity, table_file
from server.web.template_filters import STATES, shop_locale
from station.core.ledger.routing import Stage

blueprint = Blueprint("stage", __name__)
MOST_CALLS = 50  # in the list of the newest calls; the API has all
segments(blueprint)
COLUMNS = (
    "item", "order", "product", "quantity", "unit", "due", "priority", "customer", "stage", "state", "reason",
    "operator", "since", "run_since",
)  # fmt: skip
CALL_COLUMNS = ("called", "reason", "by", "station", "answered", "answered_by", "after_s")


@blueprint.get(f"/stage.{FORMS}")
@readers
@query_words("stage", "list", *PAST_WORDS)
def file(form: str) -> Response:
    """One of the lists of a stage as a file: all of it, in the order of the page. Raises `ApiError` 404 as the page."""
    stage, name = request.args.get("stage", ""), request.args.get("list", "run_next")
    if name not in (*StageQueue._fields, "calls"):
        expected = f"one of {', '.join(StageQueue._fields)}, calls"
        raise ApiError(400, f"list {name[:40]!r}", expected, "Use the link of the page.")
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        past = asked_past(connection, now_us)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
        lists = stage_queue(stock, stage, valuation)
        calls = _calls(connection, stage, past)
    _demand_stage(stage, valuation.master_data.stage(stage, valuation.at_us), lists, calls)
    if name == "calls":
        return table_file(form, "stage-calls", CALL_COLUMNS, [_call_row(call) for call in calls[::-1]])
    rows = getattr(lists, name)
    return table_file(form, f"stage-{name}", COLUMNS, [_row(row, valuation) for row in rows])


def _calls(connection: Connection, stage: str, past: Past) -> list[Call]:
    return [call for call in past_calls(connection, past.known, past.time_us) if call.call.place == ("stage", stage)]


def _demand_stage(stage: str, definition: Stage | None, lists: StageQueue, calls: list[Call]) -> None:
    """Raises `ApiError` 404 for a stage that is not defined, and has neither work nor calls."""
    if definition is None and not (lists.run_next or lists.held or calls):
        raise ApiError(404, f"the stage {stage!r}", "a stage that is defined or has work", "Open it from the board.")


def _row(row: StockRow, valuation: Valuation) -> list[Cell]:
    return [
        row.item, row.order, row.product, quantity(row.qty_milli), valuation.product(row).unit, day(row.due), row.priority,
        row.customer, row.stage, STATES[row.state], row.reason, row.operator, moment(row.there_since_us),
        moment(row.run_since_us),
    ]  # fmt: skip


def _call_row(call: Call) -> list[Cell]:
    made = call.call
    after_s = None if call.answered_us is None else (call.answered_us - made.at_us) // 1_000_000
    return [
        moment(made.at_us), made.reason, made.by, made.station, moment(call.answered_us), call.answered_by, after_s,
    ]  # fmt: skip


def _listing(stage: str, name: str, rows: tuple[StockRow, ...]) -> Listing:
    """The page of one list; the pages of the other lists stay as they are."""
    others = {other: request.args[other] for other in StageQueue._fields if other != name and other in request.args}
    others |= past_words()
    path = stage_url(stage)
    if "?" in path:
        path, others = "/stages", {"stage": stage, **others}
    return Listing(page_number(name), len(rows), others, path, name)


def _address(stage: str, ending: str, name: str) -> str:
    return keep_past(f"/stage{ending}?{urlencode({'stage': stage, 'list': name})}")


@blueprint.get("/stages/<segment:stage>", merge_slashes=False)
@blueprint.get("/stages", defaults={"stage": None})
@readers
@query_words("stage", *StageQueue._fields, *PAST_WORDS)
def page(stage: str | None) -> str:
    """The page of one stage, now or as of a past time and as known at a position."""
    stage = request.args.get("stage", "") if stage is None else stage
    shop = board_now().shop
    now_us = shop.now_us
    with current_hub().store.read() as connection:
        past = asked_past(connection, now_us)
        if past.is_past:
            with past_board(connection, shop_locale(connection), past.known, past.at_us, now_us) as found:
                shop, stock = found.shop, found.stock()
            now_us, runs_at = past.time_us, running_stages(stock, [stage])
        else:
            stock = past_stock(connection, None, None, now_us)[1]
            runs_at = run_stages(connection, [stage])
        calls = _calls(connection, stage, past)
    names = DisplayNames(shop.valuation.master_data, now_us)
    lists = stage_queue(stock, stage, shop.valuation)
    listings = {name: _listing(stage, name, rows) for name, rows in lists._asdict().items()}
    definition = shop.valuation.master_data.stage(stage, now_us)
    _demand_stage(stage, definition, lists, calls)
    tile = next((tile for tile in shop.line.tiles if tile.stage.stage == stage), None)
    longest_s = max((tile.ages.max_s or 1) if tile else 1, 1)
    return render_template(
        "stage.html",
        page="board",
        now_us=now_us,
        asked_us=now_us if past.is_past else None,
        today=shop_locale().today(now_us),
        name=names.stage(stage),
        stage=definition or Stage(stage),
        definition=definition,
        tile=tile,
        strip=strip(tile.ticks, tile.bars, tile.stage.target_s, longest_s)._replace(width=1.2) if tile else None,
        lists=lists,
        open_calls=by_reason(call for call in calls if call.is_open),
        calls=calls[: -MOST_CALLS - 1 : -1],
        parts_of={name: rows[listings[name].start : listings[name].last] for name, rows in lists._asdict().items()},
        listings=listings,
        file_of={name: _address(stage, ".csv", name) for name in (*lists._fields, "calls")},
        valuation=shop.valuation,
        due_day=due_day,
        runs_at=runs_at,
        **names.for_templates(),
    )
