"""Waiting page: answer on the hub's port while a migration runs, before the hub itself can.

The tables change during a migration, so no page can read them. Every request is answered with 503 and the progress: a page
that loads itself again for a browser, the fields of an error for a station, which records on and tries again later.
"""

import html
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from station.system.progress import Listener, Meter, Progress

RETRY_S = 3
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{retry}">
<title>wipline</title></head><body><h1>The hub is being updated</h1><p role="status">{text}</p>
<p>Stations record scans meanwhile and send them afterwards.</p></body></html>
"""


class WaitingPage:
    """Binds the hub's port with `bind` when a migration begins, and answers on it until `release`.

    `listener` gets the progress, too.
    """

    def __init__(self, bind: Callable[[], socket.socket], listener: Listener) -> None:
        self._bind, self._listener = bind, listener
        self._server: _WaitingServer | None = None

    def show(self, work: str, unit: str) -> Meter:
        """A `Show`; the first call begins to answer. Raises as `bind`."""
        if self._server is None:
            self._server = _WaitingServer(self._bind())
        return Meter(work, unit, self._server.note, self._listener)

    def release(self) -> socket.socket:
        """Stop answering; the listening socket, which is bound now where it was not before."""
        return self._bind() if self._server is None else self._server.release()

    def close(self) -> None:
        """Stop answering and close the socket, after an error."""
        if self._server is not None:
            self._server.release().close()


class _WaitingServer(HTTPServer):
    """Answers one request at a time, in a thread of its own."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.progress: Progress | None = None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="waiting page", daemon=True)
        self._thread.start()

    def note(self, progress: Progress) -> None:
        self.progress = progress

    def release(self) -> socket.socket:
        """Stop answering; the socket stays open."""
        self.shutdown()
        self._thread.join()
        return self.socket


class _Handler(BaseHTTPRequestHandler):
    timeout = 5.0  # of a client that sends nothing
    server: _WaitingServer

    def do_GET(self) -> None:
        progress = self.server.progress
        text = "The update begins." if progress is None else f"{progress.text}."
        if self.path == "/healthz":
            running = []
            if progress is not None:
                fields = {"unit": progress.unit, "done": progress.done, "total": progress.total}
                running = [{"work": "migration", "text": text, **fields, "left_s": progress.left_s}]
            nothing: dict[str, object] = {"notes": [], "epoch": None, "pos": None, "projected_pos": None}
            body, kind = json.dumps({"status": "wrong", "wrong": [text], **nothing, "running": running}), "json"
        elif self.path.startswith("/api/"):
            error = {"came": text.rstrip("."), "expected": "a hub that is not being updated", "do": "Try again later."}
            body, kind = json.dumps({"error": error}), "json"
        else:
            body, kind = _PAGE.format(retry=RETRY_S, text=html.escape(text)), "html"
        encoded = body.encode()
        self.send_response(503)
        self.send_header("Content-Type", "application/json" if kind == "json" else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(encoded)))
        self.send_header("Retry-After", str(RETRY_S))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(encoded)
        self.close_connection = True

    do_POST = do_GET  # noqa: N815  the name of the base class

    def log_message(self, *_arguments: object) -> None:
        """No line a request."""
