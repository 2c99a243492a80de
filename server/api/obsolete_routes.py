"""Obsolete and excess stock over HTTP."""

import msgspec
from flask import Blueprint, Response

from server.api import obsolete_answer
from server.api.obsolete_query import asked_obsolete
from server.api.openapi import documented
from server.api.rest import page_of
from server.api_errors import ApiError, json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.queries.lag import lag_of

blueprint = Blueprint("obsolete_api", __name__)


@blueprint.get("/api/v1/obsolete")
@documented(obsolete_answer.ObsoleteAnswer, query=obsolete_answer.ObsoleteQuery, errors=(400, 401, 403))
@readers
def obsolete() -> Response:
    """Stock in process that may be worth less than it costs, with its reasons, now or `as_of` a past time."""
    limit, cursor = page_of()
    after, now_us = _after(cursor), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        lag = lag_of(connection, now_us)
        asked = asked_obsolete(connection, now_us, lag.pos)
    return json_answer(obsolete_answer.obsolete_answer(asked, lag, after, limit))


def _after(cursor: str) -> obsolete_answer.Place | None:
    """The place of the last row of the answer before. Raises `ApiError` 400."""
    if not cursor:
        return None
    try:
        return msgspec.json.decode(cursor, type=obsolete_answer.Place)
    except msgspec.DecodeError as error:
        raise ApiError(400, f"cursor {cursor[:40]!r}", "that of the answer before", "Begin without one.") from error
