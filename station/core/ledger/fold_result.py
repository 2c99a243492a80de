"""Fold result: the state of an item after one event or after all, with the moves and findings that led to it."""

from typing import NamedTuple

from station.core.ledger.moves import Move, Posting, Visit
from station.core.ledger.parcels import Finding, ItemState
from station.core.ledger.rules import Movement


class FoldResult(NamedTuple):
    """The result of one item event, or of all: the state after it, and its moves and findings, in order.

    `greatest_milli`: of one item event, the greatest quantity on either side of zero that it left in an account.
    """

    state: ItemState
    moves: tuple[Move, ...] = ()
    findings: tuple[Finding, ...] = ()
    movement: Movement | None = None  # the input of the rules; None where no rule could hold
    greatest_milli: int = 0

    @property
    def postings(self) -> tuple[Posting, ...]:
        """The known quantities that changed their account."""
        return tuple(posting for move in self.moves if (posting := move.posting) is not None)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The stays that ended; those of unknown quantity have the quantity that became known."""
        quantity = self.quantity_became
        return tuple(move.visit(quantity) for move in self.moves if move.ends_stay)

    @property
    def quantity_became(self) -> int | None:
        """The quantity of an item whose quantity was unknown before; its earlier moves have it too."""
        for move in self.moves:
            if move.gives_quantity:
                return move.qty_milli
        return None
