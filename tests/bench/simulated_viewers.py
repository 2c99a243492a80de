"""Simulated viewers: open pages that follow the hub's event stream and fetch their page again as `live.js` does."""

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REST_S = 0.3  # as in live.js: between two refreshes,
REST_TIMES = 4  # and as a multiple of the last refresh's duration
RECV_BYTES = 262_144


@dataclass(eq=False)
class Viewer:
    """One page. `notified`: the scans of the stream that no fetched page contains yet, with their positions.

    `pos`: the position that the last page contains; `tag`: what names it; `behind`: whether the hub had a later one.
    """

    stream: socket.socket
    page: socket.socket
    lines: bytes = b""
    answer: bytes = b""
    notified: list[tuple[int, str, int]] = field(default_factory=list)
    again: bool = False
    behind: bool = False
    fetching: bool = False
    pos: int = 0
    tag: bytes = b""
    streamed: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    sent_s: float = 0.0
    due_s: float = 0.0


class Viewers:
    """`count` viewers of the page `path` in one thread, from `start` to `stop`.

    `recorded_s`: the monotonic time of a station's scan, by its number in the station's log. `shown_s`: seconds from the
    record of each scan to the end of the first page of each viewer that contains it. `events`: received notifications.
    `unchanged`: of the `pages`, those that were answered without a body.
    """

    def __init__(
        self, port: int, count: int, path: str, recorded_s: Callable[[str, int], float], *, fetch: bool
    ) -> None:
        self.shown_s: list[float] = []
        self.events = self.pages = self.unchanged = 0
        self._port, self._path, self._recorded_s, self._fetch = port, path, recorded_s, fetch
        self._selector = selectors.DefaultSelector()
        self._viewers = [self._open(number) for number in range(count)]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the pages."""
        self._stopped.set()
        self._thread.join()
        for viewer in self._viewers:
            viewer.stream.close()
            viewer.page.close()
        self._selector.close()

    def _open(self, number: int) -> Viewer:
        source = (f"127.2.{number // 250}.{number % 250 + 1}", 0)
        while (stream := self._open_stream(source)) is None:
            time.sleep(0.2)  # the hub finds out within a second that an earlier page was closed
        page = socket.create_connection(("127.0.0.1", self._port), 30, source_address=source)
        viewer = Viewer(stream, page)
        self._selector.register(stream, selectors.EVENT_READ, (self._notify, viewer))
        self._selector.register(page, selectors.EVENT_READ, (self._receive, viewer))
        return viewer

    def _open_stream(self, source: tuple[str, int]) -> socket.socket | None:
        """An open stream; None where the hub has no free one."""
        stream = socket.create_connection(("127.0.0.1", self._port), 30, source_address=source)
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n\r\n")
        head = b""
        while b": from" not in head:
            head += stream.recv(RECV_BYTES)
            if head.startswith(b"HTTP/1.1 503 "):
                stream.close()
                return None
        return stream

    def _run(self) -> None:
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.02):
                read, viewer = key.data
                read(viewer)
            now = time.monotonic()
            for viewer in self._viewers if self._fetch else ():
                if (viewer.notified or viewer.again) and not viewer.fetching and viewer.due_s <= now:
                    viewer.fetching, viewer.again, viewer.sent_s = True, False, now
                    head = f"GET {self._path} HTTP/1.1\r\nHost: hub\r\nAccept: text/html\r\nX-Refresh: 1\r\n".encode()
                    tag = b"If-None-Match: " + viewer.tag + b"\r\n" if viewer.tag else b""
                    viewer.page.sendall(head + tag + b"\r\n")

    def _notify(self, viewer: Viewer) -> None:
        viewer.lines += viewer.stream.recv(RECV_BYTES)
        *whole, viewer.lines = viewer.lines.split(b"\n")
        for line in whole:
            if line.startswith(b"id: "):
                viewer.streamed = int(line.rpartition(b":")[2])
            data = json.loads(line[6:]) if line.startswith(b"data: {") else {}
            if data.get("kind") == "scan":
                self.events += 1
                number = viewer.counts[data["station"]] = viewer.counts.get(data["station"], -1) + 1
                viewer.notified.append((viewer.streamed, data["station"], number))
        self._show(viewer)

    def _receive(self, viewer: Viewer) -> None:
        viewer.answer += viewer.page.recv(RECV_BYTES)
        head, blank, body = viewer.answer.partition(b"\r\n\r\n")
        same = head.startswith(b"HTTP/1.1 304 ")
        if not blank or (not same and len(body) < int(_header(head, b"content-length"))):
            return
        if not same and not head.startswith(b"HTTP/1.1 200 "):
            msg = f"{self._path} was answered {head[:200]!r}; expected 200."
            raise RuntimeError(msg)
        now = time.monotonic()
        self.pages += 1
        self.unchanged += same
        if not same:
            viewer.tag, viewer.pos = _header(head, b"etag"), int(body.partition(b'data-pos="')[2].partition(b'"')[0])
            viewer.behind = b'data-behind="1"' in body
        viewer.again |= viewer.behind
        viewer.answer, viewer.fetching = b"", False
        viewer.due_s = viewer.sent_s + max(REST_S, REST_TIMES * (now - viewer.sent_s))
        self._show(viewer)

    def _show(self, viewer: Viewer) -> None:
        """Record the notified scans that the last page contains."""
        now = time.monotonic()
        shown = [scan for scan in viewer.notified if scan[0] <= viewer.pos]
        viewer.notified = [scan for scan in viewer.notified if scan[0] > viewer.pos]
        self.shown_s += [now - self._recorded_s(station, number) for _, station, number in shown]


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header of an answer."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(name + b":"):
            return line.partition(b":")[2].strip()
    return b""
