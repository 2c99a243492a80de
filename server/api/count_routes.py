"""Counts over HTTP: all of them, and the lines of one."""

import msgspec
from flask import Blueprint, Response

from server.api import count_answer
from server.api.openapi import documented
from server.api.rest import page_of
from server.api_errors import ApiError, json_answer
from server.auth.gate import readers
from server.context import current_hub
from server.queries.count_lines import count_lines, visible_lines
from server.queries.counts import all_counts, count_named
from server.queries.lag import lag_of
from server.urls import segments

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
        lines, lag = visible_lines(one, count_lines(connection, one, now_us)), lag_of(connection, now_us)
    lines.sort(key=lambda line: (line.item, line.stage))
    rest = [line for line in lines if (line.item, line.stage) > after]
    shown = rest[:limit]
    more = msgspec.json.encode((shown[-1].item, shown[-1].stage)).decode() if limit < len(rest) else None
    answers = [count_answer.count_line_answer(line, hidden=one.is_hidden) for line in shown]
    return json_answer(count_answer.CountLinesAnswer(count_answer.count_answer(one), answers, len(lines), more, *lag))
