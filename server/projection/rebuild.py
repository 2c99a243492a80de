"""Rebuild: compute the projection from the whole ledger at once instead of step by step.

It shares the event interpreter with the projector, and none of the incremental state: keys, voids and copies come from pure
functions over the whole set, and each item is folded once. A difference between the two is a defect of the incremental way.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import merge
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Table, and_, bindparam, create_engine, func, select
from sqlalchemy.pool import StaticPool

from server.db.bulk_insert import insert_many
from server.db.schema import metadata
from server.db.store import Store
from server.ledger.ingest import last_pos
from server.projection.anchor_seals import seal_key
from server.projection.bindings import BindingChange, Bindings, binding_row
from server.projection.call_marks import note_calls
from server.projection.code_keys import note_spellings
from server.projection.dead_letters import (
    EVENT,
    ITEM,
    Unfoldable,
    add_dead_letters,
    dead_events,
    is_of_medium,
    unfoldable,
)
from server.projection.definitions import Definitions, change_counts, count_rebuild, definition_row
from server.projection.event_items import Corrections, ItemEventBuilder, correction_row, insert_links, verb_of
from server.projection.internal_tables import correction
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.item_states import ItemStates, last_change
from server.projection.ledger_row import (
    ROWS_AT_ONCE,
    LedgerRow,
    all_rows,
    projected_rows,
    rows_at,
    state_rows,
    stored_at,
    words_of,
)
from server.projection.log_permissions import LogOwners, note_claims
from server.projection.pipeline import PATTERNS, corrected_rows, refold_items
from server.projection.rebuilt_keys import UNKNOWN_KEY, LogTimes
from server.projection.released_orders import ReleasedOrders
from server.projection.tables import (
    FOLD_VERSION,
    FOLD_VERSION_ROW,
    PROJECTED_POS,
    TABLES,
    binding,
    definition,
    event_item,
    event_state,
    folded_rows,
    projection,
)
from server.projection.tag_numbers import note_numbers
from server.projection.void_state import VoidState, note_marks
from server.projection.words import WordNumbers
from station.core.ledger.fold import reason_of
from station.core.ledger.void_resolution import Correction
from station.system.progress import Advance, unheard

ITEMS_AT_ONCE = 500
# The parts of the three stages in the duration of a rebuild, for its progress: measured, 13,500 events of 1,500 orders.
READING, LINKING, FOLDING = 0.2, 0.3, 0.5
_Result = TypeVar("_Result")


class RowDifference(NamedTuple):
    """A row that only the live projection has (`+`), or only the rebuilt one (`-`)."""

    table: str
    sign: str
    row: tuple[Any, ...]


def rebuild(store: Store, interpreter: EventInterpreter = DEFAULT_INTERPRETER, rows_at_once: int = ROWS_AT_ONCE) -> int:
    """Delete the projection and fold it again in one transaction. Returns its position.

    Events, items and codes that were set aside are retried. `rows_at_once`: events in memory.
    """
    with store.project() as connection:
        return rebuild_tables(connection, interpreter, rows_at_once=rows_at_once)


def rebuild_tables(
    connection: Connection,
    interpreter: EventInterpreter = DEFAULT_INTERPRETER,
    aside: Mapping[int, str] | None = None,
    advance: Advance = unheard,
    rows_at_once: int = ROWS_AT_ONCE,
) -> int:
    """Rebuild inside the caller's transaction. `aside`: events that stay set aside, pos -> reason."""
    changes, counted = first_change(connection), change_counts(connection)
    empty(connection)
    pos = fold_all(connection, connection, interpreter, aside, changes, advance, rows_at_once)
    count_rebuild(connection, counted)
    return pos


def first_change(connection: Connection) -> int:
    """The change number after which a rebuild numbers its items: each station fetches all of them again.

    Older cursors are positions of the ledger.
    """
    position = select(func.coalesce(func.max(projection.c.v), 0)).where(projection.c.k == PROJECTED_POS)
    return max(last_change(connection), int(connection.execute(position).scalar_one()))


def compare(store: Store, interpreter: EventInterpreter = DEFAULT_INTERPRETER) -> list[RowDifference]:
    """The differences between the projection and a rebuilt one, without surrogate ids. The refold queues must be empty.

    The rebuilt one omits the events that the live one has set aside, and any other event that it cannot fold.
    """
    scratch = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with store.read() as connection, scratch.begin() as scratch_tables:
            metadata.create_all(scratch_tables, tables=list(TABLES))
            fold_all(connection, scratch_tables, interpreter, dead_events(connection))
            return [difference for table in TABLES for difference in _differences(table, connection, scratch_tables)]
    finally:
        scratch.dispose()


def fold_all(
    source: Connection,
    target: Connection,
    interpreter: EventInterpreter = DEFAULT_INTERPRETER,
    aside: Mapping[int, str] | None = None,
    changes: int = 0,
    advance: Advance = unheard,
    rows_at_once: int = ROWS_AT_ONCE,
) -> int:
    """Fold the ledger of `source` into the empty projection tables of `target`. `advance` counts in events.

    An event that cannot be folded is set aside like those in `aside` (pos -> reason), and the whole fold starts again
    without it, because the effects that it had on other events before it failed must not remain.
    """
    left_out = dict(aside or {})
    while True:
        try:
            return _Folding(source, target, interpreter, left_out, changes, advance, rows_at_once).run()
        except Unfoldable as error:
            if not error.reasons.keys() - left_out.keys():
                raise
            left_out |= error.reasons
            empty(target)


def empty(connection: Connection) -> None:
    """Delete the rows of every table of the projection."""
    for table in TABLES:
        connection.execute(table.delete())


class _Folding:
    """One attempt to fold everything except the events in `aside`. A stage raises its errors after reading all events."""

    def __init__(
        self,
        source: Connection,
        target: Connection,
        interpreter: EventInterpreter,
        aside: Mapping[int, str],
        changes: int,
        advance: Advance,
        rows_at_once: int,
    ) -> None:
        self._changes, self._advance, self._rows_at_once = changes, advance, rows_at_once
        self._last_pos = last_pos(source)
        self._source, self._target, self._interpreter, self._aside = source, target, interpreter, aside
        self._key = seal_key(source)
        self._failed: dict[int, str] = {}
        self._times = LogTimes(interpreter.times, rows_at_once)
        self._about_others = array("q")  # positions of corrections, definitions and bindings, in order

    def run(self) -> int:
        """Run the stages; returns the position of the projection. Raises `Unfoldable`.

        1. Status and order key of every event. 2. Corrections, definitions, bindings, and links to items. 3. The items.
        """
        add_dead_letters(self._target, [(pos, EVENT, "", reason) for pos, reason in self._aside.items()])
        pos = self._write_states()
        self._write_links()
        self._fold_items()
        self._target.execute(projection.insert().values(k=FOLD_VERSION_ROW, v=FOLD_VERSION))
        if pos:
            self._target.execute(projection.insert().values(k=PROJECTED_POS, v=pos))
        return pos

    def _show(self, before: float, part: float, done: float) -> None:
        """Pass on the progress: `done` of a stage that is `part` of the whole, behind stages that are `before`."""
        self._advance(int(self._last_pos * (before + part * min(1.0, done))), self._last_pos)

    def _each(
        self, rows: Iterable[LedgerRow], function: Callable[[LedgerRow], _Result]
    ) -> list[tuple[LedgerRow, _Result]]:
        """Each row with the result of a function that reads its event, without those after an error, which is collected."""
        results = []
        for row in rows:
            try:
                results.append((row, function(row)))
            except Exception as error:  # noqa: BLE001 - the errors that concern no event are raised again
                self._failed |= unfoldable(row.pos, error).reasons
        return results

    def _end_stage(self) -> None:
        if self._failed:
            raise Unfoldable(self._failed)

    def _insert(self, table: Table, rows: list[tuple[int, tuple[Any, ...]]]) -> None:
        """Insert rows, each with the position of its event; errors of single rows are collected.

        After an error the halves are inserted separately, until the failing row is alone.
        """
        try:
            with self._target.begin_nested():
                insert_many(self._target, table, [row for _, row in rows])
        except Exception as error:
            if is_of_medium(error):
                raise
            if len(rows) == 1:
                self._failed[rows[0][0]] = reason_of(error)
                return
            half = len(rows) // 2
            self._insert(table, rows[:half])
            self._insert(table, rows[half:])

    def _write_states(self) -> int:
        """Write the rows of event_state, and the tables that decide status and order key. Returns the last position.

        1. Read every event once, some thousand at a time; store its row with the key unknown, voids, tag numbers, claims and
           calls. Note the events about others: only these are read again before the links.
        2. Resolve the voids and second copies, which look up original events in event_state, and update their status.
        3. Compute the keys of all rows, log by log, and update them.
        """
        target, interpreter = self._target, self._interpreter
        owners, words, pos = LogOwners(self._source, last_pos(self._source)), WordNumbers(), 0
        read = partial(self._read, owners)
        for rows in all_rows(self._source, self._aside, self._rows_at_once):
            pos = rows[-1].pos
            self._each(rows, read)
            for row in rows:
                row.key = UNKNOWN_KEY
            states = state_rows(rows, words.ids(target, words_of(rows)))
            self._insert(event_state, [(values[0], values) for values in states])
            if not self._failed:
                self._times.add(target, rows)
                note_marks(target, rows, interpreter.void)
                note_numbers(target, rows)
                note_spellings(target, rows)
                note_claims(target, rows, owners)
                note_calls(target, rows)
            self._show(0, READING, pos / self._last_pos)
        self._end_stage()
        void_state = VoidState.load(target, owners, interpreter.void)
        update = event_state.update().where(and_(event_state.c.pos == bindparam("at"), event_state.c.status == "ok"))
        for places in stored_at(self._source, void_state.without_effect()):
            values = [{"at": at, "as": void_state.status_of(place)} for at, place in places]
            if values:  # what a void names may not have arrived
                target.execute(update.values(status=bindparam("as")), values)
        self._times.write(target)
        return pos

    def _read(self, owners: LogOwners, row: LedgerRow) -> None:
        """Call every function of the interpreter that reads the event itself; note an event that is about others."""
        interpreter = self._interpreter
        interpreter.permit(row, owners)
        interpreter.seal(row, self._key)
        interpreter.times.anchor(row)
        interpreter.times.parent(row)
        event = row.event
        if event is None:
            return
        interpreter.void(event)
        interpreter.numbers(event, row.code)
        verb = verb_of(event, {})
        corrects, defines = interpreter.correction(event, row.recorded), interpreter.defined(row)
        binds = interpreter.binds(row, verb)
        if not (corrects is None and defines is None and binds is None):
            self._about_others.append(row.pos)

    def _write_links(self) -> None:
        """Write corrections and definitions, then bindings (with corrected verbs), then the links of events to items.

        Only the events about others are read for the first two, and the corrected ones, whose verb may now be of a binding.
        """
        interpreter, target = self._interpreter, self._target
        for rows in self._rows_at(self._about_others):
            ok = [row for row in rows if row.event is not None and row.ok]
            corrected = self._each(ok, self._correction)
            self._insert(
                correction,
                [(row.pos, correction_row(row.pos, value)) for row, value in corrected if value is not None],
            )
            defined = self._each(rows, interpreter.defined)
            self._insert(
                definition, [(row.pos, definition_row(row.pos, value)) for row, value in defined if value is not None]
            )
            self._show(READING, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()
        corrections = Corrections(target)
        corrected_pos = sorted(corrected_rows(target, corrections.every()))
        may_bind = array("q", (pos for pos, _ in groupby(merge(self._about_others, corrected_pos))))
        for rows in self._rows_at(may_bind):
            bound = self._each(rows, partial(self._binding, corrections))
            self._insert(binding, [(row.pos, binding_row(*value)) for row, value in bound if value is not None])
            self._show(READING + LINKING / 3, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()
        bindings = Bindings(target)
        bindings.use(Definitions(target).of(PATTERNS))
        for rows in projected_rows(target, self._source, self._rows_at_once):
            bindings.load(rows)
            linked = self._each(rows, lambda row: interpreter.links(row, corrections.put(row), bindings))
            if not self._failed:
                insert_links(target, linked)
            self._show(READING + 2 * LINKING / 3, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()

    def _correction(self, row: LedgerRow) -> Correction | None:
        return None if row.event is None else self._interpreter.correction(row.event, row.recorded)

    def _binding(self, corrections: Corrections, row: LedgerRow) -> tuple[str, BindingChange] | None:
        verb = None if row.event is None else verb_of(row.event, corrections.put(row))
        return None if verb is None else self._interpreter.binds(row, verb)

    def _rows_at(self, positions: Sequence[int]) -> Iterator[list[LedgerRow]]:
        for start in range(0, len(positions), self._rows_at_once):
            yield rows_at(self._target, positions[start : start + self._rows_at_once], self._source)

    def _fold_items(self) -> None:
        """Fold every item once."""
        target = self._target
        definitions, bindings = Definitions(target), Bindings(target)
        self._items = self._new_items()
        bindings.use(definitions.of(PATTERNS))
        item_events = ItemEventBuilder(bindings, Corrections(target), ReleasedOrders(), self._interpreter.item_event)
        count, done = target.execute(select(func.count()).select_from(event_item)).scalar_one(), 0
        for names, events in self._linked_items():
            self._fold_some(names, item_events, definitions)
            done += events
            self._show(READING + LINKING, FOLDING, done / count)

    def _new_items(self) -> ItemStates:
        interpreter, every = self._interpreter, self._interpreter.checkpoint_events
        return ItemStates(
            self._target, interpreter.apply, interpreter.item_row, self._changes, once=True, checkpoint_events=every
        )

    def _linked_items(self) -> Iterator[tuple[list[str], int]]:
        """The items that have events, in their order, and how many events: of several items not more than `rows_at_once`."""
        c = event_item.c
        query = select(c.item, func.count()).group_by(c.item).order_by(c.item).limit(ITEMS_AT_ONCE)
        counted = self._target.execute(query).all()
        while counted:
            names, events = [counted[0][0]], counted[0][1]
            for name, of_item in counted[1:]:
                if events + of_item > self._rows_at_once:
                    yield names, events
                    names, events = [], 0
                names.append(name)
                events += of_item
            yield names, events
            counted = self._target.execute(query.where(c.item > names[-1])).all()

    def _fold_some(self, names: list[str], item_events: ItemEventBuilder, definitions: Definitions) -> None:
        """Fold items; after an error fold their halves, until the failing item is alone and is set aside."""
        try:
            with self._target.begin_nested():
                refold_items(self._target, names, self._items, item_events, definitions, self._source)
                self._items.write(self._target)
        except Exception as error:
            if is_of_medium(error):
                raise
            # The states in memory include the failed attempt, which must not be written.
            self._items = self._new_items()
            if len(names) == 1:
                add_dead_letters(self._target, [(0, ITEM, names[0], reason_of(error))])
                return
            half = len(names) // 2
            self._fold_some(names[:half], item_events, definitions)
            self._fold_some(names[half:], item_events, definitions)


def _differences(table: Table, live: Connection, rebuilt: Connection) -> Iterator[RowDifference]:
    have, want = (Counter(map(tuple, rows.execute(folded_rows(table)))) for rows in (live, rebuilt))
    for row in sorted(have.keys() | want.keys(), key=repr):
        more = have[row] - want[row]
        for _ in range(abs(more)):
            yield RowDifference(table.name, "+" if more > 0 else "-", row)
