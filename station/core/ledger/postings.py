"""Posting table: the movement of each kind of scan, from which accounts to which.

Each function posts one row of the table to the balance of one item, and sets the marks for the rules. The sources of a scan
are the same for all rows (see `allocation`); a row defines the target of the pieces.
"""

from station.core.ledger.allocation import PostingContext, collect, draw, draw_stated, total
from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.moves import FIRST_SEEN
from station.core.ledger.parcels import FINISHED, LIVE, RELEASED, Account, ParcelState
from station.core.ledger.pick_order import downstream, held_anywhere, held_at, next_account, upstream, waiting_at

ONE_MILLI = 1000  # scrap and rework without a quantity mean one


def arrive(context: PostingContext) -> None:
    """`in`, and a bare scan that means arrived: from the upstream sources to here.

    The first quantity of an item that is here without one is that of the pieces here; it moves nothing.
    """
    if _is_first_quantity_at(context, context.account):
        return
    for piece in collect(context, context.account, fills_gap=True):
        _bring_here(context, piece)


def start(context: PostingContext) -> None:
    """`start`: the run begins. What is here and waits to run begins where it is; what is not here arrives, as by `in`.

    1. A first quantity is that of the pieces here.
    2. The run of what is here and waits to run begins: all, or the stated quantity.
    3. What was started here before counts, and keeps its time: a second `start` changes nothing.
    4. The rest of a stated quantity arrives from the upstream sources, or all where 2 and 3 found nothing. What arrived by a
       `start` counts after these sources, so that a shop without `in` can start one lot after the other.
    """
    stock, account = context.stock, context.account
    is_first = _is_first_quantity_at(context, account)
    running = [parcel for parcel in stock.at(account) if parcel.run_since_us is not None]
    started_here = [parcel for parcel in running if parcel.run_since_us != parcel.since_us]
    begun = stock.start_run(account, context.quantity)
    context.marks.begun = bool(begun)
    if is_first or (context.quantity is None and (begun or started_here)):
        return
    if context.quantity is not None:
        context.met_milli = total(begun) + total(started_here)
        context.running_milli = total(running) - total(started_here)
        if context.met_milli >= context.quantity:
            return
    for piece in collect(context, account, fills_gap=True):
        _bring_here(context, piece)


def depart(context: PostingContext) -> None:
    """`out`, `done`, and a bare scan that means done: from here to the next queue; a missing `in` is posted first."""
    target = next_account(context.stock, context.account, context.stage_is_done)
    if _is_first_quantity_at(context, target):
        return
    for piece in collect(context, target, first=(context.account,), fills_gap=True):
        if piece.state == ParcelState.HELD:
            _bring_here(context, piece)
        elif piece.account == context.account or _is_beyond(context, piece):
            context.stock.put([piece], target)
        else:
            _bring_here(context, piece)
            context.stock.put(_same_again(context, piece), target)


def scrap(context: PostingContext) -> None:
    """`scrap`: from here, on hold or not, then from the upstream sources, to scrapped."""
    target = Account(ParcelState.SCRAPPED, context.account.op, context.account.stage)
    context.stock.put(_taken_out(context, target), target, reason=context.event.reason)


def rework(context: PostingContext) -> None:
    """`rework`: as scrap, to the queue of the last operation at stage `to` not after here; else on hold here."""
    stock, account, to = context.stock, context.account, context.event.to
    target: Account | None = waiting_at(account)
    if stock.routing is not None and (to is not None or account.op is None):
        at_stage = stock.routing.at_stage(to)
        back = [operation for operation in at_stage if account.op is None or operation.op <= account.op]
        target = Account(ParcelState.WAITING, back[-1].op, back[-1].stage) if back else None
    pieces = _taken_out(context, target or held_at(account))
    if target is None:
        context.marks.foreign = True
        stock.put(pieces, held_at(account), held_from=ParcelState.HERE, reason=context.event.reason)
    else:
        stock.put(pieces, target, reason=context.event.reason)


def hold(context: PostingContext) -> None:
    """`hold`: from here, its queue, then the upstream sources, to hold here; the previous state is kept in the parcel."""
    _assign_quantity(context)
    account = context.account
    pieces = collect(context, held_at(account), first=(account,))
    context.marks.held = False  # some of it may already be on hold here, which needs no finding
    for piece in pieces:
        if piece.state == ParcelState.HELD:
            _bring_here(context, piece)
            continue
        if account.op is not None:
            _pass(context, piece, account.op)
        waited = piece.state == ParcelState.WAITING and piece.op == account.op
        held_from = ParcelState.WAITING if waited else ParcelState.HERE
        context.stock.put([piece], held_at(account), held_from=held_from, reason=context.event.reason)


def release(context: PostingContext) -> None:
    """`release`: from hold here, else from the nearest hold account, to the state before the hold."""
    presence = context.stock.presence()
    if presence is not None and presence.state == ParcelState.HELD:
        _assign_quantity(context)
    pieces = draw(context.stock, held_anywhere(context.stock, context.account), context.quantity)
    if context.quantity is not None and pieces:
        context.marks.drawn_milli = total(pieces)
        context.marks.unheld_milli = context.quantity - context.marks.drawn_milli
    for piece in pieces:
        held_from = Account(ParcelState.HERE, piece.op, piece.stage)
        context.stock.put([piece], waiting_at(held_from) if piece.held_from == ParcelState.WAITING else held_from)


def finish(context: PostingContext) -> None:
    """`finish`: everything that is not on hold, at any operation or not started, to finished; work on hold stays on hold.

    With a quantity: from here, upstream, then downstream; work on hold counts, but cannot be finished. An unknown item is
    finished at once; a scan after the end moves nothing.
    """
    stock, account = context.stock, context.account
    if context.quantity is None:
        if not stock.known():
            _finish(context, [stock.first_seen()])
            return
        context.marks.ended = not stock.live()
        context.marks.held = bool(stock.accounts(ParcelState.HELD))
        _finish(context, _withdrawn(stock, ParcelState.HERE, ParcelState.WAITING, ParcelState.RELEASED))
        return
    if _is_first_quantity_at(context, FINISHED):
        return
    beyond = [source for source in downstream(stock, account) if source.state != ParcelState.HELD]
    before = [source for source in upstream(stock, account) if source != RELEASED]
    sources = dict.fromkeys([account, *before, *sorted(beyond, key=lambda source: source.op or 0), RELEASED])
    _finish(context, draw_stated(context, sources, held_anywhere(stock, account)))


def complete(context: PostingContext) -> None:
    """`order.close` complete: all work here and waiting to finished; work on hold or not started to `adjusted`."""
    stock = context.stock
    _finish(context, _withdrawn(stock, ParcelState.HERE, ParcelState.WAITING))
    leftover = _withdrawn(stock, ParcelState.HELD, ParcelState.RELEASED)
    context.marks.left_behind_milli += stock.to_outer(leftover, "adjusted")


def _withdrawn(stock: ItemBalance, *states: str) -> list[Piece]:
    """Everything of the item in these states, withdrawn."""
    return [piece for account in stock.accounts(*states) for piece in stock.withdraw(account)]


def _finish(context: PostingContext, pieces: list[Piece]) -> None:
    for piece in pieces:
        _pass(context, piece, None)
        context.stock.put([piece], FINISHED)


def _assign_quantity(context: PostingContext) -> None:
    """Give an item of unknown quantity the quantity of the first scan that states one, from its beginning."""
    if context.quantity is None:
        return
    presence = context.stock.presence()
    if presence is not None:
        context.stock.give_quantity(presence, context.quantity, "overrun")


def _is_first_quantity_at(context: PostingContext, target: Account) -> bool:
    """Give an item of unknown quantity the stated one; whether it is at `target` already, so that nothing has to move."""
    presence = context.stock.presence()
    _assign_quantity(context)
    return context.quantity is not None and presence is not None and presence.account == target


def _taken_out(context: PostingContext, target: Account) -> list[Piece]:
    """The pieces of a scrap or rework. For an unknown item, the rest of it is present here."""
    stock, account = context.stock, context.account
    presence = stock.presence()
    if presence is not None and presence.account == target and context.event.qty_milli:
        _assign_quantity(context)  # all of it is there: the first quantity that is stated is that of the whole item
        return []
    context.quantity = None if context.event.all else context.event.qty_milli or ONE_MILLI
    if context.quantity is not None and not stock.known():
        stock.put([stock.first_seen()], account)
    return collect(context, target, first=(account, held_at(account)))


def _is_beyond(context: PostingContext, piece: Piece) -> bool:
    return piece.op is not None and context.account.op is not None and piece.op > context.account.op


def _bring_here(context: PostingContext, piece: Piece) -> None:
    """Put one piece to here, or to hold here where it is on hold."""
    _pass(context, piece, context.account.op)
    if piece.state == ParcelState.HELD:
        context.marks.held = True
        context.stock.put([piece], held_at(context.account), held_from=piece.held_from, reason=piece.reason)
    else:
        context.stock.put([piece], context.account)


def _same_again(context: PostingContext, piece: Piece) -> list[Piece]:
    """Withdraw from here only the piece that was just put here."""
    stock, account = context.stock, context.account
    return stock.withdraw_newest(account, piece.qty_milli) or stock.withdraw(account, piece.qty_milli)


def _pass(context: PostingContext, piece: Piece, op: int | None) -> None:
    """Mark the mandatory operations that this movement passes without a scan."""
    routing = context.stock.routing
    if routing is None or (piece.state not in LIVE and piece.state != FIRST_SEEN):
        return
    reached = piece.reached
    if piece.state in (ParcelState.HERE, ParcelState.HELD) and piece.op is not None:
        reached = max(reached or piece.op, piece.op)
    marked = context.marks.unscanned if op is None else context.marks.passed
    for operation in routing.mandatory_between(reached, op):
        marked.add(operation.op)
        charged = context.marks.charged
        charged[operation.op] = charged.get(operation.op, 0) + (piece.qty_milli or 0)
