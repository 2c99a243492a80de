"""Rebuild: compute the projection from the whole ledger at once instead of step by step.

It shares the event interpreter with the projector, and none of the incremental state: keys, voids and copies come from pure
functions over the whole set, and each item is folded once. A difference between the two is a defect of the incremental way.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, create_engine, func, select
from sqlalchemy.pool import StaticPool

from server.db.bulk_insert import insert_many
from server.db.schema import metadata
from server.db.store import Store
from server.ledger.ingest import last_pos
from server.projection.anchor_seals import seal_key
from server.projection.bindings import Bindings, binding_row
from server.projection.boot_clocks import anchor_row, in_sequence, parent_of
from server.projection.call_marks import note_calls
from server.projection.code_keys import note_spellings
from server.projection.dead_letters import (
    EVENT,
    ITEM,
    Unfoldable,
    add_dead_letters,
    attribute_error,
    dead_events,
    is_of_medium,
)
from server.projection.definitions import Definitions, change_count, count_change, definition_row
from server.projection.event_items import Corrections, ItemEventBuilder, correction_row, insert_links, verb_of
from server.projection.internal_tables import anchor, boot, correction, parent, run
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.item_states import ItemStates, last_change
from server.projection.ledger_row import LedgerRow, all_rows, rows_at, state_rows
from server.projection.log_permissions import LogOwners, note_claims
from server.projection.pipeline import PATTERNS, refold_items
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
from server.projection.void_state import VoidState
from station.core.ledger.fold import reason_of
from station.core.ledger.times import BootRun, LogParent, TimeAnchor, clocks, followers, log_keys, runs
from station.system.progress import Advance, unheard

AT_ONCE = 2000  # rows
ITEMS_AT_ONCE = 100
# The parts of the three stages in the duration of a rebuild, for its progress: measured, 13,500 events of 1,500 orders.
READING, LINKING, FOLDING = 0.2, 0.3, 0.5


class RowDifference(NamedTuple):
    """A row that only the live projection has (`+`), or only the rebuilt one (`-`)."""

    table: str
    sign: str
    row: tuple[Any, ...]


def rebuild(store: Store, interpreter: EventInterpreter = DEFAULT_INTERPRETER) -> int:
    """Fold the projection again in one transaction; what was set aside is retried. Returns its position."""
    with store.project() as connection:
        return rebuild_tables(connection, interpreter)


def rebuild_tables(
    connection: Connection,
    interpreter: EventInterpreter = DEFAULT_INTERPRETER,
    aside: Mapping[int, str] | None = None,
    advance: Advance = unheard,
) -> int:
    """Rebuild inside the caller's transaction. `aside`: events that stay set aside, pos -> reason."""
    changes, definitions = first_change(connection), change_count(connection)
    empty(connection)
    pos = fold_all(connection, connection, interpreter, aside, changes, advance)
    count_change(connection, definitions + 1)
    return pos


def first_change(connection: Connection) -> int:
    """The change number after which a rebuild numbers its items: each station fetches all again, by positions too."""
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
) -> int:
    """Fold the ledger of `source` into the empty projection tables of `target`. `advance` counts in events.

    An event that cannot be folded is set aside like those in `aside` (pos -> reason), and the whole fold starts again
    without it, because the effects that it had on other events before it failed must not remain.
    """
    left_out = dict(aside or {})
    while True:
        try:
            return _Folding(source, target, interpreter, left_out, changes, advance).run()
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
    ) -> None:
        self._changes, self._advance = changes, advance
        self._last_pos = last_pos(source)
        self._source, self._target, self._interpreter, self._aside = source, target, interpreter, aside
        self._key = seal_key(source)
        self._failed: dict[int, str] = {}

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

    def _try(self, row: LedgerRow, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function that reads an event; None after an error, which is collected."""
        try:
            return attribute_error(row.pos, function, *args)
        except Unfoldable as error:
            self._failed |= error.reasons
            return None

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

        1. Read every event once; store voids, tag numbers, claims and calls.
        2. Insert event_state with preliminary values: the void state looks up original events in it.
        3. Compute the final status and key of every row, and replace event_state.
        """
        target, interpreter = self._target, self._interpreter
        light: list[LedgerRow] = []
        owners = LogOwners(self._source, last_pos(self._source))
        void_state = VoidState(owners, interpreter.void)
        every = iter(all_rows(self._source, self._aside))
        for part in iter(lambda: list(islice(every, AT_ONCE)), []):
            self._read_all(part, owners)
            if not self._failed:
                void_state.apply_rows(target, part)
                note_numbers(target, part)
                note_spellings(target, part)
                note_claims(target, part, owners)
                note_calls(target, part)
            light += [_without_content(row) for row in part]
            self._show(0, READING, len(light) / self._last_pos)
        self._insert(event_state, [(values[0], values) for values in state_rows(light)])
        self._end_stage()
        void_state = VoidState.load(target, owners, interpreter.void)
        for row in light:
            row.status = void_state.status_of(row.stored) if row.read_as == "ok" else row.status
        _compute_keys(target, light)
        target.execute(event_state.delete())
        insert_many(target, event_state, state_rows(light))
        return light[-1].pos if light else 0

    def _read_all(self, part: list[LedgerRow], owners: LogOwners) -> None:
        """Call every function of the interpreter that needs only the event itself, and collect the errors."""
        interpreter = self._interpreter
        for row in part:
            self._try(row, interpreter.permit, row, owners)
            self._try(row, interpreter.seal, row, self._key)
            self._try(row, interpreter.times.anchor, row)
            self._try(row, interpreter.times.parent, row)
            if row.event is not None:
                self._try(row, interpreter.void, row.event)
                self._try(row, interpreter.numbers, row.event, row.code)

    def _write_links(self) -> None:
        """Write corrections and definitions, then bindings (with corrected verbs), then the links of events to items."""
        interpreter, target = self._interpreter, self._target
        for rows in _projected(self._source, target):
            ok = [row for row in rows if row.event is not None and row.ok]
            corrected = [(row.pos, self._try(row, interpreter.correction, row.event, row.recorded)) for row in ok]
            self._insert(
                correction, [(pos, correction_row(pos, value)) for pos, value in corrected if value is not None]
            )
            defined = [(row.pos, self._try(row, interpreter.defined, row)) for row in rows]
            self._insert(definition, [(pos, definition_row(pos, value)) for pos, value in defined if value is not None])
            self._show(READING, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()
        corrections = Corrections(target)
        for rows in _projected(self._source, target):
            verbs = [(row, verb_of(row.event, corrections.put(row))) for row in rows if row.event is not None]
            bound = [(row.pos, self._try(row, interpreter.binds, row, verb)) for row, verb in verbs]
            self._insert(binding, [(pos, binding_row(*value)) for pos, value in bound if value is not None])
            self._show(READING + LINKING / 3, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()
        bindings = Bindings(target)
        bindings.use(Definitions(target).of(PATTERNS))
        for rows in _projected(self._source, target):
            linked = [(row, self._try(row, interpreter.links, row, corrections.put(row), bindings)) for row in rows]
            if not self._failed:
                insert_links(target, linked)
            self._show(READING + 2 * LINKING / 3, LINKING / 3, rows[-1].pos / self._last_pos)
        self._end_stage()

    def _fold_items(self) -> None:
        """Fold every item once."""
        target = self._target
        definitions, bindings = Definitions(target), Bindings(target)
        self._items = self._new_items()
        bindings.use(definitions.of(PATTERNS))
        item_events = ItemEventBuilder(bindings, Corrections(target), ReleasedOrders(), self._interpreter.item_event)
        count = target.execute(select(func.count(event_item.c.item.distinct()))).scalar_one()
        for number, names in enumerate(self._linked_items(), 1):
            self._fold_some(names, item_events, definitions)
            self._show(READING + LINKING, FOLDING, number * ITEMS_AT_ONCE / count)

    def _new_items(self) -> ItemStates:
        interpreter, every = self._interpreter, self._interpreter.checkpoint_events
        return ItemStates(
            self._target, interpreter.apply, interpreter.item_row, self._changes, once=True, checkpoint_events=every
        )

    def _linked_items(self) -> Iterator[list[str]]:
        """The items that have events, in their order, ITEMS_AT_ONCE at a time."""
        c = event_item.c
        query = select(c.item).distinct().order_by(c.item).limit(ITEMS_AT_ONCE)
        names = list(self._target.execute(query).scalars())
        while names:
            yield names
            names = list(self._target.execute(query.where(c.item > names[-1])).scalars())

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


def _without_content(row: LedgerRow) -> LedgerRow:
    """Drop the event of a row unless its clock relations are needed: the rows of the whole ledger are in memory at once."""
    if row.event is not None and row.event.kind not in ("anchor", "open"):
        row.event = row.code = None
        row.identity = ""
    return row


def _compute_keys(target: Connection, rows: list[LedgerRow]) -> None:
    """Compute the order key of every row from all anchors, runs and parents, and write those tables.

    1. Store the anchors; collect the parents, the last boottime of each boot, and the rows of each log.
    2. Order each log and derive its runs of boots.
    3. Compute the clocks of all boots, and from them the keys.
    """
    insert_many(target, anchor, [values for row in rows if row.ok and (values := anchor_row(row)) is not None])
    parents: dict[str, LogParent] = {}
    last_ns: dict[str, int] = {}
    logs: dict[str, list[LedgerRow]] = {}
    for row in rows:
        logs.setdefault(row.counted.log, []).append(row)
        link, stamp = parent_of(row), row.stamp
        if link is not None:
            parents[row.counted.log] = min(link, parents.get(row.counted.log, link))
        if stamp.boot is not None:
            last_ns[stamp.boot] = max(last_ns.get(stamp.boot, 0), stamp.mono_ns or 0)
    runs_of: dict[str, list[BootRun]] = {}
    for log, log_rows in logs.items():
        log_rows.sort(key=in_sequence)
        runs_of[log] = list(runs(row.stamp for row in log_rows))
    clock_of = clocks(_stored_anchors(target), last_ns, followers(runs_of, parents))
    for log_rows in logs.values():
        keys = log_keys([row.stamp for row in log_rows], clock_of)
        for row, (_, key, _) in zip(log_rows, keys, strict=True):
            row.key = key
    insert_many(target, boot, list(last_ns.items()))
    begins = [begin for log_runs in runs_of.values() for begin in log_runs]
    insert_many(target, run, [(bytes.fromhex(begin.log), begin.first_seq, begin.boot) for begin in begins])
    links = [(bytes.fromhex(log), bytes.fromhex(link.log), link.seq) for log, link in parents.items()]
    insert_many(target, parent, links)


def _stored_anchors(target: Connection) -> dict[str, list[TimeAnchor]]:
    anchors: dict[str, list[TimeAnchor]] = {}
    for row in target.execute(select(anchor)):
        time_anchor = TimeAnchor(row.boot, row.t1_ns, row.t4_ns, row.t2_us, row.t3_us, row.log_id.hex(), row.seq)
        anchors.setdefault(row.boot, []).append(time_anchor)
    return anchors


def _projected(source: Connection, target: Connection) -> Iterator[list[LedgerRow]]:
    """All rows with their status and key, some thousand at a time."""
    last = 0
    while positions := list(
        target.execute(
            select(event_state.c.pos).where(event_state.c.pos > last).order_by(event_state.c.pos).limit(AT_ONCE)
        ).scalars()
    ):
        last = positions[-1]
        yield rows_at(target, positions, source)


def _differences(table: Table, live: Connection, rebuilt: Connection) -> Iterator[RowDifference]:
    have, want = (Counter(map(tuple, rows.execute(folded_rows(table)))) for rows in (live, rebuilt))
    for row in sorted(have.keys() | want.keys(), key=repr):
        more = have[row] - want[row]
        for _ in range(abs(more)):
            yield RowDifference(table.name, "+" if more > 0 else "-", row)
