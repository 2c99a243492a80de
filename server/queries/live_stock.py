"""Live stock: the open pieces of the shop in memory, kept up with the database by the items that changed.

The sums of `stock_sums` cost a pass over all pieces. A board is computed at most every 250 ms, and between two of them few
items change. So the pieces are read once, and then only the rows of items whose `changed` is above the last one that was
read. The contribution of each is subtracted as it was and added as it is.

Where the number of open items differs, some were deleted, and their names are compared. All is read anew where the numbers
of changes do not ascend, and where a new definition changes what belongs together (`Valuation.epochs`).
An item takes about 750 bytes.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.projection.item_rows import operations_of
from server.queries.live_rows import (
    PieceRow,
    change_of,
    changed_items,
    newest_change,
    open_items,
    open_names,
    open_rows,
    orders_with_members,
    rows_of,
)
from server.queries.release_epochs import Epochs
from server.queries.stage_pieces import StagePieces
from server.queries.stock_sums import ReleasedRow
from server.queries.valuation import OverRow, Valuation
from station.core.ledger.parcels import ParcelState

KEPT_CHANGES = 8
MOST_CHANGED = 5_000  # items; where more changed, for example after a rebuild, all is read anew


class LiveClass(NamedTuple):
    """What the pieces of one class have in common; that of `StockSum`, and further what only this module tells apart.

    `begun`: whether they are in process. `members`: not started, of an order with lots or serials of its own.
    """

    stage: str
    product: str | None
    routing: str | None
    epoch: int
    ordered_milli: int
    entered: int | None
    reached: int | None
    scanned: str | None
    known: bool
    operation: int | None
    begun: bool
    members: bool


class LivePiece(NamedTuple):
    """A piece of an item: the number of its class, its quantity and times (UTC us)."""

    of_class: int
    held: bool
    qty_milli: int | None
    since_us: int
    at_stage_since_us: int


class LiveItem(NamedTuple):
    """An open item. `last_us`: of its last event. `stations`: those at which its time of arrival is uncertain."""

    order: str
    due: str | None
    last_us: int
    pieces: tuple[LivePiece, ...]
    stations: tuple[str, ...] = ()
    over: tuple[OverRow, ...] = ()
    members: tuple[ReleasedRow, ...] = ()


class Amount:
    """The number and the known quantity of the pieces of one class."""

    __slots__ = ("qty_milli", "rows")

    def __init__(self) -> None:
        self.rows = self.qty_milli = 0

    def copy(self) -> "Amount":
        """The same numbers."""
        other = Amount()
        other.rows, other.qty_milli = self.rows, self.qty_milli
        return other


class LiveStock:
    """The open pieces. Not thread-safe: `SharedBoard` uses it in its lock, and with ever newer snapshots.

    `items`: the open items by name. `classes` and `amounts`: by the number of a class. `signatures`: the number of items by
    the classes of their begun pieces. `dues`: the items by due date. `released_items`, `uncounted`: the items of which
    something is not started, and of that an unknown quantity, by product. `loads`: how often all was read.
    """

    def __init__(self) -> None:
        self.loads = 0
        self._loaded = False
        self._newest: list[tuple[int, str]] = []  # the last changes that were read, each with an item that it wrote
        self.epochs = Epochs(())
        self._per_order = False
        self._clear()

    def _clear(self) -> None:
        self.items: dict[str, LiveItem] = {}
        self.classes: dict[int, LiveClass] = {}
        self.amounts: dict[int, Amount] = {}
        self._numbers: dict[LiveClass, int] = {}
        self._next = 0
        self.signatures: Counter[tuple[int, ...]] = Counter()
        self.stages: dict[str, StagePieces] = {}
        self.dues: dict[str, set[str]] = {}
        self.estimated: Counter[str] = Counter()
        self.released_items: Counter[str | None] = Counter()
        self.uncounted: Counter[str | None] = Counter()
        self.over: set[str] = set()
        self.with_members: set[str] = set()

    def refresh(self, connection: Connection, valuation: Valuation) -> set[str] | None:
        """Bring the pieces to the snapshot of the connection. Returns the changed items; None where all was read anew."""
        alike = (valuation.epochs, valuation.costs_per_order) == (self.epochs, self._per_order)
        loaded, self._loaded = self._loaded, False  # an error in between leaves a state that must not be used
        changed = self._take_changes(connection) if loaded and alike else None
        if changed is None:
            self.epochs, self._per_order = valuation.epochs, valuation.costs_per_order
            self._load(connection)
        self._loaded = True
        return changed

    def at(self, since: Iterable[str], rows: Iterable[PieceRow]) -> "LiveStock":
        """The stock at a past time. `since`: the items with an event since; `rows`: of that time, of all such items."""
        then = LiveStock()
        then.epochs, then._per_order = self.epochs, self._per_order
        then.items, then.classes, then._numbers = dict(self.items), dict(self.classes), dict(self._numbers)
        then.amounts = {number: amount.copy() for number, amount in self.amounts.items()}
        then._next, then.signatures, then.estimated = self._next, Counter(self.signatures), Counter(self.estimated)
        then.stages = {stage: pieces.copy() for stage, pieces in self.stages.items()}
        then.dues = {due: set(names) for due, names in self.dues.items()}
        then.released_items, then.uncounted = Counter(self.released_items), Counter(self.uncounted)
        then.over, then.with_members = set(self.over), set(self.with_members)
        for name in since:
            then._remove(name)
        for name, of_item in groupby(rows, key=_name):
            then._add(name, list(of_item), loading=False)
        return then

    def orders_due(self) -> dict[str, int]:
        """The number of orders with stock by due date, of an order the earliest one of its items."""
        of_order: dict[str, str] = {}
        for one in self.items.values():
            if one.pieces and one.due is not None and one.due < of_order.setdefault(one.order, one.due):
                of_order[one.order] = one.due
        return dict(Counter(of_order.values()))

    def _load(self, connection: Connection) -> None:
        self._clear()
        self.loads += 1
        for name, of_item in groupby(open_rows(connection), key=_name):
            self._add(name, list(of_item), loading=True)
        for pieces in self.stages.values():
            pieces.sort()
        self._newest = [newest_change(connection)]

    def _take_changes(self, connection: Connection) -> set[str] | None:
        after = self._last_change(connection)
        names = set() if after is None else changed_items(connection, after, MOST_CHANGED)
        if after is None or len(names) == MOST_CHANGED:
            return None
        rows = list(rows_of(connection, names))
        self._replace(rows)
        count = open_items(connection)
        gone = set() if count == len(self.items) else self.items.keys() - open_names(connection)
        for name in gone:
            self._remove(name)
        if names or gone:
            # Whether an order has lots or serials depends on their rows.
            orders = {row.order for row in rows if row.order in self.items} - names
            orders |= self.with_members - orders_with_members(connection, self.with_members)
            self._replace(rows_of(connection, orders))
            self._newest = [*self._newest, newest_change(connection)][-KEPT_CHANGES:]
        return names | gone if count == len(self.items) else None

    def _last_change(self, connection: Connection) -> int | None:
        """The last of the changes that were read whose item is still there; None where the numbers do not ascend.

        The number of a deleted item may be given again.
        """
        while self._newest:
            change, name = self._newest[-1]
            now = change_of(connection, name) if name else 0
            if now is not None:
                return change if now >= change else None
            self._newest.pop()
        return None

    def _replace(self, rows: Iterable[PieceRow]) -> None:
        for name, of_item in groupby(rows, key=_name):
            if name in self.items:
                self._remove(name)
            found = list(of_item)
            if found[0].status == "open":
                self._add(name, found, loading=False)

    def _add(self, name: str, rows: list[PieceRow], *, loading: bool) -> None:
        first = rows[0]
        pieces = [row for row in rows if row.state is not None]
        live = LiveItem(
            order=first.order,
            due=first.due,
            last_us=first.last_us,
            pieces=tuple(self._piece(row) for row in pieces),
            stations=tuple(sorted({row.station for row in pieces if row.approx and row.station})),
            over=tuple(self._over(row) for row in pieces if _is_over(row)),
            members=tuple(_member(row) for row in pieces if row.members),
        )
        self.items[name] = live
        self._count(name, live, 1)
        for piece in live.pieces:
            of_class = self.classes[piece.of_class]
            amount = self.amounts[piece.of_class]
            amount.rows += 1
            amount.qty_milli += piece.qty_milli or 0
            if of_class.begun:
                stage = self.stages.get(of_class.stage)
                if stage is None:
                    stage = self.stages[of_class.stage] = StagePieces()
                put = stage.append if loading else stage.add
                put(name, piece.at_stage_since_us, held=piece.held)

    def _remove(self, name: str) -> None:
        live = self.items.pop(name)
        self._count(name, live, -1)
        for piece in live.pieces:
            of_class, amount = self.classes[piece.of_class], self.amounts[piece.of_class]
            amount.rows -= 1
            amount.qty_milli -= piece.qty_milli or 0
            if of_class.begun:
                stage = self.stages[of_class.stage]
                stage.remove(name, piece.at_stage_since_us, held=piece.held)
                if not stage:
                    del self.stages[of_class.stage]
            if not amount.rows:
                del self._numbers[of_class], self.classes[piece.of_class], self.amounts[piece.of_class]

    def _count(self, name: str, live: LiveItem, one: int) -> None:
        """Add an item to what counts items, or with -1 take it away."""
        begun, released, uncounted = set(), set(), set()
        for piece in live.pieces:
            of_class = self.classes[piece.of_class]
            if of_class.begun:
                begun.add(piece.of_class)
            elif not of_class.members:
                released.add(of_class.product)
                uncounted.update([] if of_class.known else [of_class.product])
        for counter, keys in (
            (self.signatures, [tuple(sorted(begun))] if begun else []),
            (self.released_items, released),
            (self.uncounted, uncounted),
            (self.estimated, live.stations),
        ):
            add_each(counter, keys, one)
        for names, belongs in ((self.over, live.over), (self.with_members, live.members)):
            names.discard(name)
            if belongs and one > 0:
                names.add(name)
        if live.due is not None:
            self.dues.setdefault(live.due, set()).add(name)
            if one < 0:
                self.dues[live.due].discard(name)
                if not self.dues[live.due]:
                    del self.dues[live.due]

    def _piece(self, row: PieceRow) -> LivePiece:
        begun = row.state != ParcelState.RELEASED
        key = LiveClass(
            row.stage, row.product, row.routing, self.epochs.number(row.released_us),
            row.ordered_milli if self._per_order else 0, row.entered, row.reached, row.scanned,
            row.qty_milli is not None, row.operation, begun, bool(row.members),
        )  # fmt: skip
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next
            self._next += 1
            self.classes[number], self.amounts[number] = key, Amount()
        since_us = row.at_stage_since_us if row.since_us == row.at_stage_since_us else row.since_us  # one object
        return LivePiece(number, row.state == ParcelState.HELD, row.qty_milli, since_us, row.at_stage_since_us)

    def _over(self, row: PieceRow) -> OverRow:
        return OverRow(
            row.item, row.product, row.routing, self.epochs.time(self.epochs.number(row.released_us)),
            row.ordered_milli if self._per_order else 0, row.over_milli, row.operation, row.entered, row.reached,
            operations_of(row.scanned), row.qty_milli,
        )  # fmt: skip


def _is_over(row: PieceRow) -> bool:
    begun = row.state != ParcelState.RELEASED and row.released_us is not None
    return begun and row.over_milli > 0 and (row.qty_milli or 0) > 0


def _member(row: PieceRow) -> ReleasedRow:
    return ReleasedRow(row.item, row.product, row.ordered_milli, row.qty_milli, row.since_us)


def _name(row: PieceRow) -> str:
    return row.item


def add_each(counter: Counter[Any], keys: Iterable[Any], one: int) -> None:
    """Add a number to the count of each key; a count of 0 is removed."""
    for key in keys:
        counter[key] += one
        if not counter[key]:
            del counter[key]
