"""Page of the month end: what is not safe to close on, the form that closes a period, and what each close stored."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Context, Decimal
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth import devices
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.entries import Entry, last_close
from server.ledger.period_listings import CLOSE
from server.queries.close_checks import LISTED, STALE_DAYS, Check, close_checks, closing_shop
from server.queries.closed_periods import ClosedPeriod, closed_period, closed_periods, stored_lines
from server.queries.restatement import Cause, restatement
from server.queries.stock_listing import ListedStock
from server.query_words import query_words
from server.web.form_entries import enter, refused_status
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, moment, quantity, table_file
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("month_end", __name__)
PATH = "/month-end"
REOPEN = "period.reopen"
ITEMS = f"{PATH}/items"
# Of each check the page with its list; a word `as_of` is added where the list can be of the end of the period.
LISTS: dict[Check, tuple[str, dict[str, str], bool]] = {
    Check.UNKNOWN: ("/unknown-codes", {}, False),
    Check.NO_COST: ("/without-cost", {}, True),
    Check.OVERRUN: ("/obsolete", {"reason": "excess"}, True),
    Check.STALE: ("/obsolete", {"reason": "not_moved", "days": str(STALE_DAYS)}, True),
    Check.COUNTING: ("/counts", {}, False),
}
COLUMNS = (
    "until", "recorded", "by", "why", "holds", "value", "items", "unvalued_items", "position", "head", "version",
    "listing_sha256",
)  # fmt: skip
LISTING = (
    "item", "order", "product", "stage", "operation", "state", "quantity", "unit", "complete", "component", "value",
)  # fmt: skip
LEAF_PLACES = 9  # thousandths of millionths
_EXACT = Context(prec=80)  # digits: more than the value of any stock has
CAUSES = {
    Cause.LATE_SCANS: "scans that arrived later",
    Cause.CORRECTIONS: "corrections and voids",
    Cause.ENTRIES: "entries made later",
    Cause.DEFINITIONS: "routings and other definitions entered later",
    Cause.COMPUTATION: "computed otherwise than by the version that closed",
    Cause.PRICES: "prices entered later",
}


@blueprint.get(PATH)
@readers
@query_words("until", "period", "page")
def page() -> str:
    """What is open at the end of a day (`until`) or now, the form, the closes; with `period` that one and what changed."""
    return _page({"until": chosen_day(), "why": ""}, None)


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All stored closes as a file."""
    with current_hub().store.read() as connection:
        closes = closed_periods(connection)
    rows: list[list[Cell]] = [
        [
            moment(closed.closed_us), moment(closed.recorded_us), closed.by, closed.why,
            "yes" if closed.holds else "reopened", amount(closed.value_micros), closed.items, closed.unvalued_items,
            closed.known, closed.head, closed.version, closed.listing,
        ]
        for closed in closes
    ]  # fmt: skip
    return table_file(form, "month-end", COLUMNS, rows)


@blueprint.get(f"{PATH}/listing.{FORMS}")
@readers
@query_words("period")
def listing_file(form: str) -> Response:
    """The listing of a close as a file: a row for each component of each line, with its exact value."""
    with current_hub().store.read() as connection:
        closed = _asked(closed_periods(connection))
        lines = None if closed is None else stored_lines(connection, closed)
    if lines is None:
        raise ApiError(404, "a close without a stored listing", "the position of a close", f"Follow a link of {PATH}.")
    return table_file(form, "listing", LISTING, _listed(lines))


@blueprint.post(PATH)
@needs(needed_for(CLOSE))
@written_once
def close() -> Answer | tuple[str, int]:
    """Close the period that ends with a day, or now. A refused close shows the page again, with the reason."""
    typed = {name: request.form.get(name, "").strip() for name in ("until", "why")}
    try:
        written = enter([Entry(CLOSE, {"why": typed["why"]} | _seen(), caller().name, _end_of(typed["until"]))])
    except ApiError as error:
        return _page(typed, error), refused_status(error)
    with current_hub().store.read() as connection:
        closed = closed_period(connection, written[0].pos)
    if closed is not None:
        locale = shop_locale()
        flash(f"Closed until {locale.at(closed.closed_us)}, with {locale.money(closed.value_micros)} in process.")
    return redirect(f"{PATH}?period={written[0].pos}")


@blueprint.post(f"{PATH}/reopen")
@needs(needed_for(REOPEN))
@written_once
def reopen() -> Answer | tuple[str, int]:
    """Reopen the last closed period. What was stored stays."""
    try:
        enter([Entry(REOPEN, {"why": request.form.get("why", "").strip()} | _seen(), caller().name)])
    except ApiError as error:
        return _page({"until": "", "why": ""}, error), refused_status(error)
    flash("The last closed period is open again. What was stored with it stays.")
    return redirect(PATH)


def _seen() -> dict[str, int]:
    """The end of the last closed period as the page of the form had it."""
    text = request.form.get("last", "")
    return {"last_us": int(text)} if text.isascii() and text.isdecimal() and len(text) < 19 else {}


def _page(typed: dict[str, str], trouble: ApiError | None) -> str:
    now_us, number = current_hub().clock.utc_us(), page_number()
    end_us = past_end(typed["until"], now_us)
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop = closing_shop(connection, devices.overview(connection), end_us, now_us)
        checks = close_checks(shop)
        closes, closed_us = closed_periods(connection), last_close(connection)
        shown = _asked(closes)
        lines = None if shown is None else stored_lines(connection, shown)
        restated = None if shown is None or lines is None else restatement(connection, shown, lines)
    listing = Listing(number, len(closes), {"until": typed["until"]}, PATH)
    return render_template(
        "month_end.html",
        page="value",
        now_us=now_us,
        end_us=end_us,
        yesterday=(shop_locale().today(now_us) - timedelta(days=1)).isoformat(),
        value=shop.valuation.total(shop.stock),
        items=len({row.item for row in shop.stock}),
        value_address="/value" if end_us is None else f"/value?as_of={end_us}",
        checks=[(check, _list_of(check.check, typed["until"], end_us)) for check in checks],
        closes=closes[listing.start : listing.last],
        listing=listing,
        shown=shown,
        restated=restated,
        causes=CAUSES,
        rolled=None if shown is None else _rolled(shown, closes),
        closed_us=closed_us,
        unstored=closed_us is not None and not any(closed.holds and closed.closed_us == closed_us for closed in closes),
        typed=typed,
        trouble=trouble.trouble if trouble else None,
    )


def chosen_day() -> str:
    """The day of the query, at whose end the period ends; "" for now. Raises `ApiError` 400 for one that is not over."""
    text = request.args.get("until", "").strip()
    if text and past_end(text, current_hub().clock.utc_us()) is None:
        _end_of(text)
        raise ApiError(400, f"the day {text}, which is not over", "a day that is over", "Leave it out for now.")
    return text


def past_end(text: str, now_us: int) -> int | None:
    """The end of a typed day (UTC us); None for an empty text and for what is no day, or one that is not over."""
    try:
        end_us = _end_of(text)
    except ApiError:
        return None
    return end_us if end_us is not None and end_us <= now_us else None


def _list_of(check: Check, until: str, end_us: int | None) -> str:
    """The address of the list of a check."""
    if check in LISTED:
        words = {"check": check.value} | ({"until": until} if end_us is not None else {})
        return f"{ITEMS}?{urlencode(words)}"
    path, words, is_past = LISTS[check]
    words = words | ({"as_of": str(end_us)} if is_past and end_us is not None else {})
    return f"{path}?{urlencode(words)}" if words else path


def _asked(closes: list[ClosedPeriod]) -> ClosedPeriod | None:
    """The close that `period` names; None without it. Raises `ApiError` 404."""
    text = request.args.get("period", "")
    found = next((closed for closed in closes if str(closed.pos) == text), None)
    if text and found is None:
        raise ApiError(404, f"period {text[:40]!r}", "the position of a close", f"Follow a link of {PATH}.")
    return found


def _rolled(shown: ClosedPeriod, closes: list[ClosedPeriod]) -> str:
    """The address of the roll-forward from the close before this one."""
    before = next((closed for closed in closes if closed.holds and closed.closed_us < shown.closed_us), None)
    begin = {} if before is None else {"from": str(before.closed_us)}
    return f"/rollforward?{urlencode(begin | {'to': str(shown.closed_us)})}"


def _end_of(text: str) -> int | None:
    """The end of a typed day of the shop (UTC us); None for an empty text: now. Raises `ApiError` 400."""
    if not text:
        return None
    try:
        return shop_locale().day_end_us(date.fromisoformat(text))
    except ValueError:
        came = f"the day {text[:40]!r}"
        raise ApiError(400, came, "a day such as 2026-11-30", "Pick it from the calendar.") from None


def _listed(lines: list[ListedStock]) -> Iterator[list[Cell]]:
    for line in lines:
        form = line.form
        own: list[Cell] = [
            form.item, form.order, form.product, form.stage, line.operation, form.state, quantity(line.qty_milli),
            line.unit, "yes" if line.complete else "no",
        ]  # fmt: skip
        for component, leaf in sorted(line.leaves.items()):
            yield [*own, component, Decimal(leaf).scaleb(-LEAF_PLACES, _EXACT)]
        if not line.leaves:
            yield [*own, None, None]
