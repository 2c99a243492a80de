"""People page: the persons who scan, whether each has a badge, and the labels of the chosen badges.

A badge permits its holder to scan in a person's name, so badges are printed only for supervisors, as in `server.web.cards`.
"""

from flask import Blueprint, Response, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.labelled_things import people
from server.query_words import query_words
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, table_file

blueprint = Blueprint("people", __name__)
PATH = "/people"


@blueprint.get(PATH)
@readers
@query_words("page")
def page() -> str:
    """The people of the shop by name, 100 on a page."""
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        found = people(master_data(connection), now_us)
    listing = Listing(number, len(found), {}, PATH)
    return render_template(
        "people.html",
        page="stations",
        people=found[listing.start : listing.last],
        badges=sum(bool(person.badge) for person in found),
        listing=listing,
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All people as a file, by name."""
    with current_hub().store.read() as connection:
        found = people(master_data(connection), current_hub().clock.utc_us())
    rows = [(person.name, person.person, person.roles, person.badge) for person in found]
    return table_file(form, "people", ("name", "person", "roles", "badge"), rows)
