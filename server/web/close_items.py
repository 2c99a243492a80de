"""Page of the items behind a check of the month end, with their value at the end of the period."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api_errors import ApiError
from server.auth import devices
from server.auth.gate import readers
from server.context import current_hub
from server.queries.close_checks import (
    LISTED,
    Check,
    CheckItem,
    CloseCheck,
    ClosingShop,
    check_items,
    close_checks,
    closing_shop,
)
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.month_end import ITEMS, PATH, chosen_day, past_end
from server.web.table_file import FORMS, Cell, amount, moment, quantity, table_file
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("close_items", __name__)
COLUMNS = (
    "item", "order", "product", "stage", "state", "quantity", "unit", "value", "complete", "stations", "scans", "earliest",
    "latest",
)  # fmt: skip
TITLES = {
    Check.SILENT: "Items at the stages of silent stations",
    Check.UNSENT: "Items at the stages of stations with unsent scans",
    Check.ESTIMATED: "Items with scans before or after the end",
}


@blueprint.get(ITEMS)
@readers
@query_words("check", "until", "page")
def page() -> str:
    """The items of a `check` at the end of a day (`until`) or now, the highest value first, 100 on a page."""
    check, until, number = _check(), chosen_day(), page_number()
    now_us = current_hub().clock.utc_us()
    shop, found, line = _found(check, until, now_us)
    listing = Listing(number, len(found), {"check": check.value, "until": until}, ITEMS)
    valuation = shop.valuation
    names = DisplayNames(valuation.master_data, valuation.at_us)
    return render_template(
        "close_items.html",
        page="value",
        now_us=now_us,
        end_us=shop.end_us if until else None,
        check=check,
        title=TITLES[check],
        line=line,
        rows=found[listing.start : listing.last],
        value_micros=sum(one.micros for one in found),
        listing=listing,
        product_name=lambda row: valuation.product(row).name or row.product or "",
        product_of=valuation.product,
        month_end=f"{PATH}?{urlencode({'until': until})}" if until else PATH,
        file=listing.address().replace(ITEMS, f"{ITEMS}.csv", 1),
        **names.for_templates(),
    )


@blueprint.get(f"{ITEMS}.{FORMS}")
@readers
@query_words("check", "until")
def file(form: str) -> Response:
    """The same items as a file, all of them."""
    check, until = _check(), chosen_day()
    shop, found, _ = _found(check, until, current_hub().clock.utc_us())
    return table_file(form, f"month-end-{check}", COLUMNS, (_row(one, shop) for one in found))


def _found(check: Check, until: str, now_us: int) -> tuple[ClosingShop, list[CheckItem], CloseCheck | None]:
    """The shop at the end of the period, the items of the check, and its line on the page of the month end."""
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop = closing_shop(connection, devices.overview(connection), past_end(until, now_us), now_us)
        line = next((one for one in close_checks(shop) if one.check == check), None)
        return shop, check_items(shop, check, shop_locale().small_micros), line


def _check() -> Check:
    """The check that the query names. Raises `ApiError` 400."""
    text = request.args.get("check", "")
    if text not in LISTED:
        raise ApiError(400, f"check {text[:40]!r}", f"one of {', '.join(LISTED)}", f"Follow a link of {PATH}.")
    return Check(text)


def _row(one: CheckItem, shop: ClosingShop) -> list[Cell]:
    row, times = one.row, one.times
    of_row: list[Cell] = [None] * 6
    if row is not None:
        unit = shop.valuation.product(row).unit
        of_row = [row.order, row.product, row.stage, row.state, quantity(row.qty_milli), unit]
    spans: list[Cell] = [None] * 3
    if times is not None:
        spans = [times.scans, moment(times.earliest_us), moment(times.latest_us)]
    return [one.item, *of_row, amount(one.micros), "yes" if one.complete else "no", "; ".join(one.stations), *spans]
