"""The station's log: one line an event, `key=value`, on standard error, where the journal of the system takes it.

What was scanned, and what a device calls itself, appears escaped and is cut: neither must be able to write lines of its own.

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
"""Characters of one value that are shown: systemd's journal would break a line of 48 KiB in two."""
_LOCK = threading.Lock()
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+")


def line(what: str, **fields: Any) -> str:
    """An event and its fields as one line."""
    return " ".join([what, *(f"{key}={_shown(value)}" for key, value in fields.items())])


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}... ({len(text)} characters)"
    return text if text and _PLAIN.issuperset(text) else ascii(text)


def say(what: str, **fields: Any) -> None:
    """Write one line."""
    with _LOCK, suppress(OSError):  # a log on a full disk must not end the recording of scans
        sys.stderr.write(line(what, **fields) + "\n")
        sys.stderr.flush()


class RateLimitedLog:
    """Logs what a device may do thousands of times a second: each thing once in `LOGGED_EVERY_S`, with how often it was."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._untold: dict[str, int] = {}
        self._logged_s: dict[str, float] = {}

    def __call__(self, what: str, **fields: object) -> None:
        """It was once more."""
        times = self._untold.get(what, 0) + 1
        now_s = time.monotonic()
        due = now_s - self._logged_s.get(what, -LOGGED_EVERY_S) >= LOGGED_EVERY_S
        self._untold[what] = 0 if due else times
        if due:
            self._logged_s[what] = now_s
            self._log(what, **fields, times=times)
