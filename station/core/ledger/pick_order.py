"""Pick order: the sources of a scan at an operation, nearest first.

With a routing: the queue of the operation, then each earlier operation backwards (work there before its queue), and last
the raw goods. Without a routing every other stage is a source, the one that was reached last first.
"""

from collections.abc import Iterator
from itertools import chain

from station.core.ledger.item_balance import ItemBalance
from station.core.ledger.parcels import BETWEEN, RELEASED, Account, ParcelState
from station.core.ledger.routing import Operation, Routing

NEXT_DOOR = 1  # operations back: the usual source of an item
NOWHERE = float("inf")


def here(op: Operation | None, stage: str | None) -> Account:
    """The spot of work at an operation, or at a stage for an item without routing."""
    return Account(ParcelState.HERE, op.op, op.stage) if op else Account(ParcelState.HERE, None, stage)


def waiting_at(spot: Account) -> Account:
    """The queue in front of a spot; without a routing there is one queue between all stages."""
    return Account(ParcelState.WAITING, spot.op, spot.stage) if spot.op is not None else BETWEEN


def held_at(spot: Account) -> Account:
    """The hold account of a spot."""
    return Account(ParcelState.HELD, spot.op, spot.stage)


def upstream(stock: ItemBalance, spot: Account) -> Iterator[Account]:
    """The upstream sources of a spot, without the spot itself."""
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
    """The upstream hold accounts with work, nearest first."""
    if spot.op is None or stock.routing is None:
        return _by_newest(stock, spot, ParcelState.HELD)
    earlier = [operation for operation in reversed(stock.routing.operations) if operation.op < spot.op]
    spots = [Account(ParcelState.HELD, operation.op, operation.stage) for operation in earlier]
    return [source for source in [*spots, *_unrouted(stock, ParcelState.HELD)] if stock.holds(source)]


def downstream(stock: ItemBalance, spot: Account) -> list[Account]:
    """The spots downstream of a spot that hold work in process."""
    if spot.op is None:
        return []
    live = (ParcelState.WAITING, ParcelState.HERE, ParcelState.HELD)
    return list(
        dict.fromkeys(
            parcel.spot
            for parcel in stock.parcels
            if parcel.state in live and parcel.op is not None and parcel.op > spot.op
        )
    )


def held_anywhere(stock: ItemBalance, spot: Account) -> list[Account]:
    """All hold accounts with work: here, then upstream nearest first, then downstream."""
    beyond = sorted(
        {parcel.spot for parcel in stock.parcels if parcel.state == ParcelState.HELD},
        key=lambda held: (held.op or 0, held.stage or ""),
    )
    ordered = [held_at(spot), *held_upstream(stock, spot), *beyond]
    return list(dict.fromkeys(held for held in ordered if stock.holds(held)))


def next_spot(stock: ItemBalance, spot: Account, stage_is_done: bool) -> Account:
    """The target of work that is done at a spot: the queue of the next operation, or the finished goods."""
    if spot.op is None or stock.routing is None:
        return Account(ParcelState.FINISHED) if stage_is_done else BETWEEN
    following = stock.routing.after(spot.op)
    return Account(ParcelState.WAITING, following.op, following.stage) if following else Account(ParcelState.FINISHED)


def choose(stock: ItemBalance, stage: str, own: bool) -> Operation | None:
    """The operation of a scan at a stage; None where the routing has none there.

    If a routing visits the stage more than once, it is the operation with the nearest source, counted in operations, at a
    tie the earlier one. Work that is already at the operation precedes a source that is further than `NEXT_DOOR` away. If
    all work is downstream, it is the operation that was passed last.
    """
    candidates = stock.routing.at_stage(stage) if stock.routing else ()
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    distance = {operation.op: _distance(stock, operation, own) for operation in candidates}
    if min(distance.values()) == NOWHERE:
        passed = [operation for operation in candidates if downstream(stock, here(operation, None))]
        return passed[-1] if passed else candidates[0]
    return min(candidates, key=lambda operation: (distance[operation.op], operation.op))


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
    for parcel in stock.parcels:
        if parcel.state in states and parcel.spot != spot:
            newest[parcel.spot] = max(parcel.since_us, newest.get(parcel.spot, parcel.since_us))
    return sorted(newest, key=lambda source: (-newest[source], source.stage or ""))


def _unrouted(stock: ItemBalance, *states: str) -> Iterator[Account]:
    """The spots of parcels from before the item had its routing."""
    yield from dict.fromkeys(parcel.spot for parcel in stock.parcels if parcel.op is None and parcel.state in states)
