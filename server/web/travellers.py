"""Travellers and kits on paper: the preview of each, the travellers of the chosen orders, and a kit, as one PDF file."""

from urllib.parse import quote

from flask import Blueprint, Response, render_template, request

from server.api.print_routes import drawn, kit_answer, kit_drawn, travellers_answer, travellers_drawn
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.query_words import query_words
from server.urls import segments
from server.web.display_names import DisplayNames
from server.web.order_actions import back, chosen_orders
from server.web.printing import paper
from station.core.printing import PAPERS, Paper

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
    orders, size = chosen_orders(MOST_AT_ONCE), _paper()
    made = travellers_drawn(orders, size, new=bool(request.form.get("new")))
    if not made.printed and not made.unprinted:
        raise ApiError(400, "no order whose traveller is not printed", "one", "Print them again without that choice.")
    if not made.unprinted:
        return travellers_answer(made, size)
    page = render_template(
        "travellers_ask.html", page="orders", unprinted=made.unprinted, printed=made.printed, paper=size, back=back()
    )
    return page, 409


@blueprint.get("/print/kit/<segment:stage>", merge_slashes=False)
@readers
@query_words("paper")
def kit_preview(stage: str) -> str:
    """The kit of the bench at a stage as it will come out."""
    pages, address = kit_drawn(stage, paper()), f"/print/kit/{quote(stage, safe='')}"
    return render_template(
        "kit.html",
        page="board",
        stage=stage,
        name=_stage_name(stage),
        address=address,
        file=f"/api/v1{address}",
        numbers=range(1, len(pages) + 1),
        paper=paper(),
        papers=PAPERS,
    )


@blueprint.post("/print/kit/<segment:stage>", merge_slashes=False)
@readers
@query_words()
def kit_file(stage: str) -> Response:
    """The kit of the bench at a stage as a PDF file; where a supervisor prints it, the print is recorded."""
    return kit_answer(stage, _paper())


def _stage_name(stage: str) -> str:
    hub = current_hub()
    with hub.store.read() as connection:
        return DisplayNames(master_data(connection), hub.clock.utc_us()).stage(stage)


def _paper() -> Paper:
    """The paper that the form names, by default A4. Raises `ApiError` 400."""
    asked = request.form.get("paper", "a4")
    if asked not in PAPERS:
        raise ApiError(400, f"the paper {asked[:40]!r}", f"one of {', '.join(PAPERS)}", "Choose one on the page.")
    return PAPERS[asked]
