"""Pick order: the sources of a scan at an operation, nearest first.

With a routing: the queue of the operation, then each earlier operation backwards (work there before its queue), and last
the raw goods. Without a routing every other stage is a source, the one that was reached last first.
"""

from collections.abc import Iterator
from itertools import chain

from station.core.ledger.item_balance import ItemBalance
from station.core.ledger.parcels import BETWEEN, FINISHED, RELEASED, Account, ParcelState, account_at
from station.core.ledger.routing import Operation, Routing

NEXT_DOOR = 1  # operations back: the usual source of an item
NOWHERE = float("inf")


def here(op: Operation | None, stage: str | None) -> Account:
    """The account of work at an operation, or at a stage for an item without routing."""
    return account_at(ParcelState.HERE, op.op, op.stage) if op else account_at(ParcelState.HERE, None, stage)


def waiting_at(account: Account) -> Account:
    """The queue in front of an account; without a routing there is one queue between all stages."""
    return account_at(ParcelState.WAITING, account.op, account.stage) if account.op is not None else BETWEEN


def held_at(account: Account) -> Account:
    """The hold account beside an account."""
    return account_at(ParcelState.HELD, account.op, account.stage)


def upstream(stock: ItemBalance, account: Account) -> Iterator[Account]:
    """The upstream sources of an account, without the account itself."""
    if account.op is None or stock.routing is None:
        yield from _by_newest(stock, account, ParcelState.HERE, ParcelState.WAITING)
    else:
        yield waiting_at(account)
        for operation in reversed(stock.routing.operations):
            if operation.op < account.op:
                yield account_at(ParcelState.HERE, operation.op, operation.stage)
                yield account_at(ParcelState.WAITING, operation.op, operation.stage)
        yield from _unrouted(stock, ParcelState.HERE, ParcelState.WAITING)
    yield RELEASED


def held_upstream(stock: ItemBalance, account: Account) -> list[Account]:
    """The upstream hold accounts with work, nearest first."""
    if not stock.accounts(ParcelState.HELD):
        return []
    if account.op is None or stock.routing is None:
        return _by_newest(stock, account, ParcelState.HELD)
    earlier = [operation for operation in reversed(stock.routing.operations) if operation.op < account.op]
    accounts = [account_at(ParcelState.HELD, operation.op, operation.stage) for operation in earlier]
    return [source for source in [*accounts, *_unrouted(stock, ParcelState.HELD)] if stock.holds(source)]


def downstream(stock: ItemBalance, account: Account) -> list[Account]:
    """The accounts downstream of an account that hold work in process."""
    if account.op is None:
        return []
    live = stock.accounts(ParcelState.WAITING, ParcelState.HERE, ParcelState.HELD)
    return [beyond for beyond in live if beyond.op is not None and beyond.op > account.op]


def held_anywhere(stock: ItemBalance, account: Account) -> list[Account]:
    """All hold accounts with work: here, then upstream nearest first, then downstream."""
    beyond = sorted(stock.accounts(ParcelState.HELD), key=lambda held: (held.op or 0, held.stage or ""))
    ordered = [held_at(account), *held_upstream(stock, account), *beyond]
    return list(dict.fromkeys(held for held in ordered if stock.holds(held)))


def next_account(stock: ItemBalance, account: Account, stage_is_done: bool) -> Account:
    """The target of work that is done at an account: the queue of the next operation, or the finished goods."""
    if account.op is None or stock.routing is None:
        return FINISHED if stage_is_done else BETWEEN
    following = stock.routing.after(account.op)
    return account_at(ParcelState.WAITING, following.op, following.stage) if following else FINISHED


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
    account = here(operation, operation.stage)
    place = routing.index(operation.op)
    if own and stock.holds(account):
        return 0
    nearest = NOWHERE
    for source in chain(upstream(stock, account), held_upstream(stock, account)):
        if stock.holds(source):
            nearest = place + 1 if source.op is None else place - routing.index(source.op)
            break
    stands_here = stock.holds(account) or stock.holds(held_at(account))
    return NEXT_DOOR + 0.5 if stands_here and nearest > NEXT_DOOR else nearest


def _by_newest(stock: ItemBalance, account: Account, *states: str) -> list[Account]:
    newest = {
        source: max(parcel.since_us for parcel in stock.at(source))
        for source in stock.accounts(*states)
        if source != account
    }
    return sorted(newest, key=lambda source: (-newest[source], source.stage or ""))


def _unrouted(stock: ItemBalance, *states: str) -> Iterator[Account]:
    """The accounts of parcels from before the item had its routing."""
    yield from [account for account in stock.accounts(*states) if account.op is None]
