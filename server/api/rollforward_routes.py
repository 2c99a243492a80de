"""Roll-forward over HTTP: how the value of work in process changed from one time to another."""

from flask import Blueprint, Response

from server.api import expense_answer, rollforward_answer
from server.api.openapi import documented
from server.api.period_query import asked_by, asked_period
from server.api.read_routes import after_row
from server.api.rest import page_of
from server.api_errors import json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.queries.lag import lag_of
from server.queries.period_expense import period_expense
from server.queries.roll_forward import roll_forward

blueprint = Blueprint("rollforward", __name__)


@blueprint.get("/api/v1/rollforward/expense")
@documented(expense_answer.ExpenseAnswer, query=expense_answer.ExpenseQuery, errors=(400, 401, 403))
@readers
def expense() -> Response:
    """The expense of a period: abnormal scrap by reason, and work that was done again by operation."""
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        lag, period = lag_of(connection, now_us), asked_period(connection, now_us)
        rows = period_expense(connection, period)
    return json_answer(expense_answer.expense_answer(period, rows, lag))


@blueprint.get("/api/v1/rollforward")
@documented(rollforward_answer.RollforwardAnswer, query=rollforward_answer.RollforwardQuery, errors=(400, 401, 403))
@readers
def rollforward() -> Response:
    """The value at `from`, the lines that changed it, and the value at `to`, by one attribute."""
    now_us, by = current_hub().clock.utc_us(), asked_by()
    limit, cursor = page_of()
    after = after_row(cursor, by)
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        roll = roll_forward(connection, asked_period(connection, now_us), by)
    return json_answer(rollforward_answer.rollforward_answer(roll, lag, after, limit))
