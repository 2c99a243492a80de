"""Clients that hold connections to a hub open as long as they can, and a station that wants to send meanwhile."""

import base64
import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from station.core.hash_chain import genesis, link

BEAT_S = 0.5
PATIENCE_S = 20.0  # of the station and of a browser; an idle hub answers in milliseconds


class SlowClients:
    """`count` connections from one address: each sends `first`, then a byte of `drip` every half second, for ever.

    A connection that the hub closes is opened anew, as an attacker would. Used in a `with` statement; all connections are
    made before its body runs. `sockets`: the socket of each connection, None where the hub refused it.
    """

    def __init__(self, port: int, count: int, first: bytes, drip: bytes, source: str = "127.0.0.1") -> None:
        self._port, self._count, self._source = port, count, source
        self._first, self._drip = first, drip
        self.sockets: list[socket.socket | None] = [None] * count
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._round()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        for held in self.sockets:
            if held is not None:
                held.close()

    @property
    def held(self) -> int:
        """How many connections the hub has not closed yet, as far as the last round saw."""
        return sum(held is not None for held in self.sockets)

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            self._round()

    def _round(self) -> None:
        for index, held in enumerate(self.sockets):
            self.sockets[index] = self._opened() if held is None else self._kept(held)

    def _opened(self) -> socket.socket | None:
        try:
            made = socket.create_connection(("127.0.0.1", self._port), 5, source_address=(self._source, 0))
        except OSError:
            return None
        return self._tried(made, self._first)

    def _kept(self, held: socket.socket) -> socket.socket | None:
        if self._drip:
            return self._tried(held, self._drip)
        if self._alive(held):
            return held
        held.close()
        return None

    @staticmethod
    def _tried(held: socket.socket, sent: bytes) -> socket.socket | None:
        try:
            held.sendall(sent)
        except OSError:
            held.close()
            return None
        return held

    @staticmethod
    def _alive(held: socket.socket) -> bool:
        held.setblocking(False)
        try:
            return bool(held.recv(65536))
        except BlockingIOError:
            return True
        except OSError:
            return False


class StationClient:
    """A station that sends batches of scans over one connection at a time, and believes only a whole answer."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._log = secrets.token_bytes(16)
        self._prev = genesis(self._log)
        self.sent = 0

    def send(self, events: int = 20, within_s: float = PATIENCE_S) -> float:
        """Send one batch, again and again as a station does until it is answered; the seconds that it took."""
        fresh = [
            b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","raw":"V08tMQ==","stage":"saw","mono_ns":%d}' % number
            for number in range(self.sent, self.sent + events)
        ]
        tip = self._prev
        for event in fresh:
            tip = link(tip, event)
        body = {"from_seq": self.sent + 1, "prev": self._prev.hex(), "tip": tip.hex()}
        body["events"] = [base64.b64encode(event).decode() for event in fresh]
        start = time.monotonic()

        def post() -> None:
            status, answer = ask(self._port, "POST", f"/api/v1/logs/{self._log.hex()}/events", body, self._headers)
            assert status == 200, answer
            assert {each["verdict"] for each in json.loads(answer)["verdicts"]} <= {"ok", "dup"}

        again(post, within_s)
        self._prev, self.sent = tip, self.sent + events
        return time.monotonic() - start


def ask(
    port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """(status, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def again(attempt: Callable[[], None], within_s: float) -> None:
    """Do it, again where the connection was lost, until `within_s` have passed."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            attempt()
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
