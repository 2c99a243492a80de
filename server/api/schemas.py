"""The bodies of the stations' protocol and of the API, as structs: they read, write and describe themselves.

Log ids are 32 hexadecimal digits, hashes 64, event bytes standard base64. Unknown fields are passed over. A station need not
name itself, its token does; a body that names another is refused.
"""

from typing import Annotated, Any

import msgspec

from server.ledger.ingest import MAX_EVENTS, IngestVerdict

LogId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
MAX_ENTRIES = 500  # in one request
MAX_READERS = 64  # of one station
MAX_READER_TEXT = 2_000  # characters of JSON, on average: what it is, why, and what to do where that is wrong


class Limits(msgspec.Struct):
    """What one batch may hold."""

    events: int
    body_bytes: int
    event_bytes: int


class Parent(msgspec.Struct):
    """The event after which a log was begun."""

    log: LogId
    seq: Number
    hash: str = ""


class SessionBody(msgspec.Struct):
    """A station introduces one of its logs: where it ends, and what it remembers of this hub."""

    log: LogId
    parent: Parent | None = None
    tip_seq: Number = 0
    tip_hash: Hash | None = None
    pruned_thru: Number = 0
    epoch_seen: int | str | None = None
    head_seen: str | None = None
    boot: Short | None = None
    t1: Number | None = None
    station: Short | None = None


class SessionAnswer(msgspec.Struct):
    """Where to go on from, and the hub's time with its seal (none while the hub's clock is in doubt).

    `accepted_hash`: the hash that the hub has at `accepted_thru`; empty behind a gap.
    """

    hub_epoch: int
    accepted_thru: int
    accepted_hash: str
    durable_thru: int
    limits: Limits
    snapshot_version: str | None
    t2: int | None
    t3: int | None
    hub_clk: str
    mac: str | None
    do: str | None


class EventsBody(msgspec.Struct):
    """Consecutive events of one log; `hashes`, if given, lets a refusal name the very event."""

    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1 - MAX_EVENTS)]
    prev: Hash
    tip: Hash
    events: list[bytes]
    hashes: list[Hash] | None = None
    station: Short | None = None


class EventsAnswer(msgspec.Struct):
    """What became of each event, sent only after they were committed; wait `wait_ms` before the next batch."""

    verdicts: list[IngestVerdict]
    accepted_thru: int
    durable_thru: int
    hub_epoch: int
    head: str
    wait_ms: int


class HeartbeatBody(msgspec.Struct):
    """A station says how it is."""

    log: LogId | None = None
    tip_seq: Number | None = None
    waiting: Number | None = None
    oldest_waiting_s: Annotated[float, msgspec.Meta(ge=0, le=2**53)] | None = None
    clock: Any = None
    readers: Any = None
    sw: Short | None = None
    disk_free: Number | None = None
    boot: Short | None = None
    station: Short | None = None
    aside: Number | None = None
    wall_us: Number | None = None  # UTC us as the station has it: counts where `clock` is `synced`


class HeartbeatAnswer(msgspec.Struct):
    """When to come again, and which definitions are current.

    `epoch`, `head`: where the hub's ledger is; `accepted_thru`: how far it has the log that the heartbeat names. A station
    that is further on than that, or knows another epoch, opens a session. `durable_thru`: how far its backups have that log.
    """

    wait_ms: int
    snapshot_version: str | None
    epoch: int
    head: str
    accepted_thru: int | None
    durable_thru: int | None


class OpenItem(msgspec.Struct):
    """A quantity of an open item where it stands; `qty_milli` null: nobody has said how many."""

    item: str
    product: str | None
    operation: int | None
    state: str
    qty_milli: int | None
    stage: str | None = None


class ItemsAnswer(msgspec.Struct):
    """Items that changed since the cursor. `reset`: forget what you had. An item that is over has one row that says so."""

    cursor: str
    reset: bool
    complete: bool
    items: list[OpenItem]
    epoch: int
    head: str


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
