"""Closed periods over HTTP: what each close stored, and what is known now about the same time."""

from flask import Blueprint, Response

from server.api import periods_answer
from server.api.openapi import documented
from server.api.rest import page_of
from server.api_errors import ApiError, json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.projection.worker import projected_pos
from server.queries.closed_periods import closed_period, closed_periods, stored_lines
from server.queries.restatement import restatement
from server.queries.stock_listing import figures_of

blueprint = Blueprint("periods", __name__)


@blueprint.get("/api/v1/periods")
@documented(periods_answer.PeriodsAnswer, query=periods_answer.PeriodsQuery, errors=(400, 401, 403))
@readers
def periods() -> Response:
    """The stored closes of periods, the newest end first."""
    limit, cursor = page_of()
    with current_hub().store.read() as connection:
        closes = closed_periods(connection)
    start = next((number for number, closed in enumerate(closes, 1) if str(closed.pos) == cursor), 0)
    rows = closes[start : start + limit]
    more = str(rows[-1].pos) if start + limit < len(closes) else None
    return json_answer(periods_answer.PeriodsAnswer([periods_answer.closed_answer(closed) for closed in rows], more))


@blueprint.get("/api/v1/periods/<int:period>")
@documented(periods_answer.PeriodAnswer, errors=(401, 403, 404))
@readers
def period(period: int) -> Response:
    """One stored close with its figures, and its restatement: the value of that time as known now, by cause."""
    with current_hub().store.read() as connection:
        closed = closed_period(connection, period)
        lines = None if closed is None else stored_lines(connection, closed)
        if closed is None or lines is None:
            raise ApiError(404, f"period {period}", "the `id` of a stored close", "/api/v1/periods lists them.")
        restated = restatement(connection, closed, lines)
        pos = projected_pos(connection)
    return json_answer(periods_answer.period_answer(closed, figures_of(lines), restated, pos))
