"""Pages of counts: the list with the form that opens one, and one count with its lines."""

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.accounting.count_acceptance import DecidableCount, decidable
from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.count_check import MOST_WHY
from server.ledger.entries import Entry
from server.queries.count_decisions import CountDecision, limit_micros
from server.queries.count_lines import CountLine, LineKind, differing_micros, visible_lines
from server.queries.counts import CANCELLED, END, FINISHED, OPEN, Count, all_counts, count_named
from server.queries.current_master_data import master_data
from server.queries.escape import short, visible
from server.queries.price_list import entered_by
from server.query_words import query_words
from server.urls import segments
from server.web.count_decisions import all_digest
from server.web.display_names import DisplayNames
from server.web.form_entries import enter
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, moment, quantity, table_file
from server.web.template_filters import read_lag
from station.core.master_data import MasterData

blueprint = Blueprint("counts", __name__)
segments(blueprint)
PATH = "/counts"
COLUMNS = ("count", "scope", "blind", "opened", "opened_by", "ended", "state", "why")
LINE_COLUMNS = (
    "line", "item", "stage", "product", "at_opening", "expected", "counted", "difference", "unit", "value", "since",
    "ledger_has_it_at", "also_counted_at", "counted_twice", "scans", "counted_at", "counted_by", "station",
    "decision", "decided", "decided_by", "why", "not_bookable",
)  # fmt: skip
STATES = {"open": "goes on", FINISHED: "finished", CANCELLED: "cancelled"}
SAID = {
    LineKind.DIFFERS: "quantity differs",
    LineKind.MISSING: "missing",
    LineKind.ELSEWHERE: "elsewhere by the ledger",
    LineKind.FOUND: "found, not in process",
    LineKind.UNKNOWN: "unknown code",
    LineKind.UNCOUNTED: "not counted",
    LineKind.MOVED: "moved during the walk",
    LineKind.AGREES: "agrees",
}
HIDDEN = "counted"  # what a line of a blind count says while it goes on


@blueprint.get(PATH)
@readers
@query_words("page")
def page() -> str:
    """All counts, the newest first, 100 on a page, and the form that opens one."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop, counts = master_data(connection), all_counts(connection)
        listing = Listing(page_number(), len(counts), {}, PATH)
        shown = counts[listing.start : listing.last]
        people = entered_by(connection, shown)
    names = DisplayNames(shop, now_us)
    return render_template(
        "counts.html",
        page="value",
        now_us=now_us,
        counts=shown,
        listing=listing,
        person=lambda count: names.person(people.get(count.place)),
        states=STATES,
        stages=names.stages(),
        limit=limit_micros(shop, now_us),
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All counts as a file."""
    with current_hub().store.read() as connection:
        counts = all_counts(connection)
        people = entered_by(connection, counts)
    rows: list[list[Cell]] = [
        [
            count.name, ", ".join(count.stages) or "everything", "yes" if count.blind else "no", moment(count.opened_us),
            people.get(count.place), moment(count.ended_us), count.how, count.why,
        ]
        for count in counts
    ]  # fmt: skip
    return table_file(form, "counts", COLUMNS, rows)


@blueprint.post(PATH)
@needs(needed_for(OPEN))
@written_once
def open_count() -> Answer:
    """Open a count of the chosen stages, or of everything; its name is a number. Raises `ApiError` 400, 409."""
    why = request.form.get("why", "").strip()
    if len(why) > MOST_WHY:
        raise ApiError(400, f"a reason of {len(why)} characters", f"at most {MOST_WHY}", "Shorten it.")
    with current_hub().store.read() as connection:
        known = set(master_data(connection).names("stage.define"))
        taken = {count.name for count in all_counts(connection)}
    stages = [stage for stage in request.form.getlist("stage") if stage]
    for stage in stages:
        if stage not in known:
            raise ApiError(400, f"stage {stage[:40]!r}", "a stage of the shop", "Choose it on the page.")
    number = len(taken) + 1
    while f"C-{number}" in taken:
        number += 1
    data: dict[str, Any] = {"count": f"C-{number}"}
    data |= {"stages": stages} if stages else {}
    data |= {"blind": True} if request.form.get("blind") else {}
    data |= {"why": why} if why else {}
    enter([Entry(OPEN, data, caller().name)])
    flash(f"Count C-{number} is open: scan the card COUNT at any station, then each sheet where it is.")
    return redirect(f"{PATH}/C-{number}")


@blueprint.get(f"{PATH}/<segment:name>")
@readers
@query_words("page")
def one(name: str) -> str:
    """One count: its progress, and its lines by value and age, 100 on a page. Raises `ApiError` 404."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        count, shop = _named(connection, name), master_data(connection)
        known = decidable(connection, count, now_us)
        people = entered_by(connection, [count])
    lines = visible_lines(count, known.lines)
    listing = Listing(page_number(), len(lines), {}, request.path)
    names = DisplayNames(shop, now_us)
    kinds = {kind: len([line for line in lines if line.kind is kind]) for kind in LineKind}
    uncounted = [line for line in lines if line.kind is LineKind.UNCOUNTED]
    return render_template(
        "count.html",
        page="value",
        now_us=now_us,
        count=count,
        lines=lines[listing.start : listing.last],
        listing=listing,
        kinds=kinds,
        counted=len([line for line in lines if line.scan is not None]),
        uncounted_micros=differing_micros(uncounted),
        open_micros=differing_micros(lines) - differing_micros(uncounted),
        said=lambda line: HIDDEN if count.is_hidden else SAID[line.kind],
        SAID=SAID,
        states=STATES,
        opened_by=names.person(people.get(count.place)),
        operator=names.person,
        known=known,
        acceptable=known.acceptable(),
        all_digest=all_digest(known),
        changed=_has_changed,
        unit=lambda line: _unit(shop, line, now_us),
        product_name=lambda product: getattr(shop.product(product, now_us), "name", "") or product,
        **names.for_templates(),
    )


@blueprint.get(f"/count.{FORMS}")
@readers
@query_words("count")
def lines_file(form: str) -> Response:
    """The lines of one count as a file. Raises `ApiError` 404."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        count, shop = _named(connection, request.args.get("count", "")), master_data(connection)
        known = decidable(connection, count, now_us)
    rows = [_row(known, line, _unit(shop, line, now_us)) for line in visible_lines(count, known.lines)]
    return table_file(form, "count", LINE_COLUMNS, rows)


@blueprint.post(f"{PATH}/<segment:name>")
@needs(needed_for(END))
@written_once
def end(name: str) -> Answer:
    """Finish the walk of a count, or cancel the count. Raises `ApiError` 400, 404, 409."""
    how = request.form.get("do", "")
    if how not in (FINISHED, CANCELLED):
        raise ApiError(400, f"do {how[:40]!r}", f"{FINISHED} or {CANCELLED}", "Use a button of the page.")
    with current_hub().store.read() as connection:
        _named(connection, name)
    enter([Entry(END, {"count": name, "how": how}, caller().name)])
    flash(f"Count {short(visible(name))} is {how}.")
    return redirect(request.path)


def _named(connection: Any, name: str) -> Count:
    count = count_named(connection, name)
    if count is None:
        raise ApiError(404, f"count {name[:40]!r}", "a count that was opened", "Choose one on /counts.")
    return count


def _unit(shop: MasterData, line: CountLine, at_us: int) -> str:
    product = shop.product(line.product, at_us)
    return product.unit if product else ""


def _has_changed(line: CountLine, decision: CountDecision) -> bool:
    """Whether a line has another difference than the one that was accepted, by a late scan, a correction or a void."""
    return bool(decision.booked) and decision.difference_milli != line.difference_milli


def _row(known: DecidableCount, line: CountLine, unit: str) -> list[Cell]:
    scan, count, at = line.scan, known.of, (line.item, line.stage)
    decision, booking = known.decided.get(at), known.bookings.get(at)
    decided: list[Cell] = [None] * 4
    if decision is not None:
        decided = [decision.how, moment(decision.at_us), decision.by, decision.why]
    counts = (line.opening_milli, line.expected_milli, line.counted_milli, line.difference_milli)
    return [
        HIDDEN if count.is_hidden else line.kind.value, line.item, line.stage, line.product,
        *(quantity(milli) for milli in counts), unit, amount(line.micros), moment(line.since_us),
        ", ".join(stage for stage, _ in line.elsewhere), ", ".join(stage for stage, _ in line.also),
        "yes" if line.twice else None, line.times,
        moment(scan.at_us) if scan else None, scan.operator if scan else None, scan.station if scan else None,
        *decided, booking.obstacle.why if booking is not None and booking.obstacle is not None else None,
    ]  # fmt: skip
