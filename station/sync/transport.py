"""HTTP transport: one request to the hub and its whole reply, within one deadline.

A socket timeout limits the wait for the next byte, not for the whole reply: a server that sends one byte a second never
reaches it. So a timer shuts the connection down when head and body together take too long.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR, socket
from typing import Any, Protocol

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CONNECT_S = 5.0
READ_S = 15.0
WHOLE_S = 60.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
CHUNK_BYTES = 65_536
_CUT = (urllib3.exceptions.ProtocolError, urllib3.exceptions.ReadTimeoutError)


class TransportError(Exception):
    """No complete reply was received; the message is the reason, without a subject.

    `cut`: the connection was open, and ended or fell silent before the whole reply was there.
    """

    def __init__(self, reason: str, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.cut = cut


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply: HTTP status, headers (names in any case) and the complete body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")


class HubTransport(Protocol):
    """Sends a request to the hub and returns its reply. Raises `TransportError` where there is none."""

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply: ...
    def close(self) -> None: ...


class HttpTransport:
    """HTTP through urllib3: one connection, kept open between requests. Used by one thread.

    `read_s`: for the next byte. `whole_s`: for head and body together.
    """

    def __init__(self, ca_file: str | None = None, whole_s: float = WHOLE_S, read_s: float = READ_S) -> None:
        self._whole_s = whole_s
        self._guard = _Guard()
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, retries=False, ca_certs=ca_file,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
        )  # fmt: skip
        self._pool.pool_classes_by_scheme = _pool_classes(self._guard)

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply:
        """Send a request and read its complete reply."""
        deadline = time.monotonic() + self._whole_s
        self._guard.begin(self._whole_s)
        try:
            answer = self._pool.request(
                method, url, body=body, headers=dict(headers), preload_content=False, redirect=False
            )
            content = self._read(answer, deadline)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            late = f"no whole answer within {self._whole_s:.0f} s"
            cut = self._guard.ended or isinstance(error, _CUT)
            raise TransportError(late if self._guard.ended else _reason(error), cut=cut) from error
        finally:
            self._guard.end()
        if self._guard.ended:
            msg = f"no whole answer within {self._whole_s:.0f} s"
            raise TransportError(msg, cut=True)
        return HttpReply(answer.status, answer.headers, content)

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    def _read(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        parts, size = [], 0
        try:
            while part := answer.read1(CHUNK_BYTES):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    answer.close()
                    msg = f"it sent {size} bytes and did not end; expected less, or sooner"
                    raise TransportError(msg, cut=True)
        finally:
            answer.release_conn()
        return b"".join(parts)


class _Guard:
    """Shuts the open connection down when a request exceeds its deadline. `ended`: it did so for this request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket | None = None
        self._timer: threading.Timer | None = None
        self._number = 0  # of the running request: a timer that fires late must not end the next one
        self.ended = False

    def connected(self, sock: Any) -> None:
        """Register a connection that was opened; after the deadline it is shut down at once."""
        with self._lock:
            self._sock = sock
            ended = self.ended
        if ended:
            self._shut()

    def begin(self, whole_s: float) -> None:
        """Start the deadline of a request."""
        with self._lock:
            self._number += 1
            self.ended = False
            self._timer = threading.Timer(whole_s, self._end, (self._number,))
            self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Cancel the deadline, because the request is over."""
        with self._lock:
            self._number += 1
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, number: int) -> None:
        with self._lock:
            if number != self._number:
                return
            self.ended = True
        self._shut()

    def _shut(self) -> None:
        sock = self._sock
        if sock is not None:
            with suppress(OSError, ValueError):
                sock.shutdown(SHUT_RDWR)  # wakes the thread that waits in recv()


def _pool_classes(guard: _Guard) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, with connections that report their socket to the guard."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            guard.connected(self.sock)

    class Encrypted(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            guard.connected(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _reason(error: Exception) -> str:
    """The reason of an error, without the memory addresses of Python objects."""
    text = str(getattr(error, "reason", None) or error)
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text if "object at 0x" in text else text
