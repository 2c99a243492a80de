"""Drawing: which parcels a scan takes up, before it puts them anywhere.

With a quantity, source after source until it is met; what even the work on hold cannot meet was never known, and comes from
`overrun`. Without one, all at the first source that holds any; and where some of the item already stands where the scan
would put it, only what plainly belongs there. A scan that finds nothing is a sighting: it is kept, and nothing moves.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.item_event import ItemEvent, uncertain_against
from station.core.ledger.parcels import RELEASED, Account, ParcelState
from station.core.ledger.pick_order import downstream, held_at, held_upstream, upstream, waiting_at


class PostingMarks(msgspec.Struct):
    """What a posting noticed; the rules turn it into sentences. Quantities in thousandths."""

    passed: set[int] = set()
    unscanned: set[int] = set()
    back_from: str | None = None
    foreign: bool = False
    held: bool = False
    ended: bool = False
    late: bool = False  # the office changed what it had closed
    over_milli: int = 0
    several: bool = False
    uncut_milli: int = 0
    missing_milli: int = 0
    left_behind_milli: int = 0


class ScanContext(msgspec.Struct):
    """Where a scan takes place: the spot, and whether it counts as the end where no routing says so."""

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
    """What a scan brings towards `target`: from the spots of `first`, then from the walk."""
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
        bench.marks.held = bool(first)  # it cannot go on from here; that it is here is no news
        return []
    on_hold = held_upstream(stock, spot)
    return stock.withdraw(on_hold[0]) if on_hold else _bring_back(bench, target)


def draw(stock: ItemBalance, sources: Iterable[Account], wanted: int | None = None) -> list[Piece]:
    """All at the first source that holds any; with a quantity, source after source until it is met."""
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
    """A stated quantity: from the sources; then what is in `held_back` counts, but stays; then from `held`; else overrun."""
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
    """Thousandths in these pieces, as far as they are known."""
    return sum(piece.qty_milli or 0 for piece in pieces)


def _plainly_next(bench: ScanContext, target: Account, first: Sequence[Account]) -> list[Piece]:
    """Some already stands at the target: take only what stands here or waits here, or comes straight from before."""
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
    """Nothing here or upstream: the scan brings it back from beyond, asks, or comes after the end."""
    stock, marks = bench.stock, bench.marks
    beyond = [each for each in downstream(stock, bench.spot) if each != target]
    if not beyond:
        if not stock.known():
            return [stock.first_seen()]
        marks.ended = not stock.live()
        return []
    if len(beyond) > 1:
        marks.several = True
        return []
    if any(uncertain_against(bench.fact, each.put_by, each.lo_us, each.hi_us) for each in stock.at(beyond[0])):
        return []  # which came first, nobody can say: a sighting
    marks.back_from = beyond[0].stage
    return stock.withdraw(beyond[0])
