"""Counts over HTTP: all of them, the lines of one, and decisions about them."""

import msgspec
from flask import Blueprint, Response, request

from server.accounting.count_acceptance import LineDecision, decidable, decision_entries
from server.api import count_answer, schemas
from server.api.openapi import documented
from server.api.request_body import read_json
from server.api.rest import author_name, page_of
from server.api_errors import ApiError, json_answer
from server.auth.gate import caller, demand_rights, needs, readers
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import EntryRefused, record_all
from server.queries.count_accuracy import count_accuracy, finished_counts
from server.queries.count_lines import visible_lines
from server.queries.counts import all_counts, count_named
from server.queries.lag import lag_of
from server.urls import segments

MOST_COMPARED = 50  # counts of one answer: each is compared with the moves of its time
blueprint = Blueprint("counts_api", __name__)
segments(blueprint)


@blueprint.get("/api/v1/counts")
@documented(count_answer.CountsAnswer, query=count_answer.CountsQuery, errors=(400, 401, 403))
@readers
def counts() -> Response:
    """Counts, the newest first; `limit` at most 1,000, the next page with `cursor`."""
    limit, cursor = page_of()
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        known, lag = all_counts(connection), lag_of(connection, now_us)
    names = [count.name for count in known]
    start = names.index(cursor) + 1 if cursor in names else 0
    shown = known[start : start + limit]
    more = shown[-1].name if start + limit < len(known) else None
    return json_answer(count_answer.CountsAnswer([count_answer.count_answer(one) for one in shown], more, *lag))


@blueprint.get("/api/v1/counts/<segment:count>")
@documented(count_answer.CountLinesAnswer, query=count_answer.CountsQuery, errors=(400, 401, 403, 404))
@readers
def count(count: str) -> Response:
    """One count with its lines; `limit` at most 1,000, the next page with `cursor`."""
    limit, cursor = page_of()
    try:
        after = msgspec.json.decode(cursor, type=tuple[str, str]) if cursor else ("", "")
    except msgspec.DecodeError as error:
        raise ApiError(400, f"cursor {cursor[:40]!r}", "that of the answer before", "Begin without one.") from error
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        one = count_named(connection, count)
        if one is None:
            raise ApiError(404, f"count {count[:40]!r}", "a count that was opened", "See /api/v1/counts.")
        known, lag = decidable(connection, one, now_us), lag_of(connection, now_us)
    lines = visible_lines(one, known.lines)
    lines.sort(key=lambda line: (line.item, line.stage))
    rest = [line for line in lines if (line.item, line.stage) > after]
    shown = rest[:limit]
    more = msgspec.json.encode((shown[-1].item, shown[-1].stage)).decode() if limit < len(rest) else None
    answers = [count_answer.count_line_answer(line, known) for line in shown]
    about = count_answer.count_answer(one)
    return json_answer(count_answer.CountLinesAnswer(about, known.limit, answers, len(lines), more, *lag))


@blueprint.get("/api/v1/count-accuracy")
@documented(count_answer.AccuraciesAnswer, query=count_answer.AccuracyQuery, errors=(400, 401, 403))
@readers
def accuracy() -> Response:
    """Finished counts by stage, the newest first: how many lines agree; `limit` at most 50, the next page with `cursor`."""
    limit, cursor = page_of()
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        known, lag = finished_counts(connection), lag_of(connection, now_us)
        names = [count.name for count in known]
        start = names.index(cursor) + 1 if cursor in names else 0
        shown = known[start : start + min(limit, MOST_COMPARED)]
        stage = request.args.get("stage") or None
        answers = [count_answer.accuracy_answer(count_accuracy(connection, one, stage)) for one in shown]
    more = shown[-1].name if start + len(shown) < len(known) else None
    return json_answer(count_answer.AccuraciesAnswer(answers, more, *lag))


@blueprint.post("/api/v1/counts/<segment:count>/decisions")
@documented(
    schemas.EntriesAnswer, json=count_answer.DecisionsBody, errors=(400, 401, 403, 404, 409, 413), tag="entering"
)
@needs(Role.SUPERVISE, Role.ACCOUNT)
def decide(count: str) -> Response:
    """Accept or reject lines of a finished count, all or none; an accepted line is booked now."""
    body, author = read_json(count_answer.DecisionsBody), caller()
    hub = current_hub()
    decision = LineDecision(body.lines, body.how, body.why.strip(), author_name(author, body.by))
    try:
        with hub.store.read() as connection:
            entries = decision_entries(connection, count, decision, hub.clock.utc_us())
        demand_rights(author, [(entry.what, {**entry.data, **(entry.figures or {})}) for entry in entries])
        written = record_all(hub.store, entries)
    except EntryRefused as refused:
        raise ApiError(refused.status, refused.came, refused.expected, refused.do) from refused
    hub.counts.entries.inc(len(written))
    answers = [schemas.EntryAnswer(entry.log_id.hex(), entry.seq, entry.pos) for entry in written]
    last = answers[-1]
    return json_answer(schemas.EntriesAnswer(answers, last.log, last.seq, last.pos))
