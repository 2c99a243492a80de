"""Bounds: the numbers and texts that an event may carry into a fold and into a database column.

An event beyond them is kept with its bytes and folded by no version of these rules: a number that no counter of a shop
reaches can only be a mistake or an attack, and a sum with it would not fit into 64 bits.

>>> beyond({"qty_milli": 2**62})
'`qty_milli` is 4611686018427387904, expected -1000000000000 to 1000000000000'
>>> beyond({"order": "WO-1", "qty_milli": 40_000, "note": ["any", 2**63 - 1]}) is None
True
"""

from typing import Any

from station.core.event import MAX_QTY_MILLI, Event

INT64 = range(-(2**63), 2**63)
MAX_BALANCE_MILLI = 10**15  # of one item in one account; a thousand times the most that one event may say
MAX_DEPTH = 32  # lists and objects within each other
QUANTITY = "qty_milli"  # the end of the name of every field that holds a quantity


def out_of_bounds(event: Event, encoded: bytes) -> str | None:
    """Which field of an event is beyond its bounds, and what was expected; None where all fit. `encoded`: its bytes."""
    if event.qty_milli is not None and not 0 < event.qty_milli <= MAX_QTY_MILLI:
        return f"`qty_milli` is {event.qty_milli}, expected 1 to {MAX_QTY_MILLI}"
    # In JSON a NUL can only be written so; looked for in the bytes, since this is done for every scan.
    if b"\\u0000" in encoded and (name := _with_nul(event)):
        return f"`{name}` holds a NUL character, expected text"
    return None if event.data is None else beyond(event.data)


def beyond(value: Any, name: str = "data", depth: int = 0) -> str | None:
    """The same of a value of an entry's fields, with everything inside it. `name`: of the field that holds it."""
    if isinstance(value, str):
        return f"`{_plain(name)}` holds a NUL character, expected text" if "\0" in value else None
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value, name)
    if not isinstance(value, dict | list):
        return None
    if depth >= MAX_DEPTH:
        return f"`{_plain(name)}` is nested deeper than {MAX_DEPTH}, expected flat fields"
    inside = value.items() if isinstance(value, dict) else ((name, each) for each in value)
    for key, each in inside:
        found = (beyond(key, key) if isinstance(value, dict) else None) or beyond(each, key, depth + 1)
        if found is not None:
            return found
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
            texts = [
                each for each in (getattr(value, part) for part in value.__struct_fields__) if isinstance(each, str)
            ]
        if any("\0" in text for text in texts):
            return name
    return None


def _plain(name: str) -> str:
    return name.replace("\0", "\\0")[:80]
