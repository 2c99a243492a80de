"""Station log: one line for each event with `key=value` fields, on standard error, for systemd's journal.

Values are escaped and cut, because scanned bytes and device names must not be able to forge lines.

>>> line("a reader is lost", reader="usb-05e0-1200-SN77", why="unplugged\\nforged=1")
"a reader is lost reader=usb-05e0-1200-SN77 why='unplugged\\\\nforged=1'"
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LOGGED_EVERY_S = 10.0
MAX_VALUE = 1000
"""Characters of one value: systemd's journal would split a line of 48 KiB."""
_LOCK = threading.Lock()
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+")


def line(what: str, **fields: Any) -> str:
    """An event and its fields as one line."""
    return " ".join([what, *(f"{key}={_escaped(value)}" for key, value in fields.items())])


def _escaped(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}... ({len(text)} characters)"
    return text if text and _PLAIN.issuperset(text) else ascii(text)


def say(what: str, **fields: Any) -> None:
    """Write one line."""
    with _LOCK, suppress(OSError):  # a log on a full disk must not stop the recording of scans
        sys.stderr.write(line(what, **fields) + "\n")
        sys.stderr.flush()


class RateLimitedLog:
    """Logs an event that may occur thousands of times a second once in `LOGGED_EVERY_S`, with its count."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._unlogged: dict[str, int] = {}
        self._logged_s: dict[str, float] = {}

    def __call__(self, what: str, **fields: object) -> None:
        """Count the event, and log it if it is due."""
        times = self._unlogged.get(what, 0) + 1
        now_s = time.monotonic()
        due = now_s - self._logged_s.get(what, -LOGGED_EVERY_S) >= LOGGED_EVERY_S
        self._unlogged[what] = 0 if due else times
        if due:
            self._logged_s[what] = now_s
            self._log(what, **fields, times=times)
