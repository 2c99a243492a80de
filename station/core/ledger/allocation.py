"""Allocation: select the parcels that a scan moves, before they are put to their target.

With a quantity, sources are drawn one after another until it is met. An arrival or a departure then fills the gap of pieces
that passed this operation without a scan: they were here, and nothing moves. A rest that even the work on hold does not
cover comes from `overrun`. Without a quantity, the whole first source that holds any is drawn; if the target already holds
some of the item, only what is directly before it. A scan that draws nothing is a sighting: recorded, and nothing moves.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from station.core.ledger.item_balance import ItemBalance, Piece
from station.core.ledger.item_event import BARE, ItemEvent, uncertain_against
from station.core.ledger.parcels import RELEASED, Account, ParcelState
from station.core.ledger.pick_order import downstream, held_at, held_upstream, upstream, waiting_at


class PostingMarks(msgspec.Struct):
    """Observations of a posting, from which the rules make findings. Quantities in thousandths."""

    passed: set[int] = set()
    unscanned: set[int] = set()
    charged: dict[int, int] = {}  # operation -> quantity that passed it without a scan, whose cost it takes up
    back_from: str | None = None
    foreign: bool = False
    held: bool = False
    ended: bool = False
    late: bool = False  # the office changed an order that it had closed
    over_milli: int = 0
    drawn_milli: int = 0  # of a stated quantity, what was there
    op: int | None = None
    stands_here: bool = False
    part_milli: int = 0
    filled_milli: int = 0  # passed this operation before without a scan
    further_milli: int = 0  # of an overrun, what was scanned here and is further on
    both_milli: int = 0  # a stated quantity that may be arriving pieces or pieces that passed without a scan
    verb: str = BARE  # of a bare scan: the verb that it means
    several: bool = False
    uncertain: bool = False  # the order against the event that moved it on is unknown
    uncut_milli: int = 0
    missing_milli: int = 0
    left_behind_milli: int = 0
    unheld_milli: int = 0  # of a stated quantity to release from hold, what was not on hold
    beyond_milli: int = 0  # scanned before the release, beyond the quantity that it ordered
    begun: bool = False  # a run began; it moves nothing, and needs no finding

    def any_set(self) -> bool:
        """Whether anything was observed that a rule looks at."""
        return bool(
            self.passed or self.unscanned or self.back_from or self.foreign or self.held or self.ended or self.over_milli
            or self.part_milli or self.both_milli or self.several or self.uncut_milli or self.missing_milli
            or self.left_behind_milli or self.unheld_milli or self.beyond_milli
        )  # fmt: skip


class PostingContext(msgspec.Struct):
    """The context of a scan: the item's stock, the account, and whether that is the end for an item without routing."""

    stock: ItemBalance
    account: Account
    marks: PostingMarks
    quantity: int | None
    stage_is_done: bool = False
    met_milli: int = 0  # of the quantity, what a `start` found here and nothing has to move for
    running_milli: int = 0  # pieces here that count for a second `start` before more than was there is assumed

    @property
    def event(self) -> ItemEvent:
        """The item event being posted."""
        return self.stock.event


def collect(
    context: PostingContext, target: Account, first: Sequence[Account] = (), *, fills_gap: bool = False
) -> list[Piece]:
    """The pieces that a scan moves towards `target`: from the accounts of `first`, then from the upstream sources.

    `fills_gap`: a stated quantity may be pieces that passed this operation before without a scan.
    """
    stock, account = context.stock, context.account
    if context.quantity is not None:
        held_here = held_at(account)
        held_back = () if held_here in first else (held_here,)
        sources = chain(first, upstream(stock, account))
        return draw_stated(context, sources, held_back, held_upstream(stock, account), fills_gap=fills_gap)
    if stock.holds(target):
        pieces = _plainly_next(context, target, first)
        context.marks.ended = not pieces and not stock.live()
        return pieces
    pieces = draw(stock, chain(first, upstream(stock, account)))
    if pieces:
        return pieces
    if stock.holds(held_at(account)):
        context.marks.held = bool(first)  # a mark only if the scan would move it on: its arrival here is known
        return []
    on_hold = held_upstream(stock, account)
    return stock.withdraw(on_hold[0]) if on_hold else _bring_back(context, target)


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
    context: PostingContext,
    sources: Iterable[Account],
    held_back: Sequence[Account],
    held: Sequence[Account] = (),
    *,
    fills_gap: bool = False,
) -> list[Piece]:
    """A stated quantity: from the sources; then `held_back` counts, but is not moved; then from `held`; else overrun.

    With `fills_gap` pieces that passed this operation without a scan come before overrun; they are marked as scanned.
    """
    assert context.quantity is not None
    op = context.account.op if fills_gap else None
    gap = 0 if op is None else total(context.stock.unscanned_beyond(op))
    wanted = context.quantity - context.met_milli
    pieces = draw(context.stock, sources, wanted)
    lacking = wanted - total(pieces)
    lacking -= min(lacking, context.running_milli)
    for account in held_back:
        if lacking > 0 and context.stock.holds(account):
            context.marks.held = True
            lacking -= min(lacking, total(context.stock.at(account)))
    if lacking > 0:
        drawn = draw(context.stock, held, lacking)
        pieces += drawn
        lacking -= total(drawn)
    if lacking > 0 and op is not None:
        context.marks.filled_milli = context.stock.mark_scanned(op, lacking)
        lacking -= context.marks.filled_milli
    elif (
        gap >= context.quantity and not context.met_milli and all(piece.account != context.account for piece in pieces)
    ):
        context.marks.both_milli = context.quantity
    if lacking > 0:
        if context.stock.released:
            context.marks.over_milli += lacking
            context.marks.drawn_milli = context.quantity - lacking
            context.marks.further_milli = _scanned_further_on(context, lacking)
        pieces.append(context.stock.from_outer("overrun", lacking))
    return pieces


def _scanned_further_on(context: PostingContext, most: int) -> int:
    """The quantity that was scanned at this operation before and is in process further on; at most `most`."""
    op = context.account.op
    beyond = downstream(context.stock, context.account)
    further = [parcel for account in beyond for parcel in context.stock.at(account) if op in parcel.scanned]
    return min(most, total(further))


def total(pieces: Iterable[Piece]) -> int:
    """The known quantity of these pieces, in thousandths."""
    return sum([piece.qty_milli or 0 for piece in pieces])


def _plainly_next(context: PostingContext, target: Account, first: Sequence[Account]) -> list[Piece]:
    """The target already holds some: draw only from here, from this queue, or from the operation directly before."""
    stock, account, routing = context.stock, context.account, context.stock.routing
    for near in (*first, waiting_at(account)):
        if near != target and (pieces := stock.withdraw(near)):
            return pieces
    if account.op is None or routing is None:
        return []
    before = routing.before(account.op)
    if before is None:
        return stock.withdraw(RELEASED)
    for operation in reversed(routing.operations):
        if operation.op < account.op:
            gap = None if operation == before else before.op
            if pieces := stock.withdraw(Account(ParcelState.HERE, operation.op, operation.stage), reached_at_least=gap):
                return pieces
    return []


def _bring_back(context: PostingContext, target: Account) -> list[Piece]:
    """Nothing here or upstream: draw back from downstream, mark an ambiguity, or mark a scan after the end."""
    stock, marks = context.stock, context.marks
    beyond = [account for account in downstream(stock, context.account) if account != target]
    if not beyond:
        if not stock.known():
            return [stock.first_seen()]
        marks.ended = not stock.live()
        return []
    if len(beyond) > 1:
        marks.several = True
        return []
    parcels = stock.at(beyond[0])
    if any(uncertain_against(context.event, parcel.put_by, parcel.lo_us, parcel.hi_us) for parcel in parcels):
        marks.uncertain = True
        return []  # a sighting
    marks.back_from = beyond[0].stage
    return stock.withdraw(beyond[0])
