"""Labels: the label of one thing with its preview, and the labels of chosen things as they will come out, and as a file."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from server.api.print_routes import label_file_answer, label_page, labels_drawn
from server.api_errors import ApiError
from server.auth.gate import may, readers
from server.auth.roles import Role
from server.context import current_hub
from server.printing.label_print import DEFAULT_SHEET, DrawnLabels, LabelPrint
from server.printing.labels import LabelKind
from server.queries.current_master_data import master_data
from server.queries.labelled_things import things
from server.query_words import query_words
from server.urls import segments
from server.web.label_forms import FORMATS, label_print, sheet_names, source_fields, source_url
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, table_file
from station.core.printing import write_svg

blueprint = Blueprint("labels", __name__)
segments(blueprint)
WORDS = ("sheet", "start", "second")
LISTED = {
    LabelKind.STAGE.value: ("stage", "stages", "stages.csv", "stage.define"),
    LabelKind.REASON.value: ("reason", "reasons", "reasons.csv", "reason.define"),
    LabelKind.PRODUCT.value: ("product", "products", "products.csv", "product.define"),
    LabelKind.CARD.value: ("command card", "command cards", "cards.csv", "card.define"),
}
"""The kinds of the page `/labels`: the word for one, for several, the file that lists them, and their entry."""
MOST_DRAWINGS = 4  # pages of the preview of several labels


@blueprint.app_context_processor
def words() -> dict[str, Any]:
    """The variables of the macro `label_choices`."""
    return {"label_sheets": sheet_names, "LABEL_FORMATS": FORMATS}


@blueprint.get("/print/label/<kind>/<segment:name>", merge_slashes=False)
@readers
@query_words(*WORDS)
def preview(kind: str, name: str) -> str:
    """The label, with a form for the sheet, the first free label and the second line."""
    page = label_page(kind, name)
    place = f"{quote(kind, safe='')}/{quote(name, safe='')}"
    asked = {word: request.args[word] for word in WORDS if request.args.get(word)}
    return render_template(
        "label.html",
        page="item",
        kind=kind,
        name=name,
        address=f"/print/label/{place}",
        file=f"/api/v1/print/label/{place}",
        query=urlencode(asked),
        words=asked,
        chosen=asked.get("sheet", DEFAULT_SHEET),
        sheets=sheet_names(),
        paper=page.paper,
    )


@blueprint.get("/labels")
@readers
@query_words("kind", "page")
def listed() -> str:
    """The stages, reasons, products or command cards of the shop, 100 on a page, to choose those that get a label."""
    kind, number, now_us = _listed_kind(), page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        found = things(master_data(connection), kind, now_us)
    listing = Listing(number, len(found), {"kind": kind}, "/labels")
    return render_template(
        "labels.html",
        page="stations",
        kind=kind,
        kinds=LISTED,
        things=found[listing.start : listing.last],
        listing=listing,
    )


@blueprint.get(f"/labels.{FORMS}")
@readers
@query_words("kind")
def listed_file(form: str) -> Response:
    """All stages, reasons, products or command cards as a file. Raises `ApiError` 400."""
    kind = _listed_kind()
    with current_hub().store.read() as connection:
        found = things(master_data(connection), kind, current_hub().clock.utc_us())
    return table_file(form, LISTED[kind][1].replace(" ", "-"), ("name", "id", "effect"),
                      [(thing.name, thing.id, thing.beside) for thing in found])  # fmt: skip


def _listed_kind() -> str:
    kind = request.args.get("kind") or LabelKind.STAGE.value
    if kind not in LISTED:
        expected = f"one of {', '.join(LISTED)}"
        raise ApiError(400, f"the kind {kind[:40]!r}", expected, "People and carriers have pages of their own.")
    return kind


@blueprint.post("/print/labels")
@readers
@query_words()
def chosen() -> Response | str | tuple[str, int]:
    """The labels of the chosen things: their preview, or the file where `print` = `file`.

    Where some cannot be printed they are listed with the reason, and nothing is printed before the page has asked;
    `print` = `others` prints the others.
    """
    wanted, do = label_print(), request.form.get("print", "")
    drawn = labels_drawn(wanted)
    if drawn.printed and (do == "others" or (do == "file" and not drawn.refused)):
        return label_file_answer(drawn, wanted)
    page = _preview(wanted, drawn)
    return (page, 409) if do in ("file", "others") else page


def _preview(wanted: LabelPrint, drawn: DrawnLabels) -> str:
    """The page with the first drawings, what is not printed, and the form to print the others."""
    return render_template(
        "labels_print.html",
        page="orders" if wanted.kind == LabelKind.ITEM else "stations",
        wanted=wanted,
        drawn=drawn,
        # Drawings of the hub's own writer, whose texts are escaped: no styles, no scripts.
        drawings=[Markup(write_svg(page)) for page in drawn.pages[:MOST_DRAWINGS]],  # noqa: S704
        format=wanted.form if wanted.form != "zpl" else f"zpl-{wanted.dpi}",
        fields=source_fields(),
        back=source_url(wanted.kind),
        recorded=may(Role.SUPERVISE),
    )
