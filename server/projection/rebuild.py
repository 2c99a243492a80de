"""Rebuild: the projection from nothing, reckoned from the whole set at once instead of step by step.

It shares the meaning of an event with the projector, and none of its bookkeeping: keys, voids and copies come from the pure
functions over everything, every item is folded once. So where the two disagree, the step by step way has a defect.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from server.db.bulk_insert import insert_many
from server.db.schema import metadata
from server.db.store import Store
from server.ledger.ingest import last_pos
from server.projection.anchor_seals import seal_key
from server.projection.bindings import Bindings, binding_row
from server.projection.clock_sync import anchor_row, in_sequence, parent_of
from server.projection.definitions import Definitions, definition_row
from server.projection.event_items import Corrections, ItemEventBuilder, correction_row, insert_links, verb_of
from server.projection.internal_tables import anchor, boot, correction, parent, run
from server.projection.interpreter import MEANING, EventInterpreter
from server.projection.item_states import ItemStates
from server.projection.ledger_row import LedgerRow, all_rows, rows_at, state_rows
from server.projection.log_permissions import LogOwners, note_claims
from server.projection.pipeline import PATTERNS, fold_anew
from server.projection.released_orders import ReleasedOrders
from server.projection.set_aside import EVENT, ITEM, Unfoldable, blame, events_aside, is_of_medium, put_aside
from server.projection.tables import (
    PROJECTED_POS,
    SURROGATES,
    TABLES,
    binding,
    definition,
    event_item,
    event_state,
    projection,
)
from server.projection.tag_numbers import note_numbers
from server.projection.void_state import VoidState
from station.core.ledger.fold import reason_of
from station.core.ledger.times import BootRun, LogParent, TimeAnchor, clocks, followers, log_keys, runs

AT_ONCE = 2000  # rows
ITEMS_AT_ONCE = 100


class RowDifference(NamedTuple):
    """A row that the projection has and a rebuilt one has not (`+`), or the other way round (`-`)."""

    table: str
    sign: str
    row: tuple[Any, ...]


def rebuild(store: Store, meaning: EventInterpreter = MEANING) -> int:
    """Throw the projection away and make it again, in one transaction; the position it then stands at.

    What was set aside is tried again.
    """
    with store.write() as connection:
        return make_again(connection, meaning)


def make_again(
    connection: Connection, meaning: EventInterpreter = MEANING, aside: Mapping[int, str] | None = None
) -> int:
    """As `rebuild`, inside the caller's transaction. `aside`: events that stay set aside, pos -> reason."""
    _empty(connection)
    return fold_all(connection, connection, meaning, aside)


def compare(store: Store, meaning: EventInterpreter = MEANING) -> list[RowDifference]:
    """Where the projection differs from a rebuilt one; surrogate ids apart. Wants a projection that has nothing waiting.

    The rebuilt one leaves out the events that the live one has set aside, and whatever else it cannot fold.
    """
    scratch = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with store.read() as connection, scratch.begin() as beside:
            metadata.create_all(beside, tables=list(TABLES))
            fold_all(connection, beside, meaning, events_aside(connection))
            return [each for table in TABLES for each in _differences(table, connection, beside)]
    finally:
        scratch.dispose()


def fold_all(
    source: Connection, target: Connection, meaning: EventInterpreter = MEANING, aside: Mapping[int, str] | None = None
) -> int:
    """Fold the ledger of `source` into the empty projection tables of `target`.

    An event that cannot be folded is set aside like those in `aside` (pos -> reason), and all is folded again without it:
    what it said of others before it failed must not stay.
    """
    left_out = dict(aside or {})
    while True:
        try:
            return _Folding(source, target, meaning, left_out).run()
        except Unfoldable as error:
            if not error.reasons.keys() - left_out.keys():
                raise
            left_out |= error.reasons
            _empty(target)


def _empty(connection: Connection) -> None:
    for table in TABLES:
        connection.execute(table.delete())


class _Folding:
    """One try to fold everything but the events in `aside`. Each stage reads all events before its errors are raised."""

    def __init__(
        self, source: Connection, target: Connection, meaning: EventInterpreter, aside: Mapping[int, str]
    ) -> None:
        self._source, self._target, self._meaning, self._aside = source, target, meaning, aside
        self._failed: dict[int, str] = {}
        self._items = ItemStates(target, meaning.apply)

    def run(self) -> int:
        """The position that the projection then stands at. Raises `Unfoldable`."""
        put_aside(self._target, [(pos, EVENT, "", reason) for pos, reason in self._aside.items()])
        pos = self._stand_and_time()
        self._say()
        self._fold_items()
        if pos:
            self._target.execute(projection.insert().values(k=PROJECTED_POS, v=pos))
        return pos

    def _of(self, each: LedgerRow, function: Callable[..., Any], *args: Any) -> Any:
        """What a function reads of an event; None where it fails, which is noted."""
        try:
            return blame(each.pos, function, *args)
        except Unfoldable as error:
            self._failed |= error.reasons
            return None

    def _end_stage(self) -> None:
        if self._failed:
            raise Unfoldable(self._failed)

    def _insert(self, table: Table, rows: list[tuple[int, tuple[Any, ...]]]) -> None:
        """Insert rows, each of the event at its position; those that the database refuses are noted."""
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

    def _stand_and_time(self) -> int:
        """Rows of event_state, and of everything that decides standing and time."""
        target, key = self._target, seal_key(self._source)
        light: list[LedgerRow] = []
        owners = LogOwners(self._source, last_pos(self._source))
        standing = VoidState(owners, self._meaning.void)
        for part in _parts(all_rows(self._source, self._aside)):
            for each in part:
                self._of(each, self._meaning.permit, each, owners)
                self._of(each, self._meaning.seal, each, key)
                self._of(each, self._meaning.times.anchor, each)
                self._of(each, self._meaning.times.parent, each)
                if each.event is not None:
                    self._of(each, self._meaning.void, each.event)
                    self._of(each, self._meaning.numbers, each.event, each.code)
            if not self._failed:
                standing.apply_rows(target, part)
                note_numbers(target, part)
                note_claims(target, part, owners)
            light += [_without_content(each) for each in part]
        self._insert(event_state, [(row[0], row) for row in state_rows(light)])
        self._end_stage()
        standing = VoidState.load(target, owners, self._meaning.void)
        for each in light:
            each.status = standing.standing(each.stored) if each.read_as == "ok" else each.status
        _reckon(target, light)
        target.execute(event_state.delete())
        insert_many(target, event_state, state_rows(light))
        return light[-1].pos if light else 0

    def _say(self) -> None:
        """Corrections, definitions and bindings, then what each event is about."""
        meaning, target = self._meaning, self._target
        for rows in _projected(self._source, target):
            ok = [each for each in rows if each.event is not None and each.ok]
            put = [(each.pos, self._of(each, meaning.correction, each.event, each.recorded)) for each in ok]
            self._insert(correction, [(pos, correction_row(pos, one)) for pos, one in put if one is not None])
            made = [(each.pos, self._of(each, meaning.defined, each)) for each in rows]
            self._insert(definition, [(pos, definition_row(pos, one)) for pos, one in made if one is not None])
        self._end_stage()
        corrections = Corrections(target)
        for rows in _projected(self._source, target):
            verbs = [(each, verb_of(each.event, corrections.put(each))) for each in rows if each.event is not None]
            bound = [(each.pos, self._of(each, meaning.binds, each, verb)) for each, verb in verbs]
            self._insert(binding, [(pos, binding_row(*one)) for pos, one in bound if one is not None])
        self._end_stage()
        bindings = Bindings(target)
        bindings.use(Definitions(target).of(PATTERNS))
        for rows in _projected(self._source, target):
            linked = [(each, self._of(each, meaning.links, each, corrections.put(each), bindings)) for each in rows]
            if not self._failed:
                insert_links(target, linked)
        self._end_stage()

    def _fold_items(self) -> None:
        """Every item, folded once."""
        target = self._target
        definitions, bindings = Definitions(target), Bindings(target)
        self._items = ItemStates(target, self._meaning.apply)
        bindings.use(definitions.of(PATTERNS))
        facts = ItemEventBuilder(bindings, Corrections(target), ReleasedOrders(), self._meaning.fact)
        names = select(event_item.c.item).distinct().order_by(event_item.c.item)
        every_item = list(target.execute(names).scalars())
        for start in range(0, len(every_item), ITEMS_AT_ONCE):
            self._fold_some(every_item[start : start + ITEMS_AT_ONCE], facts, definitions)

    def _fold_some(self, names: list[str], facts: ItemEventBuilder, definitions: Definitions) -> None:
        """Fold items; after an error their halves, until the one item is left that is set aside."""
        try:
            with self._target.begin_nested():
                fold_anew(self._target, names, self._items, facts, definitions, self._source)
                self._items.write(self._target)
        except Exception as error:
            if is_of_medium(error):
                raise
            self._items = ItemStates(
                self._target, self._meaning.apply
            )  # what the failed one has in memory is not written
            if len(names) == 1:
                put_aside(self._target, [(0, ITEM, names[0], reason_of(error))])
                return
            half = len(names) // 2
            self._fold_some(names[:half], facts, definitions)
            self._fold_some(names[half:], facts, definitions)


def _without_content(each: LedgerRow) -> LedgerRow:
    """The row without what only its fold reads: a whole ledger stays in memory here."""
    if each.event is not None and each.event.kind not in ("anchor", "open"):
        each.event = each.code = None
    return each


def _reckon(target: Connection, rows: list[LedgerRow]) -> None:
    """Every key, by the definition."""
    insert_many(target, anchor, [row for each in rows if each.ok and (row := anchor_row(each)) is not None])
    anchors: dict[str, list[TimeAnchor]] = {}
    for one in target.execute(select(anchor)):
        made = TimeAnchor(one.boot, one.t1_ns, one.t4_ns, one.t2_us, one.t3_us, one.log_id.hex(), one.seq)
        anchors.setdefault(one.boot, []).append(made)
    parents: dict[str, LogParent] = {}
    last_ns: dict[str, int] = {}
    logs: dict[str, list[LedgerRow]] = {}
    for each in rows:
        logs.setdefault(each.counted.log, []).append(each)
        link, stamp = parent_of(each), each.stamp
        if link is not None:
            parents[each.counted.log] = min(link, parents.get(each.counted.log, link))
        if stamp.boot is not None:
            last_ns[stamp.boot] = max(last_ns.get(stamp.boot, 0), stamp.mono_ns or 0)
    runs_of: dict[str, list[BootRun]] = {}
    for log, in_log in logs.items():
        in_log.sort(key=in_sequence)
        runs_of[log] = list(runs(each.stamp for each in in_log))
    clock_of = clocks(anchors, last_ns, followers(runs_of, parents))
    for in_log in logs.values():
        for each, (_, key, _) in zip(in_log, log_keys([each.stamp for each in in_log], clock_of), strict=True):
            each.key = key
    insert_many(target, boot, list(last_ns.items()))
    insert_many(
        target, run, [(bytes.fromhex(one.log), one.first_seq, one.boot) for of in runs_of.values() for one in of]
    )
    insert_many(target, parent, [(bytes.fromhex(log), bytes.fromhex(one.log), one.seq) for log, one in parents.items()])


def _parts(rows: Iterator[LedgerRow]) -> Iterator[list[LedgerRow]]:
    part: list[LedgerRow] = []
    for each in rows:
        part.append(each)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _projected(source: Connection, target: Connection) -> Iterator[list[LedgerRow]]:
    """All rows with their standing and key, some thousand at a time."""
    last = 0
    while positions := list(
        target.execute(
            select(event_state.c.pos).where(event_state.c.pos > last).order_by(event_state.c.pos).limit(AT_ONCE)
        ).scalars()
    ):
        last = positions[-1]
        yield rows_at(target, positions, source)


def _differences(table: Table, live: Connection, rebuilt: Connection) -> Iterator[RowDifference]:
    columns = [column for column in table.c if column.name not in SURROGATES.get(table.name, ())]
    have = _counted(live, columns)
    want = _counted(rebuilt, columns)
    for row in sorted(have.keys() | want.keys(), key=repr):
        more = have.get(row, 0) - want.get(row, 0)
        for _ in range(abs(more)):
            yield RowDifference(table.name, "+" if more > 0 else "-", row)


def _counted(connection: Connection, columns: list[Any]) -> dict[tuple[Any, ...], int]:
    found: dict[tuple[Any, ...], int] = {}
    for row in map(tuple, connection.execute(select(*columns))):
        found[row] = found.get(row, 0) + 1
    return found
