"""Carriers page: the totes and pallets that the shop knows, what each holds now and since when, and where it is."""

from flask import Blueprint, Response, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.printing.shop_codes import shop_codes
from server.queries.carriers import Carrier, carrier_codes, carriers
from server.queries.current_master_data import master_data
from server.queries.valuation import Valuation
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, moment, quantity, table_file
from server.web.template_filters import STATES, read_lag

blueprint = Blueprint("carriers", __name__)
PATH = "/carriers"
COLUMNS = ("carrier", "codes", "item", "quantity", "unit", "since", "stage", "state", "last_scan", "scanned_at")
MOST_CONTENTS = 10  # items of one carrier on the page; the page of the carrier's code has all


@blueprint.get(PATH)
@readers
@query_words("page")
def page() -> str:
    """The carriers by name, 100 on a page."""
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        valuation = Valuation(master_data(connection), now_us)
        shop = shop_codes(connection, valuation.master_data, now_us)
        codes = carrier_codes(connection, shop)
        listing = Listing(number, len(codes), {}, PATH)
        shown = dict(list(codes.items())[listing.start : listing.last])
        found = carriers(connection, shown, shop)
    names = DisplayNames(valuation.master_data, now_us)
    return render_template(
        "carriers.html",
        page="stations",
        now_us=now_us,
        carriers=found,
        most=MOST_CONTENTS,
        listing=listing,
        valuation=valuation,
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All carriers as a file, by name: a row for each item in them, and one for an empty carrier."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        valuation = Valuation(master_data(connection), now_us)
        shop = shop_codes(connection, valuation.master_data, now_us)
        found = carriers(connection, carrier_codes(connection, shop), shop)
    return table_file(form, "carriers", COLUMNS, (row for carrier in found for row in _rows(carrier, valuation)))


def _rows(carrier: Carrier, valuation: Valuation) -> list[list[Cell]]:
    codes = "; ".join(code for code in carrier.codes if code != carrier.carrier)
    scanned: list[Cell] = [moment(carrier.seen_us), carrier.seen_at]
    rows: list[list[Cell]] = [
        [
            carrier.carrier, codes, each.item, quantity(each.qty_milli), valuation.product(each).unit,
            moment(each.since_us), each.stage, each.state and STATES[each.state], *scanned,
        ]
        for each in carrier.contents
    ]  # fmt: skip
    return rows or [[carrier.carrier, codes, *[None] * 6, *scanned]]
