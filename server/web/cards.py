"""The operator's cards: those of every bench, with the shop's own stages, reasons and badges, to print and cut.

A badge lets whoever holds it scan in a person's name: badges are printed for those who supervise, not for every reader.
It is a name and no secret all the same: stations are told all of them, and events carry them.
"""

from flask import Blueprint, Response, render_template, request

from server.api_errors import ApiError
from server.auth.gate import may, readers
from server.auth.roles import Role
from server.context import running
from server.queries.current_master_data import catalogue
from server.web.printing import INSTALL, drawing, paper, pdf_file, unprintable
from station.core.codes.card_labels import WORD_OF, CardLabels, card_labels, words_of
from station.core.printing import PAPERS, Encode, PaperError, cards_page, page_count
from station.core.printing.libraries import symbols

blueprint = Blueprint("cards", __name__)


@blueprint.get("/cards")
@readers
def page() -> str:
    """Every page of cards, and the words of the shop that make none."""
    labels, missing = _labels(), None
    try:
        symbols(INSTALL)
    except PaperError as error:
        missing = error
    numbers = range(1, page_count(len(labels.labels)) + 1)
    return render_template(
        "cards.html", page="stations", labels=labels, numbers=numbers, paper=paper(), papers=PAPERS, missing=missing
    )


@blueprint.get("/cards.svg")
@readers
def svg() -> Response:
    """One page of cards as a drawing: `page` of the address, from 1."""
    asked, labels = request.args.get("page", "1"), _labels().labels
    pages = page_count(len(labels))
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= len(str(pages)) else 0
    if not 1 <= number <= pages:
        raise ApiError(
            404, f"page {asked[:40]!r} of the cards", f"one from 1 to {pages}", "Open /cards to see them all."
        )
    return drawing(cards_page(paper(), labels, number, _encode()))


@blueprint.get("/cards.pdf")
@readers
def file() -> Response:
    """All pages as a file for the printer."""
    labels, encode = _labels().labels, _encode()
    drawn = [cards_page(paper(), labels, number + 1, encode) for number in range(page_count(len(labels)))]
    return pdf_file(drawn, f"wipline-cards-{paper().name}.pdf")


def _labels() -> CardLabels:
    """The cards of the shop as it is defined now, those that the visitor may have."""
    now_us = running().clock.utc_us()
    printed = [what for what in WORD_OF if what != "person.define" or may(Role.SUPERVISE)]
    with running().store.read() as connection:
        shop = catalogue(connection)
    found = (shop.at(what, name, now_us) for what in printed for name in shop.names(what))
    return card_labels(words_of((each.what, each.data) for each in found if each is not None))


def _encode() -> Encode:
    try:
        return symbols(INSTALL)
    except PaperError as error:
        raise unprintable(error) from error
