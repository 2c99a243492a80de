"""Event stream: server-sent events that notify an open page of each projected ledger position.

A notification names the event; the page then fetches its own content again. The stream reads the ledger by position, so a
reconnecting page continues where it stopped (Last-Event-ID is `epoch:pos`). A page that missed more than `max_behind` events
(`server.context.HubLimits`) gets one `reload` event instead.
"""

import socket
from collections.abc import Iterator
from select import POLLIN, poll

from flask import Blueprint, Response, request

from server.api.cursor import Cursor
from server.api.open_items import projected_pos
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import HubContext, current_hub
from server.ledger.hub_log import hub_row
from server.query_words import query_words

blueprint = Blueprint("stream", __name__)
QUIET_S = 15.0
RETRY_MS = 2_000
CHECK_S = 1.0  # interval at which a closed connection is detected and its slot released


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
        watch = poll()  # `select` refuses a descriptor above 1,023, which a hub with as many stations has
        watch.register(line, POLLIN)
        return bool(watch.poll(0)) and not line.recv(1, socket.MSG_PEEK)
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
            lines = hub.feed.read(hub.store, epoch, hub.projected.again, pos, here)
            pos = here
            yield lines
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
