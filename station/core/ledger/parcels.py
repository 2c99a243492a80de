"""Parcels: how much of an item is where, in which state, since when; and what they leave behind.

A parcel is a quantity of one item at one operation, in one state, since a time. One that has left is a visit. What a rule
says about a movement is a finding. All are frozen: a movement makes new ones.
"""

from typing import NamedTuple

import msgspec

from station.core.ledger.routing import Routing
from station.core.ledger.rules import Movement


class ParcelState:
    """The states of a parcel, as the records write them; the last two are ends."""

    RELEASED = "released"
    WAITING = "waiting"
    HERE = "here"
    HELD = "held"
    FINISHED = "finished"
    SCRAPPED = "scrapped"


LIVE = frozenset({ParcelState.RELEASED, ParcelState.WAITING, ParcelState.HERE, ParcelState.HELD})
ENDED = frozenset({ParcelState.FINISHED, ParcelState.SCRAPPED})


class Account(NamedTuple):
    """An inner account: a state, at an operation of the routing or, without one, at a stage."""

    state: str
    op: int | None = None
    stage: str | None = None

    def __str__(self) -> str:
        where = self.op if self.op is not None else self.stage
        return self.state if where is None else f"{self.state}@{where}"


RELEASED = Account(ParcelState.RELEASED)
BETWEEN = Account(ParcelState.WAITING)  # without a routing, the one queue between all stages


class Parcel(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`qty_milli` None: present, but nobody has said how many. Times UTC us.

    `since_us` this state, `at_stage_since_us` this operation, `started_us` first left the raw goods. `entered`: the furthest
    operation in whose here it stood or that it passed; `reached`: the furthest it left forward, or the one before where it
    arrived. Neither ever falls. `done_at`: between stages, the stage that it was done at. `put_by`, `lo_us`, `hi_us`: the
    log and the interval of the event that put it here.
    """

    state: str
    op: int | None = None
    stage: str | None = None
    qty_milli: int | None = None
    since_us: int = 0
    at_stage_since_us: int = 0
    started_us: int | None = None
    entered: int | None = None
    reached: int | None = None
    held_from: str | None = None
    done_at: str | None = None
    carrier: str | None = None
    station: str | None = None
    work_centre: str | None = None
    operator: str | None = None
    reason: str | None = None
    put_by: str = ""
    lo_us: int = 0
    hi_us: int = 0

    @property
    def spot(self) -> Account:
        """The account it stands in."""
        return Account(self.state, self.op, self.stage)


class Visit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A parcel that has left: from when to when, who brought it, where it went. `log`, `seq`: the event that ended it."""

    state: str
    op: int | None = None
    stage: str | None = None
    qty_milli: int | None = None
    entered_us: int = 0
    at_stage_since_us: int = 0
    left_us: int = 0
    station: str | None = None
    operator: str | None = None
    went_op: int | None = None
    went_to_stage: str | None = None
    went_to_state: str = ""
    log: str = ""
    seq: int = 0


class Finding(msgspec.Struct, frozen=True):
    """What a rule says about one event of one item: one sentence for a supervisor."""

    rule: str
    key_us: int
    log: str
    seq: int
    stage: str | None
    station: str
    text: str


class Posting(NamedTuple):
    """So many thousandths from one account to another; an item's accounts sum to zero, for ever."""

    source: str
    target: str
    qty_milli: int


class OrderHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the office said of an order; `due` an ISO date, `priority` smaller is sooner."""

    product: str | None = None
    due: str | None = None
    priority: int | None = None
    customer: str | None = None
    reference: str | None = None
    order: str | None = None


class ItemState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Everything that is known of one item after the facts so far. `outer`: balances of the outer accounts, thousandths."""

    item: str
    header: OrderHeader = OrderHeader()
    routing: Routing | None = None
    parcels: tuple[Parcel, ...] = ()
    outer: dict[str, int] = {}
    first_us: int | None = None
    released_us: int | None = None
    started_us: int | None = None
    finished_us: int | None = None
    closed_us: int | None = None
    how: str | None = None
    last: tuple[int, str, int] = (-(2**63), "", 0)

    @property
    def closed(self) -> bool:
        """Whether the office has closed it."""
        return self.closed_us is not None

    def quantity(self, *states: str) -> int:
        """Thousandths known to be in any of these states."""
        found = 0
        for parcel in self.parcels:  # a loop: this stands in the projector's way for every item it writes
            if parcel.state in states:
                found += parcel.qty_milli or 0
        return found

    @property
    def live(self) -> bool:
        """Whether any of it is still in process."""
        return any(parcel.state in LIVE for parcel in self.parcels)


class FoldResult(NamedTuple):
    """What one fact did: the state after it, and what it left behind.

    `quantity_became`: where an item of unknown quantity got one, that quantity, which its earlier visits had too.
    """

    state: ItemState
    postings: tuple[Posting, ...] = ()
    visits: tuple[Visit, ...] = ()
    findings: tuple[Finding, ...] = ()
    quantity_became: int | None = None
    movement: Movement | None = None  # what the rules looked at, where there was anything to look at
