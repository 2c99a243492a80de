"""The posting table: what each kind of scan moves, from where to where.

Every function posts one row of the table to the stock of one item and marks what the rules should know. From where a scan
takes is the same for all rows (see `draw`); a row says what it does with the pieces.
"""

import msgspec

from station.core.ledger.allocation import ScanContext, collect, draw, draw_stated
from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.parcels import LIVE, RELEASED, Account, Parcel, ParcelState
from station.core.ledger.pick_order import downstream, held_anywhere, held_at, next_spot, upstream, waiting_at

ONE_MILLI = 1000  # scrap and rework without a quantity mean one


def arrive(bench: ScanContext) -> None:
    """`in`, `start`, and a bare scan that means arrived: from the walk to here."""
    _settle(bench)
    for piece in collect(bench, bench.spot):
        _bring_here(bench, piece)


def depart(bench: ScanContext) -> None:
    """`out`, `done`, and a bare scan that means done: from here to the next queue, the missing `in` first."""
    _settle(bench)
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
    """`scrap`: from here, held or not, then the walk, to scrapped."""
    target = Account(ParcelState.SCRAPPED, bench.spot.op, bench.spot.stage)
    bench.stock.put(_taken_out(bench, target), target, reason=bench.fact.reason)


def rework(bench: ScanContext) -> None:
    """`rework`: as scrap, to the queue of the last operation at stage `to` not after here; else on hold here."""
    stock, spot, to = bench.stock, bench.spot, bench.fact.to
    target: Account | None = waiting_at(spot)
    if stock.routing is not None and (to is not None or spot.op is None):
        back = [each for each in stock.routing.at_stage(to) if spot.op is None or each.op <= spot.op]
        target = Account(ParcelState.WAITING, back[-1].op, back[-1].stage) if back else None
    pieces = _taken_out(bench, target or held_at(spot))
    if target is None:
        bench.marks.foreign = True
        stock.put(pieces, held_at(spot), held_from=ParcelState.HERE, reason=bench.fact.reason)
    else:
        stock.put(pieces, target, reason=bench.fact.reason)


def hold(bench: ScanContext) -> None:
    """`hold`: from here, its queue, then the walk, to held here; it remembers the state it was held from."""
    _settle(bench)
    spot = bench.spot
    pieces = collect(bench, held_at(spot), first=(spot,))
    bench.marks.held = False  # that some of it is on hold here already is no news
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
    """`release`: from held here, else the nearest, to the state it was held from."""
    for piece in draw(bench.stock, held_anywhere(bench.stock, bench.spot), bench.quantity):
        held_from = Account(ParcelState.HERE, piece.op, piece.stage)
        bench.stock.put([piece], waiting_at(held_from) if piece.held_from == ParcelState.WAITING else held_from)


def finish(bench: ScanContext) -> None:
    """`finish`: here and waiting, anywhere, to finished; what is on hold or not started is adjusted away.

    With a quantity: from here, the walk, then beyond; what is on hold counts, but cannot be finished.
    """
    _settle(bench)
    stock, spot = bench.stock, bench.spot
    if bench.quantity is not None:
        beyond = [each for each in downstream(stock, spot) if each.state != ParcelState.HELD]
        walk = [each for each in upstream(stock, spot) if each != RELEASED]
        sources = dict.fromkeys([spot, *walk, *sorted(beyond, key=lambda each: each.op or 0), RELEASED])
        _finish(bench, draw_stated(bench, sources, held_anywhere(stock, spot)))
        return
    running = [each.spot for each in stock.parcels if each.state in (ParcelState.HERE, ParcelState.WAITING)]
    others = [each.spot for each in stock.parcels if each.state in (ParcelState.HELD, ParcelState.RELEASED)]
    _finish(bench, [piece for each in dict.fromkeys(running) for piece in stock.withdraw(each)])
    leftover = [piece for each in dict.fromkeys(others) for piece in stock.withdraw(each)]
    bench.marks.left_behind_milli += stock.to_outer(leftover, "adjusted")


def finish_scanned(bench: ScanContext) -> None:
    """`finish` by a scan: one of something never seen before finishes it, one after the end moves nothing."""
    if not bench.stock.known() and bench.quantity is None:
        bench.stock.put([bench.stock.first_seen()], Account(ParcelState.FINISHED))
        return
    bench.marks.ended = bench.quantity is None and not bench.stock.live()
    finish(bench)


def give_quantity(stock: ItemBalance, presence: Parcel, qty_milli: int, account: str) -> None:
    """Put a quantity that came from an outer account where the presence stood, with the presence's own times."""
    stock.parcels.append(msgspec.structs.replace(presence, qty_milli=qty_milli))
    stock.posted(account, str(presence.spot), qty_milli)
    stock.quantity_became = qty_milli


def _finish(bench: ScanContext, pieces: list[Piece]) -> None:
    for piece in pieces:
        _pass(bench, piece, None)
        bench.stock.put([piece], Account(ParcelState.FINISHED))


def _settle(bench: ScanContext) -> None:
    """An item of unknown quantity gets one from the first scan that states it; its presence had it all along."""
    if bench.quantity is None:
        return
    presence = bench.stock.presence()
    if presence is not None:
        bench.stock.parcels.remove(presence)
        bench.stock.from_outer("overrun", bench.quantity)
        give_quantity(bench.stock, presence, bench.quantity, "overrun")


def _taken_out(bench: ScanContext, target: Account) -> list[Piece]:
    """What leaves the good ones; one of something never seen before says that the rest of it is here."""
    stock, spot = bench.stock, bench.spot
    bench.quantity = None if bench.fact.all else bench.fact.qty_milli or ONE_MILLI
    if bench.quantity is not None and not stock.known():
        stock.put([stock.first_seen()], spot)
    return collect(bench, target, first=(spot, held_at(spot)))


def _is_beyond(bench: ScanContext, piece: Piece) -> bool:
    return piece.op is not None and bench.spot.op is not None and piece.op > bench.spot.op


def _bring_here(bench: ScanContext, piece: Piece) -> None:
    """Put one piece to here, or, where it is on hold, to held here."""
    _pass(bench, piece, bench.spot.op)
    if piece.state == ParcelState.HELD:
        bench.marks.held = True
        bench.stock.put([piece], held_at(bench.spot), held_from=piece.held_from, reason=piece.reason)
    else:
        bench.stock.put([piece], bench.spot)


def _same_again(bench: ScanContext, piece: Piece) -> list[Piece]:
    """Take from here what was just put here, and nothing else that stands there."""
    newest = bench.stock.parcels[-1]
    if newest.spot == bench.spot and newest.qty_milli == piece.qty_milli:
        return [bench.stock.parcels.pop()]
    return bench.stock.withdraw(bench.spot, piece.qty_milli)


def _pass(bench: ScanContext, piece: Piece, op: int | None) -> None:
    """Mark the mandatory operations that this move passes and that nobody scanned."""
    routing = bench.stock.routing
    if routing is None or piece.state not in LIVE:
        return
    reached = piece.reached
    if piece.state in (ParcelState.HERE, ParcelState.HELD) and piece.op is not None:
        reached = max(reached or piece.op, piece.op)
    marked = bench.marks.unscanned if op is None else bench.marks.passed
    marked.update(each.op for each in routing.mandatory_between(reached, op))
