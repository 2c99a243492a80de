"""A server that drips: the head, the body or nothing at all, over real sockets. Each is given up within one deadline.

A timeout of the socket alone would wait for ever, since the next byte always comes in time.
"""

import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import HANG_S, until

from station.sync.transport import HttpTransport, TransportError

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

WHOLE_S = 1.0
BY_WHOLE = r"^no whole answer within 1 s$|did not end; expected less, or sooner$"  # the reasons of that deadline alone
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
Way = Callable[[socket.socket, threading.Event], None]


def drip(connection: socket.socket, content: bytes, end: threading.Event) -> None:
    """A byte each tenth of a second, for as long as the other side takes it, but not after the hang limit."""
    until = time.monotonic() + HANG_S
    for place in itertools.count():
        if end.wait(0.1) or time.monotonic() > until:
            return
        connection.sendall(content[place % len(content) :][:1])


def drip_head(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(connection, b"a", end)


def drip_headers(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(connection, b"X-A: 1\r\n", end)


def drip_first_line(connection: socket.socket, end: threading.Event) -> None:
    drip(connection, b"HTTP/1.1 200 OK", end)


def drip_body(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(HEAD.replace(b": 2\r", b": 1000000\r"))
    drip(connection, b" ", end)


def drip_chunks(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(connection, b"1\r\na\r\n", end)


def silent(_connection: socket.socket, end: threading.Event) -> None:
    end.wait(HANG_S)


def half_a_body(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(HEAD.replace(b": 2\r", b": 1000\r") + b"{")
    end.wait(HANG_S)


WAYS: dict[str, Way] = {
    "first line": drip_first_line, "one header": drip_head, "headers for ever": drip_headers, "body": drip_body,
    "chunks": drip_chunks, "nothing": silent, "half a body": half_a_body,
}  # fmt: skip


class Server:
    """A server on a port of its own: the first request is answered in this way, each other one at once and whole."""

    def __init__(self, way: Way, tls: ssl.SSLContext | None) -> None:
        self._way, self._tls, self._end = way, tls, threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        try:
            with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as connection:
                connection.recv(65_536)
                if number == 1:
                    self._way(connection, self._end)
                else:
                    connection.sendall(HEAD + b"{}")
        except OSError:
            pass  # the station gave up

    def close(self) -> None:
        """End every thread."""
        self._end.set()
        self._listening.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its self-made certificate for 127.0.0.1, in one file."""
    assert shutil.which("openssl"), "openssl is part of the system that is tested: apt install openssl"
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=wipline -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*make.split(), "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(params=["http", "https"])
def served(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Callable[..., tuple[Server, HttpTransport]]]:
    """Start a server that answers its first request in a way; it and a wire to it, with the deadlines of the call."""
    servers: list[Server] = []

    def start(way: Way, **deadlines: float) -> tuple[Server, HttpTransport]:
        tls = None
        if request.param == "https":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate / "cert", certificate / "key")
        servers.append(Server(way, tls))
        ca_file = str(certificate / "cert") if tls else None
        return servers[-1], HttpTransport(ca_file, **{"whole_s": WHOLE_S, "read_s": HANG_S, **deadlines})

    yield start
    for server in servers:
        server.close()


def body(wire: HttpTransport, server: Server) -> bytes | None:
    """The body of an answer; None where a deadline ended the request."""
    try:
        return wire.request("GET", server.url, None, {}).body
    except TransportError:
        return None


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_drips_is_given_up_and_the_next_request_works(
    served: Callable[..., tuple[Server, HttpTransport]], way: str
) -> None:
    server, wire = served(WAYS[way])
    with pytest.raises(TransportError, match=BY_WHOLE):
        wire.request("GET", server.url, None, {})
    until(lambda: body(wire, server) == b"{}")
    assert server.connections > 1
    wire.close()


@pytest.mark.parametrize("way", ["nothing", "half a body"])
def test_a_server_that_falls_silent_is_given_up_before_the_whole_deadline(
    served: Callable[..., tuple[Server, HttpTransport]], way: str
) -> None:
    server, wire = served(WAYS[way], whole_s=HANG_S, read_s=0.5)
    with pytest.raises(TransportError, match="Read timed out"):
        wire.request("GET", server.url, None, {})
    wire.close()


def test_an_answer_within_the_deadline_keeps_its_connection(
    served: Callable[..., tuple[Server, HttpTransport]],
) -> None:
    """A timer that is late must not end the request after the one that it was set for."""

    def whole(connection: socket.socket, end: threading.Event) -> None:
        connection.sendall(HEAD + b"{}")
        while not end.is_set() and connection.recv(65_536):
            connection.sendall(HEAD + b"{}")

    server, wire = served(whole)
    for _ in range(30):
        assert wire.request("GET", server.url, None, {}).body == b"{}"
    assert server.connections == 1
    wire.close()
