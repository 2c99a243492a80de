"""The posting table: what each kind of scan moves, from where to where.

Every function posts one row of the table to the stock of one item and marks what the rules should know. A scan with a
quantity draws on source after source until it is met; one without takes all at the first source that holds any, and where
some of the item already stands where it would put it, only what plainly belongs there.
"""

from dataclasses import dataclass, field

import msgspec

from station.core.fact import Fact, uncertain_against
from station.core.parcel import LIVE, In, Parcel, Spot
from station.core.stock import Piece, Stock
from station.core.walk import (
    downstream,
    held_anywhere,
    held_at,
    held_upstream,
    next_spot,
    upstream,
    waiting_at,
)

ONE_MILLI = 1000  # scrap and rework without a quantity mean one


@dataclass(slots=True)
class Marks:
    """What a posting noticed; the rules turn it into sentences."""

    passed: set[int] = field(default_factory=set)
    unscanned: set[int] = field(default_factory=set)
    back_from: str | None = None
    foreign: bool = False
    held: bool = False
    ended: bool = False
    over_milli: int = 0
    several: bool = False
    uncut_milli: int = 0
    left_behind_milli: int = 0


@dataclass(slots=True)
class Bench:
    """Where a scan takes place: the spot, and whether it counts as the end where no routing says so."""

    stock: Stock
    spot: Spot
    marks: Marks
    quantity: int | None
    stage_is_done: bool = False

    @property
    def fact(self) -> Fact:
        """The fact being posted."""
        return self.stock.fact


def arrive(bench: Bench) -> None:
    """`in`, `start`, and a bare scan that means arrived: from the walk to here."""
    _settle(bench)
    for piece in _collect(bench, bench.spot, own=False):
        _bring_here(bench, piece)


def depart(bench: Bench) -> None:
    """`out`, `done`, and a bare scan that means done: from here to the next queue, the missing `in` first."""
    _settle(bench)
    target = next_spot(bench.stock, bench.spot, bench.stage_is_done)
    for piece in _collect(bench, target, own=True):
        if piece.spot == bench.spot:
            bench.stock.put([piece], target)
        elif piece.state == In.HELD:
            _bring_here(bench, piece)
        elif _is_beyond(bench, piece):
            bench.stock.put([piece], target)
        else:
            _bring_here(bench, piece)
            bench.stock.put(_same_again(bench, piece), target)


def scrap(bench: Bench) -> None:
    """`scrap`: from here, then the walk, to scrapped."""
    bench.quantity = _one_or_all(bench)
    bench.stock.put(_draw_out(bench), Spot(In.SCRAPPED, bench.spot.op, bench.spot.stage), reason=bench.fact.reason)


def rework(bench: Bench) -> None:
    """`rework`: as scrap, to the queue of the last operation at stage `to` not after here; else on hold here."""
    bench.quantity = _one_or_all(bench)
    target: Spot | None = waiting_at(bench.spot)
    if bench.fact.to is not None and bench.stock.routing is not None and bench.spot.op is not None:
        back = [each for each in bench.stock.routing.at_stage(bench.fact.to) if each.op <= bench.spot.op]
        target = Spot(In.WAITING, back[-1].op, back[-1].stage) if back else None
    pieces = _draw_out(bench)
    if target is None:
        bench.marks.foreign = True
        bench.stock.put(pieces, held_at(bench.spot), held_from=In.HERE, reason=bench.fact.reason)
    else:
        bench.stock.put(pieces, target, reason=bench.fact.reason)


def hold(bench: Bench) -> None:
    """`hold`: from here, its queue, then the walk, to held here; it remembers the state it was held from."""
    _settle(bench)
    sources = [bench.spot, *upstream(bench.stock, bench.spot)]
    pieces = _draw(bench, sources)
    if bench.quantity is None and not pieces and not _anything(bench):
        pieces = [Parcel(state="")]
    for piece in [*pieces, *_overrun(bench, pieces)]:
        waited = piece.state == In.WAITING and piece.op == bench.spot.op
        bench.stock.put(
            [piece], held_at(bench.spot), held_from=In.WAITING if waited else In.HERE, reason=bench.fact.reason
        )


def release(bench: Bench) -> None:
    """`release`: from held here, else the nearest, to the state it was held from."""
    for piece in _draw(bench, held_anywhere(bench.stock, bench.spot)):
        bench.stock.put([piece], Spot(piece.held_from or In.HERE, piece.op, piece.stage))


def finish(bench: Bench) -> None:
    """`finish`: here and waiting, anywhere, to finished; what is on hold or not started is adjusted away."""
    _settle(bench)
    stock = bench.stock
    if bench.quantity is not None:
        pieces = _draw(bench, [bench.spot, *upstream(stock, bench.spot)])
        _finish(bench, [*pieces, *_overrun(bench, pieces)])
        return
    running = [each.spot for each in stock.parcels if each.state in (In.HERE, In.WAITING)]
    others = [each.spot for each in stock.parcels if each.state in (In.HELD, In.RELEASED)]
    _finish(bench, [piece for spot in dict.fromkeys(running) for piece in stock.take(spot)])
    leftover = [piece for spot in dict.fromkeys(others) for piece in stock.take(spot)]
    bench.marks.left_behind_milli += stock.to_outer(leftover, "adjusted")


def _finish(bench: Bench, pieces: list[Piece]) -> None:
    for piece in pieces:
        _pass(bench, piece, None)
        bench.stock.put([piece], Spot(In.FINISHED))


def _settle(bench: Bench) -> None:
    """An item of unknown quantity gets one from the first scan that states it; its presence had it all along."""
    presence = bench.stock.presence()
    if presence is None or bench.quantity is None:
        return
    bench.stock.parcels.remove(presence)
    bench.stock.from_outer("overrun", bench.quantity)
    give_quantity(bench.stock, presence, bench.quantity, "overrun")


def give_quantity(stock: Stock, presence: Parcel, qty_milli: int, account: str) -> None:
    """Put a quantity that came from an outer account where the presence stood, with the presence's own times."""
    stock.parcels.append(msgspec.structs.replace(presence, qty_milli=qty_milli))
    stock.posted(account, str(presence.spot), qty_milli)
    stock.quantity_became = qty_milli


def _one_or_all(bench: Bench) -> int | None:
    return None if bench.fact.all else bench.fact.qty_milli or ONE_MILLI


def _collect(bench: Bench, target: Spot, own: bool) -> list[Piece]:
    """What a scan brings towards `target`: the sources of its row, `own` with what stands here first."""
    stock = bench.stock
    sources = [*([bench.spot] if own else []), *upstream(stock, bench.spot)]
    if bench.quantity is not None:
        pieces = _draw(bench, [*sources, held_at(bench.spot), *held_upstream(stock, bench.spot)])
        return [*pieces, *_overrun(bench, pieces)]
    held_here = held_at(bench.spot)
    if stock.holds(target):
        pieces = _plainly_next(bench, target, own)
        bench.marks.ended = not pieces and target.state == In.FINISHED and not _live(stock)
        return pieces
    pieces = _draw(bench, sources)
    if pieces or stock.holds(held_here):
        return pieces
    on_hold = held_upstream(stock, bench.spot)
    return stock.take(on_hold[0]) if on_hold else _bring_back(bench, target)


def _plainly_next(bench: Bench, target: Spot, own: bool) -> list[Piece]:
    """Some already stands at the target: take only what stands here or waits here, or comes straight from before."""
    stock, spot, routing = bench.stock, bench.spot, bench.stock.routing
    for near in ([spot] if own else []) + [waiting_at(spot)]:
        if near != target and (pieces := stock.take(near)):
            return pieces
    if spot.op is None or routing is None:
        return []
    before = routing.before(spot.op)
    if before is None:
        return stock.take(Spot(In.RELEASED))
    for operation in reversed(routing.operations):
        if operation.op < spot.op:
            gap = None if operation == before else before.op
            if pieces := stock.take(Spot(In.HERE, operation.op, operation.stage), reached_at_least=gap):
                return pieces
    return []


def _bring_back(bench: Bench, target: Spot) -> list[Piece]:
    """Nothing here or upstream: the scan brings it back from beyond, asks, or comes after the end."""
    stock, marks = bench.stock, bench.marks
    beyond = [each for each in downstream(stock, bench.spot) if each != target]
    if not beyond:
        if not _anything(bench):
            return [Parcel(state="")]  # first seen: it is here, nobody knows how many
        marks.ended = not _live(stock)
        return []
    if len(beyond) > 1:
        marks.several = True
        return []
    if any(uncertain_against(bench.fact, each.put_by, each.lo_us, each.hi_us) for each in stock.at(beyond[0])):
        return []  # which came first, nobody can say: a sighting
    marks.back_from = beyond[0].stage
    return stock.take(beyond[0])


def _is_beyond(bench: Bench, piece: Piece) -> bool:
    return piece.op is not None and bench.spot.op is not None and piece.op > bench.spot.op


def _bring_here(bench: Bench, piece: Piece) -> None:
    """Put one piece to here, or, where it is on hold, to held here."""
    _pass(bench, piece, bench.spot.op)
    if piece.state == In.HELD:
        bench.marks.held = True
        if piece.spot == held_at(bench.spot):
            bench.stock.parcels.append(piece)
            return
        bench.stock.put([piece], held_at(bench.spot), held_from=piece.held_from, reason=piece.reason)
    else:
        bench.stock.put([piece], bench.spot)


def _same_again(bench: Bench, piece: Piece) -> list[Piece]:
    """Take from here what was just put here, and nothing else that stands there."""
    newest = bench.stock.parcels[-1]
    if newest.spot == bench.spot and newest.qty_milli == piece.qty_milli:
        return [bench.stock.parcels.pop()]
    return bench.stock.take(bench.spot, piece.qty_milli)


def _pass(bench: Bench, piece: Piece, op: int | None) -> None:
    """Mark the mandatory operations that this move passes and that nobody scanned."""
    routing = bench.stock.routing
    if routing is None or piece.state not in LIVE:
        return
    reached = piece.reached
    if piece.state in (In.HERE, In.HELD) and piece.op is not None:
        reached = max(reached or piece.op, piece.op)
    marked = bench.marks.unscanned if op is None else bench.marks.passed
    marked.update(each.op for each in routing.mandatory_between(reached, op))


def _draw(bench: Bench, sources: list[Spot]) -> list[Piece]:
    """All at the first source that holds any; with a quantity, source after source until it is met."""
    pieces: list[Piece] = []
    wanted = bench.quantity
    for source in sources:
        if wanted is None:
            if pieces := bench.stock.take(source):
                return pieces
        elif wanted > 0:
            drawn = bench.stock.take(source, wanted)
            wanted -= sum(each.qty_milli or 0 for each in drawn)
            pieces += drawn
    return pieces


def _draw_out(bench: Bench) -> list[Piece]:
    """What leaves the good ones: here, then the walk, then what is on hold; the rest was never known."""
    spot = bench.spot
    sources = [spot, *upstream(bench.stock, spot), held_at(spot), *held_upstream(bench.stock, spot)]
    pieces = _draw(bench, sources)
    return [*pieces, *_overrun(bench, pieces)]


def _overrun(bench: Bench, pieces: list[Piece]) -> list[Piece]:
    """What the sources lacked of a stated quantity."""
    if bench.quantity is None:
        return []
    lacking = bench.quantity - sum(each.qty_milli or 0 for each in pieces)
    if lacking <= 0:
        return []
    if bench.stock.released:
        bench.marks.over_milli += lacking
    return [bench.stock.from_outer("overrun", lacking)]


def _anything(bench: Bench) -> bool:
    return bool(bench.stock.parcels) or bench.stock.released


def _live(stock: Stock) -> bool:
    return any(each.state in LIVE for each in stock.parcels)
