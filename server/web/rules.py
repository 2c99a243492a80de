"""Rules page: each rule with its number of findings in the last seven days, and the form to turn it on or off."""

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.entries import Entry
from server.queries.current_master_data import master_data
from server.queries.rule_settings import rules
from server.query_words import query_words
from server.web.form_entries import enter
from server.web.form_results import written_once
from server.web.table_file import FORMS, table_file
from station.core.ledger.rules import ON_BY_DEFAULT

blueprint = Blueprint("rules", __name__)


@blueprint.get("/rules")
@readers
def page() -> str:
    """The page with every rule."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        settings = rules(connection, master_data(connection), now_us)
    return render_template("rules.html", page="rules", now_us=now_us, rules=settings)


@blueprint.get(f"/rules.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All rules as a file."""
    hub = current_hub()
    with hub.store.read() as connection:
        settings = rules(connection, master_data(connection), hub.clock.utc_us())
    words = {True: "on", False: "off"}
    rows = [(one.name, one.about, words[one.on], words[one.by_default], one.last_week) for one in settings]
    return table_file(form, "rules", ("rule", "description", "now", "as_delivered", "last_week"), rows)


@blueprint.post("/rules")
@needs(needed_for("rule.define"))
@written_once
def turn() -> Response:
    """Turn one rule on or off, from now on."""
    rule, on = request.form.get("rule", ""), bool(request.form.get("on"))
    if rule not in ON_BY_DEFAULT:
        raise ApiError(400, f"the rule {rule[:40]!r}", f"one of {', '.join(ON_BY_DEFAULT)}", "Choose one on the page.")
    enter([Entry("rule.define", {"rule": rule, "on": on}, caller().name)])
    flash(f"{rule} is {'on' if on else 'off'}.")
    return redirect("/rules")
