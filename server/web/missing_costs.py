"""Page of missing costs: the items behind "+ 8 without cost", with the cost that each of them lacks."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.past_query import asked_past, page_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.as_known_at import past_stock
from server.queries.missing_costs import Lack, MissingCost, lacking_items, missing_costs
from server.queries.price_differences import price_differences
from server.queries.valuation import Valuation
from server.query_words import PAST_WORDS, query_words
from server.web.component_bill import bill_address
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, quantity, table_file
from server.web.template_filters import read_lag

blueprint = Blueprint("missing_costs", __name__)
COLUMNS = ("item", "order", "product", "stage", "quantity", "unit", "missing")
DIFFERENCE_COLUMNS = ("component", "product", "price", "by_its_bill", "difference")
LACK_COLUMNS = ("missing", "product", "operation", "component", "items")
PATH = "/without-cost"
SELECTING = ("stage", "missing", "product")


@blueprint.get(PATH)
@readers
@query_words(*SELECTING, "page", *PAST_WORDS)
def page() -> str:
    """The items in process without a full value, of one stage, product or missing cost or of all, 100 on a page."""
    words = {word: text for word in SELECTING if (text := request.args.get(word))}
    number = page_number()
    missing, valuation = _missing()
    listing = Listing(number, len(missing), words | past_words(), PATH)
    names = DisplayNames(valuation.master_data, valuation.costs_us)
    differences = [] if words else price_differences(valuation.master_data, valuation.costs_us)
    return render_template(
        "missing_costs.html",
        page="board",
        now_us=valuation.at_us,
        asked_us=valuation.at_us if page_past() else None,
        stage=words.get("stage", ""),
        selected=bool(words),
        opened=lambda lack: _opened(lack, words),
        priced=_priced,
        missing=missing[listing.start : listing.last],
        items=len({one.row.item for one in missing}),
        lacks=lacking_items(missing),
        listing=listing,
        differences=differences,
        bill=bill_address,
        price_address=lambda one: _priced(Lack("", one.price.product, None, one.price.component)),
        differences_file=f"{PATH}.csv?{urlencode(past_words() | {'list': 'differences'})}",
        lacks_file=f"{PATH}.csv?{urlencode(words | {'list': 'missing'} | past_words())}",
        file=listing.address().replace(PATH, f"{PATH}.csv", 1),
        valuation=valuation,
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("list", *SELECTING, *PAST_WORDS)
def file(form: str) -> Response:
    """The same items as a file, all of them, or the `list` of what is missing. Raises `ApiError` 400."""
    name = request.args.get("list", "items")
    if name not in ("items", "missing", "differences"):
        raise ApiError(400, f"list {name[:40]!r}", "one of items, missing, differences", "Use the link of the page.")
    missing, valuation = _missing()
    if name == "differences":
        differ = [
            (one.price.component, one.price.product, *map(amount, (one.typed_micros, one.bill_micros, one.micros)))
            for one in price_differences(valuation.master_data, valuation.costs_us)
        ]
        return table_file(form, "price-differences", DIFFERENCE_COLUMNS, differ)
    if name == "missing":
        lacks = [(of.lack.words, of.lack.product, of.lack.operation, of.lack.component, of.items)
                 for of in lacking_items(missing)]  # fmt: skip
        return table_file(form, "missing-costs", LACK_COLUMNS, lacks)
    return table_file(form, "without-cost", COLUMNS, [_row(one, valuation) for one in missing])


def _missing() -> tuple[list[MissingCost], Valuation]:
    """The items of the query: those at a `stage`, those that lack what `missing` says, of a `product`."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        past = asked_past(connection, now_us)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    stage, words, product = (request.args.get(word, "") for word in SELECTING)
    missing = missing_costs((row for row in stock if not stage or row.stage == stage), valuation)
    return [
        one
        for one in missing
        if (not words or any(lack.words == words for lack in one.lacks)) and (not product or one.row.product == product)
    ], valuation


def _opened(lack: Lack, words: dict[str, str]) -> str:
    """The address of the items that lack something."""
    of_product = {} if lack.product is None else {"product": lack.product}
    return f"{PATH}?{urlencode(words | {'missing': lack.words} | of_product | past_words())}"


def _priced(lack: Lack) -> str:
    """The address of the form that enters what is lacking."""
    words = {"component": lack.component, "product": lack.product, "op": lack.operation}
    return f"/costs?{urlencode({word: text for word, text in words.items() if text is not None})}#enter"


def _row(one: MissingCost, valuation: Valuation) -> list[Cell]:
    row, lacks = one.row, "; ".join(lack.words for lack in one.lacks)
    unit = valuation.product(row).unit
    return [row.item, row.order, row.product, row.stage, quantity(row.qty_milli), unit, lacks]
