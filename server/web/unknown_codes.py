"""Page of unknown codes: what was scanned and names nothing that the office has released or bound."""

from collections.abc import Iterator

from flask import Blueprint, Response, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.unknown_codes import count_unknown, newest_unknown
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, moment, table_file
from server.web.template_filters import read_lag

blueprint = Blueprint("unknown_codes", __name__)
COLUMNS = ("code", "scans", "first", "last", "stage", "station", "looks_like")
PATH = "/unknown-codes"


@blueprint.get(PATH)
@readers
@query_words("page")
def page() -> str:
    """The unknown codes, those that were scanned last first, 100 on a page."""
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        names = DisplayNames(master_data(connection), now_us)
        listing = Listing(number, count_unknown(connection), {}, PATH)
        codes = newest_unknown(connection, listing.start, listing.size)
    return render_template(
        "unknown_codes.html",
        page="board",
        now_us=now_us,
        codes=codes,
        listing=listing,
        file=f"{PATH}.csv",
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """The same list as a file: all of it."""
    with current_hub().store.read() as connection:
        codes = newest_unknown(connection, 0, None)

    def rows() -> Iterator[list[Cell]]:
        for row in codes:
            yield [row.code, row.scans, moment(row.first_us), moment(row.last_us), row.stage, row.station, row.near]

    return table_file(form, "unknown-codes", COLUMNS, rows())
