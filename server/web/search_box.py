"""Search box: from a scan or a typed text to the page of the item, or to a list of items.

From a past page it leads to the item as of that time and as known at that position. The names and codes are those of today;
an item that had no event by then is not found.
"""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from server.api.past_query import asked_past, keep_past
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.past_items import existing_items
from server.queries.search import MOST, find, people
from server.query_words import PAST_WORDS, query_words
from server.urls import item_url
from server.web.display_names import DisplayNames

blueprint = Blueprint("search", __name__)


@blueprint.get("/find")
@readers
@query_words("q", *PAST_WORDS)
def page() -> str | Response | tuple[str, int]:
    """Redirect to a single match; otherwise list all matches, with status 404 where there are none."""
    asked = request.args.get("q", "")
    with current_hub().store.read() as connection:
        now_us, shop = current_hub().clock.utc_us(), master_data(connection)
        past = asked_past(connection, now_us)
        items, badges = find(connection, shop, asked, now_us), people(shop, asked, past.time_us)
        if past.is_past:
            items = existing_items(connection, items, past.known_pos, past.at_us)
    if len(items) == 1 and not badges:
        return redirect(keep_past(item_url(items[0])))
    names = [DisplayNames(shop, past.time_us).person(person) for person in badges]
    matches = render_template("found.html", page="find", asked=asked.strip(), items=items, people=names, most=MOST)
    return matches if items or badges or not asked.strip() else (matches, 404)
