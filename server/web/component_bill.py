"""Page of a component that is made here: its bill of one unit, and what its lines are worth in all that is in process."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.past_query import asked_past, page_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.as_known_at import past_stock
from server.queries.component_bill import ComponentBill, component_bill, made_here
from server.queries.valuation import Valuation
from server.queries.value_slices import leaves
from server.query_words import PAST_WORDS, query_words
from server.web.display_names import DisplayNames
from server.web.table_file import FORMS, Cell, amount, table_file
from server.web.template_filters import read_lag

blueprint = Blueprint("component_bill", __name__)
PATH = "/value/bill"
COLUMNS = ("operation", "component", "material", "cost_of_one", "in_process")


def bill_address(component: str) -> str:
    """The address of the bill of a component, of the same past time as this page."""
    return f"{PATH}?{urlencode({'component': component} | past_words())}"


@blueprint.get(PATH)
@readers
@query_words("component", *PAST_WORDS)
def page() -> str:
    """The bill of a component that is made here."""
    bill, valuation = _asked()
    names = DisplayNames(valuation.master_data, valuation.costs_us)
    product = valuation.master_data.product(bill.component, valuation.at_us)
    components = {line.component for line in bill.lines if line.material}
    return render_template(
        "component_bill.html",
        page="value",
        now_us=valuation.at_us,
        asked_us=None if page_past() is None else valuation.at_us,
        bill=bill,
        product=product,
        product_of=lambda name: valuation.master_data.product(name, valuation.at_us),
        made_here=made_here(components, valuation.master_data, valuation.costs_us),
        address=bill_address,
        file=f"{PATH}.csv?{urlencode({'component': bill.component} | past_words())}",
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("component", *PAST_WORDS)
def file(form: str) -> Response:
    """The lines of the bill as a file; amounts are in the currency of the site."""
    bill, _ = _asked()
    rows: list[list[Cell]] = [
        [line.op, line.component, "yes" if line.material else "no", amount(line.micros), amount(bill.contained(line))]
        for line in bill.lines
    ]
    return table_file(form, "bill", COLUMNS, rows)


def _asked() -> tuple[ComponentBill, Valuation]:
    """The bill of the query. Raises `ApiError` 404 for a component that is not made here."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        past = asked_past(connection, now_us)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    name = request.args.get("component", "")
    bill = component_bill(name, leaves(stock, valuation), valuation.master_data, valuation.costs_us)
    if bill is None:
        came, expected = f"the component {name[:80]!r}", "a component that is a product with a bill or costs of its own"
        raise ApiError(404, came, expected, "Choose one on /value?by=component.")
    return bill, valuation
