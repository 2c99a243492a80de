"""Known shop: the items as they were known when the ledger ended at an earlier position, in tables of a scratch database.

Only what later rows changed differs from the projection of today (`server.projection.known_changes`). Items are folded on
demand, from the events up to the position.
"""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, and_, create_engine, select
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from server.db import schema
from server.db.bulk_insert import insert_many
from server.db.given_values import in_parts, is_one_of
from server.projection.event_items import (
    DueEvent,
    EventItem,
    ItemEventBuilder,
    insert_links,
)
from server.projection.item_rows import Head
from server.projection.item_states import ItemStates
from server.projection.known_changes import KnownChanges, chunks
from server.projection.ledger_row import LedgerRow, rows_at, state_rows, words_of
from server.projection.released_orders import RELEASE, ReleasedOrders
from server.projection.tables import TABLES, event_item, event_state, item, parcel
from server.projection.words import WordNumbers
from station.core.ledger.fold import fold
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.moves import Move
from station.core.ledger.parcels import ItemState
from station.core.ledger.times import LATEST_US
from station.core.master_data import MasterData


class FoldedItem(NamedTuple):
    """An item as folded: its state and name, its moves with the positions of their events, and its heads from a time on.

    `late_milli`: the quantity of the moves without one, where it became known later.
    """

    state: ItemState
    name: str | None
    moves: list[tuple[int, Move]]
    heads: list[tuple[int, Head]]
    late_milli: int | None


@contextmanager
def scratch_tables() -> Iterator[Connection]:
    """Empty tables of a projection in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.executescript(_table_script())
            yield connection
    finally:
        engine.dispose()


@cache
def _table_script() -> str:
    """The statements that create the tables and their indexes."""
    dialect = create_engine("sqlite://").dialect
    tables = [schema.hub, schema.log, schema.ledger, *TABLES]
    made: list[Any] = [CreateTable(table) for table in tables]
    made += [CreateIndex(index) for table in tables for index in sorted(table.indexes, key=lambda one: str(one.name))]
    return ";\n".join(str(statement.compile(dialect=dialect)) for statement in made)


class KnownShop:
    """The shop as known at position `pos`, with the items folded so far in memory (`items`) and in tables (`scratch`).

    `changes`: what later rows changed. `until_us`: the items are folded up to this time (UTC us); None: from all events up
    to the position. `items`: those that had an event.
    """

    def __init__(self, live: Connection, scratch: Connection, pos: int, until_us: int | None = None) -> None:
        self._live, self._scratch, self.pos, self._until_us = live, scratch, pos, until_us
        self.changes = KnownChanges(live, scratch, pos)
        self.copied: set[str] = set()  # items whose rows are those of today
        self.items: dict[str, FoldedItem] = {}
        self._folded: set[str] = set()
        self._links: list[tuple[Any, ...]] = []  # of the items that the tables do not hold yet
        self._changed_links: list[tuple[LedgerRow, list[EventItem]]] = []
        self._rows: dict[int, LedgerRow] = {}
        self._stored: set[int] = set()  # positions whose state the scratch tables hold
        self._late_releases: dict[str, int] = {}  # item -> its ordered quantity
        self._numbers = count(1)
        self._words = WordNumbers()
        self._orders = ReleasedOrders()
        self._items = ItemStates(scratch)

    @property
    def scratch(self) -> Connection:
        """Tables with the definitions and with the items folded so far. Sums of stock alone do not need them."""
        self._write()
        return self._scratch

    @property
    def master_data(self) -> MasterData:
        """The definitions as known at the position."""
        return self.changes.definitions.master_data

    @property
    def folded(self) -> frozenset[str]:
        """The items that were folded."""
        return frozenset(self._folded)

    def copy_parcels(self, condition: Any) -> None:
        """Copy parcels of today; their numbers are those of the scratch tables."""
        rows = [tuple(row) for row in self._live.execute(select(parcel).where(condition))]
        insert_many(self.scratch, parcel, [(-next(self._numbers), *row[1:]) for row in rows])

    def has_folded(self, name: str) -> bool:
        """Whether the scratch tables hold an item, or its absence."""
        return name in self._folded

    def fold_items(self, names: Iterable[str]) -> None:
        """Fold items from their events up to the position."""
        new = sorted(set(names) - self._folded)
        self._folded.update(new)
        linked: dict[str, list[int]] = {name: [] for name in new}
        plain: list[tuple[Any, ...]] = []
        for part in in_parts(new):
            of_part = and_(is_one_of(self._live, event_item.c.item, part), event_item.c.pos <= self.pos)
            found = self._live.execute(select(event_item).where(of_part))
            plain += [tuple(row) for row in found if row.pos not in self.changes.rows]
        changed = [(pos, link) for pos, of_row in self.changes.links.items() for link in of_row if link.item in linked]
        for name, pos in [(row[0], row[2]) for row in plain] + [(link.item, pos) for pos, link in changed]:
            linked[name].append(pos)
        if self._until_us is not None:  # what began later is not there yet
            begun = {row[0] for row in plain if row[1] <= self._until_us}
            begun |= {link.item for _, link in changed if link.key_us <= self._until_us}
            linked = {name: positions for name, positions in linked.items() if name in begun}
            plain = [row for row in plain if row[0] in begun]
            changed = [(pos, link) for pos, link in changed if link.item in begun]
        rows = {row.pos: row for row in rows_at(self._live, {row[2] for row in plain})}
        rows |= {pos: self.changes.rows[pos] for pos, _ in changed}
        self._links += plain
        self._changed_links += [(rows[pos], [link]) for pos, link in changed]
        self._rows |= rows
        released = {row[0] for row in plain if row[4] == RELEASE}
        released |= {link.item for _, link in changed if link.verb == RELEASE}
        self._orders.state(released, linked, any_released=self.changes.any_released)
        builder = ItemEventBuilder(self.changes.bindings, self.changes.corrections, self._orders)
        for name, positions in linked.items():
            if positions:
                self._fold(name, [builder.due(self._scratch, rows[pos], name) for pos in positions])
                self._keep(name)

    def _keep(self, name: str) -> None:
        loaded = self._items.get(self._scratch, name)
        self.items[name] = FoldedItem(loaded.state, loaded.name, loaded.moves, loaded.heads, loaded.late_quantity)

    def _write(self) -> None:
        """Write the items that the tables do not hold yet, with the links of their events and the states of these."""
        if not self._rows:
            return
        self._store()
        self._items.write(self._scratch)
        self._order_late_releases()
        self._links, self._changed_links, self._rows = [], [], {}

    def _order_late_releases(self) -> None:
        """Give items that were released after the time of the fold their ordered quantity: what is ordered is no overrun."""
        c = item.c
        for name, ordered in self._late_releases.items():
            row = self._scratch.execute(select(c.overrun_milli).where(c.item == name)).first()
            if row is not None:
                over = max(row.overrun_milli - ordered, 0)
                self._scratch.execute(
                    item.update().where(c.item == name).values(ordered_milli=ordered, overrun_milli=over)
                )
        self._late_releases.clear()

    def add_events(self, positions: Iterable[int]) -> None:
        """Store these events up to the position, as recorded and with their state then, in the scratch tables."""
        wanted, scratch = {pos for pos in positions if pos <= self.pos}, self.scratch
        new = [self.changes.rows.get(row.pos, row) for row in rows_at(self._live, wanted - self._stored)]
        self._stored.update(row.pos for row in new)
        insert_many(scratch, event_state, state_rows(new, self._words.ids(scratch, words_of(new))))
        held = set(scratch.execute(select(schema.ledger.c.pos)).scalars())
        for chunk in chunks(wanted - held):
            query = select(schema.ledger).where(schema.ledger.c.pos.in_(chunk))
            insert_many(scratch, schema.ledger, [tuple(row) for row in self._live.execute(query)])

    def add_item_events(self) -> None:
        """Store the events of the items that were folded, and whose logs they are in."""
        self.add_events(self.scratch.execute(select(event_item.c.pos).distinct()).scalars().all())
        held = set(self.scratch.execute(select(schema.log.c.log_id)).scalars())
        logs = [tuple(row) for row in self._live.execute(select(schema.log)) if row.log_id not in held]
        insert_many(self.scratch, schema.log, logs)

    def copy_rows(self, table: Table, condition: Any, without: Container[str] = ()) -> None:
        """Copy rows of today into the scratch tables, but those of the items `without`."""
        rows = self._live.execute(select(table).where(condition))
        insert_many(self.scratch, table, [tuple(row) for row in rows if not without or row.item not in without])

    def _store(self) -> None:
        """Store the links of events up to the time of the fold, and their states."""
        until_us = LATEST_US if self._until_us is None else self._until_us
        insert_many(self._scratch, event_item, [values for values in self._links if values[1] <= until_us])
        then = [(row, [link for link in of_row if link.key_us <= until_us]) for row, of_row in self._changed_links]
        insert_links(self._scratch, then)
        new = [row for pos, row in self._rows.items() if pos not in self._stored]
        self._stored.update(self._rows)
        insert_many(self._scratch, event_state, state_rows(new, self._words.ids(self._scratch, words_of(new))))

    def _fold(self, name: str, due: list[DueEvent]) -> None:
        master_data = self.changes.definitions.master_data
        if self._until_us is None:
            self._items.refold(name, due, master_data, stored=False)
            return
        until_us = self._until_us
        then = [one for one in due if one.place[0] <= until_us]
        release = _first_release(due)
        is_early = bool(then) and release is not None and release.place[0] > until_us
        counted = [*then, _without_quantity(release)] if is_early and release else then
        self._items.refold(name, counted, master_data, stored=False)
        loaded = self._items.get(self._scratch, name)
        if then and any(parcel.qty_milli is None for parcel in loaded.state.parcels):
            events = [one.item_event for one in _in_order(due) if isinstance(one.item_event, ItemEvent)]
            self._items.state_quantity(loaded, fold(name, events, master_data).quantity_became)
        if is_early and release is not None:
            before = [one.item_event for one in due if one.place <= release.place]
            state = fold(name, [one for one in before if isinstance(one, ItemEvent)], master_data).state
            self._late_releases[name] = -state.outer.get("ordered", 0)


def _in_order(due: list[DueEvent]) -> list[DueEvent]:
    return sorted(due, key=lambda one: (one.place, one.hash, one.pos))


def _first_release(due: list[DueEvent]) -> DueEvent | None:
    """The first release of an item."""
    for one in _in_order(due):
        if isinstance(one.item_event, ItemEvent) and one.item_event.verb == RELEASE:
            return one
    return None


def _without_quantity(release: DueEvent) -> DueEvent:
    """A release that gives the item its order, product and routing, and moves nothing."""
    event = release.item_event
    assert isinstance(event, ItemEvent)
    data = {name: value for name, value in (event.data or {}).items() if name != "qty_milli"}
    return release._replace(item_event=msgspec.structs.replace(event, data=data))
