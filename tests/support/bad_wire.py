"""A bad wire: a TCP proxy between station and hub that knows where a message begins and ends, and spoils it by plan.

`plan` is asked before each request and names the fault that this one meets.
"""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable

TIMEOUT_S = 10.0
HTML = b"<!doctype html><title>Login</title><p>Please log in to the guest network."
HALF = b'{"verdicts":[{"seq":1,"verd'


class WireCut(Exception):
    """Somebody hung up."""


class BadWire:
    """The proxy: it listens at `port` until closed. `met` counts the faults that happened."""

    def __init__(self, hub_port: Callable[[], int], plan: Callable[[bytes], str]) -> None:
        self._hub_port = hub_port
        self._plan = plan
        self.met: Counter[str] = Counter()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, name="bad wire", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Listen no longer."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_S)
        with connection, contextlib.suppress(OSError, WireCut):
            while True:
                request = read_message(connection)
                fault = self._plan(request)
                self.met[fault] += 1
                self._answer(connection, request, fault)

    def _answer(self, connection: socket.socket, request: bytes, fault: str) -> None:
        match fault:
            case "none":
                connection.sendall(self._hub(request))
            case "reply lost":
                self._hub(request)
                raise WireCut
            case "request cut":
                with socket.create_connection(("127.0.0.1", self._hub_port()), TIMEOUT_S) as hub:
                    hub.sendall(request[: len(request) * 2 // 3])
                raise WireCut
            case "repeated":
                self._hub(request)
                connection.sendall(self._hub(request))
            case "500":
                connection.sendall(message(b"500 Internal Server Error", b"text/plain", b"oops"))
            case "html":
                connection.sendall(message(b"200 OK", b"text/html", HTML))
            case "half a json":
                self._hub(request)
                connection.sendall(message(b"200 OK", b"application/json", HALF))
            case "half a reply":
                reply = self._hub(request)
                connection.sendall(reply[: len(reply) - 20])
                raise WireCut
            case "byte by byte":
                for byte in self._hub(request):
                    connection.sendall(bytes([byte]))
            case _:
                raise ValueError(fault)

    def _hub(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._hub_port()), TIMEOUT_S) as hub:
            hub.sendall(request)
            return read_message(hub)


def message(status: bytes, kind: bytes, body: bytes) -> bytes:
    """An answer that no hub gave."""
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, kind, len(body), body)


def read_message(connection: socket.socket) -> bytes:
    """One whole HTTP message with a Content-Length. Raises `WireCut` where it ends before."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _more(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(65_536)
    if not part:
        raise WireCut
    return part
