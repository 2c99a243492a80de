"""Labels: the label of one thing with its preview, and the labels of chosen things as they will come out, and as a file."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from server.api.print_routes import label_file_answer, label_page, labels_drawn
from server.auth.gate import may, readers
from server.auth.roles import Role
from server.printing.label_print import DEFAULT_SHEET, DrawnLabels, LabelPrint
from server.printing.labels import LabelKind
from server.query_words import query_words
from server.urls import segments
from server.web.label_forms import FORMATS, label_print, sheet_names, source_fields, source_url
from station.core.printing import write_svg

blueprint = Blueprint("labels", __name__)
segments(blueprint)
WORDS = ("sheet", "start", "second")
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
