"""The bodies of the REST API beside the station protocol (`station.core.protocol`): entries, stations, health."""

from typing import Annotated, Any

import msgspec

from station.core.protocol import ShortText as Short

MAX_ENTRIES = 500  # in one request
MAX_READERS = 64  # of one station
MAX_READER_TEXT = 2_000  # characters of JSON, on average: what it is, why, and what to do where that is wrong


class EntryBody(msgspec.Struct):
    """One entry: what is said, its fields, and from when it holds (UTC us; absent: now).

    `by`: for whom a program enters it; a person enters in their own name.
    """

    what: Short
    data: dict[str, Any]
    holds_from_us: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    by: Short | None = None


class EntriesBody(msgspec.Struct):
    """Entries that are written together or not at all; one alone may stand without the list."""

    entries: Annotated[list[EntryBody], msgspec.Meta(min_length=1, max_length=MAX_ENTRIES)] | None = None
    what: Short | None = None
    data: dict[str, Any] | None = None
    holds_from_us: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    by: Short | None = None


class EntryAnswer(msgspec.Struct):
    """Where an entry stands."""

    log: str
    seq: int
    pos: int


class EntriesAnswer(msgspec.Struct):
    """The entries in their order, and where the last one stands: wait until the read model has come to `pos`."""

    entries: list[EntryAnswer]
    log: str
    seq: int
    pos: int


class StationsAnswer(msgspec.Struct):
    """Every station, its last heartbeat and its logs; more follow after `cursor`."""

    stations: list[dict[str, Any]]
    cursor: str | None


class HealthAnswer(msgspec.Struct):
    """`ok`, or what is wrong, one sentence each; `notes`: what somebody should know, though nothing is wrong now."""

    status: str
    wrong: list[str]
    notes: list[str]
    epoch: int | None
    pos: int | None
    projected_pos: int | None


def readers_json(readers: Any) -> str | None:
    """A heartbeat's readers as they are kept: bounded, as JSON; what finds no room is left out, and the others stay."""
    if not isinstance(readers, list):
        return None
    kept, room = [], MAX_READERS * MAX_READER_TEXT
    for each in readers[:MAX_READERS]:
        text = msgspec.json.encode(each).decode()
        if len(text) <= room:
            kept.append(text)
            room -= len(text)
    return f"[{','.join(kept)}]"
