"""Operator's cards: printable command cards with the shop's own stages, reasons and badges.

A badge permits its holder to scan in a person's name, so badges are printed only for supervisors. A badge is not a secret,
however: every station has the list of badges, and events contain them.
"""

from flask import Blueprint, Response, render_template, request

from server.api_errors import ApiError
from server.auth.gate import may, readers
from server.auth.roles import Role
from server.context import current_hub
from server.printing.fonts import MACHINE_FONTS
from server.queries.current_master_data import master_data
from server.query_words import query_words
from server.web.printing import INSTALL, drawing, paper, pdf_file, unprintable
from station.core.codes.card_labels import WORD_OF, CardLabel, CardLabels, card_labels, shown, words_of
from station.core.printing import PAPERS, Encode, PaperError, card_sheets, cards_page, page_count
from station.core.printing.libraries import pdf_letters, refused_names, symbols

blueprint = Blueprint("cards", __name__)


@blueprint.get("/cards")
@readers
@query_words("paper")
def page() -> str:
    """The page with all sheets of cards, and the texts that cannot be printed as a card."""
    labels, missing = _labels(), None
    try:
        symbols(INSTALL)
    except PaperError as error:
        missing = error
    sheets = card_sheets(labels.labels)
    return render_template(
        "cards.html",
        page="stations",
        labels=labels,
        sheets=list(enumerate(sheets, 1)),
        without_font=_without_font(),
        paper=paper(),
        papers=PAPERS,
        missing=missing,
    )


@blueprint.get("/cards.svg")
@readers
@query_words("page", "paper")
def svg() -> Response:
    """One sheet of cards as SVG: the `page` of the query, from 1."""
    asked, labels = request.args.get("page", "1"), _labels().labels
    pages = page_count(labels)
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= len(str(pages)) else 0
    if not 1 <= number <= pages:
        raise ApiError(
            404, f"page {asked[:40]!r} of the cards", f"one from 1 to {pages}", "Open /cards to see them all."
        )
    return drawing(cards_page(paper(), labels, number, _encode()))


@blueprint.get("/cards.pdf")
@readers
@query_words("paper")
def file() -> Response:
    """All sheets as a PDF."""
    encode = _encode()
    refused = _without_font()
    labels = tuple(label for label in _labels().labels if label not in refused)
    drawn = [cards_page(paper(), labels, number + 1, encode) for number in range(page_count(labels))]
    return pdf_file(drawn, f"wipline-cards-{paper().name}.pdf")


def _labels() -> CardLabels:
    """The cards of the shop's current definitions that the visitor may print."""
    now_us = current_hub().clock.utc_us()
    printed = [what for what in WORD_OF if what != "person.define" or may(Role.SUPERVISE)]
    with current_hub().store.read() as connection:
        shop = master_data(connection)
    definitions = (shop.at(what, name, now_us) for what in printed for name in shop.names(what))
    return card_labels(words_of((entry.what, entry.data) for entry in definitions if entry is not None))


def _without_font() -> dict[CardLabel, str]:
    """The cards that are in the drawings alone, each with the reason: the letters that no font of the hub has."""
    texts = {label: (label.name, shown(label.text)) for label in _labels().labels}
    try:
        letters = pdf_letters(MACHINE_FONTS, INSTALL)
        refused = refused_names([text for both in texts.values() for text in both], INSTALL, letters)
    except PaperError:
        return {}
    return {label: refused[text].came for label, both in texts.items() for text in both if text in refused}


def _encode() -> Encode:
    try:
        return symbols(INSTALL)
    except PaperError as error:
        raise unprintable(error) from error
