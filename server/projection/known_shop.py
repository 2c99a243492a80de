"""Known shop: the items as they were known when the ledger ended at an earlier position, in tables of a scratch database.

Only what later rows changed differs from the projection of today: the status of events that a later void, copy or log
concerns, keys that a later anchor moved, and what depends on them (corrections, bindings, definitions, links). These events
are found through indexes and computed again from the rows up to the position. Items are folded on demand.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, create_engine, func, or_, select
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from server.db import schema
from server.db.bulk_insert import insert_many
from server.ledger.hub_log import HUB
from server.projection.bindings import NOTHING, Bindings, binding_row, binds
from server.projection.definitions import COSTS, Definitions, defined, definition_row
from server.projection.event_items import (
    Corrections,
    DueEvent,
    EventItem,
    ItemEventBuilder,
    correction_row,
    insert_links,
    links,
    scanned_as,
    stored_links,
    verb_of,
)
from server.projection.internal_tables import correction, looked_up, no_item, resent, void_mark
from server.projection.item_states import ItemStates
from server.projection.known_keys import keys_at
from server.projection.ledger_row import AT_ONCE, NOT_PERMITTED, LedgerRow, rows_at, state_rows
from server.projection.log_permissions import LogOwners
from server.projection.pipeline import PATTERNS, corrected_rows
from server.projection.released_orders import RELEASE, ReleasedOrders
from server.projection.tables import TABLES, binding, definition, event_item, event_state, move
from server.projection.void_state import VoidState
from station.core.codes import binding_key
from station.core.codes.identity import gtin_texts
from station.core.ledger.fold import fold
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.moves import FIRST_SEEN
from station.core.ledger.times import LATEST_US
from station.core.ledger.void_resolution import Correction, PositionKey
from station.core.ledger.void_resolution import correction as correction_of
from station.core.master_data import MasterData, name_of


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
    """The shop as known at position `pos`. `scratch`: tables with its definitions and with the items folded so far.

    `until_us`: the items are folded up to this time (UTC us); None: from all events up to the position.
    """

    def __init__(self, live: Connection, scratch: Connection, pos: int, until_us: int | None = None) -> None:
        self._live, self.scratch, self.pos, self._until_us = live, scratch, pos, until_us
        self._folded: set[str] = set()
        self._stored: set[int] = set()  # positions whose state the scratch tables hold
        self._late_releases: dict[str, DueEvent] = {}
        self._rows: dict[int, LedgerRow] = {}  # the events that later rows changed, with their status and key at `pos`
        self._links: dict[int, list[EventItem]] = {}
        later = select(schema.ledger.c.pos).where(schema.ledger.c.pos > pos).limit(1)
        is_past = live.execute(later).first() is not None
        if is_past:
            self._find_flipped()
        self._corrections = self._apply_corrections()
        codes = self._apply_bindings()
        self._apply_definitions()
        self.bindings, self.definitions = Bindings(scratch), Definitions(scratch)
        self.bindings.use(self.definitions.of(PATTERNS))
        self._add_rows(pos for code in codes for pos in scanned_as(live, code))
        self._orders = ReleasedOrders()
        self._items = ItemStates(scratch)
        self._link()
        self._any_released = self._had_release()

    @property
    def master_data(self) -> MasterData:
        """The definitions as known at the position."""
        return self.definitions.master_data

    def _add_rows(self, positions: Iterable[int], change: Callable[[LedgerRow], None] | None = None) -> None:
        new = {pos for pos in positions if pos <= self.pos and pos not in self._rows}
        for row in rows_at(self._live, new):
            self._rows[row.pos] = row
            if change is not None:
                change(row)

    def _find_flipped(self) -> None:
        """Find the events whose status or key was another one."""
        for row in self._flipped():
            self._rows[row.pos] = row
        keys = keys_at(self._live, self.pos, self._rows.values())
        self._add_rows(keys)
        for pos, key in keys.items():
            self._rows[pos].key = key

    def _flipped(self) -> list[LedgerRow]:
        """The events with another status: those that later voids, copies or logs concern, directly or through others."""
        marks = [(row[0], PositionKey(row[1].hex(), row[2]), PositionKey(row[3].hex(), row[4]))
                 for row in self._live.execute(select(void_mark))]  # fmt: skip
        copies = [(row[0], PositionKey(row[1].hex(), row[2]), PositionKey(row[3].hex(), row[4]))
                  for row in self._live.execute(select(resent))]  # fmt: skip
        places = self._connected([*marks, *copies], marks, copies)
        if not places:
            return []
        for table, pairs in ((void_mark, marks), (resent, copies)):
            positions = [pos for pos, place, _ in pairs if pos <= self.pos and place in places]
            for start in range(0, len(positions), AT_ONCE):
                chunk = table.c.pos.in_(positions[start : start + AT_ONCE])
                insert_many(self.scratch, table, [tuple(row) for row in self._live.execute(select(table).where(chunk))])
        rows = rows_at(self._live, self._positions_of(places))
        insert_many(self.scratch, event_state, state_rows(rows))
        state = VoidState.load(self.scratch, LogOwners(self._live, self.pos))
        self.scratch.execute(event_state.delete())
        flipped = []
        for row in rows:
            if row.read_as == "ok" and row.status in ("ok", "void", "copy", NOT_PERMITTED):
                status = state.status_of(row.stored)
                if status != row.status:
                    row.status = status
                    flipped.append(row)
        return flipped

    def _connected(self, pairs: list[Any], marks: list[Any], copies: list[Any]) -> set[PositionKey]:
        """The places that are connected through voids and copies with one that arrived later."""
        near: dict[PositionKey, list[PositionKey]] = {}
        for _, one, other in pairs:
            near.setdefault(one, []).append(other)
            near.setdefault(other, []).append(one)
        waiting = [place for pos, one, other in pairs if pos > self.pos for place in (one, other)]
        waiting += [other for _, _, other in copies if self._arrived_later(other)]
        late_logs: dict[str, bool] = {}
        for _, one, other in marks:
            if other.log and other.log not in late_logs:
                late_logs[other.log] = not LogOwners(self._live, self.pos).has_arrived(other.log)
            if late_logs.get(other.log):
                waiting += [one, other]
        places: set[PositionKey] = set()
        while waiting:
            place = waiting.pop()
            if place not in places and place.log:
                places.add(place)
                waiting += near.get(place, ())
        return places

    def _arrived_later(self, place: PositionKey) -> bool:
        c = schema.ledger.c
        at = and_(c.log_id == bytes.fromhex(place.log), c.seq == place.seq, c.pos > self.pos)
        return self._live.execute(select(c.pos).where(at)).first() is not None

    def _positions_of(self, places: Iterable[PositionKey]) -> list[int]:
        c = schema.ledger.c
        of_log: dict[str, list[int]] = {}
        for place in places:
            of_log.setdefault(place.log, []).append(place.seq)
        found: list[int] = []
        for log, seqs in of_log.items():
            for start in range(0, len(seqs), AT_ONCE):
                at = and_(c.log_id == bytes.fromhex(log), c.seq.in_(seqs[start : start + AT_ONCE]), c.pos <= self.pos)
                found += self._live.execute(select(c.pos).where(at)).scalars()
        return found

    def _apply_corrections(self) -> Corrections:
        """Store the corrections of that position; the events of those that differ from today's are changed too."""
        today = {row.pos: row for row in self._live.execute(select(correction))}
        known = {pos: tuple(row) for pos, row in today.items() if pos <= self.pos and pos not in self._rows}
        for row in self._rows.values():
            if row.ok and row.event is not None:
                change = correction_of(row.event, row.recorded)
                if change is not None:
                    known[row.pos] = correction_row(row.pos, change)
        insert_many(self.scratch, correction, list(known.values()))
        other = [values for pos, values in known.items() if pos not in today or tuple(today[pos]) != values]
        other += [tuple(row) for pos, row in today.items() if known.get(pos) != tuple(row)]
        changed = [
            Correction((values[1], values[2].hex(), values[3]), values[4].hex(), values[5], values[6], {})
            for values in other
        ]
        self._add_rows(corrected_rows(self._live, changed))
        return Corrections(self.scratch)

    def _apply_bindings(self) -> set[str]:
        """Store the bindings of that position. Returns the codes whose bindings differ from today's, in all spellings."""
        today = {row.pos: tuple(row) for row in self._live.execute(select(binding))}
        known = {pos: values for pos, values in today.items() if pos <= self.pos and pos not in self._rows}
        for row in self._rows.values():
            if row.event is not None:
                bound = binds(row, verb_of(row.event, self._corrections.put(row)))
                if bound is not None:
                    known[row.pos] = binding_row(*bound)
        insert_many(self.scratch, binding, list(known.values()))
        differing = {
            values[0]
            for pos in known.keys() | today.keys()
            if known.get(pos) != today.get(pos)
            for values in (known.get(pos), today.get(pos))
            if values is not None
        }
        if not differing:
            return set()
        spellings: dict[str, set[str]] = {}
        for values in (*known.values(), *today.values()):
            spellings.setdefault(binding_key(values[0]), set()).add(values[0])
        keys = {binding_key(code) for code in differing}
        return {text for key in keys for text in (key, *gtin_texts(key), *spellings[key])}

    def _apply_definitions(self) -> None:
        today = {row.id: tuple(row) for row in self._live.execute(select(definition))}
        known = {pos: values for pos, values in today.items() if pos <= self.pos and pos not in self._rows}
        for row in self._rows.values():
            made = defined(row)
            if made is not None:
                known[row.pos] = definition_row(row.pos, made)
        insert_many(self.scratch, definition, list(known.values()))
        self._defined_otherwise = known != today

    def _link(self) -> None:
        """Compute the links of the changed events, and the items that had or have one of them."""
        for row in self._rows.values():
            self._links[row.pos] = links(row, self._corrections.put(row), self.bindings)
        stored = stored_links(self._live, list(self._rows))
        linked = [link.item for of_row in (*self._links.values(), *stored.values()) for link in of_row]
        self.changed_items = set(linked) - {NOTHING}
        """The items whose events up to the position have another status, key or link today."""

    def _had_release(self) -> bool:
        if any(link.verb == RELEASE for of_row in self._links.values() for link in of_row):
            return True
        c = event_item.c
        query = select(c.pos).where(and_(c.verb == RELEASE, c.pos <= self.pos, c.pos.not_in(self._rows))).limit(1)
        return self._live.execute(query).first() is not None

    def items_defined_otherwise(self, until_us: int) -> set[str]:
        """The items whose fold up to a time looks up something that was defined otherwise, or not, at the position.

        These are all items where the patterns were others, and where the shop had no release or has none today: that decides
        which codes are unknown.
        """
        today = Definitions(self._live) if self._defined_otherwise else self.definitions
        both = (today.master_data, self.definitions.master_data)
        names = {
            (one.what, name_of(one.what, one.data)) for shop in (today, self.definitions) for one in shop.entries()
        }
        relinked = any(what == PATTERNS and _differs(both, what, name) for what, name in names)
        if relinked or self._any_released != ReleasedOrders().any(self._live):
            return self._all_items(relinked=relinked)
        items: set[str] = set()
        if self._defined_otherwise:
            for what, name in names:
                if what not in COSTS and _differs(both, what, name, until_us):
                    c = looked_up.c
                    items.update(
                        self._live.execute(select(c.item).where(and_(c.what == what, c.name == name))).scalars()
                    )
        return items

    def _all_items(self, *, relinked: bool) -> set[str]:
        """All items with an event up to the position. `relinked`: the item of each code may be another one."""
        c = event_item.c
        if relinked:
            for positions in (
                select(no_item.c.pos).where(no_item.c.pos <= self.pos),
                select(c.pos).where(and_(c.pos <= self.pos, c.code.is_not(None))),
            ):
                self._add_rows(self._live.execute(positions).scalars())
            self._link()
        every = select(c.item).where(c.pos <= self.pos).distinct()
        return {*self._live.execute(every).scalars(), *self.changed_items}

    def late_items(self, until_us: int) -> set[str]:
        """The items that today have an event up to a time that arrived after the position."""
        i, state = event_item.c, event_state.c
        early = or_(state.kind != "scan", state.key_us <= until_us)  # an entry may hold from before it was recorded
        query = (
            select(i.item)
            .select_from(event_state.join(event_item, i.pos == state.pos))
            .where(and_(state.pos > self.pos, early, i.key_us <= until_us))
        )
        return set(self._live.execute(query.distinct()).scalars())

    def items_known_later(self, names: Iterable[str]) -> set[str]:
        """Those of some items that were released, or whose quantity became known, by an event after the position.

        Both hold for the time before, too.
        """
        found: set[str] = set()
        for chunk in _chunks(names):
            i, m = event_item.c, move.c
            released = select(i.item).where(and_(i.item.in_(chunk), i.pos > self.pos, i.verb == RELEASE))
            counted = select(m.item).where(and_(m.item.in_(chunk), m.pos > self.pos, m.to_state == FIRST_SEEN))
            for query in (released, counted):
                found.update(self._live.execute(query.distinct()).scalars())
        return found

    def horizon_us(self) -> int:
        """A time (UTC us) at which every event up to the position has its effect, with the keys of today."""
        state, i, owner = event_state.c, event_item.c, schema.log.c
        log_ids = {*self._live.execute(select(owner.log_id)).scalars()}
        log_ids |= {*self._live.execute(select(resent.c.at_log).distinct()).scalars()}
        horizon_us = 0
        for log_id in log_ids:
            in_log = and_(state.at_log == log_id, state.pos <= self.pos)
            seq = self._live.execute(select(state.at_seq).where(in_log).order_by(state.at_seq.desc()).limit(1)).scalar()
            if seq is not None:  # keys do not decrease within a log; a fork has two events at one place
                last = select(func.max(state.key_us)).where(and_(in_log, state.at_seq == seq))
                horizon_us = max(horizon_us, self._live.execute(last).scalar_one())
        hub_logs = select(owner.log_id).where(and_(owner.device.is_(None), owner.station == HUB))
        entered = (
            select(func.max(i.key_us))
            .select_from(event_state.join(event_item, i.pos == state.pos))
            .where(and_(state.at_log.in_(hub_logs), state.pos <= self.pos))
        )
        return max(horizon_us, self._live.execute(entered).scalar() or 0)

    def later_items(self, names: Iterable[str]) -> set[str]:
        """Those of some items that have an event after the position."""
        c, found = event_item.c, set[str]()
        for chunk in _chunks(names):
            later = select(c.item).where(and_(c.item.in_(chunk), c.pos > self.pos))
            found.update(self._live.execute(later.distinct()).scalars())
        return found

    def has_folded(self, name: str) -> bool:
        """Whether the scratch tables hold an item, or its absence."""
        return name in self._folded

    def fold_items(self, names: Iterable[str]) -> None:
        """Fold items into the scratch tables from their events up to the position."""
        new = sorted(set(names) - self._folded)
        self._folded.update(new)
        linked: dict[str, list[int]] = {name: [] for name in new}
        plain: list[tuple[Any, ...]] = []
        for chunk in _chunks(new):
            query = select(event_item).where(and_(event_item.c.item.in_(chunk), event_item.c.pos <= self.pos))
            plain += [tuple(row) for row in self._live.execute(query) if row.pos not in self._rows]
        changed = [(pos, link) for pos, of_row in self._links.items() for link in of_row if link.item in linked]
        for name, pos in [(row[0], row[4]) for row in plain] + [(link.item, pos) for pos, link in changed]:
            linked[name].append(pos)
        rows = {row.pos: row for row in rows_at(self._live, {row[4] for row in plain})}
        rows |= {pos: self._rows[pos] for pos, _ in changed}
        self._store(plain, [(rows[pos], [link]) for pos, link in changed], rows)
        released = {row[0] for row in plain if row[6] == RELEASE}
        released |= {link.item for _, link in changed if link.verb == RELEASE}
        self._orders.state(released, linked, any_released=self._any_released)
        builder = ItemEventBuilder(self.bindings, self._corrections, self._orders)
        for name, positions in linked.items():
            self._fold(name, [builder.due(self.scratch, rows[pos], name) for pos in positions])
        self._items.write(self.scratch)

    def _store(
        self,
        plain: list[tuple[Any, ...]],
        changed: list[tuple[LedgerRow, list[EventItem]]],
        rows: dict[int, LedgerRow],
    ) -> None:
        """Store the links of events up to the time of the fold, and their states."""
        until_us = LATEST_US if self._until_us is None else self._until_us
        insert_many(self.scratch, event_item, [values for values in plain if values[1] <= until_us])
        then = [(row, [link for link in of_row if link.key_us <= until_us]) for row, of_row in changed]
        insert_links(self.scratch, then)
        new = [row for pos, row in rows.items() if pos not in self._stored]
        self._stored.update(rows)
        insert_many(self.scratch, event_state, state_rows(new))

    def _fold(self, name: str, due: list[DueEvent]) -> None:
        master_data = self.definitions.master_data
        if self._until_us is None:
            self._items.refold(name, due, master_data)
            return
        until_us = self._until_us
        then = [one for one in due if one.place[0] <= until_us]
        release = _first_release(due)
        is_early = bool(then) and release is not None and release.place[0] > until_us
        self._items.refold(name, [*then, _without_quantity(release)] if is_early and release else then, master_data)
        loaded = self._items.get(self.scratch, name)
        if then and any(parcel.qty_milli is None for parcel in loaded.state.parcels):
            events = [one.item_event for one in _in_order(due) if isinstance(one.item_event, ItemEvent)]
            self._items.state_quantity(loaded, fold(name, events, master_data).quantity_became)
        if is_early and release is not None:
            self._late_releases[name] = release


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(names)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))


def _differs(both: tuple[MasterData, MasterData], what: str, name: str, until_us: int | None = None) -> bool:
    """Whether a name has another definition at any time, up to `until_us`."""
    versions = [shop.versions(what, name) for shop in both]
    if versions[0] == versions[1]:
        return False
    if until_us is None:
        return True
    times = {version.holds_from_us for of_shop in versions for version in of_shop}
    for at_us in {-1, *(us for us in times if us <= until_us)}:  # before the first one the first one is used
        first, second = (shop.at(what, name, at_us) for shop in both)
        if (None if first is None else first.data) != (None if second is None else second.data):
            return True
    return False


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
