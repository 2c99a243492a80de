"""Station items: the state of each item as this station knows it: the hub's last state, and the own scans after it.

The own scans are folded by the ledger that the hub uses, so that online, offline and after a restart the state is what the
hub folds from the events that the station has.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from station.core.codes import identity_of_written
from station.core.ledger.fold import apply, empty
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import ItemState, OrderHeader, Parcel, ParcelState
from station.core.ledger.routing import Routing
from station.core.master_data import MasterData
from station.core.protocol import OpenItem
from station.core.snapshot import NOW_US

MOST_FOLDED = 5_000  # item states in memory; the others are built from their rows when they are scanned
MOST_VOIDS = 20  # of one item that are compared with the hub's rows
MOST_OWN = 10_000  # own scans that the hub has not included yet, or that UNDO may void
OWN_LOG = "here"  # the log id of this station's own scans in the fold


class BaseState(NamedTuple):
    """An item without the own scans after `thru`: the hub's rows, or a state that was folded here."""

    rows: tuple[OpenItem, ...]
    state: ItemState | None
    thru: int


class OwnScan(NamedTuple):
    """A scan of this station, and its item's state before it."""

    event: ItemEvent
    item: str
    before: ItemState


class StationItems:
    """The items of the shop. Used by the recording thread alone; sequence numbers are those of the station's log."""

    def __init__(self, master_data: MasterData) -> None:
        self._master_data = master_data
        self._bases: dict[str, BaseState] = {}
        self._folded: OrderedDict[str, ItemState] = OrderedDict()
        self._own: OrderedDict[int, OwnScan] = OrderedDict()
        self._own_of: dict[str, list[int]] = {}
        self._voids: dict[str, list[tuple[int, int]]] = {}  # of an item: voided scan, and the event that voids it

    def forget(self) -> None:
        """Drop the hub's states: it sends all of them again. The own scans stay."""
        self._bases.clear()
        self._folded.clear()

    def know(self, rows: Iterable[OpenItem]) -> None:
        """Replace the hub's state of each item in `rows`; own scans after its `thru` are folded on top of it.

        A state that still includes a scan that was voided here is not used: the hub sends another one soon.
        """
        rows_of: dict[str, list[OpenItem]] = {}
        for row in rows:
            rows_of.setdefault(row.item, []).append(row)
        for item in list(rows_of):
            # A hub of an earlier version, and rows of before an update, name an item by a spelling of its code.
            name = identity_of_written(item)
            if name != item:
                rows = rows_of.pop(item)
                rows_of.setdefault(name, [msgspec.structs.replace(row, item=name) for row in rows])
        for item, of_item in rows_of.items():
            thru = of_item[0].thru
            if any(target <= thru < by for target, by in self._voids.get(item, ())):
                continue
            self._bases[item] = BaseState(tuple(of_item), None, thru)
            self._folded.pop(item, None)

    def knows(self, item: str) -> bool:
        """Whether the hub has sent this item, or it was scanned here."""
        return item in self._bases or item in self._own_of

    def released(self, item: str) -> bool:
        """Whether the office has released this item."""
        return self.state(item).released_us is not None

    def state(self, item: str) -> ItemState:
        """The state of an item with all own scans; an empty one where it was never seen."""
        state = self._folded.get(item)
        if state is None:
            state, thru = self._base(item)
            for seq in self._own_of.get(item, ()):
                if seq > thru:
                    scan = self._own[seq]
                    self._own[seq] = scan._replace(before=state)
                    state = apply(state, scan.event, self._master_data).state
            self._keep(item, state)
        return state

    def scan(self, item: str, seq: int, event: ItemEvent) -> FoldResult:
        """Apply an own scan, the newest one."""
        before = self.state(item)
        result = apply(before, event, self._master_data)
        self._own[seq] = OwnScan(event, item, before)
        self._own_of.setdefault(item, []).append(seq)
        self._keep(item, result.state)
        while len(self._own) > MOST_OWN:
            self._forget_oldest()
        return result

    def void(self, seq: int, by_seq: int) -> None:
        """Take an own scan back, because the event `by_seq` voids it; without effect where it is not known any more."""
        scan = self._own.pop(seq, None)
        if scan is None:
            return
        self._remove(scan.item, seq)
        self._voids[scan.item] = [*self._voids.get(scan.item, ())[-MOST_VOIDS:], (seq, by_seq)]
        _, thru = self._base(scan.item)
        if seq <= thru:  # the hub's state includes it: begin before it, until the hub sends another one
            self._bases[scan.item] = BaseState((), scan.before, seq)
        self._folded.pop(scan.item, None)

    def _forget_oldest(self) -> None:
        """Fold the oldest own scan into the state of its item, with all other own scans of that item."""
        item = next(iter(self._own.values())).item
        state, seqs = self.state(item), self._own_of.pop(item)
        self._bases[item] = BaseState((), state, seqs[-1])
        for seq in seqs:
            del self._own[seq]

    def _remove(self, item: str, seq: int) -> None:
        seqs = self._own_of[item]
        seqs.remove(seq)
        if not seqs:
            del self._own_of[item]

    def _keep(self, item: str, state: ItemState) -> None:
        self._folded[item] = state
        self._folded.move_to_end(item)
        while len(self._folded) > MOST_FOLDED:
            self._folded.popitem(last=False)

    def _base(self, item: str) -> tuple[ItemState, int]:
        base = self._bases.get(item)
        if base is None:
            return empty(item), 0
        state = base.state if base.state is not None else state_of(base.rows, self._master_data)
        return state, base.thru


def state_of(rows: tuple[OpenItem, ...], master_data: MasterData) -> ItemState:
    """The state of one item from the hub's rows, with the definitions that are valid now."""
    first = rows[0]
    routing = _routing(first, master_data)
    state = msgspec.structs.replace(
        empty(first.item),
        header=OrderHeader(product=first.product, order=first.order),
        routing=routing,
        # An earlier hub sends neither: its items with a product or a quantity were released.
        released_us=0 if first.released or (first.product is not None and not first.outer) else None,
        closed_us=0 if first.closed is not None or first.state == "closed" else None,
        how=first.closed,
        outer=dict(first.outer),
        parcels=tuple(_parcel(row, routing) for row in rows if row.qty_milli != 0),
    )
    return state if state.live else msgspec.structs.replace(state, ended_us=0)


def _routing(row: OpenItem, master_data: MasterData) -> Routing | None:
    if row.operations and row.routing is not None:
        return Routing(row.routing, tuple(sorted(row.operations, key=lambda operation: operation.op)))
    if row.released and row.routing is None:
        return None  # it was released without one, whatever its product has now
    product = master_data.product(row.product, NOW_US)
    return master_data.routing(row.routing or (product.routing if product else None), NOW_US)


def _parcel(row: OpenItem, routing: Routing | None) -> Parcel:
    operation = routing.operation(row.operation) if routing else None
    before = routing.before(operation.op) if routing and operation else None
    passed = before.op if before else None
    stands = operation is not None and row.state in (ParcelState.HERE, ParcelState.HELD)
    known = row.since_us != 0  # of a hub that sends the whole parcel
    return Parcel(
        state=row.state,
        op=row.operation if known else operation.op if operation else None,
        stage=operation.stage if operation and not known else row.stage,
        qty_milli=row.qty_milli,
        since_us=row.since_us,
        at_stage_since_us=row.since_us,
        started_us=None if row.state == ParcelState.RELEASED else 0,
        entered=row.entered if known else operation.op if operation and stands else passed,
        reached=row.reached if known else passed,
        scanned=tuple(row.scanned),
        held_from=row.held_from or (ParcelState.HERE if row.state == ParcelState.HELD else None),
        done_at=row.done_at,
        carrier=row.carrier,
        station=row.station,
        run_since_us=row.run_since_us,
    )
