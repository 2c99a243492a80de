"""Posting table: the movement of each kind of scan, from which accounts to which.

Each function posts one row of the table to the balance of one item, and sets the marks for the rules. The sources of a scan
are the same for all rows (see `allocation`); a row defines the target of the pieces.
"""

import msgspec

from station.core.ledger.allocation import ScanContext, collect, draw, draw_stated
from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.parcels import LIVE, RELEASED, Account, Parcel, ParcelState
from station.core.ledger.pick_order import downstream, held_anywhere, held_at, next_spot, upstream, waiting_at

ONE_MILLI = 1000  # scrap and rework without a quantity mean one


def arrive(bench: ScanContext) -> None:
    """`in`, `start`, and a bare scan that means arrived: from the upstream sources to here."""
    _assign_quantity(bench)
    for piece in collect(bench, bench.spot):
        _bring_here(bench, piece)


def depart(bench: ScanContext) -> None:
    """`out`, `done`, and a bare scan that means done: from here to the next queue; a missing `in` is posted first."""
    _assign_quantity(bench)
    target = next_spot(bench.stock, bench.spot, bench.stage_is_done)
    for piece in collect(bench, target, first=(bench.spot,)):
        if piece.state == ParcelState.HELD:
            _bring_here(bench, piece)
        elif piece.spot == bench.spot or _is_beyond(bench, piece):
            bench.stock.put([piece], target)
        else:
            _bring_here(bench, piece)
            bench.stock.put(_same_again(bench, piece), target)


def scrap(bench: ScanContext) -> None:
    """`scrap`: from here, on hold or not, then from the upstream sources, to scrapped."""
    target = Account(ParcelState.SCRAPPED, bench.spot.op, bench.spot.stage)
    bench.stock.put(_taken_out(bench, target), target, reason=bench.fact.reason)


def rework(bench: ScanContext) -> None:
    """`rework`: as scrap, to the queue of the last operation at stage `to` not after here; else on hold here."""
    stock, spot, to = bench.stock, bench.spot, bench.fact.to
    target: Account | None = waiting_at(spot)
    if stock.routing is not None and (to is not None or spot.op is None):
        at_stage = stock.routing.at_stage(to)
        back = [operation for operation in at_stage if spot.op is None or operation.op <= spot.op]
        target = Account(ParcelState.WAITING, back[-1].op, back[-1].stage) if back else None
    pieces = _taken_out(bench, target or held_at(spot))
    if target is None:
        bench.marks.foreign = True
        stock.put(pieces, held_at(spot), held_from=ParcelState.HERE, reason=bench.fact.reason)
    else:
        stock.put(pieces, target, reason=bench.fact.reason)


def hold(bench: ScanContext) -> None:
    """`hold`: from here, its queue, then the upstream sources, to hold here; the previous state is kept in the parcel."""
    _assign_quantity(bench)
    spot = bench.spot
    pieces = collect(bench, held_at(spot), first=(spot,))
    bench.marks.held = False  # some of it may already be on hold here, which needs no finding
    for piece in pieces:
        if piece.state == ParcelState.HELD:
            _bring_here(bench, piece)
            continue
        if spot.op is not None:
            _pass(bench, piece, spot.op)
        waited = piece.state == ParcelState.WAITING and piece.op == spot.op
        held_from = ParcelState.WAITING if waited else ParcelState.HERE
        bench.stock.put([piece], held_at(spot), held_from=held_from, reason=bench.fact.reason)


def release(bench: ScanContext) -> None:
    """`release`: from hold here, else from the nearest hold account, to the state before the hold."""
    for piece in draw(bench.stock, held_anywhere(bench.stock, bench.spot), bench.quantity):
        held_from = Account(ParcelState.HERE, piece.op, piece.stage)
        bench.stock.put([piece], waiting_at(held_from) if piece.held_from == ParcelState.WAITING else held_from)


def finish(bench: ScanContext) -> None:
    """`finish`: all work here and waiting, at any operation, to finished; work on hold or not started to `adjusted`.

    With a quantity: from here, upstream, then downstream; work on hold counts, but cannot be finished.
    """
    _assign_quantity(bench)
    stock, spot = bench.stock, bench.spot
    if bench.quantity is not None:
        beyond = [source for source in downstream(stock, spot) if source.state != ParcelState.HELD]
        before = [source for source in upstream(stock, spot) if source != RELEASED]
        sources = dict.fromkeys([spot, *before, *sorted(beyond, key=lambda source: source.op or 0), RELEASED])
        _finish(bench, draw_stated(bench, sources, held_anywhere(stock, spot)))
        return
    running = [parcel.spot for parcel in stock.parcels if parcel.state in (ParcelState.HERE, ParcelState.WAITING)]
    others = [parcel.spot for parcel in stock.parcels if parcel.state in (ParcelState.HELD, ParcelState.RELEASED)]
    _finish(bench, [piece for source in dict.fromkeys(running) for piece in stock.withdraw(source)])
    leftover = [piece for source in dict.fromkeys(others) for piece in stock.withdraw(source)]
    bench.marks.left_behind_milli += stock.to_outer(leftover, "adjusted")


def finish_scanned(bench: ScanContext) -> None:
    """`finish` by a scan: an unknown item is finished at once; a scan after the end moves nothing."""
    if not bench.stock.known() and bench.quantity is None:
        bench.stock.put([bench.stock.first_seen()], Account(ParcelState.FINISHED))
        return
    bench.marks.ended = bench.quantity is None and not bench.stock.live()
    finish(bench)


def give_quantity(stock: ItemBalance, presence: Parcel, qty_milli: int, account: str) -> None:
    """Replace a parcel of unknown quantity by one with a quantity from an outer account, with the same times."""
    stock.parcels.append(msgspec.structs.replace(presence, qty_milli=qty_milli))
    stock.posted(account, str(presence.spot), qty_milli)
    stock.quantity_became = qty_milli


def _finish(bench: ScanContext, pieces: list[Piece]) -> None:
    for piece in pieces:
        _pass(bench, piece, None)
        bench.stock.put([piece], Account(ParcelState.FINISHED))


def _assign_quantity(bench: ScanContext) -> None:
    """Give an item of unknown quantity the quantity of the first scan that states one, from its beginning."""
    if bench.quantity is None:
        return
    presence = bench.stock.presence()
    if presence is not None:
        bench.stock.parcels.remove(presence)
        bench.stock.from_outer("overrun", bench.quantity)
        give_quantity(bench.stock, presence, bench.quantity, "overrun")


def _taken_out(bench: ScanContext, target: Account) -> list[Piece]:
    """The pieces of a scrap or rework. For an unknown item, the rest of it is present here."""
    stock, spot = bench.stock, bench.spot
    bench.quantity = None if bench.fact.all else bench.fact.qty_milli or ONE_MILLI
    if bench.quantity is not None and not stock.known():
        stock.put([stock.first_seen()], spot)
    return collect(bench, target, first=(spot, held_at(spot)))


def _is_beyond(bench: ScanContext, piece: Piece) -> bool:
    return piece.op is not None and bench.spot.op is not None and piece.op > bench.spot.op


def _bring_here(bench: ScanContext, piece: Piece) -> None:
    """Put one piece to here, or to hold here where it is on hold."""
    _pass(bench, piece, bench.spot.op)
    if piece.state == ParcelState.HELD:
        bench.marks.held = True
        bench.stock.put([piece], held_at(bench.spot), held_from=piece.held_from, reason=piece.reason)
    else:
        bench.stock.put([piece], bench.spot)


def _same_again(bench: ScanContext, piece: Piece) -> list[Piece]:
    """Withdraw from here only the piece that was just put here."""
    newest = bench.stock.parcels[-1]
    if newest.spot == bench.spot and newest.qty_milli == piece.qty_milli:
        return [bench.stock.parcels.pop()]
    return bench.stock.withdraw(bench.spot, piece.qty_milli)


def _pass(bench: ScanContext, piece: Piece, op: int | None) -> None:
    """Mark the mandatory operations that this movement passes without a scan."""
    routing = bench.stock.routing
    if routing is None or piece.state not in LIVE:
        return
    reached = piece.reached
    if piece.state in (ParcelState.HERE, ParcelState.HELD) and piece.op is not None:
        reached = max(reached or piece.op, piece.op)
    marked = bench.marks.unscanned if op is None else bench.marks.passed
    marked.update(operation.op for operation in routing.mandatory_between(reached, op))
