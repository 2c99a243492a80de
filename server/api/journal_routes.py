"""The journal of a closed period over HTTP."""

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from server.accounting.journal_export import journal_of
from server.api import journal_answer
from server.api.openapi import documented
from server.api_errors import ApiError, json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.queries.closed_periods import closed_periods
from server.queries.recorded_journals import journals_recorded
from server.queries.site import current_locale

blueprint = Blueprint("journal_api", __name__)


@blueprint.get("/api/v1/journal")
@documented(journal_answer.JournalAnswer, query=journal_answer.JournalQuery, errors=(400, 401, 403, 404))
@readers
def journal() -> Response:
    """The journal of a closed period: as it was exported, else as it would be; or the one with a number."""
    with current_hub().store.read() as connection:
        return json_answer(_answer(connection))


def _answer(connection: Connection) -> journal_answer.JournalAnswer:
    period, number = request.args.get("period", ""), request.args.get("number", "")
    if period and number:
        raise ApiError(400, "both `period` and `number`", "one of them", "Send the one that you know.")
    recorded = journals_recorded(connection)
    locale = current_locale(connection, current_hub().config, current_hub().clock.utc_us())
    if number:
        found = next((one for one in recorded if str(one.number) == number), None)
        if found is None:
            raise ApiError(404, f"journal {number[:40]!r}", "the number of a journal", "/journal lists them.")
    else:
        closes = [
            closed for closed in closed_periods(connection) if (str(closed.pos) == period if period else closed.holds)
        ]
        if not closes:
            raise ApiError(404, f"period {period[:40]!r}", "the `id` of a stored close", "/api/v1/periods lists them.")
        closed = closes[0]
        found = next((one for one in recorded if one.period == closed.pos and one.stands), None)
        if found is None:
            made = journal_of(connection, closed)
            if made is None:
                came = f"period {closed.pos}, whose movements are not stored"
                raise ApiError(404, came, "a close with its movements", "Reopen it and close it again.")
            day = locale.today(made.to_us - 1).isoformat()
            return journal_answer.made_answer(made, closed.pos, locale.currency, day)
    return journal_answer.recorded_answer(found, locale.today(found.to_us - 1).isoformat())
