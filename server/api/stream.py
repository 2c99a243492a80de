"""Event stream: server-sent events that notify an open page of each projected ledger position.

A notification names the event; the page then fetches its own content again. The stream reads the ledger by position, so a
reconnecting page continues where it stopped (Last-Event-ID is `epoch:pos`). A page that missed more than `max_behind` events
(`server.context.HubLimits`) gets one `reload` event instead.
"""

import socket
from collections.abc import Iterator
from select import select
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import Connection, and_
from sqlalchemy import select as rows_of

from server.api.cursor import Cursor
from server.api.open_items import projected_pos
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import HubContext, current_hub
from server.db.schema import ledger, log
from server.ledger.hub_log import hub_row
from server.projection.tables import event_item, event_state
from server.query_words import query_words

blueprint = Blueprint("stream", __name__)
QUIET_S = 15.0
RETRY_MS = 2_000
CHECK_S = 1.0  # interval at which a closed connection is detected and its slot released


class _EventFields(msgspec.Struct):
    """The fields of an event that a notification contains."""

    kind: str | None = None
    stage: str | None = None
    seen: Any = None


_EVENT_FIELDS = msgspec.json.Decoder(_EventFields)


@blueprint.get("/api/v1/events")
@readers
@query_words("after")
def events() -> Response:
    """Server-sent events from `after` or Last-Event-ID on (absent: from now); 503 where all streams are in use."""
    after = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    hub = current_hub()
    if not hub.streams.acquire(blocking=False):
        most = f"at most {hub.limits.max_streams}"
        raise ApiError(503, "one more event stream", most, "Poll every 3 seconds instead.", retry_after_s=3)
    response = Response(_Stream(hub, after, request.environ.get("gunicorn.socket")), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class _Stream:
    """One open stream; the server closes it in every case, which releases its slot."""

    def __init__(self, hub: HubContext, after: str, line: socket.socket | None) -> None:
        self._hub = hub
        self._lines = _notifications(hub, after, line)
        self._open = True
        hub.counts.streams.inc()

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        if self._open:
            self._open = False
            self._lines.close()  # type: ignore[attr-defined]
            self._hub.counts.streams.dec()
            self._hub.streams.release()


def _is_closed(line: socket.socket | None) -> bool:
    """Whether the client closed the connection; an open page sends nothing after its request."""
    if line is None:
        return False
    try:
        readable, _, _ = select([line], [], [], 0)
        return bool(readable) and not line.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _notifications(hub: HubContext, after: str, line: socket.socket | None) -> Iterator[bytes]:
    """The lines of one stream, until the hub stops or the connection closes.

    1. Start at the cursor; without one start at the current position, with an invalid one send `reload`.
    2. New positions: one event each, or one `reload` above `max_behind`.
    3. Refolded items (`again` changed): one `reload`, because no new position names them.
    4. Nothing for QUIET_S: a comment, which keeps proxies from closing the connection.
    """
    yield b"retry: %d\n\n" % RETRY_MS
    with hub.store.read() as connection:
        epoch, here = hub_row(connection).epoch, projected_pos(connection)
    cursor = Cursor.read(after)
    if cursor is None:
        pos = here
        yield b": from %d:%d\n\n" % (epoch, here) if not after else _reload(epoch, here)
    elif cursor.epoch != epoch or cursor.pos > here:
        pos = here
        yield _reload(epoch, here)
    else:
        pos = cursor.pos
    again, quiet_s = hub.projected.again, 0.0
    while not hub.projected.closed and not _is_closed(line):
        here = max(here, hub.projected.pos)
        if here - pos > hub.limits.max_behind:
            pos = here
            yield _reload(epoch, here)
        elif here > pos:
            with hub.store.read() as connection:
                lines = list(ledger_events(connection, epoch, pos, here))
            pos = here
            yield b"".join(lines)
        elif hub.projected.again != again:
            again = hub.projected.again
            yield _reload(epoch, here)
        elif quiet_s >= QUIET_S:
            quiet_s = 0.0
            yield b": still here\n\n"
        elif hub.projected.wait(pos, CHECK_S, again) <= pos and hub.projected.again == again:
            quiet_s += CHECK_S
            continue
        quiet_s = 0.0


def _reload(epoch: int, pos: int) -> bytes:
    return b"id: %d:%d\nevent: reload\ndata: {}\n\n" % (epoch, pos)


def ledger_events(connection: Connection, epoch: int, after: int, thru: int) -> Iterator[bytes]:
    """The server-sent events of the ledger positions above `after`, up to `thru`: one for each item of each event."""
    wanted = (
        rows_of(ledger.c.pos, ledger.c.bytes, log.c.station, event_state.c.status, event_item.c.item)
        .join(log, log.c.log_id == ledger.c.log_id)
        .outerjoin(event_state, event_state.c.pos == ledger.c.pos)
        .outerjoin(event_item, event_item.c.pos == ledger.c.pos)
        .where(and_(ledger.c.pos > after, ledger.c.pos <= thru))
        .order_by(ledger.c.pos, event_item.c.item)
    )
    for row in connection.execute(wanted):
        yield b"id: %d:%d\nevent: ledger\ndata: %s\n\n" % (epoch, row.pos, msgspec.json.encode(_data(row)))


def _data(row: Any) -> dict[str, Any]:
    try:
        fields = _EVENT_FIELDS.decode(row.bytes)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        fields = _EventFields()
    # The departure of a tag is encoded as a scan; its own kind lets clients count scans correctly.
    kind = "seen" if fields.kind == "scan" and fields.seen is not None else fields.kind
    return {"pos": row.pos, "station": row.station, "kind": kind, "item": row.item, "stage": fields.stage}
