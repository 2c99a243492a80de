"""Fold: compute the state of one item from its events in their order.

>>> from station.core.ledger.item_event import ItemEvent
>>> released = ItemEvent(key_us=1, log="hub", seq=1, verb="order.release", data={"order": "WO-1", "qty_milli": 40_000})
>>> scanned = ItemEvent(key_us=2, log="saw", seq=1, stage="saw", station="saw-1")
>>> state = fold("WO-1", [scanned, released], MasterData()).state
>>> [(parcel.state, parcel.stage, parcel.qty_milli) for parcel in state.parcels]
[('here', 'saw', 40000)]
"""

from collections.abc import Callable, Iterable

import msgspec

from station.core.bounds import MAX_BALANCE_MILLI
from station.core.ledger import order_entries, postings
from station.core.ledger.allocation import PostingContext, PostingMarks
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_balance import ItemBalance
from station.core.ledger.item_event import BARE, ItemEvent
from station.core.ledger.parcels import Finding, ItemState
from station.core.ledger.pick_order import choose, held_at, here
from station.core.ledger.routing import StageType
from station.core.ledger.rules import Movement, look_at
from station.core.master_data import MasterData

ROWS: dict[str, Callable[[PostingContext], None]] = {
    "in": postings.arrive,
    "start": postings.start,
    "out": postings.depart,
    "done": postings.depart,
    "scrap": postings.scrap,
    "rework": postings.rework,
    "hold": postings.hold,
    "release": postings.release,
    "finish": postings.finish,
}
DRAWS_ON_HERE = frozenset({"out", "done", "scrap", "rework", "hold"})
ENDS_ELSEWHERE = frozenset({"release", "finish"})  # they move pieces at other operations, which the scan does not see
MOVES_ALONG = frozenset({"in", "start", "out", "done"})
BARE_MEANS = {"arrived": "in", "both": "in", "done": "out"}
BALANCE = f"a quantity of the item would exceed {MAX_BALANCE_MILLI // 1000}"
Apply = Callable[[ItemState, ItemEvent, MasterData], FoldResult]


def empty(item: str) -> ItemState:
    """The state of an item without events."""
    return ItemState(item=item)


def apply(state: ItemState, event: ItemEvent, master_data: MasterData) -> FoldResult:
    """The item after one more item event, which must follow all item events applied so far."""
    if not (event.repeat or event.seen):
        if event.verb == BARE or event.verb in ROWS:
            return _scanned(state, event, master_data)
        if event.verb in order_entries.ROWS:
            return _entered(state, event, master_data)
    # Repeats, tag removals, calls, counts, bindings, notes: recorded, but nothing moves.
    return FoldResult(msgspec.structs.replace(state, last=event.place, first_us=_first(state, event)))


def attempt(state: ItemState, event: ItemEvent, master_data: MasterData, apply: Apply = apply) -> FoldResult | str:
    """As `apply`; for an item event that cannot be folded, the reason as a text. The fold then continues without it.

    An item event that would move an account beyond MAX_BALANCE_MILLI cannot be folded: sums must fit into 64 bits.
    """
    try:
        step = apply(state, event, master_data)
    except Exception as error:  # noqa: BLE001 - a defect in one branch must not keep later item events from being folded
        return reason_of(error)
    return BALANCE if step.greatest_milli > MAX_BALANCE_MILLI else step


def reason_of(error: BaseException) -> str:
    """An error as one short line: its class and its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300].rstrip(": ").replace("\0", "\\0")


def fold(item: str, events: Iterable[ItemEvent], master_data: MasterData) -> FoldResult:
    """Fold all item events of an item, given in any order; returns the state, moves and findings."""
    state, steps = empty(item), []
    for event in sorted(events, key=lambda event: event.place):
        step = attempt(state, event, master_data)
        if isinstance(step, str):
            state = msgspec.structs.replace(state, last=event.place)
            continue
        state = step.state
        steps.append(step)
    moves = tuple(move for step in steps for move in step.moves)
    return FoldResult(state, moves, tuple(finding for step in steps for finding in step.findings))


def balances(state: ItemState) -> dict[str, int]:
    """Every account of an item, in thousandths; they sum to zero."""
    accounts = dict(state.outer)
    for parcel in state.parcels:
        accounts[str(parcel.account)] = accounts.get(str(parcel.account), 0) + (parcel.qty_milli or 0)
    return {account: qty for account, qty in accounts.items() if qty}


def _entered(state: ItemState, event: ItemEvent, master_data: MasterData) -> FoldResult:
    state = order_entries.headed(state, event, master_data)
    stock, marks = ItemBalance(state, event), PostingMarks()
    order_entries.ROWS[event.verb](stock, marks)
    state = order_entries.dated(state, event)
    return _close(state, stock, marks, closed=marks.late)


def _scanned(state: ItemState, event: ItemEvent, master_data: MasterData) -> FoldResult:
    stock, marks = ItemBalance(state, event), PostingMarks()
    # A code that names no item is listed, and is not in process.
    is_nothing = event.unknown and not state.parcels and not state.outer
    is_effective = event.unread is None and (event.stage is not None or event.verb == "finish")
    if is_effective and not (state.closed or is_nothing):
        _post(stock, marks, master_data)
    return _close(state, stock, marks, closed=state.closed)


def _post(stock: ItemBalance, marks: PostingMarks, master_data: MasterData) -> None:
    event, routing, verb = stock.event, stock.routing, stock.event.verb
    operation, is_done = None, False
    if routing is not None:
        operation = choose(stock, event.stage or "", verb in DRAWS_ON_HERE)
        marks.op = operation.op if operation else None
        marks.foreign = operation is None and event.stage is not None and verb != "release"
    else:
        known = master_data.stage(event.stage, event.key_us)
        is_done = known is not None and known.type == StageType.DONE
    if verb == BARE:
        means = routing.means(operation.op) if routing and operation else "done" if is_done else "arrived"
        verb = marks.verb = BARE_MEANS.get(means, "in")
    if quantity := event.qty_milli:
        marks.part_milli = _part_unit(stock, quantity, master_data)
    if marks.foreign and verb in MOVES_ALONG:
        return  # recorded as a sighting
    if quantity is None and operation is not None and operation.transfer_qty_milli and verb in MOVES_ALONG:
        quantity = operation.transfer_qty_milli
    account = here(operation, event.stage)
    if verb not in ENDS_ELSEWHERE:
        stock.scanned_at = account.op
    marks.stands_here = stock.holds(account) or stock.holds(held_at(account))
    ROWS[verb](PostingContext(stock, account, marks, None if event.all else quantity, is_done))


def _part_unit(stock: ItemBalance, quantity: int, master_data: MasterData) -> int:
    """The quantity in thousandths where it has a fraction that the unit of the item's product does not have; else 0."""
    if quantity % 1000 == 0:
        return 0
    product = master_data.product(stock.product, stock.event.key_us)
    return quantity if product is not None and quantity % 10 ** max(3 - product.decimals, 0) else 0


def _close(state: ItemState, stock: ItemBalance, marks: PostingMarks, *, closed: bool) -> FoldResult:
    """The state with the stock's parcels, and the findings of the rules about the movement."""
    event = stock.event
    started, ended = state.started_us, None
    if started is None and any(parcel.started_us is not None for parcel in stock.parcels):
        started = event.key_us
    if not stock.live() and (stock.parcels or any(stock.outer.values())):
        ended = event.key_us if state.ended_us is None else state.ended_us
    after = msgspec.structs.replace(
        state,
        parcels=stock.state_parcels(),
        outer={account: qty for account, qty in stock.outer.items() if qty},
        first_us=_first(state, event),
        started_us=started,
        ended_us=ended,
        moves=state.moves + len(stock.moves),
        last=event.place,
    )
    entered = event.verb in order_entries.ROWS
    moved = stock.has_moved(state) or marks.filled_milli > 0 or marks.begun
    findings: tuple[Finding, ...] = ()
    movement = None
    if closed or event.unknown or event.unread is not None or not (moved or entered) or marks.any_set():
        movement = _movement(state, stock, marks, closed=closed, moved=moved, entered=entered)
        findings = tuple(
            Finding(rule, event.key_us, event.log, event.seq, movement.stage, event.station, args)
            for rule, args in look_at(movement)
        )
    return FoldResult(after, tuple(stock.moves), findings, movement, stock.greatest_milli())


def _first(state: ItemState, event: ItemEvent) -> int:
    return event.key_us if state.first_us is None else state.first_us


def _movement(
    state: ItemState, stock: ItemBalance, marks: PostingMarks, *, closed: bool, moved: bool, entered: bool
) -> Movement:
    event = stock.event
    operations = state.routing.operations if state.routing else ()

    def stages(ops: set[int]) -> tuple[str, ...]:
        return tuple(step.stage for step in operations if step.op in ops)

    stage = (event.data or {}).get("stage") if entered else event.stage
    return Movement(
        item=state.item,
        verb=event.verb or marks.verb,
        stage=stage if isinstance(stage, str) else None,
        station=event.station,
        passed=stages(marks.passed),
        unscanned=stages(marks.unscanned),
        charged=tuple(sorted((op, milli) for op, milli in marks.charged.items() if milli)),
        back_from=marks.back_from,
        foreign=marks.foreign,
        held=marks.held,
        ended=marks.ended,
        closed=closed,
        entered=entered,
        moved=moved,
        stands_here=marks.stands_here,
        op=marks.op,
        over_milli=marks.over_milli,
        drawn_milli=marks.drawn_milli,
        further_milli=marks.further_milli,
        both_milli=marks.both_milli,
        several=marks.several,
        uncertain=marks.uncertain,
        uncut_milli=marks.uncut_milli,
        missing_milli=marks.missing_milli,
        left_behind_milli=marks.left_behind_milli,
        unheld_milli=marks.unheld_milli,
        beyond_milli=marks.beyond_milli,
        part_milli=marks.part_milli,
        unknown=event.unknown,
        unread=event.unread,
    )
