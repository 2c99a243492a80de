"""Rebuild: the projection from nothing, reckoned from the whole set at once instead of step by step.

It shares the meaning of an event with the projector, and none of its bookkeeping: keys, voids and copies come from the pure
functions over everything, every item is folded once. So where the two disagree, the step by step way has a defect.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from server.driver import insert_many
from server.projection.bindings import Bindings, binding_row, binds
from server.projection.boots import anchor_row, in_sequence, parent_of
from server.projection.definitions import Definitions, defined, definition_row
from server.projection.items import Items
from server.projection.links import Corrections, Facts, correction_row, insert_links, links, verb_of
from server.projection.own_tables import anchor, boot, correction, parent, run
from server.projection.progress import PATTERNS, check_seal, fold_anew, seal_key
from server.projection.releases import Orders
from server.projection.settlement import Settlement
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
from server.projection.taken import Taken, again, every, state_rows
from server.schema import metadata
from server.store import Store
from station.core.resolve import correction as correction_of
from station.core.times import Anchor, Parent, Run, clocks, followers, log_keys, runs

AT_ONCE = 2000  # rows
ITEMS_AT_ONCE = 100


class Difference(NamedTuple):
    """A row that the projection has and a rebuilt one has not (`+`), or the other way round (`-`)."""

    table: str
    sign: str
    row: tuple[Any, ...]


def rebuild(store: Store) -> int:
    """Throw the projection away and make it again, in one transaction; the position it then stands at."""
    with store.write() as connection:
        for table in TABLES:
            connection.execute(table.delete())
        return fold_all(connection, connection)


def compare(store: Store) -> list[Difference]:
    """Where the projection differs from a rebuilt one; surrogate ids apart. Wants a projection that has nothing waiting."""
    scratch = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with store.read() as connection, scratch.begin() as beside:
            metadata.create_all(beside, tables=list(TABLES))
            fold_all(connection, beside)
            return [each for table in TABLES for each in _differences(table, connection, beside)]
    finally:
        scratch.dispose()


def fold_all(source: Connection, target: Connection) -> int:
    """Fold the ledger of `source` into the empty projection tables of `target`."""
    pos = _stand_and_time(source, target)
    _meaning(source, target)
    _items(source, target)
    if pos:
        target.execute(projection.insert().values(k=PROJECTED_POS, v=pos))
    return pos


def _stand_and_time(source: Connection, target: Connection) -> int:
    """Rows of event_state, and of everything that decides standing and time."""
    key = seal_key(source)
    light: list[Taken] = []
    standing = Settlement()
    for part in _parts(every(source)):
        for each in part:
            check_seal(each, key)
        standing.take(target, part)
        note_numbers(target, part)
        light += [_without_content(each) for each in part]
    insert_many(target, event_state, state_rows(light))
    standing = Settlement.load(target)
    for each in light:
        each.status = standing.standing(each.stored) if each.read_as == "ok" else each.status
    _reckon(target, light)
    target.execute(event_state.delete())
    insert_many(target, event_state, state_rows(light))
    return light[-1].pos if light else 0


def _without_content(each: Taken) -> Taken:
    """The row without what only its fold reads: a whole ledger stays in memory here."""
    if each.event is not None and each.event.kind not in ("anchor", "open"):
        each.event = each.code = None
    return each


def _reckon(target: Connection, rows: list[Taken]) -> None:
    """Every key, by the definition."""
    insert_many(target, anchor, [row for each in rows if each.ok and (row := anchor_row(each)) is not None])
    anchors: dict[str, list[Anchor]] = {}
    for one in target.execute(select(anchor)):
        made = Anchor(one.boot, one.t1_ns, one.t4_ns, one.t2_us, one.t3_us, one.log_id.hex(), one.seq)
        anchors.setdefault(one.boot, []).append(made)
    parents: dict[str, Parent] = {}
    last_ns: dict[str, int] = {}
    logs: dict[str, list[Taken]] = {}
    for each in rows:
        logs.setdefault(each.counted.log, []).append(each)
        link, stamp = parent_of(each), each.stamp
        if link is not None:
            parents[each.counted.log] = min(link, parents.get(each.counted.log, link))
        if stamp.boot is not None:
            last_ns[stamp.boot] = max(last_ns.get(stamp.boot, 0), stamp.mono_ns or 0)
    runs_of: dict[str, list[Run]] = {}
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


def _meaning(source: Connection, target: Connection) -> None:
    """Corrections, definitions and bindings, then what each event is about."""
    for rows in _projected(source, target):
        said = [(each.pos, correction_of(each.event, each.recorded)) for each in rows if each.event and each.ok]
        insert_many(target, correction, [correction_row(pos, one) for pos, one in said if one is not None])
        made = [(each.pos, defined(each)) for each in rows]
        insert_many(target, definition, [definition_row(pos, one) for pos, one in made if one is not None])
    corrections = Corrections(target)
    for rows in _projected(source, target):
        put = [(each, corrections.put(each)) for each in rows]
        bound = [binds(each, verb_of(each.event, fields)) for each, fields in put if each.event is not None]
        insert_many(target, binding, [binding_row(*one) for one in bound if one is not None])
    bindings = Bindings(target)
    bindings.use(Definitions(target).of(PATTERNS))
    for rows in _projected(source, target):
        insert_links(target, [(each, links(each, corrections.put(each), bindings)) for each in rows])


def _items(source: Connection, target: Connection) -> None:
    """Every item, folded once."""
    definitions, bindings, items = Definitions(target), Bindings(target), Items(target)
    bindings.use(definitions.of(PATTERNS))
    facts = Facts(bindings, Corrections(target), Orders())
    names = select(event_item.c.item).distinct().order_by(event_item.c.item)
    every_item = list(target.execute(names).scalars())
    for start in range(0, len(every_item), ITEMS_AT_ONCE):
        fold_anew(target, every_item[start : start + ITEMS_AT_ONCE], items, facts, definitions, source)
        items.write(target)


def _parts(rows: Iterator[Taken]) -> Iterator[list[Taken]]:
    part: list[Taken] = []
    for each in rows:
        part.append(each)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _projected(source: Connection, target: Connection) -> Iterator[list[Taken]]:
    """All rows with their standing and key, some thousand at a time."""
    last = 0
    while positions := list(
        target.execute(
            select(event_state.c.pos).where(event_state.c.pos > last).order_by(event_state.c.pos).limit(AT_ONCE)
        ).scalars()
    ):
        last = positions[-1]
        yield again(target, positions, source)


def _differences(table: Table, live: Connection, rebuilt: Connection) -> Iterator[Difference]:
    columns = [column for column in table.c if column.name not in SURROGATES.get(table.name, ())]
    have = _counted(live, columns)
    want = _counted(rebuilt, columns)
    for row in sorted(have.keys() | want.keys(), key=repr):
        more = have.get(row, 0) - want.get(row, 0)
        for _ in range(abs(more)):
            yield Difference(table.name, "+" if more > 0 else "-", row)


def _counted(connection: Connection, columns: list[Any]) -> dict[tuple[Any, ...], int]:
    found: dict[tuple[Any, ...], int] = {}
    for row in map(tuple, connection.execute(select(*columns))):
        found[row] = found.get(row, 0) + 1
    return found
