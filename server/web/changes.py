"""Changes page: the items whose state changed when another version of the software folded the ledger again."""

from flask import Blueprint, render_template

from server.auth.gate import readers
from server.context import current_hub
from server.projection.fold_version import refolds

blueprint = Blueprint("changes", __name__)
MOST = 500  # items of one refold on the page; wipline-hub changes lists all that are kept


@blueprint.get("/changes")
@readers
def page() -> str:
    """The page with each refold and its items."""
    with current_hub().store.read() as connection:
        found = refolds(connection)
    return render_template(
        "changes.html", page="changes", now_us=current_hub().clock.utc_us(), refolds=found, most=MOST
    )
