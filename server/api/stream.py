"""The event stream: an open page hears of each event once it is folded, and only that it happened.

Server-sent events, one for each position of the ledger; the page then fetches what it shows. The stream reads the ledger by
position, so a page that was away goes on where it was (Last-Event-ID is `epoch:pos`), and one that missed more than it makes
sense to tell is told to load itself anew.
"""

import socket
import threading
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
from server.context import HubContext, running
from server.db.schema import ledger, log
from server.ledger.hub_log import hub_row
from server.projection.tables import event_item, event_state

blueprint = Blueprint("stream", __name__)
MAX_STREAMS = 24
MAX_BEHIND = 1_000
QUIET_S = 15.0
RETRY_MS = 2_000
LOOK_S = 1.0  # how soon a page that went away gives its seat back


class _Glance(msgspec.Struct):
    """What a page is told of an event's content."""

    kind: str | None = None
    stage: str | None = None
    seen: Any = None


class _Seats:
    """How many streams may be open; each holds one of the server's threads."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def acquire(self) -> bool:
        return self._free.acquire(blocking=False)

    def release(self) -> None:
        self._free.release()


_seats = _Seats(MAX_STREAMS)
_GLANCE = msgspec.json.Decoder(_Glance)


@blueprint.get("/api/v1/events")
@readers
def events() -> Response:
    """Server-sent events from `after` or Last-Event-ID on (absent: from now); 503 where all seats are taken."""
    after = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    if not _seats.acquire():
        raise ApiError(
            503, "one more event stream", f"at most {MAX_STREAMS}", "Ask every 3 seconds instead.", retry_after_s=3
        )
    response = Response(_Stream(running(), after, request.environ.get("gunicorn.socket")), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class _Stream:
    """One open stream; closing it, however it ends, frees its seat."""

    def __init__(self, hub: HubContext, after: str, line: socket.socket | None) -> None:
        self._hub = hub
        self._lines = _tell(hub, after, line)
        self._open = True
        hub.counts.streams.inc()

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        if self._open:
            self._open = False
            self._lines.close()  # type: ignore[attr-defined]
            self._hub.counts.streams.dec()
            _seats.release()


def _hung_up(line: socket.socket | None) -> bool:
    """Whether the page at the other end has gone; a page that is there sends nothing more."""
    if line is None:
        return False
    try:
        readable, _, _ = select([line], [], [], 0)
        return bool(readable) and not line.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _tell(hub: HubContext, after: str, line: socket.socket | None) -> Iterator[bytes]:
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
    while not hub.projected.closed and not _hung_up(line):
        here = max(here, hub.projected.pos)
        if here - pos > MAX_BEHIND:
            pos = here
            yield _reload(epoch, here)
        elif here > pos:
            with hub.store.read() as connection:
                lines = list(_lines(connection, epoch, pos, here))
            pos = here
            yield b"".join(lines)
        elif hub.projected.again != again:
            again = hub.projected.again
            yield _reload(epoch, here)
        elif quiet_s >= QUIET_S:
            quiet_s = 0.0
            yield b": still here\n\n"
        elif hub.projected.wait(pos, LOOK_S, again) <= pos and hub.projected.again == again:
            quiet_s += LOOK_S
            continue
        quiet_s = 0.0


def _reload(epoch: int, pos: int) -> bytes:
    return b"id: %d:%d\nevent: reload\ndata: {}\n\n" % (epoch, pos)


def _lines(connection: Connection, epoch: int, after: int, thru: int) -> Iterator[bytes]:
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
        glance = _GLANCE.decode(row.bytes)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        glance = _Glance()
    # The end of a tag's presence is no scan to whoever counts those.
    kind = "seen" if glance.kind == "scan" and glance.seen is not None else glance.kind
    return {"pos": row.pos, "station": row.station, "kind": kind, "item": row.item, "stage": glance.stage}
