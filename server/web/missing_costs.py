"""Page of missing costs: the items behind "+ 8 without cost", with the cost that each of them lacks."""

from flask import Blueprint, Response, render_template, request

from server.api.past_query import asked_past, page_past, past_words
from server.auth.gate import readers
from server.context import current_hub
from server.queries.as_known_at import past_stock
from server.queries.missing_costs import MissingCost, missing_costs
from server.queries.valuation import Valuation
from server.query_words import PAST_WORDS, query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, quantity, table_file
from server.web.template_filters import read_lag

blueprint = Blueprint("missing_costs", __name__)
COLUMNS = ("item", "order", "product", "stage", "quantity", "unit", "missing")
PATH = "/without-cost"


@blueprint.get(PATH)
@readers
@query_words("stage", "page", *PAST_WORDS)
def page() -> str:
    """The items in process without a full value, of one stage or of all, 100 on a page."""
    stage, number = request.args.get("stage", ""), page_number()
    missing, valuation = _missing(stage)
    listing = Listing(number, len(missing), ({"stage": stage} if stage else {}) | past_words(), PATH)
    lacks: dict[str, set[str]] = {}
    for one in missing:
        for cost in one.lacks:
            lacks.setdefault(f"{cost} ({one.row.product})" if one.row.product else cost, set()).add(one.row.item)
    names = DisplayNames(valuation.master_data, valuation.at_us)
    return render_template(
        "missing_costs.html",
        page="board",
        now_us=valuation.at_us,
        asked_us=valuation.at_us if page_past() else None,
        stage=stage,
        missing=missing[listing.start : listing.last],
        items=len({one.row.item for one in missing}),
        lacks=sorted(((cost, len(items)) for cost, items in lacks.items()), key=lambda pair: (-pair[1], pair[0])),
        listing=listing,
        file=listing.address().replace(PATH, f"{PATH}.csv", 1),
        valuation=valuation,
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("stage", *PAST_WORDS)
def file(form: str) -> Response:
    """The same list as a file: all of it."""
    missing, valuation = _missing(request.args.get("stage", ""))
    return table_file(form, "without-cost", COLUMNS, [_row(one, valuation) for one in missing])


def _missing(stage: str) -> tuple[list[MissingCost], Valuation]:
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        past = asked_past(connection, now_us)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    return missing_costs((row for row in stock if not stage or row.stage == stage), valuation), valuation


def _row(one: MissingCost, valuation: Valuation) -> list[Cell]:
    row = one.row
    unit = valuation.product(row).unit
    return [row.item, row.order, row.product, row.stage, quantity(row.qty_milli), unit, "; ".join(one.lacks)]
