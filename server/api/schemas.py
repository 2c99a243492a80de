"""Bodies of the REST API outside the station protocol (`station.core.protocol`): entries, stations, health."""

from typing import Annotated, Any

import msgspec

from station.core.protocol import ShortText as Short

MAX_ENTRIES = 500  # in one request
MAX_READERS = 64  # of one station
MAX_READER_TEXT = 2_000  # characters of JSON, on average: kind, id, evidence and remedy


class EntryBody(msgspec.Struct, forbid_unknown_fields=True):
    """One entry: its kind, its fields, and the time from which it holds (UTC us; absent: now).

    `by`: the person in whose name a program makes the entry; ignored for a signed-in person.
    """

    what: Short
    data: dict[str, Any]
    holds_from_us: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    by: Short | None = None


class EntriesBody(msgspec.Struct, forbid_unknown_fields=True):
    """Entries, of which all or none are written. A single entry may be sent without a list."""

    entries: Annotated[list[EntryBody], msgspec.Meta(min_length=1, max_length=MAX_ENTRIES)] | None = None
    what: Short | None = None
    data: dict[str, Any] | None = None
    holds_from_us: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    by: Short | None = None


class EntryAnswer(msgspec.Struct):
    """The place of an entry: log, sequence number, position in the ledger."""

    log: str
    seq: int
    pos: int


class EntriesAnswer(msgspec.Struct):
    """The places of the entries in their order, and of the last one: the read model includes all of them from `pos` on."""

    entries: list[EntryAnswer]
    log: str
    seq: int
    pos: int


class ItemsQuery(msgspec.Struct):
    """`after`: the cursor of the answer before; `log`: the station's log, for `thru` in the answer."""

    after: str = ""
    log: str = ""


class StationsQuery(msgspec.Struct):
    """`limit` at most 1,000; `cursor`: that of the answer before."""

    limit: int = 1_000
    cursor: str = ""


class StationsAnswer(msgspec.Struct):
    """Stations with their last heartbeat and logs; `cursor` leads to the next page, null on the last one."""

    stations: list[dict[str, Any]]
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


class RunningWorkAnswer(msgspec.Struct):
    """Long work that runs: `done` of `total` (null: unknown) units; `left_s`: seconds left, null where unknown."""

    work: str
    text: str
    unit: str
    done: int
    total: int | None
    left_s: int | None


class HealthAnswer(msgspec.Struct):
    """`status`: `ok`, or `wrong` with one sentence for each fault; `notes`: remarks that are no faults.

    `running`: the long work of every process of this hub.
    """

    status: str
    wrong: list[str]
    notes: list[str]
    epoch: int | None
    pos: int | None
    projected_pos: int | None
    running: list[RunningWorkAnswer] = []


def readers_json(readers: Any) -> str | None:
    """The readers of a heartbeat as bounded JSON text; a reader that exceeds the rest of the bound is omitted."""
    if not isinstance(readers, list):
        return None
    texts, left = [], MAX_READERS * MAX_READER_TEXT
    for reader in readers[:MAX_READERS]:
        text = msgspec.json.encode(reader).decode()
        if len(text) <= left:
            texts.append(text)
            left -= len(text)
    return f"[{','.join(texts)}]"
