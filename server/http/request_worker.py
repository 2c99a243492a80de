"""Request worker: a gunicorn worker that assigns a thread only to whole requests.

gunicorn's threaded worker assigns a thread at the first byte of a request, and the thread waits for the rest: as many slow
senders as there are threads stop the hub. Here the main thread reads all connections without blocking. A thread gets a
request when its head and body are complete. These limits apply meanwhile:

- the head must be complete after `HEAD_S`, head and body after `REQUEST_S`, both counted from the first byte;
- a connection may be idle for gunicorn's `keepalive` between two requests;
- an address has at most `ADDRESS_CONNECTIONS` connections. One more closes the address's own connection that has waited
  longest; the new one is refused only when all of them are being answered. A reverse proxy is one address;
- all connections together buffer at most `MAX_BUFFERED_BYTES`, and there are at most `MAX_CONNECTIONS`;
- sending one answer may block for at most `SEND_S` in all, so a slow reader occupies its thread no longer than that.

Requests with a station's token have their own threads, so that pages never delay a scan; those that arrive shortly after
each other are passed on together (`server.http.gathered_requests`). Where a limit is reached,
connections of stations are closed last.
"""

import contextlib
import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gunicorn.workers.gthread as gthread
import msgspec
from gunicorn.http.errors import ParseException

from server.http.connection import AnswerSocket, Connection, ConnectionPhase, WorkerLimits
from server.http.gathered_requests import GatheredRequests
from server.http.request_buffer import RequestRefused, WholeRequest
from station.core.protocol import ErrorAnswer, ErrorBody

CLOSE_S = 2.0  # for the client to read the last answer and close its side
STATION_THREADS = 8
ACCEPTS_AT_ONCE = 32
RECV_BYTES = 64 * 1024
MAX_DISCARDED_BYTES = 4 * 1024 * 1024  # received on a connection that is being closed
SWEEP_S = 0.25  # interval at which deadlines are checked
STOPPING_SWEEP_S = 0.05
STREAMS = "/api/v1/events"  # occupies its thread while it is open
IsStation = Callable[[str], bool]
_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
_PASSING = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR, errno.EPROTO, errno.EPERM})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def name_thread(name: str, thread_id: int | None = None) -> None:
    """Give a thread of this process, by default the calling one, its name in `top -H`."""
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{thread_id or threading.get_native_id()}/comm").write_text(name, encoding="ascii")


def _named_pool(threads: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=name_thread, initargs=(name,))


class RequestWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """The worker. `is_station` tests whether a bearer token belongs to a station; `server.ops.serve` sets it at startup."""

    bounds = WorkerLimits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_station: IsStation = lambda _token: False
        self._open: dict[Connection, None] = {}  # in the order of their accept
        self._addresses: dict[str, int] = {}
        self._buffered = 0
        self._swept = 0.0
        self._gathered: GatheredRequests[Connection] = GatheredRequests()
        self._station_pool: ThreadPoolExecutor | None = None

    # Methods that gunicorn's main loop calls

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Create both thread pools; returns the one for all requests without a station's token."""
        self._station_pool = _named_pool(STATION_THREADS, "station")
        return _named_pool(self.cfg.threads, "request")

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once."""
        if self._station_pool is not None:
            self._station_pool.shutdown(wait=False)
        super().handle_quit(sig, frame)

    def accept(self, listener: Any) -> None:
        """Accept a bounded number of pending connections, so that open connections are read in between."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                accepted, client = listener.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._close_waiting(None)
                elif error.errno not in _PASSING:
                    raise
                return
            sock = AnswerSocket(fileno=accepted.detach())
            self._admit(Connection(self.cfg, sock, client, listener.getsockname()))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Dispatch events as gunicorn does, with a timeout short enough for the deadlines."""
        if self._open:
            timeout = min(timeout, SWEEP_S if self.alive else STOPPING_SWEEP_S)
        super().wait_for_and_dispatch_events(self._gathered.wait_s(time.monotonic(), timeout))
        self._submit_gathered()

    def murder_keepalived(self, force: bool = False) -> None:
        """Expire connections past their deadline; with `force`, all connections that no thread owns."""
        now = time.monotonic()
        if not force and now - self._swept < (SWEEP_S if self.alive else 0):
            return
        self._swept = now
        for connection in list(self._open):
            if connection.phase is not ConnectionPhase.ANSWERING and (force or connection.deadline <= now):
                self._expire(connection)

    def murder_pending(self) -> None:
        """Nothing to do: gunicorn's worker has pending connections without a first byte, this one has none."""

    def _cap_keepalive(self, deadline: float) -> None:
        """Limit all deadlines while the worker stops; stations send an interrupted request again."""
        for connection in self._open:
            if connection.phase is not ConnectionPhase.ANSWERING:
                connection.deadline = min(connection.deadline, deadline)

    # Connections

    def _admit(self, connection: Connection) -> None:
        """Add a connection; above a limit, close a waiting one for it, or refuse it where none waits."""
        self.nr_conns += 1
        self._open[connection] = None
        count = self._addresses[connection.address] = self._addresses.get(connection.address, 0) + 1
        full = count > self.bounds.address_connections and not self._close_waiting(connection)
        if not full and len(self._open) > self.bounds.connections:
            full = not self._close_waiting(connection, of_address=False)
        if full:
            self._refuse(
                connection,
                RequestRefused(503, "one connection too many", "fewer at once", "Close some, and try again in 5 s."),
            )
            return
        self._advance(connection)
        self._readable(connection)  # most clients have sent their request by now

    def _close_waiting(self, new: Connection | None, *, of_address: bool = True) -> bool:
        """Close the connection that has waited longest, of the new one's address or of all; False where none waits.

        Idle connections are closed first, then those with incomplete requests, connections of stations last.
        """
        waiting = [
            candidate
            for candidate in self._open
            if candidate is not new
            and candidate.phase is not ConnectionPhase.ANSWERING
            and (new is None or not of_address or candidate.address == new.address)
        ]
        for candidate in sorted(waiting, key=lambda other: (other.of_station, not other.kept_alive, other.since)):
            self._readable(candidate)  # its request may have arrived without being read yet
            if candidate not in self._open:
                return True
            if candidate.phase is not ConnectionPhase.ANSWERING:
                self._drop(candidate)
                return True
        return False

    def _watch(self, connection: Connection) -> None:
        if not connection.registered:
            connection.registered = True
            connection.sock.setblocking(False)
            self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._readable, connection))

    def _unwatch(self, connection: Connection) -> None:
        if connection.registered:
            connection.registered = False
            self.poller.unregister(connection.sock)

    def _drop(self, connection: Connection) -> None:
        self._unwatch(connection)
        del self._open[connection]
        self._release(connection)
        left = self._addresses[connection.address] - 1
        if left:
            self._addresses[connection.address] = left
        else:
            del self._addresses[connection.address]
        self.nr_conns -= 1
        connection.close()

    def _close_soon(self, connection: Connection) -> None:
        """Shut down the sending side, and close the connection after the client has closed its side.

        Closing at once would reset a connection with unread bytes, which can discard the last answer at the client.
        gunicorn's `close_graceful` waits for the client in the main thread, which must not block here.
        """
        connection.phase = ConnectionPhase.CLOSING
        connection.deadline = time.monotonic() + (CLOSE_S if self.alive else gthread.STOP_KEEPALIVE_LINGER)
        self._release(connection)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        self._watch(connection)

    def _expire(self, connection: Connection) -> None:
        """Close a connection at its deadline; an incomplete request gets a 408."""
        if connection.phase is ConnectionPhase.CLOSING or not connection.buffer.size or not self.alive:
            self._drop(connection)
            return
        part = "a body" if connection.buffer.message is not None else "a request head"
        bounds = self.bounds
        self._refuse(
            connection,
            RequestRefused(
                408,
                f"part of {part}",
                f"the head within {bounds.head_s:.0f} s and all of a request within {bounds.request_s:.0f} s",
                "Send it again, at once.",
            ),
        )

    def _refuse(self, connection: Connection, refused: RequestRefused) -> None:
        """Send an error answer without blocking, as far as the socket accepts it, and close the connection."""
        body = msgspec.json.encode(ErrorAnswer(ErrorBody(refused.came, refused.expected, refused.do)))
        head = (
            f"HTTP/1.1 {refused.status} {_REASONS[refused.status]}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{'Retry-After: 5' + chr(13) + chr(10) if refused.status == 503 else ''}\r\n"
        )
        with contextlib.suppress(OSError):
            connection.sock.setblocking(False)
            connection.sock.send(head.encode() + body)
        self._close_soon(connection)

    # Receiving

    def _readable(self, connection: Connection, _sock: Any = None) -> None:
        """Read once from a connection that the main thread owns."""
        if connection not in self._open or not connection.registered:
            return  # closed by an earlier event of the same round
        try:
            arrived = connection.sock.recv(RECV_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            arrived = b""
        if not arrived:
            self._drop(connection)
        elif connection.phase is ConnectionPhase.CLOSING:
            connection.discarded += len(arrived)
            if connection.discarded > MAX_DISCARDED_BYTES:
                self._drop(connection)
        else:
            if connection.kept_alive:
                connection.kept_alive, connection.since = False, time.monotonic()
            connection.buffer.feed(arrived)
            self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        """Pass the connection's next request to a thread if it is whole; otherwise wait for more bytes.

        1. Refuse a malformed or too large request. 2. Classify the connection by its token. 3. Pass on a whole request.
        4. Otherwise count the buffered bytes, set the deadline of the phase, and watch the socket.
        """
        try:
            request = connection.buffer.next_request()
        except RequestRefused as refused:
            self._refuse(connection, refused)
            return
        except ParseException as error:
            self.handle_error(None, connection.sock, connection.client, error)
            self._close_soon(connection)
            return
        except OSError as error:  # gunicorn's NoMoreData: the parser found another end of the head
            self._refuse(
                connection,
                RequestRefused(400, f"a malformed head: {error}"[:200], "HTTP/1.1", "Correct it and send it again."),
            )
            return
        if connection.buffer.message is not None:
            connection.of_station = self._has_station_token(connection.buffer.message)
        if request is not None:
            self._pass_on(connection, request)
            return
        self._count(connection, connection.buffer.size)
        if connection not in self._open:
            return  # `_count` dropped it as the largest one
        if connection.kept_alive:
            connection.deadline = connection.since + self.cfg.keepalive
        else:
            in_body = connection.buffer.message is not None
            connection.deadline = connection.since + (self.bounds.request_s if in_body else self.bounds.head_s)
        if not self.alive:
            connection.deadline = min(connection.deadline, time.monotonic() + gthread.STOP_KEEPALIVE_LINGER)
        if connection.buffer.take_continue():
            with contextlib.suppress(OSError):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._watch(connection)

    def _pass_on(self, connection: Connection, request: WholeRequest) -> None:
        connection.phase, connection.request = ConnectionPhase.ANSWERING, request
        connection.of_station = self._has_station_token(request.message)
        self._count(connection, request.size)
        if self._buffered > self._room(connection):
            self._refuse(
                connection,
                RequestRefused(503, "more requests than fit in memory", "fewer requests at once", "Try again in 5 s."),
            )
            return
        self._unwatch(connection)
        if connection.of_station and unquote(request.message.path) != STREAMS and self._station_pool is not None:
            self._gathered.add(connection)
            self._submit_gathered()
        else:
            self._submit(self.tpool, connection)

    def _submit_gathered(self) -> None:
        for connection in self._gathered.take(time.monotonic(), at_once=not self.alive):
            self._submit(self._station_pool, connection)

    def _submit(self, pool: Any, connection: Connection) -> None:
        done = pool.submit(self.handle, connection)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, connection, future))

    def _has_station_token(self, message: Any) -> bool:
        for name, value in message.headers:
            if name == "AUTHORIZATION":
                scheme, _, token = value.partition(" ")
                return scheme.lower() == "bearer" and self.is_station(token.strip())
        return False

    def _count(self, connection: Connection, held: int) -> None:
        """Update the total of buffered bytes. Above the limit, drop the largest incomplete requests, stations' last.

        Requests that a thread owns, or that wait for one, are counted and never dropped.
        """
        self._buffered += held - connection.counted
        connection.counted = held
        while self._buffered > self._room(connection):
            receiving = [other for other in self._open if other.counted and other.phase is ConnectionPhase.RECEIVING]
            if not receiving:
                return
            self._drop(max(receiving, key=lambda other: (not other.of_station, other.counted)))

    def _release(self, connection: Connection) -> None:
        connection.buffer.clear()
        connection.request = None
        self._count(connection, 0)

    def _room(self, connection: Connection) -> int:
        """The limit of buffered bytes for growth of this connection: a quarter of all is reserved for stations."""
        return self.bounds.buffered_bytes * (4 if connection.of_station else 3) // 4

    # Answering

    def handle(self, connection: Connection) -> bool:
        """Answer one whole request in a thread; returns whether the connection may carry another one."""
        request, sock = connection.request, connection.sock
        assert request is not None
        sock.begin_answer(self.bounds.send_s)
        try:
            request.unchunk()
            return bool(self.handle_request(request.message, connection)) and request.ended_cleanly
        except StopIteration:
            self.log.debug("an answer ended after its head")
        except OSError as error:  # the client closed the connection or reads too slowly
            self.log.debug("no answer could be sent: %s", error)
        except Exception as error:  # noqa: BLE001  gunicorn's error handler logs it and answers 400 or 500
            self.handle_error(request.message, sock, connection.client, error)
        return False

    def finish_request(self, connection: Connection, future: Future[bool]) -> None:
        """Return the connection from its thread to the main thread."""
        if connection not in self._open:
            return
        reusable = not future.cancelled() and future.exception() is None and future.result()
        if not reusable:
            self._close_soon(connection)
            return
        connection.phase, connection.request = ConnectionPhase.RECEIVING, None
        connection.since = time.monotonic()
        connection.kept_alive = not connection.buffer.size  # bytes received meanwhile belong to a next request
        self._advance(connection)
