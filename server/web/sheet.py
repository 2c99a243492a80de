"""Setup sheet page: the steps to set up a new scanner, and the sheet to print."""

from flask import Blueprint, Response, render_template

from server.auth.gate import readers
from server.query_words import query_words
from server.web.printing import INSTALL, drawing, paper, pdf_file, unprintable
from station.core.printing import NOTES, PAPERS, STEPS, Page, PaperError, setup_page
from station.core.printing.libraries import symbols

blueprint = Blueprint("sheet", __name__)


@blueprint.get("/sheet")
@readers
@query_words("paper")
def page() -> str:
    """The steps and the sheet; without the symbol library, how to install it."""
    missing = None
    try:
        symbols(INSTALL)
    except PaperError as error:
        missing = error
    return render_template(
        "sheet.html", page="stations", steps=STEPS, notes=NOTES, paper=paper(), papers=PAPERS, missing=missing
    )


@blueprint.get("/sheet.svg")
@readers
@query_words("paper")
def svg() -> Response:
    """The sheet as SVG."""
    return drawing(_drawn())


@blueprint.get("/sheet.pdf")
@readers
@query_words("paper")
def file() -> Response:
    """The sheet as a PDF."""
    return pdf_file([_drawn()], f"wipline-setup-{paper().name}.pdf")


def _drawn() -> Page:
    try:
        return setup_page(paper(), symbols(INSTALL))
    except PaperError as error:
        raise unprintable(error) from error
