"""The search box: a scan or a few typed letters, and the page that they mean."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from server.auth.gate import readers
from server.context import running
from server.queries.current_master_data import catalogue
from server.queries.search import find, people
from server.urls import item_url
from server.web.display_names import DisplayNames

blueprint = Blueprint("search", __name__)


@blueprint.get("/find")
@readers
def page() -> str | Response | tuple[str, int]:
    """The one thing that is meant, or those that may be."""
    asked = request.args.get("q", "")
    with running().store.read() as connection:
        now_us, known = running().clock.utc_us(), catalogue(connection)
        items, badges = find(connection, known, asked, now_us), people(known, asked, now_us)
    if len(items) == 1 and not badges:
        return redirect(item_url(items[0]))
    names = [DisplayNames(known, now_us).person(person) for person in badges]
    found = render_template("found.html", page="find", asked=asked.strip(), items=items, people=names)
    return found if items or badges or not asked.strip() else (found, 404)
