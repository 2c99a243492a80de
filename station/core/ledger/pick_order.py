"""The walk: from where a scan at an operation draws, nearest first.

With a routing, what waits at the operation, then each earlier operation backwards, what stands there before what waits
there, and last the raw goods. Without one every other stage is a source, the one reached last first.
"""

from collections.abc import Iterator
from itertools import chain

from station.core.ledger.item_balance import ItemBalance
from station.core.ledger.parcels import BETWEEN, RELEASED, Account, ParcelState
from station.core.ledger.routing import Operation, Routing

NEXT_DOOR = 1  # operations back: a source so near is where the item would come from
NOWHERE = float("inf")


def here(op: Operation | None, stage: str | None) -> Account:
    """The spot at which work stands at an operation, or at a stage for an item without routing."""
    return Account(ParcelState.HERE, op.op, op.stage) if op else Account(ParcelState.HERE, None, stage)


def waiting_at(spot: Account) -> Account:
    """The queue in front of a spot; without a routing there is one queue between all stages."""
    return Account(ParcelState.WAITING, spot.op, spot.stage) if spot.op is not None else BETWEEN


def held_at(spot: Account) -> Account:
    """Where work of this spot stands on hold."""
    return Account(ParcelState.HELD, spot.op, spot.stage)


def upstream(stock: ItemBalance, spot: Account) -> Iterator[Account]:
    """The sources of the walk to a spot, the spot itself not among them."""
    if spot.op is None or stock.routing is None:
        yield from _by_newest(stock, spot, ParcelState.HERE, ParcelState.WAITING)
    else:
        yield waiting_at(spot)
        for operation in reversed(stock.routing.operations):
            if operation.op < spot.op:
                yield Account(ParcelState.HERE, operation.op, operation.stage)
                yield Account(ParcelState.WAITING, operation.op, operation.stage)
        yield from _unrouted(stock, ParcelState.HERE, ParcelState.WAITING)
    yield RELEASED


def held_upstream(stock: ItemBalance, spot: Account) -> list[Account]:
    """Where work is on hold on the way to a spot, nearest first."""
    if spot.op is None or stock.routing is None:
        return _by_newest(stock, spot, ParcelState.HELD)
    earlier = [each for each in reversed(stock.routing.operations) if each.op < spot.op]
    spots = [Account(ParcelState.HELD, each.op, each.stage) for each in earlier]
    return [each for each in [*spots, *_unrouted(stock, ParcelState.HELD)] if stock.holds(each)]


def downstream(stock: ItemBalance, spot: Account) -> list[Account]:
    """Where work in process stands beyond a spot."""
    if spot.op is None:
        return []
    live = (ParcelState.WAITING, ParcelState.HERE, ParcelState.HELD)
    return list(
        dict.fromkeys(
            each.spot for each in stock.parcels if each.state in live and each.op is not None and each.op > spot.op
        )
    )


def held_anywhere(stock: ItemBalance, spot: Account) -> list[Account]:
    """Where work is on hold: here, else upstream nearest first, else beyond."""
    beyond = sorted(
        {each.spot for each in stock.parcels if each.state == ParcelState.HELD},
        key=lambda each: (each.op or 0, each.stage or ""),
    )
    ordered = [held_at(spot), *held_upstream(stock, spot), *beyond]
    return list(dict.fromkeys(each for each in ordered if stock.holds(each)))


def next_spot(stock: ItemBalance, spot: Account, stage_is_done: bool) -> Account:
    """Where work goes when it is done at a spot: the queue of the next operation, or the finished goods."""
    if spot.op is None or stock.routing is None:
        return Account(ParcelState.FINISHED) if stage_is_done else BETWEEN
    following = stock.routing.after(spot.op)
    return Account(ParcelState.WAITING, following.op, following.stage) if following else Account(ParcelState.FINISHED)


def choose(stock: ItemBalance, stage: str, own: bool) -> Operation | None:
    """Which of the operations done at a stage a scan there means; None where the routing has none there.

    Where a routing visits the stage twice: the one whose nearest source is fewest operations back, at a tie the earlier.
    A second look at work that stands here already beats a source further away than next door. Where all of it is beyond,
    it comes back to the operation that it passed last.
    """
    candidates = stock.routing.at_stage(stage) if stock.routing else ()
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    distance = {each.op: _distance(stock, each, own) for each in candidates}
    if min(distance.values()) == NOWHERE:
        passed = [each for each in candidates if downstream(stock, here(each, None))]
        return passed[-1] if passed else candidates[0]
    return min(candidates, key=lambda each: (distance[each.op], each.op))


def _distance(stock: ItemBalance, operation: Operation, own: bool) -> float:
    routing: Routing | None = stock.routing
    assert routing is not None
    spot = here(operation, operation.stage)
    place = routing.index(operation.op)
    if own and stock.holds(spot):
        return 0
    nearest = NOWHERE
    for source in chain(upstream(stock, spot), held_upstream(stock, spot)):
        if stock.holds(source):
            nearest = place + 1 if source.op is None else place - routing.index(source.op)
            break
    stands_here = stock.holds(spot) or stock.holds(held_at(spot))
    return NEXT_DOOR + 0.5 if stands_here and nearest > NEXT_DOOR else nearest


def _by_newest(stock: ItemBalance, spot: Account, *states: str) -> list[Account]:
    newest: dict[Account, int] = {}
    for each in stock.parcels:
        if each.state in states and each.spot != spot:
            newest[each.spot] = max(each.since_us, newest.get(each.spot, each.since_us))
    return sorted(newest, key=lambda each: (-newest[each], each.stage or ""))


def _unrouted(stock: ItemBalance, *states: str) -> Iterator[Account]:
    """Spots that stem from before the item had its routing."""
    yield from dict.fromkeys(each.spot for each in stock.parcels if each.op is None and each.state in states)
