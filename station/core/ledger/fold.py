"""Fold: compute the state of one item from its events in their order.

>>> from station.core.ledger.item_event import ItemEvent
>>> released = ItemEvent(key_us=1, log="hub", seq=1, verb="order.release", data={"order": "WO-1", "qty_milli": 40_000})
>>> scanned = ItemEvent(key_us=2, log="saw", seq=1, stage="saw", station="saw-1")
>>> state = fold("WO-1", [scanned, released], MasterData()).state
>>> [(parcel.state, parcel.stage, parcel.qty_milli) for parcel in state.parcels]
[('here', 'saw', 40000)]
"""

from collections.abc import Callable, Iterable
from itertools import chain

import msgspec

from station.core.bounds import MAX_BALANCE_MILLI
from station.core.ledger import order_entries, postings
from station.core.ledger.allocation import PostingMarks, ScanContext
from station.core.ledger.item_balance import ItemBalance
from station.core.ledger.item_event import BARE, ItemEvent
from station.core.ledger.parcels import Finding, FoldResult, ItemState, ParcelState, Posting, Visit
from station.core.ledger.pick_order import choose, here
from station.core.ledger.routing import StageType
from station.core.ledger.rules import Movement, look_at
from station.core.master_data import MasterData

ROWS: dict[str, Callable[[ScanContext], None]] = {
    "in": postings.arrive,
    "start": postings.arrive,
    "out": postings.depart,
    "done": postings.depart,
    "scrap": postings.scrap,
    "rework": postings.rework,
    "hold": postings.hold,
    "release": postings.release,
    "finish": postings.finish_scanned,
}
DRAWS_ON_HERE = frozenset({"out", "done", "scrap", "rework", "hold"})
MOVES_ALONG = frozenset({"in", "start", "out", "done"})
BARE_MEANS = {"arrived": "in", "both": "in", "done": "out"}
BALANCE = f"a quantity of the item would exceed {MAX_BALANCE_MILLI // 1000}"
Apply = Callable[[ItemState, ItemEvent, MasterData], FoldResult]


def empty(item: str) -> ItemState:
    """The state of an item without events."""
    return ItemState(item=item)


def apply(state: ItemState, fact: ItemEvent, catalogue: MasterData) -> FoldResult:
    """The item after one more fact, which must follow all facts applied so far."""
    if not (fact.repeat or fact.seen):
        if fact.verb == BARE or fact.verb in ROWS:
            return _scanned(state, fact, catalogue)
        if fact.verb in order_entries.ROWS:
            return _entered(state, fact, catalogue)
    # Repeats, tag removals, calls, counts, bindings, notes: recorded, but nothing moves.
    return FoldResult(msgspec.structs.replace(state, last=fact.place, first_us=_first(state, fact)))


def attempt(state: ItemState, fact: ItemEvent, catalogue: MasterData, apply: Apply = apply) -> FoldResult | str:
    """As `apply`; for a fact that cannot be folded, the reason as a text. The fold then continues without that fact.

    A fact that would move an account of the item beyond MAX_BALANCE_MILLI cannot be folded: sums must fit into 64 bits.
    """
    try:
        step = apply(state, fact, catalogue)
    except Exception as error:  # noqa: BLE001 - a defect in one branch must not keep later facts from being folded
        return reason_of(error)
    if step.state.parcels == state.parcels and step.state.outer == state.outer:
        return step
    quantities = chain(step.state.outer.values(), (parcel.qty_milli or 0 for parcel in step.state.parcels))
    return BALANCE if any(abs(quantity) > MAX_BALANCE_MILLI for quantity in quantities) else step


def reason_of(error: BaseException) -> str:
    """An error as one short line: its class and its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300].rstrip(": ").replace("\0", "\\0")


def fold(item: str, facts: Iterable[ItemEvent], catalogue: MasterData) -> FoldResult:
    """Fold all facts of an item, given in any order; returns the state, postings, visits and findings."""
    state, history = empty(item), ItemHistory()
    for fact in sorted(facts, key=lambda fact: fact.place):
        step = attempt(state, fact, catalogue)
        if isinstance(step, str):
            state = msgspec.structs.replace(state, last=fact.place)
            continue
        state = step.state
        history.follow(step)
    return FoldResult(state, tuple(history.postings), tuple(history.visits), tuple(history.findings))


class ItemHistory:
    """The postings, visits and findings of one item so far, in order."""

    def __init__(self) -> None:
        self.postings: list[Posting] = []
        self.visits: list[Visit] = []
        self.findings: list[Finding] = []

    def follow(self, step: FoldResult) -> None:
        """Add those of one step; a quantity that became known is also that of the earlier visits."""
        if step.quantity_became is not None:
            self.visits = [
                msgspec.structs.replace(visit, qty_milli=step.quantity_became) if visit.qty_milli is None else visit
                for visit in self.visits
            ]
        self.postings += step.postings
        self.visits += step.visits
        self.findings += step.findings


def balances(state: ItemState) -> dict[str, int]:
    """Every account of an item, in thousandths; they sum to zero."""
    accounts = dict(state.outer)
    for parcel in state.parcels:
        accounts[str(parcel.spot)] = accounts.get(str(parcel.spot), 0) + (parcel.qty_milli or 0)
    return {account: qty for account, qty in accounts.items() if qty}


def _entered(state: ItemState, fact: ItemEvent, catalogue: MasterData) -> FoldResult:
    state = order_entries.headed(state, fact, catalogue)
    stock, marks = ItemBalance(state, fact), PostingMarks()
    order_entries.ROWS[fact.verb](stock, marks)
    state = order_entries.dated(state, fact)
    return _close(state, stock, marks, catalogue, closed=marks.late)


def _scanned(state: ItemState, fact: ItemEvent, catalogue: MasterData) -> FoldResult:
    stock, marks = ItemBalance(state, fact), PostingMarks()
    if not state.closed and fact.unread is None and (fact.stage is not None or fact.verb == "finish"):
        _post(stock, marks, catalogue)
    return _close(state, stock, marks, catalogue, closed=state.closed)


def _post(stock: ItemBalance, marks: PostingMarks, catalogue: MasterData) -> None:
    fact, routing, verb = stock.fact, stock.routing, stock.fact.verb
    operation, is_done = None, False
    if routing is not None:
        operation = choose(stock, fact.stage or "", verb in DRAWS_ON_HERE)
        marks.foreign = operation is None and fact.stage is not None and verb != "release"
    else:
        known = catalogue.stage(fact.stage, fact.key_us)
        is_done = known is not None and known.type == StageType.DONE
    if verb == BARE:
        means = routing.means(operation.op) if routing and operation else "done" if is_done else "arrived"
        verb = BARE_MEANS.get(means, "in")
    if marks.foreign and verb in MOVES_ALONG:
        return  # recorded as a sighting
    quantity = fact.qty_milli
    if quantity is None and operation is not None and operation.transfer_qty_milli and verb in MOVES_ALONG:
        quantity = operation.transfer_qty_milli
    ROWS[verb](ScanContext(stock, here(operation, fact.stage), marks, None if fact.all else quantity, is_done))


def _close(
    state: ItemState, stock: ItemBalance, marks: PostingMarks, catalogue: MasterData, *, closed: bool
) -> FoldResult:
    """The state with the stock's parcels, and the findings of the rules about the movement."""
    fact = stock.fact
    started, finished = state.started_us, None
    if started is None and any(parcel.started_us is not None for parcel in stock.parcels):
        started = fact.key_us
    if not stock.live() and any(parcel.state == ParcelState.FINISHED for parcel in stock.parcels):
        finished = fact.key_us if state.finished_us is None else state.finished_us
    after = msgspec.structs.replace(
        state,
        parcels=tuple(stock.parcels),
        outer={account: qty for account, qty in stock.outer.items() if qty},
        first_us=_first(state, fact),
        started_us=started,
        finished_us=finished,
        last=fact.place,
    )
    findings: tuple[Finding, ...] = ()
    movement = None
    if closed or fact.unknown or fact.unread is not None or marks != _NOTHING:
        movement = _movement(state, stock, marks, catalogue, closed)
        findings = tuple(
            Finding(rule, fact.key_us, fact.log, fact.seq, fact.stage, fact.station, text)
            for rule, text in look_at(movement)
        )
    return FoldResult(after, tuple(stock.postings), tuple(stock.visits), findings, stock.quantity_became, movement)


def _first(state: ItemState, fact: ItemEvent) -> int:
    return fact.key_us if state.first_us is None else state.first_us


def _movement(
    state: ItemState, stock: ItemBalance, marks: PostingMarks, catalogue: MasterData, closed: bool
) -> Movement:
    fact = stock.fact

    def names(ops: set[int]) -> tuple[str, ...]:
        operations = state.routing.operations if state.routing else ()
        return tuple(catalogue.stage_name(step.stage, fact.key_us) for step in operations if step.op in ops)

    entered = fact.verb in order_entries.ROWS
    stage = (fact.data or {}).get("stage") if entered else fact.stage
    return Movement(
        item=state.item,
        place=catalogue.stage_name(stage, fact.key_us) if isinstance(stage, str) else _nowhere(fact, entered),
        passed=names(marks.passed),
        unscanned=names(marks.unscanned),
        back_from=catalogue.stage_name(marks.back_from, fact.key_us) if marks.back_from else None,
        foreign=marks.foreign,
        held=marks.held,
        ended=marks.ended,
        closed=closed,
        entered=entered,
        over_milli=marks.over_milli,
        several=marks.several,
        uncut_milli=marks.uncut_milli,
        missing_milli=marks.missing_milli,
        left_behind_milli=marks.left_behind_milli,
        unknown=fact.unknown,
        unread=fact.unread,
    )


def _nowhere(fact: ItemEvent, entered: bool) -> str:
    return "the office" if entered or not fact.station else fact.station


_NOTHING = PostingMarks()
