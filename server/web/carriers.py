"""Carriers page: the totes and pallets that the shop knows, what each holds and since when, and where it is.

It answers for a past time (`as_of`), as it is known now. What was known of a carrier at a ledger position is not kept apart:
the time of its last scan is read from the rows of today.
"""

from typing import NamedTuple

from flask import Blueprint, Response, render_template
from sqlalchemy import Connection

from server.api.past_query import asked_past, keep_past, past_words
from server.auth.gate import readers
from server.context import current_hub
from server.printing.shop_codes import shop_codes
from server.queries.carriers import Carrier, PastStock, carrier_codes, carriers
from server.queries.current_master_data import master_data
from server.queries.historical_stock import stock_at
from server.queries.valuation import Valuation
from server.query_words import AS_OF, query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, moment, quantity, table_file
from server.web.template_filters import STATES, read_lag
from station.core.printing import ShopCodes

blueprint = Blueprint("carriers", __name__)
PATH = "/carriers"
COLUMNS = ("carrier", "codes", "item", "quantity", "unit", "since", "stage", "state", "last_scan", "scanned_at")
MOST_CONTENTS = 10  # items of one carrier on the page; the page of the carrier's code has all


@blueprint.get(PATH)
@readers
@query_words("page", AS_OF)
def page() -> str:
    """The carriers by name, 100 on a page; now or as of a past time."""
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        asked = _asked(connection, now_us)
        codes = carrier_codes(connection, asked.codes, asked.past)
        listing = Listing(number, len(codes), past_words(), PATH)
        shown = dict(list(codes.items())[listing.start : listing.last])
        found = carriers(connection, shown, asked.codes, asked.past)
    valuation = asked.valuation
    names = DisplayNames(valuation.master_data, valuation.at_us)
    return render_template(
        "carriers.html",
        page="stations",
        now_us=valuation.at_us,
        asked_us=None if asked.past is None else asked.past.at_us,
        carriers=found,
        most=MOST_CONTENTS,
        listing=listing,
        file=keep_past(f"{PATH}.csv"),
        valuation=valuation,
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words(AS_OF)
def file(form: str) -> Response:
    """All carriers as a file, by name: a row for each item in them, and one for an empty carrier."""
    with current_hub().store.read() as connection:
        asked = _asked(connection, current_hub().clock.utc_us())
        codes = carrier_codes(connection, asked.codes, asked.past)
        found = carriers(connection, codes, asked.codes, asked.past)
    return table_file(form, "carriers", COLUMNS, (row for carrier in found for row in _rows(carrier, asked.valuation)))


class _Asked(NamedTuple):
    """What the page is about: prices and codes at its time, and the stock of a past time."""

    valuation: Valuation
    codes: ShopCodes
    past: PastStock | None


def _asked(connection: Connection, now_us: int) -> _Asked:
    past = asked_past(connection, now_us)
    valuation = Valuation(master_data(connection), past.time_us)
    codes = shop_codes(connection, valuation.master_data, past.time_us)
    then = None if past.at_us is None else PastStock(past.at_us, stock_at(connection, past.at_us))
    return _Asked(valuation, codes, then)


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
