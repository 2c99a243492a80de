"""Count entries: their fields, and what an open, ended or decided count refuses.

`count.accept` decides about one line. A person sends the line and the decision; the hub adds the figures of the line and
what it books (`server.accounting.count_acceptance`). Decision and booking are one entry, so that neither stands alone.
"""

from typing import Annotated, Any, Literal, NamedTuple, Protocol

import msgspec

from server.ledger.print_schema import Name
from station.core.master_data import name_of

OPEN, END, ACCEPT, LIMIT = "count.open", "count.end", "count.accept", "count.limit"
MOST_WHY = 500  # characters


class _Open(msgspec.Struct, forbid_unknown_fields=True):
    """A count begins. `stages`: its scope, absent: everything. `blind`: expected quantities are shown when it has ended."""

    count: Name
    stages: Annotated[list[Name], msgspec.Meta(min_length=1)] | None = None
    blind: bool | None = None
    why: str | None = None


class _End(msgspec.Struct, forbid_unknown_fields=True):
    """The walk is finished, or the count is cancelled and nothing follows from it."""

    count: Name
    how: Literal["finished", "cancelled"]
    why: str | None = None


class _Accept(msgspec.Struct, forbid_unknown_fields=True):
    """A line, an item at a stage, is accepted and booked, or rejected with a reason and nothing is booked."""

    count: Name
    item: Name
    stage: Name
    how: Literal["accepted", "rejected"]
    why: Annotated[str, msgspec.Meta(max_length=MOST_WHY)] | None = None


class _Limit(msgspec.Struct, forbid_unknown_fields=True):
    """Differences of a greater value need a second person. Without an amount there is no limit."""

    micros: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None


COUNTS: dict[str, type[msgspec.Struct]] = {OPEN: _Open, END: _End, ACCEPT: _Accept}
LIMITS: dict[str, type[msgspec.Struct]] = {LIMIT: _Limit}


class CountRefusal(NamedTuple):
    """Why an entry about a count is refused: what came, what was expected, what to do."""

    came: str
    expected: str
    do: str


class Defined(Protocol):
    """What is known of the definitions at the time of an entry."""

    def is_defined(self, what: str, name: str) -> bool:
        """Whether an entry of this kind has this name."""
        ...


def count_refusal(definitions: Defined, what: str, data: dict[str, Any]) -> CountRefusal | None:
    """Check an entry about a count: one that was opened is not opened again, one ends once, and a line is decided once."""
    name = str(data.get("count"))
    if what == ACCEPT:
        return _decided(definitions, data)
    if what == OPEN and (not name.isprintable() or name in (".", "..")):
        expected = "a name that has an address: characters that can be seen, no dots alone"
        return CountRefusal(f"count.open of {name!r}", expected, "Give it another name.")
    is_open, has_ended = definitions.is_defined(OPEN, name), definitions.is_defined(END, name)
    if what == OPEN:
        if not is_open:
            return None
        return CountRefusal(f"count.open of {name}, which was opened before", "a new name", "Give it another name.")
    if not is_open:
        return CountRefusal(f"count.end of {name}", "a count that was opened", "Correct its name.")
    if not has_ended:
        return None
    return CountRefusal(
        f"count.end of {name}, which has ended",
        "a count that goes on",
        "To go on with it, take its end back by a void.",
    )


def _decided(definitions: Defined, data: dict[str, Any]) -> CountRefusal | None:
    if not definitions.is_defined(ACCEPT, name_of(ACCEPT, data)):
        return None
    return CountRefusal(
        f"{data.get('item')} at {data.get('stage')}, a line that was accepted or rejected before",
        "a line without a decision",
        "Look at the count again. To decide otherwise, take the decision back first.",
    )
