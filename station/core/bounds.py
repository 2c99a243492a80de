"""Bounds of the numbers and texts in an event that a fold and a database column accept.

An event beyond them is stored with its bytes, but no version of these rules folds it: such a number is a mistake or an
attack, and a sum with it would not fit into 64 bits.

>>> beyond({"qty_milli": 2**62})
'`qty_milli` is 4611686018427387904, expected -1000000000000 to 1000000000000'
>>> beyond({"order": "WO-1", "qty_milli": 40_000, "note": ["any", 2**63 - 1]}) is None
True
"""

from typing import Any

from station.core.event import MAX_QTY_MILLI, Event

INT64 = range(-(2**63), 2**63)
MAX_BALANCE_MILLI = 10**15  # of one item in one account; a thousand times the limit of one event
MAX_DEPTH = 32  # lists and objects within each other
QUANTITY = "qty_milli"  # the end of the name of every field that holds a quantity


def out_of_bounds(event: Event, encoded: bytes) -> str | None:
    """Which field of an event is beyond its bounds, and what was expected; None where all fit. `encoded`: its bytes."""
    if event.qty_milli is not None and not 0 < event.qty_milli <= MAX_QTY_MILLI:
        return f"`qty_milli` is {event.qty_milli}, expected 1 to {MAX_QTY_MILLI}"
    # JSON has no other form of a NUL. Searched for in the bytes, because this runs for every scan.
    if b"\\u0000" in encoded and (name := _with_nul(event)):
        return f"`{name}` holds a NUL character, expected text"
    return None if event.data is None else beyond(event.data)


def beyond(value: Any, name: str = "data", depth: int = 0) -> str | None:
    """The same for a value of an entry's fields, with all values inside it. `name`: the field that holds it."""
    if isinstance(value, str):
        return f"`{_plain(name)}` holds a NUL character, expected text" if "\0" in value else None
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value, name)
    if not isinstance(value, dict | list):
        return None
    if depth >= MAX_DEPTH:
        return f"`{_plain(name)}` is nested deeper than {MAX_DEPTH}, expected flat fields"
    members = value.items() if isinstance(value, dict) else ((name, member) for member in value)
    for key, member in members:
        refusal = (beyond(key, key) if isinstance(value, dict) else None) or beyond(member, key, depth + 1)
        if refusal is not None:
            return refusal
    return None


def _integer(value: int, name: str) -> str | None:
    most = MAX_QTY_MILLI if name.endswith(QUANTITY) else None
    if most is not None and abs(value) > most:
        return f"`{name}` is {value}, expected {-most} to {most}"
    return None if value in INT64 else f"`{_plain(name)}` is {value}, expected a whole number of 64 bits"


def _with_nul(event: Event) -> str | None:
    for name in event.__struct_fields__:
        value = getattr(event, name)
        texts = [value] if isinstance(value, str) else []
        if name in ("reader", "origin", "ref", "from_", "parent") and value is not None:
            parts = (getattr(value, part) for part in value.__struct_fields__)
            texts = [part for part in parts if isinstance(part, str)]
        if any("\0" in text for text in texts):
            return name
    return None


def _plain(name: str) -> str:
    return name.replace("\0", "\\0")[:80]
