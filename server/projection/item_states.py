"""Item states: the folded state of each item, advanced by one item event at a time, refolded after an event out of order.

The states of recently used items stay in memory. A state is written once a transaction, however many item events changed it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Table, func, select

from server.db.bulk_insert import insert_many, insert_text, run_many
from server.projection import item_rows
from server.projection.dead_letters import FACT, add_dead_letters, delete_dead_items
from server.projection.definitions import RecordingMasterData
from server.projection.ended_findings import FINDING_ANSWER, mark_answered, mark_ended
from server.projection.event_items import DueEvent
from server.projection.internal_tables import looked_up
from server.projection.item_rows import Head, ItemRow, head_of
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import finding, head, item, move, open_at, parcel
from station.core.ledger.fold import Apply, apply, attempt, empty
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.moves import Move
from station.core.ledger.parcels import LIVE, Finding, ItemState

MOST_ITEMS = 12_000  # states in memory, some 4 KB each
_ENCODER = msgspec.msgpack.Encoder()
LOG = structlog.get_logger("projector")


@cache
def _upsert(table: Table, paramstyle: str) -> str:
    """The upsert of a row: an update leaves unchanged indexes unwritten, which delete and insert would not."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    conflict = ", ".join(f'"{name}"' for name in keys)
    return f"{insert_text(table.name, tuple(names), paramstyle)} ON CONFLICT ({conflict}) DO UPDATE SET {changes}"


class StoredItem(msgspec.Struct):
    """The stored form of an item: its folded state, and its display name from an entry `item.name`."""

    state: ItemState
    name: str | None = None


_DECODER = msgspec.msgpack.Decoder(StoredItem)


@dataclass(slots=True)
class LoadedItem:
    """An item in memory, with the results of its item events that are not written to the tables yet."""

    state: ItemState
    name: str | None = None
    stored: bool = False  # the tables hold rows of the item
    replace_rows: bool = False  # those rows are deleted before the new ones are written
    product: str | None = None  # the product in its stored moves
    late_quantity: int | None = None  # a quantity in thousandths that became known after moves without one
    moves: list[tuple[int, Move]] = field(default_factory=list)  # (pos of the event, move)
    head: Head | None = None  # the last one; None: not computed yet
    heads: list[tuple[int, Head]] = field(default_factory=list)  # (from_us, columns)
    findings: list[Finding] = field(default_factory=list)
    answers: list[ItemEvent] = field(default_factory=list)  # entries `finding.answer`
    asked: set[tuple[str, str]] = field(default_factory=set)  # (what, name) of the definitions that its fold looked up
    new_asked: set[tuple[str, str]] = field(default_factory=set)
    failed: list[tuple[int, str]] = field(default_factory=list)  # (pos, reason) of item events that were set aside

    def apply_item_event(self, due: DueEvent, master_data: RecordingMasterData, apply: Apply) -> None:
        """Apply the next item event in order; an item event that cannot be folded is set aside.

        1. Fold the item event, and record which definitions the fold looked up.
        2. Failed: log it, keep the state, and advance only the order key.
        3. Keep a quantity that became known: it is also that of the moves that have none.
        4. Take over the new state, moves, findings and name, and the head where it changed.
        """
        master_data.asked.clear()
        item_event = due.item_event
        result = item_event if isinstance(item_event, str) else attempt(self.state, item_event, master_data, apply)
        # Lookups of a failed item event count too: another definition may let it be folded.
        self.new_asked |= master_data.asked - self.asked
        if isinstance(result, str) or isinstance(item_event, str):
            LOG.error("an item event was set aside", item=self.state.item, pos=due.pos, reason=result)
            self.failed.append((due.pos, str(result)))
            self.state = msgspec.structs.replace(self.state, last=due.place)
            return
        if result.quantity_became is not None:
            self.late_quantity = result.quantity_became
        if self.head is None and self.stored and not self.replace_rows:
            self.head = head_of(self.state, self.name)
        self.state = result.state
        self.moves += ((due.pos, made) for made in result.moves)
        self.findings += result.findings
        if item_event.verb == FINDING_ANSWER:
            self.answers.append(item_event)
        if item_event.verb == "item.name" and item_event.data is not None:
            name = item_event.data.get("name")
            self.name = name if isinstance(name, str) and name else None
        after = head_of(self.state, self.name)
        if after != self.head:
            if self.heads and self.heads[-1][0] == item_event.key_us:
                self.heads.pop()
            self.heads.append((item_event.key_us, after))
            self.head = after

    def mark_written(self) -> None:
        """Reset the pending results: the tables hold all rows of the item."""
        self.stored, self.replace_rows, self.late_quantity = True, False, None
        self.product = self.state.header.product
        self.asked |= self.new_asked
        self.moves, self.heads, self.findings, self.answers, self.new_asked, self.failed = [], [], [], [], set(), []


class ItemStates:
    """The items in memory, and the next free surrogate numbers."""

    def __init__(
        self,
        connection: Connection,
        apply: Apply = apply,
        item_row: ItemRow = item_rows.item_row,
        changes: int = 0,
        *,
        once: bool = False,
    ) -> None:
        """`changes`: the number of the last transaction that changed items, where the tables do not hold it.

        `once`: each item is folded once into empty tables, so it has no stored rows, and `write` drops its state.
        """
        self._apply, self._item_row, self._once = apply, item_row, once
        self._loaded: OrderedDict[str, LoadedItem] = OrderedDict()
        self._changed: dict[str, LoadedItem] = {}
        self._deleted: set[str] = set()
        self._next = {
            table.name: 1 + int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())
            for table in (parcel, finding)
        }
        self._change = 1 + max(changes, last_change(connection))

    def load(self, connection: Connection, names: Iterable[str]) -> None:
        """Load the states of many items with few statements."""
        new = [name for name in names if name not in self._loaded]
        for start in range(0, len(new), AT_ONCE):
            chunk = new[start : start + AT_ONCE]
            for name in chunk:
                self._loaded[name] = LoadedItem(empty(name))
            for name, encoded in connection.execute(select(item.c.item, item.c.state).where(item.c.item.in_(chunk))):
                stored = _DECODER.decode(encoded)
                product = stored.state.header.product
                self._loaded[name] = LoadedItem(stored.state, stored.name, stored=True, product=product)

    def get(self, connection: Connection, name: str) -> LoadedItem:
        """The item as folded so far; an empty one where it has no item events."""
        if name not in self._loaded:
            self.load(connection, [name])
        self._loaded.move_to_end(name)
        return self._loaded[name]

    def apply_item_event(self, loaded: LoadedItem, due: DueEvent, master_data: RecordingMasterData) -> None:
        """Apply one item event to an item; `write` writes its rows at the end of the transaction."""
        loaded.apply_item_event(due, master_data, self._apply)
        self._changed[loaded.state.item] = loaded

    def mark_deleted(self, name: str) -> None:
        """Drop an item that cannot be folded; `write` deletes its rows."""
        self._loaded.pop(name, None)
        self._changed.pop(name, None)
        self._deleted.add(name)

    def refold(self, name: str, item_events: Iterable[DueEvent], master_data: RecordingMasterData) -> None:
        """Fold an item from its first event; an item without events is deleted."""
        loaded = LoadedItem(empty(name), stored=not self._once, replace_rows=not self._once)
        for due in sorted(item_events, key=lambda item_event: (item_event.place, item_event.hash, item_event.pos)):
            loaded.apply_item_event(due, master_data, self._apply)
        self._loaded.pop(name, None)
        self._changed.pop(name, None)
        if loaded.state != empty(name):
            self._loaded[name] = self._changed[name] = loaded
        elif not self._once:
            self._deleted.add(name)

    @staticmethod
    def state_quantity(loaded: LoadedItem, qty_milli: int | None) -> None:
        """Give the parcels and moves of unknown quantity, which later events made known, that quantity."""
        parcels = tuple(
            msgspec.structs.replace(portion, qty_milli=qty_milli) if portion.qty_milli is None else portion
            for portion in loaded.state.parcels
        )
        loaded.state, loaded.late_quantity = msgspec.structs.replace(loaded.state, parcels=parcels), qty_milli

    def write(self, connection: Connection) -> None:
        """Write the rows of every changed item.

        1. Delete all rows of refolded and deleted items.
        2. Of the other stored items, complete the old moves and delete the parcels.
        3. Write the items, their parcels, new moves, heads and findings, looked-up definitions and failed item events.
        4. Mark the findings that were answered, and those that have ended.
        5. Trim the states in memory to MOST_ITEMS; drop all of them where each item is folded once.
        """
        changed = list(self._changed.values())
        advanced = [loaded for loaded in changed if loaded.stored and not loaded.replace_rows]
        replaced = [(loaded.state.item,) for loaded in changed if loaded.replace_rows]
        _delete_items(connection, replaced + [(name,) for name in self._deleted])
        self._update_moves(connection, advanced)
        _delete(connection, "parcel", [(loaded.state.item,) for loaded in advanced])
        rows = [
            (
                *self._item_row(loaded.state, loaded.name, _ENCODER.encode(StoredItem(loaded.state, loaded.name))),
                self._change,
            )
            for loaded in changed
        ]
        self._change += 1
        run_many(connection, _upsert(item, connection.dialect.paramstyle), rows)
        self._write_parcels(connection, changed)
        self._write_history(connection, changed)
        asked = [(*definition, loaded.state.item) for loaded in changed for definition in loaded.new_asked]
        if asked:
            # An item that was out of memory may look up a definition that its rows already name.
            statement = insert_text(looked_up.name, ("what", "name", "item"), connection.dialect.paramstyle)
            run_many(connection, f"{statement} ON CONFLICT DO NOTHING", asked)
        failed = [(pos, FACT, loaded.state.item, why) for loaded in changed for pos, why in loaded.failed]
        add_dead_letters(connection, failed)
        for loaded in changed:
            mark_answered(connection, loaded.state.item, loaded.answers)
        mark_ended(connection, [loaded.state for loaded in changed])
        for loaded in changed:
            loaded.mark_written()
        self._changed.clear()
        self._deleted.clear()
        while len(self._loaded) > (0 if self._once else MOST_ITEMS):
            self._loaded.popitem(last=False)

    def _update_moves(self, connection: Connection, advanced: list[LoadedItem]) -> None:
        for loaded in advanced:
            if loaded.late_quantity is None and loaded.product == loaded.state.header.product:
                continue
            rows = move.update().where(move.c.item == loaded.state.item)
            if loaded.late_quantity is not None:
                connection.execute(rows.where(move.c.qty_milli.is_(None)).values(qty_milli=loaded.late_quantity))
            connection.execute(rows.values(product=loaded.state.header.product))

    def _write_parcels(self, connection: Connection, changed: list[LoadedItem]) -> None:
        number = self._next["parcel"]
        rows = []
        for loaded in changed:
            for portion in loaded.state.parcels:
                rows.append(item_rows.parcel_row(number, loaded.state, portion))
                number += 1
        insert_many(connection, parcel, rows)
        self._next["parcel"] = number

    def _write_history(self, connection: Connection, changed: list[LoadedItem]) -> None:
        moves: list[tuple[Any, ...]] = []
        days: list[tuple[int, str, int]] = []
        heads: list[tuple[Any, ...]] = []
        findings: list[tuple[Any, ...]] = []
        finding_id = self._next["finding"]
        for loaded in changed:
            name = loaded.state.item
            for pos, made in loaded.moves:
                moves.append(item_rows.move_row(pos, loaded.state, made, loaded.late_quantity))
                days += [(day, name, made.number) for day in item_rows.days_open(made)]
            heads += [(name, from_us, *columns) for from_us, columns in loaded.heads]
            for result in loaded.findings:
                findings.append(item_rows.finding_row(finding_id, loaded.state.item, result))
                finding_id += 1
        insert_many(connection, move, moves)
        insert_many(connection, open_at, days)
        run_many(connection, _upsert(head, connection.dialect.paramstyle), heads)
        insert_many(connection, finding, findings)
        self._next["finding"] = finding_id


def last_change(connection: Connection) -> int:
    """The number of the last transaction that changed items; 0 where there is none."""
    return int(connection.execute(select(func.coalesce(func.max(item.c.changed), 0))).scalar_one())


def _delete_items(connection: Connection, items: list[tuple[str]]) -> None:
    """Delete every row of these items."""
    _delete_days(connection, items)
    delete_dead_items(connection, [name for (name,) in items])
    for table in ("item", "parcel", "move", "head", "finding", "looked_up"):
        _delete(connection, table, items)


def _delete_days(connection: Connection, items: list[tuple[str]]) -> None:
    """Delete the rows of `open_at` of these items, by their keys: it has no index by item."""
    c = move.c
    placed = func.coalesce(c.placed_us, c.since_us)
    lasted = select(c.n, placed, c.at_us).where(c.from_state.in_(LIVE))
    keys: list[tuple[int, str, int]] = []
    for (name,) in items:
        for number, placed_us, at_us in connection.execute(lasted.where(c.item == name)):
            keys += [(day, name, number) for day in item_rows.days_between(placed_us, at_us)]
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    run_many(connection, f"DELETE FROM open_at WHERE day = {mark} AND item = {mark} AND n = {mark}", keys)  # noqa: S608


def _delete(connection: Connection, table: str, items: list[tuple[str]]) -> None:
    if items:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        run_many(connection, f'DELETE FROM "{table}" WHERE item = {mark}', items)  # noqa: S608  names of our own tables
