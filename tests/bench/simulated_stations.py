"""Simulated stations: logs with real events and hash chains, sent over real HTTP by one thread.

Each station has its own token, its own log, its own address of loopback and one kept connection, and sends what
`station.sync.client` sends. The hub limits the connections of an address, so stations with one address would not be
stations of a shop.
"""

import heapq
import selectors
import socket
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from station.core.event import Event, Reader, encode
from station.core.hash_chain import genesis, link
from station.core.protocol import EventsAnswer, EventsRequest, HeartbeatRequest, SessionAnswer, SessionRequest
from station.system import clock
from station.system.version import version

NEWS_BEAT_S = 5.0
IDLE_BEAT_S = 30.0
ITEMS_S = 30.0
PATIENCE_S = 60.0  # for the answers to the last requests
RECV_BYTES = 65_536
READER = Reader("keyboard", "usb-05e0-1200-SN77")


class ItemsCursor(msgspec.Struct):
    """The field of an answer about items with which the next request is made."""

    cursor: str


class RefusedRequest(RuntimeError):
    """The hub answered with another status than 200, or not at all."""


@dataclass(eq=False)
class SimulatedStation:
    """One station; `stage` is the one of its scans."""

    number: int
    name: str
    token: str
    stage: str
    port: int
    boot: str = ""
    log_id: bytes = b""
    seq: int = 0
    tip: bytes = b""
    waiting: list[bytes] = field(default_factory=list)  # events that no request contains yet
    in_flight: int = 0
    recorded_s: list[float] = field(default_factory=list)  # when the events above `accepted_thru` were recorded
    history_s: list[float] = field(default_factory=list)  # when each scan was recorded
    accepted_thru: int = 0
    due: deque[str] = field(default_factory=deque)  # requests beside the events: "heartbeat", "items"
    news: bool = False
    cursor: str = ""
    t1_ns: int = 0
    sock: socket.socket | None = None
    received: bytes = b""
    what: str = ""  # the request that waits for its answer

    def __post_init__(self) -> None:
        self.boot = str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))
        self.log_id = sha256(self.token.encode()).digest()[:16]
        self.tip = genesis(self.log_id)

    def connect(self) -> socket.socket:
        """Open the connection from the station's own address."""
        address = f"127.1.{self.number // 250}.{self.number % 250 + 1}"
        self.sock = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(address, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        return self.sock

    def record(self, code: str) -> None:
        """Record one scan."""
        event = Event(
            kind="scan", station=self.name, sw=version(), boot=self.boot, mono_ns=clock.boot_ns(),
            wall_us=clock.utc_us(), clk="synced", raw=code.encode(), reader=READER, scheme="text", stage=self.stage,
        )  # fmt: skip
        self.waiting.append(encode(event))
        self.recorded_s.append(time.monotonic())
        self.history_s.append(self.recorded_s[-1])

    def record_anchor(self, session: SessionAnswer) -> None:
        """Record the hub's time of a session."""
        now_ns = clock.boot_ns()
        event = Event(
            kind="anchor", station=self.name, sw=version(), boot=self.boot, mono_ns=now_ns, t1=self.t1_ns, t4=now_ns,
            t2=session.t2, t3=session.t3, hub_clk=session.hub_clk, mac=session.mac,
        )  # fmt: skip
        self.waiting.append(encode(event))
        self.recorded_s.append(time.monotonic())

    def send_events(self) -> None:
        """Send everything that waits, as one batch."""
        events, prev = self.waiting, self.tip
        for event in events:
            self.tip = link(self.tip, event)
        body = EventsRequest(from_seq=self.seq + 1, prev=prev.hex(), tip=self.tip.hex(), events=events)
        self.seq += len(events)
        self.waiting, self.in_flight, self.news = [], len(events), True
        self._send("events", f"/api/v1/logs/{self.log_id.hex()}/events", msgspec.json.encode(body))

    def send_session(self) -> None:
        """Introduce the log."""
        self.t1_ns = clock.boot_ns()
        body = SessionRequest(log=self.log_id.hex(), tip_seq=0, boot=self.boot, t1=self.t1_ns)
        self._send("session", "/api/v1/session", msgspec.json.encode(body))

    def send_heartbeat(self) -> None:
        """Send the status with one reader."""
        reader = {"id": READER.id, "kind": READER.kind, "state": "ready", "why": "", "evidence": "", "taught": False}
        body = HeartbeatRequest(
            log=self.log_id.hex(), tip_seq=self.seq, waiting=len(self.waiting), clock="synced", wall_us=clock.utc_us(),
            readers=[reader], sw=version(), disk_free=10**9, boot=self.boot, aside=0,
        )  # fmt: skip
        self.news = False
        self._send("heartbeat", "/api/v1/heartbeat", msgspec.json.encode(body))

    def fetch_items(self) -> None:
        """Fetch the items that changed since the last time."""
        after = f"&after={self.cursor}" if self.cursor else ""
        self._send("items", f"/api/v1/items/changes?log={self.log_id.hex()}{after}")

    def _send(self, what: str, path: str, body: bytes | None = None) -> None:
        assert self.sock is not None
        head = (
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Accept-Encoding: identity\r\nAuthorization: Bearer {self.token}\r\n"
            f"User-Agent: wipline-station/{version()}\r\nAccept: application/json\r\n"
        )
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.what = what
        self.sock.sendall(head.encode() + b"\r\n" + (body or b""))

    def answer(self) -> bytes | None:
        """The body of the whole answer, or None while bytes are missing. Raises `RefusedRequest`."""
        assert self.sock is not None
        arrived = self.sock.recv(RECV_BYTES)
        self.received += arrived
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not arrived or (blank and not head.startswith(b"HTTP/1.1 200 ")):
            msg = f"{self.name}: {self.what} was answered {self.received[:400]!r}; expected 200."
            raise RefusedRequest(msg)
        if not blank:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        self.received, self.what = b"", ""
        return body


class Fleet:
    """The stations of a shop, in one thread. `acknowledged_s`: seconds from the record of each event to its answer."""

    def __init__(self, stations: list[SimulatedStation]) -> None:
        self.stations = stations
        self.acknowledged_s: list[float] = []
        self.answered = dict.fromkeys(("session", "events", "heartbeat", "items"), 0)
        self._selector = selectors.DefaultSelector()
        self._busy = 0
        self._due: list[tuple[float, int, str]] = []

    def connect(self) -> None:
        """Connect every station and open its session, 20 at once."""
        for start in range(0, len(self.stations), 20):
            for station in self.stations[start : start + 20]:
                self._selector.register(station.connect(), selectors.EVENT_READ, station)
                station.send_session()
                self._busy += 1
            self._finish()
        self.acknowledged_s.clear()  # of the anchors

    def close(self) -> None:
        """Close every connection."""
        for station in self.stations:
            if station.sock is not None:
                station.sock.close()
        self._selector.close()

    def scan(self, scans: Iterator[tuple[SimulatedStation, str]], per_s: float, seconds: float) -> int:
        """Record `per_s` scans a second, each at its station, and send them. Returns the number of scans."""
        begin, recorded = time.monotonic(), 0
        while (now := time.monotonic()) - begin < seconds:
            while begin + recorded / per_s <= now:
                station, code = next(scans)
                station.record(code)
                recorded += 1
                self._next(station)
            while self._due and self._due[0][0] <= now:
                _, number, what = heapq.heappop(self._due)
                self._request_due(self.stations[number], what, now)
            self._read_until(begin + recorded / per_s)
        self._finish()
        return recorded

    def begin_background(self) -> None:
        """Let every station send heartbeats and fetch items from now on, beside its scans."""
        now, count = time.monotonic(), len(self.stations)
        for what, every_s in (("heartbeat", IDLE_BEAT_S), ("items", ITEMS_S)):
            self._due += [(now + every_s * number / count, number, what) for number in range(count)]
        heapq.heapify(self._due)

    def _request_due(self, station: SimulatedStation, what: str, now: float) -> None:
        wait_s = ITEMS_S if what == "items" else NEWS_BEAT_S if station.news else IDLE_BEAT_S
        heapq.heappush(self._due, (now + wait_s, station.number, what))
        if what not in station.due:
            station.due.append(what)
        self._next(station)

    def beat(self, per_s: float, seconds: float) -> int:
        """Send `per_s` heartbeats a second, the stations one after another. Returns their number."""
        begin, sent = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            station = self.stations[sent % len(self.stations)]
            if not station.what:
                station.send_heartbeat()
                self._busy += 1
                sent += 1
            self._read_until(begin + sent / per_s)
        self._finish()
        return sent

    def _next(self, station: SimulatedStation) -> None:
        """Send the next request of a station, one at a time and events first."""
        if station.what or not (station.waiting or station.due):
            return
        self._busy += 1
        if station.waiting:
            station.send_events()
        elif station.due.popleft() == "items":
            station.fetch_items()
        else:
            station.send_heartbeat()

    def _finish(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._busy:
            if time.monotonic() > deadline:
                late = next(station for station in self.stations if station.what)
                msg = f"{self._busy} requests without an answer after {PATIENCE_S:.0f} s, the first of {late.name}."
                raise RefusedRequest(msg)
            self._read_until(time.monotonic() + 0.1)

    def _read_until(self, until_s: float) -> None:
        """Read answers until a time, at least once."""
        while True:
            for key, _ in self._selector.select(max(0.0, until_s - time.monotonic())):
                self._read(key.data)
            if time.monotonic() >= until_s:
                return

    def _read(self, station: SimulatedStation) -> None:
        what, body = station.what, station.answer()
        if body is None:
            return
        self._busy -= 1
        self.answered[what] += 1
        if what == "events":
            self._acknowledge(station, body)
        elif what == "session":
            station.record_anchor(msgspec.json.decode(body, type=SessionAnswer))
        elif what == "items":
            station.cursor = msgspec.json.decode(body, type=ItemsCursor).cursor
        self._next(station)

    def _acknowledge(self, station: SimulatedStation, body: bytes) -> None:
        answer = msgspec.json.decode(body, type=EventsAnswer)
        if answer.accepted_thru != station.seq or any(verdict.verdict != "ok" for verdict in answer.verdicts):
            msg = f"{station.name}: sent up to {station.seq}, answered {answer}; expected `ok` for each event."
            raise RefusedRequest(msg)
        now = time.monotonic()
        station.accepted_thru = answer.accepted_thru
        self.acknowledged_s += [now - at for at in station.recorded_s[: station.in_flight]]
        del station.recorded_s[: station.in_flight]
