"""Changes page: the items whose state changed when another version of the software folded the ledger again."""

from flask import Blueprint, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.projection.fold_version import refolds
from server.query_words import query_words
from server.web.listing import Listing, page_number

blueprint = Blueprint("changes", __name__)
PATH = "/changes"


@blueprint.get(PATH)
@readers
@query_words("update", "page")
def page() -> str:
    """One update and its items, 100 on a page; `update`: from 1, the newest."""
    with current_hub().store.read() as connection:
        found = refolds(connection)
    number = min(page_number("update"), max(1, len(found)))
    refold = found[number - 1] if found else None
    words = {"update": str(number)} if number > 1 else {}
    listing = Listing(page_number(), len(refold.items) if refold else 0, words, PATH)
    return render_template(
        "changes.html",
        page="changes",
        now_us=current_hub().clock.utc_us(),
        refolds=found,
        number=number,
        refold=refold,
        items=refold.items[listing.start : listing.last] if refold else (),
        listing=listing,
    )
