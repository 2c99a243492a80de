"""Travellers on paper: the preview of an order's traveller, and the travellers of the chosen orders as one PDF file."""

from urllib.parse import quote

from flask import Blueprint, Response, render_template, request

from server.api.print_routes import drawn
from server.api_errors import ApiError
from server.auth.gate import caller, may, readers
from server.auth.roles import Role
from server.context import current_hub
from server.printing.print_record import entries_of
from server.printing.response import letter_check, pdf_answer, refused
from server.printing.travellers import TravellerWriter, Unprinted, printable
from server.queries.current_master_data import master_data
from server.queries.site import current_locale
from server.query_words import query_words
from server.urls import segments
from server.web.form_entries import enter
from server.web.order_actions import back, chosen_orders
from server.web.printing import INSTALL, paper
from station.core.printing import PAPERS, Page, Paper, PaperError, traveller_pages
from station.core.printing.libraries import symbols

blueprint = Blueprint("travellers", __name__)
segments(blueprint)
MOST_AT_ONCE = 500  # travellers in one file of the page; the command prints more


@blueprint.get("/print/traveller/<segment:order>", merge_slashes=False)
@readers
@query_words("paper")
def preview(order: str) -> str:
    """The traveller of an order as it will come out."""
    pages = drawn([order])
    return render_template(
        "traveller.html",
        page="orders",
        order=order,
        address=f"/print/traveller/{quote(order, safe='')}",
        file=f"/api/v1/print/traveller/{quote(order, safe='')}",
        numbers=range(1, len(pages) + 1),
        paper=paper(),
        papers=PAPERS,
    )


@blueprint.post("/orders/travellers")
@readers
@query_words()
def file() -> Response | tuple[str, int]:
    """The travellers of the chosen orders as one PDF file; where a supervisor prints them, the print is recorded.

    Where some cannot be printed they are listed with the reason, and the page asks whether to print the others.
    """
    orders = chosen_orders(MOST_AT_ONCE)
    hub = current_hub()
    size, unprinted = _paper(), list[Unprinted]()
    printed: list[str] = []
    items: list[str] = []
    pages: list[Page] = []
    try:
        encode, check = symbols(INSTALL), letter_check()
        with hub.store.read() as connection:
            shop, now_us = master_data(connection), hub.clock.utc_us()
            writer = TravellerWriter(connection, shop, current_locale(connection, hub.config, now_us), now_us)
            if request.form.get("new"):
                orders = writer.not_printed(orders)
            prepared = printable(writer, orders, lambda sheet: traveller_pages(size, sheet, encode), check, unprinted)
            for of_order in prepared:
                printed.append(of_order.order)
                items += of_order.items
                pages += of_order.pages
    except PaperError as error:
        raise refused(error) from error
    if not orders:
        raise ApiError(400, "no order whose traveller is not printed", "one", "Print them again without that choice.")
    if not unprinted:
        answer = pdf_answer(pages, f"wipline-travellers-{size.name}.pdf")
        if may(Role.SUPERVISE):
            enter(entries_of(items, caller().name))
        return answer
    page = render_template(
        "travellers_ask.html", page="orders", unprinted=unprinted, printed=printed, paper=size, back=back()
    )
    return page, 409


def _paper() -> Paper:
    """The paper that the form names, by default A4. Raises `ApiError` 400."""
    asked = request.form.get("paper", "a4")
    if asked not in PAPERS:
        raise ApiError(400, f"the paper {asked[:40]!r}", f"one of {', '.join(PAPERS)}", "Choose one on the page.")
    return PAPERS[asked]
