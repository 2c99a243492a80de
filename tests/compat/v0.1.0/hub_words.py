"""The hub's answers as structs: what CONTRACT section 4 promises a station. Unknown fields are passed over."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What one batch may hold."""

    events: int = 500
    body_bytes: int = 1024 * 1024


class SessionAnswer(msgspec.Struct, frozen=True):
    """Where to go on from, and the hub's time (None while its clock is in doubt)."""

    hub_epoch: int | str
    accepted_thru: int
    durable_thru: int
    accepted_hash: str | None = None
    limits: Limits = Limits()
    snapshot_version: str | None = None
    t2: int | None = None
    t3: int | None = None
    hub_clk: str | None = None
    mac: str | None = None
    do: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What became of one event: ok, dup, fork or damaged."""

    seq: int
    verdict: str


class EventsAnswer(msgspec.Struct, frozen=True):
    """What became of a batch, after it was committed there."""

    verdicts: list[Verdict]
    accepted_thru: int
    durable_thru: int
    hub_epoch: int | str
    head: str
    wait_ms: int = 0


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """When to come again, and which definitions are current."""

    wait_ms: int = 0
    snapshot_version: str | None = None


class Item(msgspec.Struct, frozen=True):
    """A quantity of an open item where it stands; one row with another state where the item is over."""

    item: str
    product: str | None = None
    operation: int | None = None
    state: str = ""
    qty_milli: int | None = None
    stage: str | None = None


class ItemsAnswer(msgspec.Struct, frozen=True):
    """Items that changed since a cursor; `reset`: forget what you had."""

    cursor: str
    items: list[Item]
    reset: bool = False
    complete: bool = True
