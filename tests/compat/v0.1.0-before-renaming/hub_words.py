"""The hub's answers as structs: what CONTRACT section 4 promises a station. Unknown fields are passed over.

Each field has the bounds that the journal and the state machine can hold. An answer beyond them is no usable answer: it is
refused where it is decoded, before it touches anything.
"""

from typing import Annotated

import msgspec

MAX_INT = 2**63 - 1
Whole = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=MAX_INT)]
Micros = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Text = Annotated[str, msgspec.Meta(max_length=65_536)]  # no longer than an event
Short = Annotated[str, msgspec.Meta(max_length=200)]
Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]*$", max_length=128)]
Epoch = Whole | Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Limits(msgspec.Struct, frozen=True):
    """What one batch may hold."""

    events: Whole = 500
    body_bytes: Whole = 1024 * 1024


class SessionAnswer(msgspec.Struct, frozen=True):
    """Where to go on from, and the hub's time (None while its clock is in doubt)."""

    hub_epoch: Epoch
    accepted_thru: Whole
    durable_thru: Whole
    accepted_hash: Hex | None = None
    limits: Limits = Limits()
    snapshot_version: Short | None = None
    t2: Micros | None = None
    t3: Micros | None = None
    hub_clk: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    mac: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    do: Short | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What became of one event: ok, dup, fork or damaged."""

    seq: Whole
    verdict: Short


class EventsAnswer(msgspec.Struct, frozen=True):
    """What became of a batch, after it was committed there."""

    verdicts: list[Verdict]
    accepted_thru: Whole
    durable_thru: Whole
    hub_epoch: Epoch
    head: Hex
    wait_ms: Whole = 0


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """When to come again, and which definitions are current.

    `epoch`, `head`: where the hub's ledger is; `accepted_thru`, `durable_thru`: how far the hub and its backups have the log
    of the heartbeat. A hub of an earlier version leaves these four out.
    """

    wait_ms: Whole = 0
    snapshot_version: Short | None = None
    epoch: Epoch | None = None
    head: Hex | None = None
    accepted_thru: Whole | None = None
    durable_thru: Whole | None = None


class Item(msgspec.Struct, frozen=True):
    """A quantity of an open item where it stands; one row with another state where the item is over."""

    item: Text
    product: Text | None = None
    operation: Int64 | None = None
    state: Short = ""
    qty_milli: Int64 | None = None
    stage: Text | None = None


class ItemsAnswer(msgspec.Struct, frozen=True):
    """Items that changed since a cursor; `reset`: forget what you had. `epoch`, `head` as in a heartbeat's answer."""

    cursor: Short
    items: Annotated[list[Item], msgspec.Meta(max_length=500_000)]
    reset: bool = False
    complete: bool = True
    epoch: Epoch | None = None
    head: Hex | None = None


class SnapshotPlace(msgspec.Struct, frozen=True):
    """Where the hub's ledger is, as a snapshot says beside the definitions."""

    epoch: Epoch | None = None
    head: Hex | None = None
