"""The station's log: one line an event, `key=value`, on standard error, where the journal of the system takes it.

What was scanned, and what a device calls itself, appears escaped and is cut: neither must be able to write lines of its own.

>>> line("a reader is lost", reader="usb-05e0-1200-SN77", why="unplugged\\nforged=1")
"a reader is lost reader=usb-05e0-1200-SN77 why='unplugged\\\\nforged=1'"
"""

import sys
import threading
from typing import Any

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
    with _LOCK:
        sys.stderr.write(line(what, **fields) + "\n")
        sys.stderr.flush()
