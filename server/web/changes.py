"""Changes page: the items whose state changed when another version of the software folded the ledger again."""

from collections.abc import Sequence

from flask import Blueprint, Response, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.projection.fold_version import Refold, refolds
from server.query_words import query_words
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, table_file

blueprint = Blueprint("changes", __name__)
PATH = "/changes"


@blueprint.get(PATH)
@readers
@query_words("update", "page")
def page() -> str:
    """One update and its items, 100 on a page; `update`: from 1, the newest."""
    with current_hub().store.read() as connection:
        found = refolds(connection)
    number, refold = _wanted(found)
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


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("update")
def file(form: str) -> Response:
    """The items of one update as a file."""
    with current_hub().store.read() as connection:
        _, refold = _wanted(refolds(connection))
    rows = [(entry.item, entry.before, entry.after) for entry in refold.items] if refold else []
    return table_file(form, "changes", ("item", "before", "now"), rows)


def _wanted(found: Sequence[Refold]) -> tuple[int, Refold | None]:
    """The number of the update in the query, and the update; the last one for a greater number."""
    number = min(page_number("update"), max(1, len(found)))
    return number, found[number - 1] if found else None
