"""Page of operations: what a cost per minute and the division of scrap need of each, and the form that changes one.

A change is an entry `routing.define` with all operations of the routing. It holds for orders that are released later: an
order keeps the routing of its release.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.importer.cell_parsers import CellError, milliseconds
from server.ledger.entries import Entry
from server.locale_format import LocaleFormat
from server.queries.current_master_data import master_data
from server.queries.escape import short, visible
from server.query_words import query_words
from server.text import nearest
from server.web.cost_form import percent
from server.web.display_names import DisplayNames
from server.web.form_entries import enter, refused_status
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, quantity, table_file
from server.web.template_filters import read_lag, shop_locale
from station.core.ledger.routing import Operation
from station.core.master_data import MasterData
from station.core.quantity import decimal_text

blueprint = Blueprint("operations", __name__)
PATH = "/costs/operations"
WHAT = "routing.define"
COLUMNS = ("routing", "operation", "stage", "run_time_s", "setup_time_s", "scrap_percent")
FIELDS = ("routing", "op", "run_time", "setup_time", "scrap")
PREFILLED = ("routing", "op")
MOST_SCRAP_PPM = 999_999


class RoutedOperation(NamedTuple):
    """An operation of a routing."""

    routing: str
    operation: Operation


@blueprint.get(PATH)
@readers
@query_words(*PREFILLED, "page")
def page() -> str:
    """The operations, 100 on a page, and the form, filled with the operation of the query."""
    chosen = tuple(request.args.get(word, "") for word in PREFILLED)
    with current_hub().store.read() as connection:
        shop, now_us = master_data(connection), current_hub().clock.utc_us()
    known = next((one for one in _operations(shop, now_us) if (one.routing, str(one.operation.op)) == chosen), None)
    typed = dict.fromkeys(FIELDS, "") | dict(zip(PREFILLED, chosen, strict=True))
    if known is not None:
        operation = known.operation
        typed |= {
            "run_time": time_text(operation.run_ms), "setup_time": time_text(operation.setup_ms),
            "scrap": shop_locale().exact(operation.scrap_ppm // 10) if operation.scrap_ppm else "",
        }  # fmt: skip
    return _page(typed, None)


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All operations as a file: times in seconds, the allowance in percent."""
    with current_hub().store.read() as connection:
        found = list(_operations(master_data(connection), current_hub().clock.utc_us()))
    rows: list[list[Cell]] = [
        [routing, one.op, one.stage, quantity(one.run_ms), quantity(one.setup_ms), quantity(one.scrap_ppm // 10)]
        for routing, one in found
    ]
    return table_file(form, "operations", COLUMNS, rows)


@blueprint.post(PATH)
@needs(needed_for(WHAT))
@written_once
def change() -> Answer | tuple[str, int]:
    """Change the times and the scrap allowance of an operation. A refused form shows the page again, with what was typed."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    with current_hub().store.read() as connection:
        shop = master_data(connection)
    try:
        enter([entry_of(typed, shop, shop_locale(), current_hub().clock.utc_us(), caller().name)])
    except ApiError as error:
        return _page(typed, error), refused_status(error)
    routing = short(visible(typed["routing"]))
    flash(f"Operation {typed['op']} of {routing} is changed, for orders that are released from now on.")
    return redirect(PATH)


def entry_of(typed: Mapping[str, str], shop: MasterData, locale: LocaleFormat, now_us: int, by: str) -> Entry:
    """The routing with one changed operation. An empty field removes what was there. Raises `ApiError` 400."""
    name = typed["routing"]
    definition = shop.at(WHAT, name, now_us)
    if definition is None:
        do = nearest(name, shop.names(WHAT)) if shop.names(WHAT) else "Define a routing first."
        raise ApiError(400, f"the routing {name[:80]!r}", "a routing of the shop", do)
    operations = [dict(one) for one in definition.data["operations"]]
    changed = next((one for one in operations if str(one["op"]) == typed["op"]), None)
    if changed is None:
        expected = f"one of {', '.join(str(one['op']) for one in operations)}"
        raise ApiError(400, f"operation {typed['op'][:80]!r} of {name}", expected, "Choose one on the page.")
    values = {
        "run_ms": _time(typed["run_time"], "run time"),
        "setup_ms": _time(typed["setup_time"], "set-up time"),
        "scrap_ppm": percent(typed["scrap"], locale, "scrap allowance", MOST_SCRAP_PPM) if typed["scrap"] else None,
    }
    for field, value in values.items():
        changed.pop(field, None)
        changed |= {} if value is None else {field: value}
    return Entry(WHAT, {**definition.data, "operations": operations}, by)


def _time(text: str, word: str) -> int | None:
    if not text:
        return None
    try:
        return milliseconds(text)
    except CellError as error:
        raise ApiError(400, f"the {word} {text[:80]!r}", error.expected, f"Please {error.do}.") from None


def time_text(milli: int | None) -> str:
    """A time in milliseconds as it is typed; empty for None.

    >>> time_text(45_000), time_text(1_800_000), time_text(1_500), time_text(None)
    ('45s', '30min', '1.5s', '')
    """
    if milli is None:
        return ""
    if milli and milli % 60_000 == 0:
        return f"{milli // 60_000}min"
    return f"{decimal_text(milli)}s"


def _operations(shop: MasterData, at_us: int) -> Iterator[RoutedOperation]:
    """The operations of all routings, by routing and number."""
    for name in shop.names(WHAT):
        routing = shop.routing(name, at_us)
        for operation in routing.operations if routing else ():
            yield RoutedOperation(name, operation)


def _page(typed: Mapping[str, str], trouble: ApiError | None) -> str:
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop = master_data(connection)
    found = list(_operations(shop, now_us))
    listing = Listing(number, len(found), {}, PATH)
    return render_template(
        "operations.html",
        page="value",
        now_us=now_us,
        operations=found[listing.start : listing.last],
        listing=listing,
        time_text=time_text,
        typed=typed,
        trouble=trouble.trouble if trouble else None,
        **DisplayNames(shop, now_us).for_templates(),
    )
