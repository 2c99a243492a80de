"""Papers over HTTP: the traveller of an order as a PDF file or as a drawing."""

import msgspec
from flask import Blueprint, Response, request

from server.api.openapi import documented
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import locale_of
from server.printing.response import pdf_answer, refused
from server.printing.travellers import TravellerWriter, UnknownOrderError
from server.queries.current_master_data import master_data
from server.urls import segments
from server.web.printing import INSTALL, drawing, paper
from station.core.printing import Page, PaperError, traveller_pages
from station.core.printing.libraries import symbols

blueprint = Blueprint("print_routes", __name__)
segments(blueprint)
FORMATS = ("pdf", "svg")
FILES = ("application/pdf", "image/svg+xml")


class PrintQuery(msgspec.Struct):
    """`format`: pdf or svg; `paper`: a4 or letter; `page`: of an svg, the number of the page, from 1."""

    format: str = "pdf"
    paper: str = "a4"
    page: int = 1


@blueprint.get("/api/v1/print/traveller/<segment:order>", merge_slashes=False)
@documented(None, query=PrintQuery, errors=(400, 401, 403, 404, 409, 503), files=FILES)
@readers
def traveller(order: str) -> Response:
    """The traveller of an order, or of one of its items: all pages as a PDF file, or one page as an SVG drawing."""
    form = request.args.get("format", "pdf")
    if form not in FORMATS:
        raise ApiError(400, f"format {form[:40]!r}", f"one of {', '.join(FORMATS)}", "Leave it out for pdf.")
    pages = drawn([order])
    if form == "pdf":
        return pdf_answer(pages, f"wipline-traveller-{paper().name}.pdf")
    return drawing(pages[page_of(len(pages)) - 1])


def drawn(orders: list[str]) -> list[Page]:
    """The pages of the travellers of these orders. Raises `ApiError` 404, 409 and 503."""
    hub = current_hub()
    now_us = hub.clock.utc_us()
    try:
        encode = symbols(INSTALL)
        with hub.store.read() as connection:
            writer = TravellerWriter(connection, master_data(connection), locale_of(hub.config), now_us)
            return [page for sheet in writer.travellers(orders) for page in traveller_pages(paper(), sheet, encode)]
    except UnknownOrderError as error:
        name = str(error.args[0])
        expected = "an order that was released, or one of its items"
        raise ApiError(404, f"the order {name[:80]!r}", expected, "Search with /find?q=.") from error
    except PaperError as error:
        raise refused(error) from error


def page_of(pages: int) -> int:
    """The number of a page in the query, from 1. Raises `ApiError` 404."""
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(pages)) else 0
    if not 1 <= number <= pages:
        raise ApiError(404, f"page {text[:40]!r}", f"one from 1 to {pages}", "Leave it out for the first page.")
    return number
