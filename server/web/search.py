"""The search box: a scan or a few typed letters, and the page that they mean."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from server import clock
from server.auth import readers
from server.reading.definitions import catalogue
from server.reading.find import find
from server.running import running
from server.segment import item_url

blueprint = Blueprint("search", __name__)


@blueprint.get("/find")
@readers
def page() -> str | Response | tuple[str, int]:
    """The one thing that is meant, or those that may be."""
    asked = request.args.get("q", "")
    with running().store.read() as connection:
        items = find(connection, catalogue(connection), asked, clock.utc_us())
    if len(items) == 1:
        return redirect(item_url(items[0]))
    found = render_template("found.html", page="find", asked=asked.strip(), items=items)
    return found if items or not asked.strip() else (found, 404)
