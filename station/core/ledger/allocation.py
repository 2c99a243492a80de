"""Allocation: select the parcels that a scan moves, before they are put to their target.

With a quantity, sources are drawn one after another until it is met. A rest that even the work on hold does not cover comes
from `overrun`. Without a quantity, the whole first source that holds any is drawn; if the target already holds some of the
item, only what is directly before it. A scan that draws nothing is a sighting: it is recorded, and nothing moves.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.item_event import ItemEvent, uncertain_against
from station.core.ledger.parcels import RELEASED, Account, ParcelState
from station.core.ledger.pick_order import downstream, held_at, held_upstream, upstream, waiting_at


class PostingMarks(msgspec.Struct):
    """Observations of a posting, from which the rules make findings. Quantities in thousandths."""

    passed: set[int] = set()
    unscanned: set[int] = set()
    back_from: str | None = None
    foreign: bool = False
    held: bool = False
    ended: bool = False
    late: bool = False  # the office changed an order that it had closed
    over_milli: int = 0
    several: bool = False
    uncut_milli: int = 0
    missing_milli: int = 0
    left_behind_milli: int = 0


class ScanContext(msgspec.Struct):
    """The context of a scan: the item's stock, the spot, and whether the spot is the end for an item without routing."""

    stock: ItemBalance
    spot: Account
    marks: PostingMarks
    quantity: int | None
    stage_is_done: bool = False

    @property
    def fact(self) -> ItemEvent:
        """The fact being posted."""
        return self.stock.fact


def collect(bench: ScanContext, target: Account, first: Sequence[Account] = ()) -> list[Piece]:
    """The pieces that a scan moves towards `target`: from the spots of `first`, then from the upstream sources."""
    stock, spot = bench.stock, bench.spot
    if bench.quantity is not None:
        held_here = held_at(spot)
        held_back = () if held_here in first else (held_here,)
        return draw_stated(bench, chain(first, upstream(stock, spot)), held_back, held_upstream(stock, spot))
    if stock.holds(target):
        pieces = _plainly_next(bench, target, first)
        bench.marks.ended = not pieces and not stock.live()
        return pieces
    pieces = draw(stock, chain(first, upstream(stock, spot)))
    if pieces:
        return pieces
    if stock.holds(held_at(spot)):
        bench.marks.held = bool(first)  # a mark only if the scan would move it on: its arrival here is known
        return []
    on_hold = held_upstream(stock, spot)
    return stock.withdraw(on_hold[0]) if on_hold else _bring_back(bench, target)


def draw(stock: ItemBalance, sources: Iterable[Account], wanted: int | None = None) -> list[Piece]:
    """The whole first source that holds any; with a quantity, source after source until it is met."""
    pieces: list[Piece] = []
    for source in sources:
        drawn = stock.withdraw(source, wanted)
        pieces += drawn
        if wanted is None and drawn:
            break
        if wanted is not None:
            wanted -= total(drawn)
            if wanted <= 0:
                break
    return pieces


def draw_stated(
    bench: ScanContext, sources: Iterable[Account], held_back: Sequence[Account], held: Sequence[Account] = ()
) -> list[Piece]:
    """A stated quantity: from the sources; then `held_back` counts, but is not moved; then from `held`; else overrun."""
    assert bench.quantity is not None
    pieces = draw(bench.stock, sources, bench.quantity)
    lacking = bench.quantity - total(pieces)
    for spot in held_back:
        if lacking > 0 and bench.stock.holds(spot):
            bench.marks.held = True
            lacking -= min(lacking, total(bench.stock.at(spot)))
    if lacking > 0:
        drawn = draw(bench.stock, held, lacking)
        pieces += drawn
        lacking -= total(drawn)
    if lacking > 0:
        if bench.stock.released:
            bench.marks.over_milli += lacking
        pieces.append(bench.stock.from_outer("overrun", lacking))
    return pieces


def total(pieces: Iterable[Piece]) -> int:
    """The known quantity of these pieces, in thousandths."""
    return sum(piece.qty_milli or 0 for piece in pieces)


def _plainly_next(bench: ScanContext, target: Account, first: Sequence[Account]) -> list[Piece]:
    """The target already holds some: draw only from here, from this queue, or from the operation directly before."""
    stock, spot, routing = bench.stock, bench.spot, bench.stock.routing
    for near in (*first, waiting_at(spot)):
        if near != target and (pieces := stock.withdraw(near)):
            return pieces
    if spot.op is None or routing is None:
        return []
    before = routing.before(spot.op)
    if before is None:
        return stock.withdraw(RELEASED)
    for operation in reversed(routing.operations):
        if operation.op < spot.op:
            gap = None if operation == before else before.op
            if pieces := stock.withdraw(Account(ParcelState.HERE, operation.op, operation.stage), reached_at_least=gap):
                return pieces
    return []


def _bring_back(bench: ScanContext, target: Account) -> list[Piece]:
    """Nothing here or upstream: draw back from downstream, mark an ambiguity, or mark a scan after the end."""
    stock, marks = bench.stock, bench.marks
    beyond = [spot for spot in downstream(stock, bench.spot) if spot != target]
    if not beyond:
        if not stock.known():
            return [stock.first_seen()]
        marks.ended = not stock.live()
        return []
    if len(beyond) > 1:
        marks.several = True
        return []
    parcels = stock.at(beyond[0])
    if any(uncertain_against(bench.fact, parcel.put_by, parcel.lo_us, parcel.hi_us) for parcel in parcels):
        return []  # the order of the two events is uncertain: a sighting
    marks.back_from = beyond[0].stage
    return stock.withdraw(beyond[0])
