"""Order entries of the office: release, change, close and adjust an order, and accept a line of a count.

Like a scan, each entry is a row of the posting table. Unlike a scan it may also change the order's header.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from station.core.ledger import postings
from station.core.ledger.allocation import PostingContext, PostingMarks, draw, total
from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import BETWEEN, LIVE, RELEASED, Account, ItemState, OrderHeader, ParcelState
from station.core.ledger.pick_order import held_at, here, waiting_at
from station.core.master_data import MasterData

SHORT = ("short", "cancelled")


def headed(state: ItemState, event: ItemEvent, master_data: MasterData) -> ItemState:
    """The item with the header fields of the entry. At its release an order gets the routing that it keeps."""
    if event.verb not in ("order.release", "order.change"):
        return state
    header, data = state.header, event.data or {}
    stated = {name: data[name] for name in OrderHeader.__struct_fields__ if name in data}
    valid = {name: value for name, value in stated.items() if type(value) is (int if name == "priority" else str)}
    if valid:
        header = msgspec.structs.replace(header, **valid)
        state = msgspec.structs.replace(state, header=header)
    if event.verb == "order.release" and state.released_us is None:
        product = master_data.product(header.product, event.key_us)
        routing = master_data.routing(product.routing, event.key_us) if product else None
        state = msgspec.structs.replace(state, released_us=event.key_us, routing=routing)
    return state


def dated(state: ItemState, event: ItemEvent) -> ItemState:
    """The item with the time of its closing by the office."""
    if event.verb != "order.close" or state.closed:
        return state
    return msgspec.structs.replace(state, closed_us=event.key_us, how=str((event.data or {}).get("how", "complete")))


def release(stock: ItemBalance, marks: PostingMarks) -> None:
    """`order.release`: from ordered to released, or to the account of a present item. Again: as a change."""
    quantity = _whole(stock.event.data, "qty_milli")
    if stock.closed:
        marks.late = quantity is not None and quantity != -stock.outer.get("ordered", 0)
        return
    stock.route()
    if quantity is None or (stock.event.data or {}).get("order", stock.item) != stock.item:
        return  # an item that is tracked under an order is a part of its quantity, not an additional one
    _change_to(stock, marks, quantity)


def change(stock: ItemBalance, marks: PostingMarks) -> None:
    """`order.change` of quantity: the difference is released, or withdrawn from the quantity that is not started."""
    quantity = _whole(stock.event.data, "qty_milli")
    if quantity is None or not stock.released:
        return
    if stock.closed:
        marks.late = True
    else:
        _change_to(stock, marks, quantity)


def close(stock: ItemBalance, marks: PostingMarks) -> None:
    """`order.close`: complete finishes the quantity in process; short and cancelled move it to `adjusted`."""
    if stock.closed:
        return
    if (stock.event.data or {}).get("how") in SHORT:
        stock.to_outer([piece for account in stock.accounts(*LIVE) for piece in stock.withdraw(account)], "adjusted")
        return
    context = PostingContext(stock=stock, account=Account(ParcelState.HERE), marks=marks, quantity=None)
    postings.complete(context)


def adjust(stock: ItemBalance, marks: PostingMarks) -> None:
    """`adjust`: an inventory difference; more (positive) or less (negative) is at `stage` than recorded."""
    quantity = _whole(stock.event.data, "qty_milli", signed=True)
    if not quantity:
        return
    if stock.closed:
        marks.late = True
        return
    accounts = _accounts(stock, (stock.event.data or {}).get("stage"))
    if quantity > 0:
        target = next((account for account in accounts if stock.holds(account)), accounts[0])
        stock.put([stock.from_outer("adjusted", quantity)], target)
        return
    marks.missing_milli = -quantity - stock.to_outer(_taken(stock, accounts, -quantity), "adjusted")


def accept(stock: ItemBalance, marks: PostingMarks) -> None:
    """`count.accept`: each part that it books is more or less at a stage, or is at another stage than recorded.

    A part has `stage`, `qty_milli` (negative: less), and `from` where the pieces were recorded at another stage; it is empty
    for what was not started. A line that was rejected has no parts.
    """
    booked = (stock.event.data or {}).get("booked")
    for part in booked if isinstance(booked, list) else []:
        if not isinstance(part, dict):
            continue
        quantity, source, stage = _whole(part, "qty_milli", signed=True), part.get("from"), part.get("stage")
        if not quantity or not isinstance(stage, str) or not stage:
            continue
        if stock.closed:
            marks.late = True
        elif quantity < 0:
            taken = _taken(stock, _accounts(stock, stage), -quantity)
            marks.missing_milli += -quantity - stock.to_outer(taken, "adjusted")
        elif source is None:
            _join(stock, stage, [stock.from_outer("adjusted", quantity)])
        else:
            pieces = _taken(stock, _accounts(stock, source), quantity)
            marks.missing_milli += quantity - total(pieces)
            _join(stock, stage, pieces)


def _taken(stock: ItemBalance, accounts: list[Account], quantity: int) -> list[Piece]:
    """Withdraw a quantity from these accounts, their queues and what is on hold there."""
    sources = [source for account in accounts for source in _states_at(account)]
    return draw(stock, dict.fromkeys(sources), quantity)


def _join(stock: ItemBalance, stage: str, pieces: list[Piece]) -> None:
    """Put counted pieces to what is at a stage already, in its form; where nothing is there, to the stage."""
    accounts = _accounts(stock, stage)
    joined = next((at for account in accounts for at in _states_at(account) if stock.holds(at)), None)
    target = joined or accounts[0]
    like = stock.at(joined)[0] if joined else None
    stock.scanned_at = target.op if like is None else None
    if like is not None:
        form = {"entered": like.entered, "reached": like.reached, "scanned": like.scanned}
        pieces = [piece if piece.state in LIVE else msgspec.structs.replace(piece, **form) for piece in pieces]
    stock.put(pieces, target, like.held_from if like else None, like.reason if like else None)


def _states_at(account: Account) -> tuple[Account, ...]:
    """The account, its queue and its hold account; the queue between all stages belongs to no stage."""
    queue = waiting_at(account)
    return (
        (account, held_at(account)) if queue == BETWEEN and account != RELEASED else (account, queue, held_at(account))
    )


def _accounts(stock: ItemBalance, stage: Any) -> list[Account]:
    """The accounts of an adjustment: the operations at its stage and the stage itself; without a stage the raw goods."""
    if not isinstance(stage, str) or not stage:
        return [RELEASED]
    operations = stock.routing.at_stage(stage) if stock.routing else ()
    return [*(here(operation, stage) for operation in operations), here(None, stage)]


def _release(stock: ItemBalance, quantity: int) -> None:
    """Post a released quantity: first to `overrun` for scans before the release, the rest to released.

    An item that is present without a quantity gets the rest as its quantity.
    """
    ahead = min(-stock.outer.get("overrun", 0), quantity)
    if ahead > 0:
        stock.to_outer([stock.from_outer("ordered", ahead)], "overrun")
    rest = quantity - max(ahead, 0)
    presence = stock.presence()
    if presence is not None:
        if rest:
            stock.give_quantity(presence, rest, "ordered")
        else:
            stock.drop_presence(presence)
    elif rest:
        stock.put([stock.from_outer("ordered", rest)], RELEASED)


def _change_to(stock: ItemBalance, marks: PostingMarks, quantity: int) -> None:
    ordered = -stock.outer.get("ordered", 0)
    difference = quantity - ordered
    if difference > 0:
        _release(stock, difference)
        if not ordered:
            marks.beyond_milli = -stock.outer.get("overrun", 0)
    elif difference < 0:
        cut = stock.to_outer(stock.withdraw(RELEASED, -difference), "ordered")
        marks.uncut_milli = -difference - cut


def _whole(data: dict[str, Any] | None, name: str, *, signed: bool = False) -> int | None:
    value = (data or {}).get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**12:
        return None
    return value if signed or value > 0 else None


ROWS: dict[str, Callable[[ItemBalance, PostingMarks], None]] = {
    "order.release": release,
    "order.change": change,
    "order.close": close,
    "adjust": adjust,
    "count.accept": accept,
}
