"""Moves: each piece of an item that changed its account or its coordinates, from which all past states can be read.

A move leads from one form of a parcel to the next; the outer accounts (`ordered`, `overrun` ...) are its ends. A posting and
a visit are two views of a move: the quantity between two accounts, and the stay that it ended.
"""

from typing import NamedTuple

import msgspec

from station.core.ledger.parcels import ENDED, LIVE, Parcel, ParcelState

FIRST_SEEN = ""  # the account of pieces that no scan has seen before: without an order, and of unknown quantity
STAYS = LIVE | ENDED


class Posting(NamedTuple):
    """A quantity in thousandths from one account to another; the accounts of an item always sum to zero."""

    source: str
    target: str
    qty_milli: int


class Visit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A parcel that has left: its times, its station and operator, and its target. `log`, `seq`: the event that ended it."""

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


class Move(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The `number`-th move of an item (from 1): a piece as it was and as it is from `at_us` (UTC us) on, by one event.

    `source` and `target` have the same quantity, None for an unknown one. At an outer account they have only the name of the
    account as their state. `restated`: no piece moved; what is known of it changed. `gives_quantity`: pieces that were of
    unknown quantity get one from `source`; it is also that of the earlier moves without one.
    """

    number: int
    at_us: int
    log: str
    seq: int
    source: Parcel
    target: Parcel
    restated: bool = False
    gives_quantity: bool = False

    @property
    def qty_milli(self) -> int | None:
        """Thousandths, None for an unknown quantity."""
        return self.target.qty_milli

    @property
    def posting(self) -> Posting | None:
        """The move as a posting; None where no known quantity changes its account."""
        quantity = self.target.qty_milli
        source, target = self.source.account, self.target.account
        if not quantity or (self.restated and source == target):
            return None
        return Posting(str(source), str(target), quantity)

    @property
    def ends_stay(self) -> bool:
        """Whether it ends a stay.

        A quantity that was finished without having been in process is a stay of no duration: its end counts.
        """
        if self.restated or self.gives_quantity:
            return False
        return self.source.state in STAYS or self.target.state == ParcelState.FINISHED

    def visit(self, qty_milli: int | None) -> Visit:
        """The stay that it ended, with a quantity that became known later."""
        source, target = self.source, self.target
        return Visit(
            state=source.state,
            op=source.op,
            stage=source.stage,
            qty_milli=qty_milli if source.qty_milli is None else source.qty_milli,
            entered_us=source.since_us,
            at_stage_since_us=source.at_stage_since_us,
            left_us=self.at_us,
            station=source.station,
            operator=source.operator,
            went_op=target.op,
            went_to_stage=target.stage,
            went_to_state=target.state,
            log=self.log,
            seq=self.seq,
        )
