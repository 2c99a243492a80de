"""Parcels and the other parts of an item's state.

A parcel is a quantity of one item at one operation, in one state, since a time. A finding is the result of a rule about a
movement. All are frozen: a movement makes new ones.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from station.core.ledger.routing import Routing


class ParcelState:
    """The states of a parcel, as stored in records; the last two are final."""

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


@lru_cache(maxsize=4096)
def account_at(state: str, op: int | None, stage: str | None) -> Account:
    """The account with these fields, from memory: a fold names the same few accounts for every scan."""
    return Account(state, op, stage)


RELEASED = Account(ParcelState.RELEASED)
FINISHED = Account(ParcelState.FINISHED)
BETWEEN = Account(ParcelState.WAITING)  # without a routing, the one queue between all stages


class Parcel(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A quantity of one item in one account. `qty_milli` None: present, quantity unknown. Times are UTC us.

    `since_us`: in this state; `at_stage_since_us`: at this operation; `started_us`: first left the raw goods. `entered`: the
    furthest operation that it was at or passed. `reached`: the furthest operation that it left forward, or the one before
    its arrival. Neither ever decreases. `scanned`: the operations at which it was scanned, in ascending order. `done_at`:
    between stages, the stage that it was done at. `put_by`, `lo_us`, `hi_us`: the log and the time interval of the event
    that put it here. `put`: the number of the item's move that gave it this form, at `placed_us`.
    that put it here. `run_since_us`: a `start` scan began the run at this operation; None: it waits to run.
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
    scanned: tuple[int, ...] = ()
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
    put: int = 0
    placed_us: int = 0
    run_since_us: int | None = None

    @property
    def account(self) -> Account:
        """The account of this parcel."""
        return account_at(self.state, self.op, self.stage)


class Finding(msgspec.Struct, frozen=True):
    """The result of a rule for one event of one item; `args` are the arguments of its sentence (`rules.sentence`)."""

    rule: str
    key_us: int
    log: str
    seq: int
    stage: str | None
    station: str
    args: dict[str, Any]


class OrderHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The header of an order; `due` is an ISO date, a smaller `priority` is more urgent."""

    product: str | None = None
    due: str | None = None
    priority: int | None = None
    customer: str | None = None
    reference: str | None = None
    order: str | None = None


class ItemState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The state of one item after its item events so far. `outer`: balances of the outer accounts in thousandths.

    `ended_us`: since when nothing of it is in process, whether it was finished, scrapped or adjusted. `moves`: their number.
    """

    item: str
    header: OrderHeader = OrderHeader()
    routing: Routing | None = None
    parcels: tuple[Parcel, ...] = ()
    outer: dict[str, int] = {}
    first_us: int | None = None
    released_us: int | None = None
    started_us: int | None = None
    ended_us: int | None = None
    closed_us: int | None = None
    how: str | None = None
    moves: int = 0
    last: tuple[int, str, int] = (-(2**63), "", 0)

    @property
    def status(self) -> str:
        """`open`; `closed` by the office; else how its last quantity ended: `finished`, `scrapped` or `adjusted`."""
        if self.closed:
            return "closed"
        if self.ended_us is None:
            return "open"
        ends = {parcel.state for parcel in self.parcels}
        return next((end for end in (ParcelState.FINISHED, ParcelState.SCRAPPED) if end in ends), "adjusted")

    @property
    def closed(self) -> bool:
        """Whether the office has closed it."""
        return self.closed_us is not None

    def quantity(self, *states: str) -> int:
        """Thousandths known to be in any of these states."""
        total = 0
        for parcel in self.parcels:  # a loop, because the projector calls this for every item that it writes
            if parcel.state in states:
                total += parcel.qty_milli or 0
        return total

    @property
    def live(self) -> bool:
        """Whether any of it is still in process."""
        return any(parcel.state in LIVE for parcel in self.parcels)
