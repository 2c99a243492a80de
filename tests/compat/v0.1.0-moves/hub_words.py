"""The messages between a station and its hub, for both sides: one struct for each body of /api/v1.

Log ids are 32 hexadecimal digits, hashes 64, event bytes standard base64. Unknown fields are ignored, so that either side
may be the newer one; a field with a default may be missing in a message of an earlier version. The bounds hold where a
message is decoded: a value beyond them makes the whole message unusable before anything is changed.
"""

from typing import Annotated, Any

import msgspec

MAX_INT = 2**63 - 1
MAX_EVENTS = 500  # in one batch
MOST_OPERATIONS = 1_000  # of one routing
MOST_ACCOUNTS = 20  # outer accounts of one item
Operation = dict[str, Any]
Whole = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=MAX_INT)]
Micros = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
LongText = Annotated[str, msgspec.Meta(max_length=65_536)]  # no longer than an event
ShortText = Annotated[str, msgspec.Meta(max_length=200)]
Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]*$", max_length=128)]
LogId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Epoch = Whole | Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ParentLog(msgspec.Struct, frozen=True):
    """The event after which a log was begun."""

    log: LogId
    seq: Whole
    hash: str = ""


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A station introduces one of its logs: its last event, and the hub's state that the station remembers.

    `station` need not be given, the token names it; another station's name is refused. `t1`: CLOCK_BOOTTIME ns of `boot`.
    """

    log: LogId
    parent: ParentLog | None = None
    tip_seq: Whole = 0
    tip_hash: Hash | None = None
    pruned_thru: Whole = 0
    epoch_seen: int | str | None = None
    head_seen: str | None = None
    station: ShortText | None = None
    boot: ShortText | None = None
    t1: Whole | None = None


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one batch: events, bytes of the body, bytes of one event."""

    events: Whole = MAX_EVENTS
    body_bytes: Whole = 1024 * 1024
    event_bytes: Whole | None = None


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's state of the log, and its time with a seal (`mac`; none while the hub's clock is in doubt).

    `accepted_hash`: the hash that the hub has at `accepted_thru`, empty behind a gap. `do`: `log_ahead` or `reidentify`.
    """

    hub_epoch: Epoch
    accepted_thru: Whole
    accepted_hash: Hex | None = None
    durable_thru: Whole
    limits: Limits = Limits()
    snapshot_version: ShortText | None = None
    t2: Micros | None = None
    t3: Micros | None = None
    hub_clk: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    mac: Hash | None = None
    do: ShortText | None = None


class EventsRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Consecutive events of one log; with `hashes` a refusal can name the event that does not fit."""

    from_seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_INT - MAX_EVENTS)]
    prev: Hash
    tip: Hash
    events: list[bytes]
    hashes: list[Hash] | None = None
    station: ShortText | None = None


class EventVerdict(msgspec.Struct, frozen=True, gc=False):
    """The hub's decision on one event: `ok`, `dup`, `fork` or `damaged`."""

    seq: Whole
    verdict: ShortText


class EventsAnswer(msgspec.Struct, frozen=True):
    """A verdict for each event, sent after the batch was committed; the next batch is due after `wait_ms`."""

    verdicts: list[EventVerdict]
    accepted_thru: Whole
    durable_thru: Whole
    hub_epoch: Epoch
    head: Hex
    wait_ms: Whole = 0


class HeartbeatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a station. `wall_us`: UTC us of the station, used where `clock` is `synced`."""

    log: LogId | None = None
    tip_seq: Whole | None = None
    waiting: Whole | None = None
    oldest_waiting_s: Annotated[float, msgspec.Meta(ge=0, le=2**53)] | None = None
    clock: Any = None
    wall_us: Whole | None = None
    readers: Any = None
    sw: ShortText | None = None
    disk_free: Whole | None = None
    boot: ShortText | None = None
    aside: Whole | None = None
    station: ShortText | None = None


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """The next heartbeat is due after `wait_ms`; the version of the current master data; the hub's state.

    `epoch`, `head`: end of the hub's ledger; `accepted_thru`, `durable_thru`: how far the hub and its backups have the log
    of the heartbeat. A hub of an earlier version leaves these four out.
    """

    wait_ms: Whole = 0
    snapshot_version: ShortText | None = None
    epoch: Epoch | None = None
    head: Hex | None = None
    accepted_thru: Whole | None = None
    durable_thru: Whole | None = None


class OpenItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A quantity of an item at its place, also finished and scrapped ones; an item without any has one row with its status.

    `qty_milli` None: unknown quantity. From `order` on the fields belong to the item and are equal in all its rows:
    `operations` is its routing where another one of this name is valid now, `closed` how the office closed it, `outer` its
    outer accounts in thousandths. `thru`: a station's own log up to which the row includes its events; set by the station.
    `run_since_us`: of the parcel.
    """

    item: LongText
    product: LongText | None = None
    operation: Int64 | None = None
    state: ShortText = ""
    qty_milli: Int64 | None = None
    stage: LongText | None = None
    held_from: ShortText | None = None
    done_at: LongText | None = None
    entered: Int64 | None = None
    reached: Int64 | None = None
    scanned: Annotated[list[Int64], msgspec.Meta(max_length=MOST_OPERATIONS)] = []
    since_us: Int64 = 0
    carrier: LongText | None = None
    station: ShortText | None = None
    order: LongText | None = None
    routing: LongText | None = None
    operations: Annotated[list[Operation], msgspec.Meta(max_length=MOST_OPERATIONS)] | None = None
    released: bool = False
    closed: ShortText | None = None
    outer: Annotated[dict[str, Int64], msgspec.Meta(max_length=MOST_ACCOUNTS)] = {}
    thru: Whole = 0
    run_since_us: Int64 | None = None


class ItemsAnswer(msgspec.Struct, frozen=True):
    """Items that changed since a cursor; `reset`: delete the items of before. `epoch`, `head`: as in a heartbeat.

    `thru`: the last event of the station's log that the items include; None of a hub of an earlier version.
    """

    cursor: ShortText
    items: Annotated[list[OpenItem], msgspec.Meta(max_length=500_000)]
    reset: bool = False
    complete: bool = True
    epoch: Epoch | None = None
    head: Hex | None = None
    thru: Whole | None = None


class SnapshotPosition(msgspec.Struct, frozen=True):
    """End of the hub's ledger, sent beside the definitions of a snapshot."""

    epoch: Epoch | None = None
    head: Hex | None = None


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came, what was expected, and what to do; `seq`: the first event of a refused batch that does not fit."""

    came: str
    expected: str
    do: str
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_INT)] | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is an error."""

    error: ErrorBody
