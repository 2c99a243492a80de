"""Label preview: the label of a thing as it will come out, on the chosen sheet."""

from urllib.parse import quote, urlencode

from flask import Blueprint, render_template, request

from server.api.print_routes import DEFAULT_SHEET, label_page
from server.auth.gate import readers
from server.context import current_hub
from server.query_words import query_words
from server.urls import segments
from station.core.printing import SHEETS

blueprint = Blueprint("labels", __name__)
segments(blueprint)
WORDS = ("sheet", "start", "second")


@blueprint.get("/print/label/<kind>/<segment:name>", merge_slashes=False)
@readers
@query_words(*WORDS)
def preview(kind: str, name: str) -> str:
    """The label, with a form for the sheet, the first free label and the second line."""
    page = label_page(kind, name)
    place = f"{quote(kind, safe='')}/{quote(name, safe='')}"
    words = {word: request.args[word] for word in WORDS if request.args.get(word)}
    return render_template(
        "label.html",
        page="item",
        kind=kind,
        name=name,
        address=f"/print/label/{place}",
        file=f"/api/v1/print/label/{place}",
        query=urlencode(words),
        words=words,
        chosen=words.get("sheet", DEFAULT_SHEET),
        sheets=[*(sheet.name for sheet in current_hub().config.label_sheet), *SHEETS],
        paper=page.paper,
    )
