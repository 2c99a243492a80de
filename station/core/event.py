"""Event: one fact from a bench or the office, encoded once where it is recorded.

A scan, an entry on the hub, a clock anchor, the opening of a log: each is one JSON text whose bytes are stored, hashed and
sent unchanged. Decoding accepts unknown fields and any order of fields, because the stored bytes keep them; known fields
are checked strictly.

>>> event = Event(kind="scan", station="saw-1", sw="0.1.0", boot="b", mono_ns=5, raw=b"WO-1042", stage="saw")
>>> encode(event)
b'{"v":1,"kind":"scan","station":"saw-1","sw":"0.1.0","boot":"b","mono_ns":5,"raw":"V08tMTA0Mg==","stage":"saw"}'
>>> decode(encode(event)) == event
True
"""

from typing import Annotated, Any

import msgspec

MAX_RAW_BYTES = 4_296  # the most that one QR code holds
MAX_SCAN_BYTES = 32 * 1024
MAX_SALVAGE_BYTES = 64 * 1024
MAX_ENTRY_BYTES = 64 * 1024
MAX_QTY_MILLI = 10**12
VERSION = 1

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class EventError(ValueError):
    """Bytes or fields that are no event of this version; the message has what came and what was expected."""


class FutureEvent(EventError):
    """An event of a later version: stored and acknowledged now, folded after the upgrade."""


class Reader(msgspec.Struct, frozen=True):
    """The device that read: its kind (`keyboard`, `replay` …) and its stable id on this station."""

    kind: str
    id: str


class LogPosition(msgspec.Struct, frozen=True):
    """A position in a log: log id in hex, and sequence number."""

    log: str
    seq: Seq


class EventIdentity(msgspec.Struct, frozen=True):
    """A position in a log with the hash of the event there (for a salvaged event: as claimed)."""

    log: str
    seq: Seq
    hash: str


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One event, its fields in the order in which they are encoded; an absent field is None (False for a flag).

    Times: `mono_ns`, `since_ns`, `t1`, `t4` CLOCK_BOOTTIME in ns; `wall_us`, `t2`, `t3`, `holds_from_us` UTC us since 1970.
    Quantities: `qty_milli`, thousandths of the product's unit. `since_ns`: a stored scan, made at some time since then; 0
    where the earliest time is unknown.
    """

    v: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = msgspec.field(default_factory=lambda: VERSION)
    kind: str
    station: str
    sw: str
    boot: str | None = None
    mono_ns: Count | None = None
    wall_us: Int64 | None = None
    clk: str | None = None
    origin: EventIdentity | None = None
    late: list[Seq] | None = None
    raw: bytes | None = None
    sym: str | None = None
    raw_len: Count | None = None
    raw_sha256: str | None = None
    reader: Reader | None = None
    scheme: str | None = None
    code: str | None = None
    unread: str | None = None
    stage: str | None = None
    bench: str | None = None
    action: str | None = None
    qty_milli: Int64 | None = None
    all: bool = False
    reason: str | None = None
    to: str | None = None
    caused_at: str | None = None
    carrier: str | None = None
    load: str | None = None
    operator: str | None = None
    repeat: bool = False
    since_ns: Count | None = None
    seen: Count | None = None
    rssi_dbm: Int64 | None = None
    ref: LogPosition | None = None
    t1: Count | None = None
    t4: Count | None = None
    t2: Int64 | None = None
    t3: Int64 | None = None
    hub_clk: str | None = None
    mac: str | None = None
    from_: EventIdentity | None = msgspec.field(default=None, name="from")
    body: bytes | None = msgspec.field(default=None, name="bytes")
    parent: EventIdentity | None = None
    cause: str | None = None
    what: str | None = None
    holds_from_us: Int64 | None = None
    by: str | None = None
    data: dict[str, Any] | None = None


class _Versioned(msgspec.Struct):
    v: int = VERSION


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)
_decode = _DECODER.decode
_VERSION = msgspec.json.Decoder(_Versioned)
_LIMITS = {"scan": MAX_SCAN_BYTES, "salvage": MAX_SALVAGE_BYTES, "entry": MAX_ENTRY_BYTES}


def limit_of(kind: str) -> int:
    """The most bytes an event of this kind may have."""
    return _LIMITS.get(kind, MAX_SCAN_BYTES)


def _refuse_empty(event: Event) -> None:
    for name in event.__struct_fields__:
        if getattr(event, name) in ("", b""):
            msg = f"`{name}` is empty"
            raise msgspec.ValidationError(msg)


def _refuse_out_of_bounds(event: Event) -> None:
    if event.qty_milli is not None and not 0 < event.qty_milli <= MAX_QTY_MILLI:
        msg = f"`qty_milli` is {event.qty_milli}, expected 1 to {MAX_QTY_MILLI}"
        raise msgspec.ValidationError(msg)


def encode(event: Event) -> bytes:
    """The bytes of an event; they never change afterwards.

    Raises `EventError` where a text field is empty (absent means absent) or the bytes are longer than the kind allows.
    """
    try:
        encoded = _ENCODER.encode(event)
        _DECODER.decode(encoded)
        _refuse_out_of_bounds(event)
        if b'""' in encoded:  # the cheap test first, because each scan's answer waits for this
            _refuse_empty(event)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, OverflowError) as error:
        msg = f"This {event.kind} is no event: {error}. Leave an empty field out; texts are UTF-8, integers fit in 64 bits."
        raise EventError(msg) from error
    limit = limit_of(event.kind)
    if len(encoded) > limit:
        msg = f"This {event.kind} has {len(encoded)} bytes; expected at most {limit}. Shorten it or split it."
        raise EventError(msg)
    return encoded


def decode(encoded: bytes) -> Event:
    """The event in these bytes; unknown fields are ignored (the stored bytes keep them).

    Raises `FutureEvent` for a later version and `EventError` for everything else that cannot be read.
    """
    try:
        event = _decode(encoded)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _refuse_future(_version(encoded))  # a later version may have fields of another form
        msg = f"Not an event: {error}. Expected JSON of version {VERSION} with kind, station and sw."
        raise EventError(msg) from error
    if event.v > VERSION:
        _refuse_future(event.v)
    return event


def _version(encoded: bytes) -> int:
    """The version in the bytes; this one where it cannot be read."""
    try:
        return _VERSION.decode(encoded).v
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return VERSION


def _refuse_future(version: int) -> None:
    if version > VERSION:
        msg = f"Event of version {version}; this software reads up to {VERSION}. Upgrade, then fold it."
        raise FutureEvent(msg)
