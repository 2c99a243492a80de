"""Read model over HTTP: work in process, one item, orders, stages; now, or as of a past time and as known at a position.

Quantities are decimal strings, money whole millionths of the currency, times ISO 8601 in UTC. Quantities of different units
are never added.
"""

from flask import Blueprint, Response, request

from server.api import (
    call_answer,
    item_answer,
    order_answer,
    site_answer,
    unknown_code_answer,
    value_answer,
    wip_answer,
)
from server.api.format import time
from server.api.openapi import documented
from server.api.past_query import asked_against, asked_past
from server.api.rest import page_of
from server.api_errors import ApiError, json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import site_of
from server.queries.as_known_at import past_stock, shop_known_at
from server.queries.board_state import board_state_at
from server.queries.calls import calls_until, open_calls
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.item_detail import item_detail
from server.queries.lag import lag_of
from server.queries.order_progress import STATUSES, orders_after
from server.queries.past_items import past_calls, past_item, past_orders_after
from server.queries.search import item_named
from server.queries.site import current_locale, site_definitions
from server.queries.stage_order import line_of
from server.queries.stock_change import stock_change
from server.queries.unknown_codes import count_unknown, unknown_after
from server.queries.valuation import Valuation
from server.queries.value_slices import ValueBy, chosen, leaves, value_slices
from server.queries.wip import GroupBy, wip
from server.urls import before_pos, segments

blueprint = Blueprint("wip", __name__)
segments(blueprint)


@blueprint.get("/api/v1/wip")
@documented(wip_answer.WipAnswer, query=wip_answer.WipQuery, errors=(400, 401, 403))
@readers
def work_in_process() -> Response:
    """Quantity and value of work in process, now or `as_of` a past time, as known now or at position `known`."""
    now_us = current_hub().clock.utc_us()
    by = _by(request.args.get("by", GroupBy.STAGE.value))
    limit, cursor = page_of()
    after = after_row(cursor, by)
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        past = asked_past(connection, now_us, lag.pos)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
        report = wip(stock, by, valuation)
    return json_answer(wip_answer.wip_answer(report, valuation.at_us, past.known_pos, lag, by, after, limit))


@blueprint.get("/api/v1/wip/change")
@documented(wip_answer.StockChangeAnswer, query=wip_answer.StockChangeQuery, errors=(400, 401, 403))
@readers
def change_of_stock() -> Response:
    """What came and went at each stage between the times `against` and `as_of`, in items, quantities and value."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        lag, past = lag_of(connection, now_us), asked_past(connection, now_us)
        against_us = asked_against(connection, now_us)
        if against_us is None:
            raise ApiError(400, "no `against`", "a past time such as 2026-11-22T14:05:00Z", "Add the earlier time.")
        first_us, last_us = sorted((against_us, past.time_us))
        locale = current_locale(connection, current_hub().config, now_us)
        was, now = (board_state_at(connection, locale, us) for us in (first_us, last_us))
        change = stock_change(connection, was, now)
    return json_answer(wip_answer.change_answer(change, lag))


@blueprint.get("/api/v1/value")
@documented(value_answer.ValueAnswer, query=value_answer.ValueQuery, errors=(400, 401, 403))
@readers
def value() -> Response:
    """The value of work in process by one attribute and across another one, now or `as_of` a past time."""
    now_us = current_hub().clock.utc_us()
    by = _value_by("by", ValueBy.STAGE)
    across = _value_by("across", ValueBy.STAGE if by == ValueBy.COMPONENT else ValueBy.COMPONENT)
    wanted = {each: request.args[each] for each in ValueBy if each in request.args}
    limit, cursor = page_of()
    after = after_row(cursor, by)
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        past = asked_past(connection, now_us, lag.pos)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    slices = value_slices(chosen(leaves(stock, valuation), wanted, valuation.at_us), by, across, valuation)
    return json_answer(value_answer.value_answer(slices, valuation.at_us, past.known_pos, lag, after, limit))


@blueprint.get("/api/v1/items/<segment:item>", merge_slashes=False)
@documented(item_answer.ItemAnswer, query=item_answer.ItemQuery, errors=(400, 401, 403, 404))
@readers
def item(item: str) -> Response:
    """One item: its places, its accounts, its findings, and its last 200 events; now or at a past time."""
    now_us, before = current_hub().clock.utc_us(), before_pos()
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        past = asked_past(connection, now_us, lag.pos)
        today = master_data(connection)
        name = item_named(connection, today, item, now_us)
        if past.is_past:
            with past_item(connection, name, past.known_pos, past.at_us) as shop:
                valuation = Valuation(shop.master_data, past.time_us)
                detail = item_detail(shop.scratch, name, valuation, before)
        else:
            detail = item_detail(connection, name, Valuation(today, now_us), before)
        # The state is decoded here, while the row that holds it can be read.
        answer = None if detail is None else item_answer.item_answer(detail, past, lag)
    if answer is None:
        by_then = " by then" if past.is_past else ""
        raise ApiError(
            404, f"the item {item[:80]!r}", f"one that was scanned, released or bound{by_then}", "Search with /find?q=."
        )
    return json_answer(answer)


@blueprint.get("/api/v1/orders")
@documented(order_answer.OrdersAnswer, query=order_answer.OrdersQuery, errors=(400, 401, 403))
@readers
def orders() -> Response:
    """Orders by name, of one `status` or all; `limit` at most 1,000, the next page with `cursor`."""
    limit, cursor = page_of()
    status = request.args.get("status") or None
    if status is not None and status not in STATUSES:
        raise ApiError(400, f"status {status[:40]!r}", f"one of {', '.join(STATUSES)}", "Leave it out for all.")
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        past = asked_past(connection, now_us, lag.pos)
        if past.is_past:
            with shop_known_at(connection, past.known_pos, past.at_us) as shop:
                valuation = Valuation(shop.master_data, past.time_us)
                rows = past_orders_after(connection, shop, valuation, cursor, limit + 1, status, past.at_us)
        else:
            rows = orders_after(connection, Valuation(master_data(connection), now_us), cursor, limit + 1, status)
    more = rows[limit - 1].order if len(rows) > limit else None
    answers = [order_answer.order_row(row) for row in rows[:limit]]
    return json_answer(order_answer.OrdersAnswer(answers, more, time(past.time_us), past.known_pos, *lag))


@blueprint.get("/api/v1/calls")
@documented(call_answer.CallsAnswer, query=call_answer.CallsQuery, errors=(400, 401, 403))
@readers
def calls() -> Response:
    """Calls for help with who called, who answered, when, and after how long; the newest first."""
    limit, cursor = page_of()
    now_us = current_hub().clock.utc_us()
    before = _before_call(cursor)
    stage, only_open = request.args.get("stage", ""), _flag("open")
    with current_hub().store.read() as connection:
        found, lag = calls_until(connection, now_us), lag_of(connection, now_us)
    page = [
        paired
        for paired in reversed(found)
        if (not stage or paired.call.stage == stage)
        and (not only_open or paired.is_open)
        and (before is None or (paired.call.at_us, paired.call.log, paired.call.seq) < before)
    ]
    more = call_answer.cursor_of(page[limit - 1]) if len(page) > limit else None
    rows = [call_answer.call_answer(paired, now_us) for paired in page[:limit]]
    return json_answer(call_answer.CallsAnswer(rows, more, *lag))


@blueprint.get("/api/v1/unknown-codes")
@documented(unknown_code_answer.UnknownCodesAnswer, query=unknown_code_answer.UnknownCodesQuery, errors=(400, 401, 403))
@readers
def unknown_codes() -> Response:
    """Codes that were scanned and name nothing released or bound; `limit` at most 1,000, the next page with `cursor`."""
    limit, cursor = page_of()
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        rows, total = unknown_after(connection, cursor, limit + 1), count_unknown(connection)
        lag = lag_of(connection, now_us)
    more = rows[limit - 1].code if len(rows) > limit else None
    answers = [unknown_code_answer.unknown_code_answer(row) for row in rows[:limit]]
    return json_answer(unknown_code_answer.UnknownCodesAnswer(answers, total, more, *lag))


@blueprint.get("/api/v1/stages")
@documented(wip_answer.StagesAnswer, query=wip_answer.StagesQuery, errors=(400, 401, 403))
@readers
def stages() -> Response:
    """Stages in the order of the line, with their items; `limit` at most 1,000, the next page with `cursor`."""
    limit, cursor = page_of()
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        past = asked_past(connection, now_us, lag.pos)
        if past.is_past:
            valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
            shop = valuation.master_data
            waiting = [call for call in past_calls(connection, past.known, past.time_us) if call.is_open]
        else:
            shop, stock = master_data(connection), stock_now(connection)
            waiting = open_calls(connection, now_us)
    names = line_of(shop, past.time_us)
    names += sorted({row.stage for row in stock if row.stage} - set(names))
    if cursor and cursor not in names:
        raise ApiError(
            400, f"cursor {cursor[:40]!r}", "the `cursor` of an answer", "Leave it out for the first stages."
        )
    start = names.index(cursor) + 1 if cursor else 0
    page = names[start : start + limit]
    at_us = past.time_us
    rows = [wip_answer.stage_row(name, shop.stage(name, at_us), stock, waiting, at_us) for name in page]
    more = page[-1] if start + limit < len(names) else None
    return json_answer(wip_answer.StagesAnswer(rows, more, time(at_us), past.known_pos, *lag))


@blueprint.get("/api/v1/site")
@documented(site_answer.SiteAnswer, errors=(400, 401, 403))
@readers
def site() -> Response:
    """The site now: its zone, currency, locale, start of day, its present day, and all its definitions."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        definitions, lag = site_definitions(connection), lag_of(connection, now_us)
    return json_answer(site_answer.site_answer(definitions, site_of(current_hub().config), now_us, lag))


def _flag(name: str) -> bool:
    """A query word that is 1 or 0, by default 0. Raises `ApiError` 400."""
    text = request.args.get(name, "") or "0"
    if text not in ("0", "1"):
        raise ApiError(400, f"{name} {text[:40]!r}", "0 or 1", "Leave it out for all.")
    return text == "1"


def after_row(cursor: str, by: str) -> wip_answer.RowCursor | None:
    """The place of the last row of the page before, from its cursor. Raises `ApiError` 400."""
    if not cursor:
        return None
    after = wip_answer.RowCursor.read(cursor)
    came, do = f"cursor {cursor[:40]!r}", "Leave it out for the first rows."
    if after is None:
        number = "" if not cursor.isdecimal() else "; the number of a row is none, because rows come and go"
        raise ApiError(400, came, f"the `cursor` of an answer{number}", do)
    if after.by != by:
        raise ApiError(400, f"{came} of rows by {after.by[:20]!r}", f"the `cursor` of an answer by {by}", do)
    return after


def _before_call(cursor: str) -> tuple[int, str, int] | None:
    """The place of the last call of the page before, from its cursor. Raises `ApiError` 400."""
    if not cursor:
        return None
    at_us, _, place = cursor.partition(":")
    log, _, seq = place.partition(":")
    try:
        return int(at_us[:20]), log, int(seq[:20])
    except ValueError:
        raise ApiError(400, f"cursor {cursor[:40]!r}", "the `cursor` of an answer", "Start without one.") from None


def _value_by(word: str, default: ValueBy) -> ValueBy:
    text = request.args.get(word) or default
    try:
        return ValueBy(text)
    except ValueError:
        expected = f"one of {', '.join(ValueBy)}"
        raise ApiError(400, f"{word} {text[:40]!r}", expected, f"Leave it out for {default}.") from None


def _by(text: str) -> GroupBy:
    try:
        return GroupBy(text)
    except ValueError:
        raise ApiError(400, f"by {text[:40]!r}", f"one of {', '.join(GroupBy)}", "Leave it out for stage.") from None
