"""Answers to calls: the form of the board and of a stage page that answers all open calls of a place."""

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import caller, needs
from server.auth.roles import Role
from server.ledger.entries import Entry
from server.urls import stage_url
from server.web.form_entries import enter
from server.web.form_results import written_once

blueprint = Blueprint("calls", __name__)
PLACES = frozenset({"stage", "station"})


@blueprint.post("/calls")
@needs(Role.SUPERVISE)
@written_once
def answer() -> Response:
    """Write the answer in the caller's name, and return to the page of the form: the stage page, else the board."""
    kind, place = request.form.get("kind", ""), request.form.get("place", "")
    if kind not in PLACES or not place:
        raise ApiError(400, "an answer to no place", "a stage or a station", "Answer on the page of the stage.")
    enter([Entry("answer", {kind: place}, caller().name)])
    flash("Answered.")
    return redirect(stage_url(place) if kind == "stage" and request.form.get("back") == "stage" else "/")
