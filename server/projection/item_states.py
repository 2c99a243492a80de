"""Item states: the folded state of each item, advanced by one item event at a time, refolded after an event out of order.

The states of recently used items stay in memory. A state is written once a transaction, however many item events changed it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, func, select

from server.db.bulk_insert import insert_many, insert_text, run_many, upsert_text
from server.projection import item_rows
from server.projection.checkpoints import (
    CHECKPOINT_EVENTS,
    NOT_COUNTED,
    Checkpoint,
    CountedBy,
    KeptRows,
    insert_checkpoints,
)
from server.projection.dead_letters import FACT, add_dead_letters
from server.projection.definitions import RecordingMasterData, change_count, count_change
from server.projection.ended_findings import FINDING_ANSWER, mark_answered, mark_ended
from server.projection.event_items import DueEvent
from server.projection.flow_rows import FlowRows, flow_move
from server.projection.internal_tables import looked_up
from server.projection.item_deletion import delete_after, delete_items, delete_rows, lose_first_rows
from server.projection.item_rows import Head, ItemRow, has_same_head, head_of
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import ITEM_DELETIONS, finding, head, item, move, open_at, parcel
from station.core.ledger.fold import Apply, apply, attempt, empty
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.moves import Move
from station.core.ledger.parcels import Finding, ItemState
from station.core.ledger.times import LATEST_US

MOST_ITEMS = 12_000  # states in memory, some 4 KB each
_ENCODER = msgspec.msgpack.Encoder()
LOG = structlog.get_logger("projector")


class StoredItem(msgspec.Struct, omit_defaults=True):
    """The stored form of an item: its folded state, and its display name from an entry `item.name`.

    `folded`, `unknown`: as in `Checkpoint`.
    """

    state: ItemState
    name: str | None = None
    folded: int = 0
    unknown: int = 0


_DECODER = msgspec.msgpack.Decoder(StoredItem)


@dataclass(slots=True)
class LoadedItem:
    """An item in memory, with the results of its item events that are not written to the tables yet."""

    state: ItemState
    name: str | None = None
    stored: bool = False  # the tables hold rows of the item
    replace_rows: bool = False  # those rows are deleted before the new ones are written
    kept: Checkpoint | None = None  # except the rows of the events up to this checkpoint
    folded: int = 0  # the number of its item events
    unknown: int = 0  # a move without a quantity, while none became known
    checkpoints: list[Checkpoint] = field(default_factory=list)
    counted_by: CountedBy = NOT_COUNTED  # of its stored moves
    late_quantity: int | None = None  # a quantity in thousandths that became known after moves without one
    moves: list[tuple[int, Move]] = field(default_factory=list)  # (pos of the event, move)
    head: Head | None = None  # the last one; None: not computed yet
    heads: list[tuple[int, Head]] = field(default_factory=list)  # (from_us, columns)
    findings: list[Finding] = field(default_factory=list)
    answers: list[ItemEvent] = field(default_factory=list)  # entries `finding.answer`
    asked: set[tuple[str, str]] = field(default_factory=set)  # (what, name) of the definitions that its fold looked up
    new_asked: set[tuple[str, str]] = field(default_factory=set)
    failed: list[tuple[int, str]] = field(default_factory=list)  # (pos, reason) of item events that were set aside

    def begin_at(self, rows: KeptRows) -> None:
        """Begin at a checkpoint, whose rows are kept."""
        kept = self.kept = rows.checkpoint
        self.counted_by = rows.counted_by
        self.state, self.name, self.folded, self.unknown = kept.state, kept.name, kept.folded, kept.unknown
        self.head = head_of(kept.state, kept.name)
        self.new_asked = set(kept.asked)

    def apply_item_event(self, due: DueEvent, master_data: RecordingMasterData, apply: Apply, every: int) -> None:
        """Apply the next item event in order; an item event that cannot be folded is set aside.

        1. Make a checkpoint of the state after every `every` item events.
        2. Fold the item event, and record which definitions the fold looked up.
        3. Failed: log it, keep the state, and advance only the order key.
        4. Keep a quantity that became known: it is also that of the moves that have none.
        5. Take over the new state, moves, findings and name, and the head where it changed.
        """
        # Rows are kept by the place of their event, so a checkpoint never divides two events of one place.
        is_full = self.folded % every == 0 and self.folded != (0 if self.kept is None else self.kept.folded)
        if is_full and due.place > self.state.last:
            asked = tuple(sorted(self.asked | self.new_asked))
            self.checkpoints.append(Checkpoint(self.state, self.folded, self.name, asked, self.unknown))
        self.folded += 1
        master_data.asked.clear()
        item_event = due.item_event
        result = item_event if isinstance(item_event, str) else attempt(self.state, item_event, master_data, apply)
        # Lookups of a failed item event count too: another definition may let it be folded.
        if master_data.asked:
            self.new_asked |= master_data.asked - self.asked
        if isinstance(result, str) or isinstance(item_event, str):
            LOG.error("an item event was set aside", item=self.state.item, pos=due.pos, reason=result)
            self.failed.append((due.pos, str(result)))
            self.state = msgspec.structs.replace(self.state, last=due.place)
            return
        for made in result.moves:
            if made.target.qty_milli is None and not self.unknown:
                self.unknown = made.number
            self.moves.append((due.pos, made))
        if (became := result.quantity_became) is not None:
            self.late_quantity, self.unknown = became, 0
        if self.head is None and self.stored and not self.replace_rows:
            self.head = head_of(self.state, self.name)
        before, self.state = self.state, result.state
        self.findings += result.findings
        if item_event.verb == FINDING_ANSWER:
            self.answers.append(item_event)
        if item_event.verb == "item.name" and item_event.data is not None:
            name = item_event.data.get("name")
            self.name = name if isinstance(name, str) and name else None
        elif self.head is not None and has_same_head(before, self.state):
            return
        after = head_of(self.state, self.name)
        if after != self.head:
            if self.heads and self.heads[-1][0] == item_event.key_us:
                self.heads.pop()
            self.heads.append((item_event.key_us, after))
            self.head = after

    @property
    def routing_now(self) -> str | None:
        """The name of the routing after the last item event."""
        return self.state.routing.routing if self.state.routing else None

    @property
    def counted_now(self) -> CountedBy:
        """By what its moves are counted after the last item event."""
        return CountedBy(self.state.header.product, self.routing_now, self.state.released_us)

    def to_stored(self) -> StoredItem:
        """The stored form."""
        return StoredItem(self.state, self.name, self.folded, self.unknown)

    def mark_written(self) -> None:
        """Reset the pending results: the tables hold all rows of the item."""
        self.stored, self.replace_rows, self.kept, self.late_quantity = True, False, None, None
        self.checkpoints = []
        self.counted_by = self.counted_now
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
        checkpoint_events: int = CHECKPOINT_EVENTS,
    ) -> None:
        """`changes`: the number of the last transaction that changed items, where the tables do not hold it.

        `once`: each item is folded once into empty tables, so it has no stored rows, and `write` drops its state.
        `checkpoint_events`: the number of events of an item from one checkpoint to the next.
        """
        self._apply, self._item_row, self._once, self._every = apply, item_row, once, checkpoint_events
        self._flow = FlowRows(connection)
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
                loaded = self._loaded[name] = LoadedItem(
                    stored.state, stored.name, stored=True, folded=stored.folded, unknown=stored.unknown
                )
                loaded.mark_written()

    def get(self, connection: Connection, name: str) -> LoadedItem:
        """The item as folded so far; an empty one where it has no item events."""
        if name not in self._loaded:
            self.load(connection, [name])
        self._loaded.move_to_end(name)
        return self._loaded[name]

    def apply_item_event(self, loaded: LoadedItem, due: DueEvent, master_data: RecordingMasterData) -> None:
        """Apply one item event to an item; `write` writes its rows at the end of the transaction."""
        loaded.apply_item_event(due, master_data, self._apply, self._every)
        self._changed[loaded.state.item] = loaded

    def mark_deleted(self, name: str) -> None:
        """Drop an item that cannot be folded; `write` deletes its rows."""
        self._loaded.pop(name, None)
        self._changed.pop(name, None)
        self._deleted.add(name)

    def refold(
        self,
        name: str,
        item_events: Iterable[DueEvent],
        master_data: RecordingMasterData,
        kept: KeptRows | None = None,
        *,
        stored: bool = True,
    ) -> bool:
        """Fold an item from its first event, or from a checkpoint; an item without events is deleted.

        `item_events` of a checkpoint: all after it, and the answers to findings before it, which may be about later ones.
        `stored`: the tables may hold rows of it.
        Returns False, without an effect, where rows before the checkpoint have to change: then fold it from its first event.
        """
        stored = stored and not self._once
        loaded = LoadedItem(empty(name), stored=stored, replace_rows=stored)
        if kept is not None:
            loaded.begin_at(kept)
        for due in sorted(item_events):  # the position is unique, so no two item events are compared
            if kept is None or due.place > kept.checkpoint.state.last:
                loaded.apply_item_event(due, master_data, self._apply, self._every)
            elif isinstance(due.item_event, ItemEvent) and due.item_event.verb == FINDING_ANSWER:
                loaded.answers.append(due.item_event)
        if kept is not None and kept.checkpoint.unknown and kept.unknown_milli != loaded.late_quantity:
            return False
        self._loaded.pop(name, None)
        self._changed.pop(name, None)
        if loaded.state != empty(name):
            self._loaded[name] = self._changed[name] = loaded
        elif stored:
            self._deleted.add(name)
        return True

    @staticmethod
    def state_quantity(loaded: LoadedItem, qty_milli: int | None) -> None:
        """Give the parcels and moves of unknown quantity, which later events made known, that quantity."""
        parcels = tuple(
            msgspec.structs.replace(portion, qty_milli=qty_milli) if portion.qty_milli is None else portion
            for portion in loaded.state.parcels
        )
        loaded.state, loaded.late_quantity = msgspec.structs.replace(loaded.state, parcels=parcels), qty_milli

    def redefine_days(self, connection: Connection) -> None:
        """Count the moves on the days of the site as it is defined now."""
        self._flow.redefine_days(connection)

    def write(self, connection: Connection) -> None:
        """Write the rows of every changed item.

        1. Delete the rows of refolded and deleted items, of a refold from a checkpoint those after it; the flow loses their
           moves.
        2. Of the stored items that keep moves, complete these; of the advanced ones delete the parcels.
        3. Write the items, their parcels, new moves, heads and findings, checkpoints, looked-up definitions and failed item
           events.
        4. Write the flow of all these moves.
        5. Mark the findings that were answered, and those that have ended.
        6. Trim the states in memory to MOST_ITEMS; drop all of them where each item is folded once.
        """
        changed = list(self._changed.values())
        advanced = [loaded for loaded in changed if loaded.stored and not loaded.replace_rows]
        replaced = [loaded for loaded in changed if loaded.replace_rows and loaded.kept is None]
        gone = [(loaded.state.item,) for loaded in replaced] + [(name,) for name in self._deleted]
        self._flow.subtract_items(connection, [name for (name,) in gone])
        begins = {loaded.state.item: loaded.heads[0][0] if loaded.heads else LATEST_US for loaded in replaced}
        if self._deleted or lose_first_rows(connection, begins):  # this transaction has a number of its own
            count_change(connection, max(self._change, change_count(connection, ITEM_DELETIONS) + 1), ITEM_DELETIONS)
        delete_items(connection, gone)
        restarted = [loaded for loaded in changed if loaded.kept is not None]
        for loaded in restarted:
            assert loaded.kept is not None
            self._flow.subtract_items(connection, [loaded.state.item], after=loaded.kept.state.moves)
            delete_after(connection, loaded.state.item, loaded.kept)
        self._update_moves(connection, advanced + restarted)
        delete_rows(connection, "parcel", [(loaded.state.item,) for loaded in advanced])
        stored = ((loaded, _ENCODER.encode(loaded.to_stored())) for loaded in changed)
        rows = [(*self._item_row(loaded.state, loaded.name, of), self._change) for loaded, of in stored]
        self._change += 1
        run_many(connection, upsert_text(item, connection.dialect.paramstyle), rows)
        self._write_parcels(connection, changed)
        self._write_history(connection, changed)
        self._flow.write(connection)
        insert_checkpoints(connection, _complete_checkpoints(connection, changed))
        asked = [(*definition, loaded.state.item) for loaded in changed for definition in loaded.new_asked]
        if asked:
            # An item that was out of memory may look up a definition that its rows already name.
            statement = insert_text(looked_up.name, ("what", "name", "item"), connection.dialect.paramstyle)
            run_many(connection, f"{statement} ON CONFLICT DO NOTHING", asked)
        failed = [(pos, FACT, loaded.state.item, why) for loaded in changed for pos, why in loaded.failed]
        add_dead_letters(connection, failed)
        for loaded in changed:
            mark_answered(connection, loaded.state.item, loaded.answers)
        mark_ended(connection, [loaded.state for loaded in changed if loaded.stored or loaded.findings])
        for loaded in changed:
            loaded.mark_written()
        self._changed.clear()
        self._deleted.clear()
        while len(self._loaded) > (0 if self._once else MOST_ITEMS):
            self._loaded.popitem(last=False)

    def _update_moves(self, connection: Connection, advanced: list[LoadedItem]) -> None:
        """Complete the old moves of items whose product, routing or quantity became known, and count them by it."""
        for loaded in advanced:
            if loaded.late_quantity is None and loaded.counted_by == loaded.counted_now:
                continue
            of_item = move.c.item == loaded.state.item
            self._flow.subtract_items(connection, [loaded.state.item])
            if loaded.late_quantity is not None:
                unknown = move.update().where(of_item, move.c.qty_milli.is_(None))
                connection.execute(unknown.values(qty_milli=loaded.late_quantity))
            connection.execute(move.update().where(of_item).values(product=loaded.state.header.product))
            for row in connection.execute(select(move).where(of_item)):
                self._flow.add(flow_move(row, loaded.routing_now, loaded.state.released_us))

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
            name, routing, released_us = loaded.state.item, loaded.routing_now, loaded.state.released_us
            for pos, made in loaded.moves:
                row = item_rows.move_row(pos, loaded.state, made, loaded.late_quantity)
                moves.append(row)
                self._flow.add(flow_move(row, routing, released_us))
                days += [(day, name, made.number) for day in item_rows.days_open(made)]
            heads += [(name, from_us, *columns) for from_us, columns in loaded.heads]
            for result in loaded.findings:
                findings.append(item_rows.finding_row(finding_id, loaded.state.item, result))
                finding_id += 1
        insert_many(connection, move, moves)
        insert_many(connection, open_at, days)
        run_many(connection, upsert_text(head, connection.dialect.paramstyle), heads)
        insert_many(connection, finding, findings)
        self._next["finding"] = finding_id


def last_change(connection: Connection) -> int:
    """The number of the last transaction that changed items; 0 where there is none.

    The item of that transaction may be deleted since: its number must not be given again, because stations ask for the items
    with a higher one.
    """
    newest = connection.execute(select(func.coalesce(func.max(item.c.changed), 0))).scalar_one()
    return max(int(newest), change_count(connection, ITEM_DELETIONS))


def _complete_checkpoints(connection: Connection, changed: Iterable[LoadedItem]) -> Iterator[Checkpoint]:
    """The new checkpoints, with the definitions that earlier transactions looked up."""
    for loaded in changed:
        asked: set[tuple[str, str]] = set()
        if loaded.checkpoints and not loaded.replace_rows:
            c = looked_up.c
            asked = {
                (what, name)
                for what, name in connection.execute(select(c.what, c.name).where(c.item == loaded.state.item))
            }
        for made in loaded.checkpoints:
            yield msgspec.structs.replace(made, asked=tuple(sorted(asked.union(made.asked))))
