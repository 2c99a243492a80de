"""Text of messages: the nearest known word, a number with its noun, and a time in readable form.

>>> nearest("order.relaese", ["order.release", "note"])
'Did you mean order.release?'
>>> counted(1, "event waits", "events wait"), counted(2, "event waits", "events wait"), counted(0, "hash", "hashes")
('1 event waits', '2 events wait', '0 hashes')
>>> utc_text(1_790_000_000_000_000)
'2026-09-21 14:13:20 UTC'
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean …?` for an unknown word with a close match, else the list of all known words."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(words)}."


def counted(count: int, one: str, several: str | None = None) -> str:
    """A number with its noun in plain text, for /healthz, errors and commands; pages use `LocaleFormat.plural`.

    `several`: the form for all numbers but 1; without it, `one` with an s.
    """
    return f"{count} {one if count == 1 else several or one + 's'}"


def utc_text(at_us: int) -> str:
    """UTC us since 1970, written to the second; a time outside the calendar's range stays a number."""
    try:
        return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{at_us} us since 1970"


def with_nul(value: Any, name: str = "") -> str | None:
    """The field of an entry whose text, or whose own name, has a NUL character; None where none has.

    >>> with_nul({"item": "WO-1", "texts": ["a", "b\\0"]})
    'texts'
    """
    if isinstance(value, str):
        return name if "\0" in value else None
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return "the name of a field"
        return next((found for key, inner in value.items() if (found := with_nul(inner, key))), None)
    if isinstance(value, list):
        return next((found for inner in value if (found := with_nul(inner, name))), None)
    return None
