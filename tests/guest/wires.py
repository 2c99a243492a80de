"""A wire to a running guest: JSON objects, one a line, over a connected socket.

QEMU's monitor and the shell lines inside the guest speak the same shape, so one class carries both.
"""

import json
import socket
import time
from typing import Any


class Wire:
    """One end of the wire. Reading gives a whole object or raises: `TimeoutError` when late, `EOFError` when cut."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._waiting = b""

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Put one object on the wire; `descriptor` is handed over with it, as a local socket can."""
        self._end.settimeout(None)
        line = json.dumps(message).encode() + b"\n"
        if descriptor is not None:
            line = line[socket.send_fds(self._end, [line], [descriptor]) :]
        self._end.sendall(line)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """The next object."""
        until = time.monotonic() + timeout_s
        while b"\n" not in self._waiting:
            self._end.settimeout(max(0.001, until - time.monotonic()))
            piece = self._end.recv(65536)
            if not piece:
                raise EOFError
            self._waiting += piece
        line, self._waiting = self._waiting.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Hang up."""
        self._end.close()
