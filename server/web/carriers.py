"""Carriers page: the totes and pallets that the shop knows, what each holds now and since when, and where it is."""

from flask import Blueprint, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.printing.shop_codes import shop_codes
from server.queries.carriers import carrier_codes, carriers
from server.queries.current_master_data import master_data
from server.queries.valuation import Valuation
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.template_filters import read_lag

blueprint = Blueprint("carriers", __name__)
PATH = "/carriers"
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
