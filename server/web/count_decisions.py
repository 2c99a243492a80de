"""Decisions about the lines of a count: accept, reject, take back; and the limit above which a second person accepts."""

from hashlib import sha256

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response as Answer

from server.accounting.count_acceptance import DecidableCount, LineDecision, decidable, decision_entries
from server.api_errors import ApiError
from server.auth.gate import caller, needs
from server.auth.roles import Role, needed_for
from server.context import current_hub
from server.ledger.count_check import LIMIT, MOST_WHY
from server.ledger.entries import Entry, EntryRefused
from server.queries.count_decisions import ACCEPTED, REJECTED
from server.queries.counts import count_named
from server.text import counted
from server.urls import segments
from server.web.cost_form import amount
from server.web.form_entries import enter
from server.web.form_results import written_once
from server.web.template_filters import shop_locale

blueprint = Blueprint("count_decisions", __name__)
segments(blueprint)
ALL = "all"
WAYS = {ACCEPTED: ACCEPTED, ALL: ACCEPTED, REJECTED: REJECTED}


@blueprint.post("/counts/<segment:name>/decisions")
@needs(Role.SUPERVISE, Role.ACCOUNT)
@written_once
def decide(name: str) -> Answer:
    """Accept or reject the chosen lines, accept all that one person may, or take a decision back.

    Raises `ApiError` 400, 403, 404, 409.
    """
    do, undo = request.form.get("do", ""), request.form.get("undo", "")
    if undo:
        return _taken_back(name, undo)
    why = request.form.get("why", "").strip()
    if do not in WAYS:
        raise ApiError(400, f"do {do[:40]!r}", f"one of {', '.join(WAYS)}", "Use a button of the page.")
    if len(why) > MOST_WHY:
        raise ApiError(400, f"a reason of {len(why)} characters", f"at most {MOST_WHY}", "Shorten it.")
    now_us = current_hub().clock.utc_us()
    try:
        with current_hub().store.read() as connection:
            etags = request.form.getlist("line")
            if do == ALL:
                count = count_named(connection, name)
                etags = [] if count is None else _all_etags(decidable(connection, count, now_us))
            entries = decision_entries(connection, name, LineDecision(etags, WAYS[do], why, caller().name), now_us)
    except EntryRefused as refused:
        raise ApiError(refused.status, refused.came, refused.expected, refused.do) from refused
    enter(entries)
    flash(f"{counted(len(entries), 'line is', 'lines are')} {WAYS[do]}.")
    return redirect(request.path.removesuffix("/decisions"))


@blueprint.post("/count-limit")
@needs(needed_for(LIMIT))
@written_once
def limit() -> Answer:
    """Set the limit above which another person accepts; an empty amount: no limit. Raises `ApiError` 400."""
    typed = request.form.get("limit", "").strip()
    enter([Entry(LIMIT, {"micros": amount(typed, shop_locale())} if typed else {}, caller().name)])
    flash("The limit is set." if typed else "There is no limit.")
    return redirect("/counts#limit")


def all_digest(known: DecidableCount) -> str:
    """What the page shows as acceptable together; the same lines give the same digest."""
    etags = "\n".join(sorted(one.etag for one in known.acceptable()))
    return sha256(etags.encode()).hexdigest()[:20]


def _all_etags(known: DecidableCount) -> list[str]:
    if request.form.get(ALL) != all_digest(known):
        came = f"all lines of count {known.of.name} as they are no longer"
        raise ApiError(409, came, "the lines as they are now", "They were decided or changed. Look at the count again.")
    return [one.etag for one in known.acceptable()]


def _taken_back(name: str, undo: str) -> Answer:
    log, _, seq = undo.partition(":")
    if not seq.isascii() or not seq.isdecimal() or len(seq) > 15:
        raise ApiError(400, f"undo {undo[:60]!r}", "the place of a decision", "Use a button of the page.")
    enter([Entry("void", {"log": log, "seq": int(seq), "why": f"count {name}"}, caller().name)])
    flash("The decision is taken back.")
    return redirect(request.path.removesuffix("/decisions"))
