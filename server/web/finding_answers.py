"""Answers to findings: the buttons of the board and of an item page that end the findings of a rule about an item."""

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import caller, needs
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry
from server.queries.findings import open_findings, shown_findings
from server.urls import item_url
from server.web.form_entries import enter
from server.web.form_results import written_once

blueprint = Blueprint("finding_answers", __name__)
MOST_NOTE = 2_000  # characters


@blueprint.post("/findings")
@needs(Role.SUPERVISE)
@written_once
def answer() -> Response:
    """Write one entry for each open finding of the rule about the item, and return to the page of the form.

    Only where these are the findings that the page showed: of another one the person knows nothing yet.
    """
    item, rule = request.form.get("item", ""), request.form.get("rule", "")
    note = request.form.get("note", "").strip()
    if len(note) > MOST_NOTE:
        raise ApiError(400, f"a note of {len(note)} characters", f"at most {MOST_NOTE}", "Shorten it.")
    with current_hub().store.read() as connection:
        found = open_findings(connection, item, rule)
    if not item or not rule or not found:
        came = f"an answer to {rule[:40] or 'no rule'} of {item[:80] or 'no item'}"
        raise ApiError(400, came, "an open finding", "Open the item: it was answered, or it has ended.")
    if request.form.get("shown") != shown_findings(found):
        flash("Nothing was answered: the findings have changed since. Read them, then answer.")
        return redirect(item_url(item))
    more = {"note": note} if note else {}
    data = [{"item": item, "rule": rule, **one._asdict(), **more} for one in found]
    enter([Entry("finding.answer", fields, caller().name) for fields in data])
    flash("Answered.")
    return redirect(item_url(item) if request.form.get("back") == "item" else "/")
