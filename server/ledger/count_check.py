"""Count entries: the fields of `count.open` and `count.end`, and what an open or ended count refuses."""

from typing import Annotated, Any, Literal, NamedTuple, Protocol

import msgspec

from server.ledger.print_schema import Name

OPEN, END = "count.open", "count.end"


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


COUNTS: dict[str, type[msgspec.Struct]] = {OPEN: _Open, END: _End}


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
    """Check an entry about a count: one that was opened is not opened again, and one ends once."""
    name = str(data.get("count"))
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
