"""REST API without the read model: entries, stations, health, metrics, and the OpenAPI description."""

from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, request
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from server.accounting.period_close import record_entries
from server.api import schemas
from server.api.health import health
from server.api.openapi import description, documented
from server.api.request_body import MAX_DEPTH, depth_of, read_json
from server.api_errors import ApiError, json_answer
from server.auth import devices
from server.auth.gate import Caller, anybody, beacon, caller, demand_rights, needs, readers
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry, EntryRefused
from server.queries.lag import lag_of

blueprint = Blueprint("rest", __name__)
MAX_LIST = 1_000
MAX_REPORT_BYTES = 64 * 1024


@blueprint.get("/healthz")
@documented(schemas.HealthAnswer, errors=(), also=(503,))
@anybody
def healthz() -> Response:
    """200 with status `ok`, or 503 with the faults."""
    answer = health(current_hub())
    return json_answer(answer, 503 if answer.wrong else 200)


@blueprint.get("/metrics")
@readers
def metrics() -> Response:
    """The hub's counters, for Prometheus."""
    hub = current_hub()
    state = health(hub)
    hub.counts.ledger_pos.set(state.pos or 0)
    hub.counts.projected_pos.set(state.projected_pos or 0)
    return Response(generate_latest(hub.counts.registry), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/openapi.json")
@readers
def openapi() -> Response:
    """This description."""
    return json_answer(description())


@blueprint.post("/csp-report")
@beacon
def csp_report() -> Response:
    """Count and log a violation of the content security policy; the report is not stored."""
    current_hub().counts.csp_reports.inc()
    current_app.logger.warning("a page broke its content policy: %.500r", request.stream.read(MAX_REPORT_BYTES))
    return Response(status=204)


@blueprint.post("/api/v1/entries")
@documented(schemas.EntriesAnswer, json=schemas.EntriesBody, errors=(400, 401, 403, 409, 413), tag="entering")
@needs(*Role)
def entries() -> Response:
    """Write entries, all of them or none; a single entry may be sent without a list."""
    requested, author = _entries(), caller()
    demand_rights(author, [(entry.what, entry.data) for entry in requested])
    for entry in requested:
        if depth_of(entry.data) > MAX_DEPTH:
            raise ApiError(400, f"{entry.what} nested deeper than {MAX_DEPTH}", "flat fields", "Send less at once.")
    try:
        written = record_entries(
            current_hub().store,
            [Entry(entry.what, entry.data, author_name(author, entry.by), entry.holds_from_us) for entry in requested],
        )
    except EntryRefused as refused:
        raise ApiError(refused.status, refused.came, refused.expected, refused.do) from refused
    current_hub().counts.entries.inc(len(written))
    answers = [schemas.EntryAnswer(entry.log_id.hex(), entry.seq, entry.pos) for entry in written]
    last = answers[-1]
    return json_answer(schemas.EntriesAnswer(answers, last.log, last.seq, last.pos))


@blueprint.get("/api/v1/stations")
@documented(schemas.StationsAnswer, query=schemas.StationsQuery, errors=(400, 401, 403))
@readers
def station_list() -> Response:
    """Every station with its last heartbeat and its logs, by name."""
    limit, cursor = page_of()
    with current_hub().store.read() as connection:
        rows = [row for row in devices.overview(connection) if row["station"] > cursor]
        lag = lag_of(connection, current_hub().clock.utc_us())
    more = rows[limit - 1]["station"] if len(rows) > limit else None
    return json_answer(schemas.StationsAnswer([_with_readers(row) for row in rows[:limit]], more, *lag))


def _with_readers(row: dict[str, Any]) -> dict[str, Any]:
    """A station's row with its readers as a list; the database holds them as JSON text of the heartbeat."""
    heartbeat = row["heartbeat"]
    if heartbeat is None:
        return row
    return {**row, "heartbeat": {**heartbeat, "readers": msgspec.json.decode(heartbeat["readers"] or "[]")}}


def page_of() -> tuple[int, str]:
    """`limit` (1 to 1,000) and `cursor` of a list's query. Raises `ApiError` 400."""
    text = request.args.get("limit", str(MAX_LIST))
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MAX_LIST:
        raise ApiError(400, f"limit {text[:40]!r}", f"1 to {MAX_LIST}", "Request fewer, and continue with `cursor`.")
    return int(text), request.args.get("cursor", "")


def _entries() -> list[schemas.EntryBody]:
    body = read_json(schemas.EntriesBody, nul=True)
    if body.entries is not None:
        return body.entries
    if body.what is None or body.data is None:
        raise ApiError(400, "no entry", "`entries`, or `what` and `data`", "Send at least one.")
    return [schemas.EntryBody(body.what, body.data, body.holds_from_us, body.by)]


def author_name(author: Caller, by: str | None) -> str:
    """The author of an entry: the signed-in person, the token, or the person `by` whom the token names."""
    return f"{by} (token {author.name})" if by and author.kind == "token" else author.name
