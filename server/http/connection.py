"""Client connection of the request worker: its phase, its deadline, and the bytes that it has sent so far."""

import socket
import time
from enum import Enum
from typing import Any, NamedTuple

import gunicorn.workers.gthread as gthread

from server.http.request_buffer import RequestBuffer, WholeRequest

HEAD_S = 15.0
REQUEST_S = 60.0
SEND_S = 60.0
ADDRESS_CONNECTIONS = 128  # all streams of pages behind one proxy, and further requests
MAX_CONNECTIONS = 2_048
MAX_BUFFERED_BYTES = 32 * 1024 * 1024


class ConnectionPhase(Enum):
    """The phase of a connection. In `ANSWERING` a thread owns it, otherwise the main thread."""

    RECEIVING = 1
    ANSWERING = 2
    CLOSING = 3


class WorkerLimits(NamedTuple):
    """Limits of a worker: connections for each address and in all, buffered bytes, seconds for head, request and answer."""

    address_connections: int = ADDRESS_CONNECTIONS
    connections: int = MAX_CONNECTIONS
    buffered_bytes: int = MAX_BUFFERED_BYTES
    head_s: float = HEAD_S
    request_s: float = REQUEST_S
    send_s: float = SEND_S


class AnswerSocket(socket.socket):
    """A client's socket with a time limit for an answer: all `sendall` calls after `begin_answer` share `send_s`."""

    __slots__ = ("_left_s",)

    def begin_answer(self, send_s: float) -> None:
        """Start the time limit of a new answer."""
        self._left_s = send_s
        self.settimeout(send_s)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send as `socket.sendall` does. Raises `TimeoutError` when the answer's time is used up."""
        if self.gettimeout() == 0.0:  # gunicorn's own errors, sent from the main thread, which must not block
            super().sendall(data, flags)
            return
        start = time.monotonic()
        self.settimeout(max(self._left_s, 0.001))
        try:
            super().sendall(data, flags)
        finally:
            self._left_s -= time.monotonic() - start


class Connection(gthread.TConn):  # type: ignore[misc]  # gunicorn has no types
    """One client connection with the received bytes of its incomplete request.

    `since`: monotonic seconds of the request's first byte, or of the accept; `deadline`: monotonic seconds at which its
    phase ends at the latest.
    """

    def __init__(self, config: Any, sock: AnswerSocket, client: Any, server: Any) -> None:
        super().__init__(config, sock, client, server)
        self.address = client[0] if isinstance(client, tuple) else ""
        self.buffer = RequestBuffer(config, client)
        self.phase = ConnectionPhase.RECEIVING
        self.request: WholeRequest | None = None
        self.counted = 0  # bytes of this connection in the worker's total
        self.discarded = 0
        self.since = time.monotonic()
        self.deadline = self.since
        self.kept_alive = False  # between two requests
        self.of_station = False
        self.registered = False
