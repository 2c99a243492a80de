"""Event items: the items to which each event is linked, and the item event that it contributes to the fold of an item.

A scan is linked to the item of its code, or to the item of a correction. An entry is linked to the item that it names; the
release of an order, to every item of the order. Links are rows of `event_item`, through which a fold finds its events.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_many
from server.projection.bindings import NOTHING, Bindings
from server.projection.code_keys import spellings_of
from server.projection.dead_letters import attribute_error, is_of_medium
from server.projection.internal_tables import correction, no_item
from server.projection.ledger_row import AT_ONCE, LedgerRow
from server.projection.released_orders import MOST_ITEMS, RELEASE, ReleasedOrders
from server.projection.tables import event_item
from station.core.codes import identity_of_written
from station.core.event import Event
from station.core.ledger.fold import reason_of
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import Correction, corrected, effective, is_fact, item_event
from station.core.ledger.void_resolution import correction as correction_of

NO_ITEM = frozenset({"void", "correct", "reread", "period.close", "period.reopen", "code.bind"})
_JSON = msgspec.json.Encoder()
_tuple = tuple.__new__  # makes a named tuple in a third of the time of its own constructor


class EventItem(NamedTuple):
    """A link of an event to an item: one row of `event_item` without the position of the event."""

    item: str
    key_us: int
    code: str | None
    verb: str


class Corrections:
    """All effective corrections, in memory: they are made by hand, so there are few."""

    def __init__(self, connection: Connection) -> None:
        self._of: dict[str, dict[int, Correction]] = {}
        self._log_of: dict[int, str] = {}
        for row in connection.execute(select(correction)):
            recorded = (row.key_us, row.log_id.hex(), row.seq)
            put = attribute_error(row.pos, msgspec.json.decode, row.put)
            self._keep(row.pos, Correction(recorded, row.of_log.hex(), row.from_seq, row.to_seq, put))

    def _keep(self, pos: int, change: Correction) -> None:
        self._of.setdefault(change.log, {})[pos] = change
        self._log_of[pos] = change.log

    def put(self, row: LedgerRow) -> dict[str, Any]:
        """The fields of an event that corrections replace, with their new values."""
        if not self._of:
            return {}
        changes = [change for place in row.places for change in self._of.get(place.log, {}).values()]
        return corrected(row.places, changes) if changes else {}

    def every(self) -> list[Correction]:
        """All corrections."""
        return [change for of_log in self._of.values() for change in of_log.values()]

    def of(self, row: LedgerRow) -> list[Correction]:
        """The corrections of one event, in the order in which they are applied: a later one replaces an earlier one."""
        changes = [change for place in row.places for change in self._of.get(place.log, {}).values()]
        return sorted(
            (change for change in changes if corrected(row.places, [change])), key=lambda change: change.recorded
        )

    def apply_rows(
        self,
        connection: Connection,
        rows: list[LedgerRow],
        read: Callable[[Event, tuple[int, str, int]], Correction | None] = correction_of,
    ) -> list[Correction]:
        """Apply the corrections of new and changed events. Returns all corrections that were added, removed or moved."""
        changed = []
        for row in rows:
            if row.was is not None and row.pos in self._log_of:
                changed.append(self._of[self._log_of.pop(row.pos)].pop(row.pos))
                connection.execute(correction.delete().where(correction.c.pos == row.pos))
        new = []
        for row in rows:
            event = row.event if row.ok else None
            change = None if event is None else attribute_error(row.pos, read, event, row.recorded)
            if change is not None:
                new.append((row.pos, change))
                self._keep(row.pos, change)
        insert_many(connection, correction, [correction_row(pos, change) for pos, change in new])
        return changed + [change for _, change in new]


def correction_row(pos: int, change: Correction) -> tuple[Any, ...]:
    """A row of the table `correction`."""
    key_us, log, seq = change.recorded
    put = _JSON.encode(change.set).decode()
    return (pos, key_us, bytes.fromhex(log), seq, bytes.fromhex(change.log), change.from_seq, change.to_seq, put)


def verb_of(event: Event, put: dict[str, Any]) -> str:
    """The corrected verb of an event: the action of a scan, the kind of an entry; empty for a bare scan."""
    if event.kind == "entry" and event.what != "checkin":
        return event.what or ""
    if "action" in put:
        return put["action"] or ""
    action = event.action if event.kind == "scan" else (event.data or {}).get("action")
    return action if isinstance(action, str) else ""


def links(row: LedgerRow, put: dict[str, Any], bindings: Bindings) -> list[EventItem]:
    """The links of an event; empty for an event without effect and for one that names no item."""
    event = row.event
    if event is None or not row.ok or not is_fact(event):
        return []
    at_us = effective(event, row.key).us
    verb = verb_of(event, put)
    if event.kind == "entry" and event.what != "checkin":
        return [] if verb in NO_ITEM else [EventItem(name, at_us, None, verb) for name in named_items(event)]
    code = row.code
    if isinstance(put.get("item"), str):
        return [EventItem(identity_of_written(put["item"]), at_us, code, verb)]
    if code is None:
        return [EventItem(name, at_us, None, verb) for name in named_items(event)[:1]]
    at = (at_us, row.counted.log, row.counted.seq)
    item = bindings.named(code, row.identity, event.scheme, at).item
    return [_tuple(EventItem, (item, at_us, code, verb)) if item != NOTHING else _nothing(code)]


def named_items(event: Event) -> list[str]:
    data = event.data or {}
    main = data.get("order") if (event.what or "").startswith("order.") else data.get("item")
    names = [main]
    if event.what == RELEASE and isinstance(data.get("items"), list):
        names += [entry.get("item") if isinstance(entry, dict) else entry for entry in data["items"]]
    return list(dict.fromkeys(identity_of_written(name) for name in names if isinstance(name, str) and name))[
        :MOST_ITEMS
    ]


class DueEvent(NamedTuple):
    """An item event with its sort key; `item_event`: the item event, or the reason why it could not be built.

    `place`: effective time, log and seq. Two events of a copied card have the same place. Then `hash` decides, so the result
    does not depend on the order of arrival.
    """

    place: tuple[int, str, int]
    hash: str
    pos: int
    item_event: ItemEvent | str


class ItemEventBuilder:
    """Builds item events: the form in which the fold of an item reads an event."""

    def __init__(
        self,
        bindings: Bindings,
        corrections: Corrections,
        orders: ReleasedOrders,
        item_event: Callable[..., ItemEvent] = item_event,
    ) -> None:
        self._bindings, self._corrections, self._orders, self._item_event = bindings, corrections, orders, item_event

    def load(self, connection: Connection, items: Iterable[str], rows: Iterable[LedgerRow] = ()) -> None:
        """Load for many items, with few statements, whether they were released, and the bindings of these events."""
        self._orders.load(connection, items)
        self._bindings.load(rows)

    def definitions(self, connection: Connection) -> tuple[bool, bool]:
        """Whether the shop has any pattern or release, and any release.

        Without both, no code is unknown; without a release, no code that a pattern names.
        """
        has_orders = self._orders.any(connection)
        return self._bindings.has_patterns or has_orders, has_orders

    def due(self, connection: Connection, row: LedgerRow, item: str) -> DueEvent:
        """The item event of an event that is linked to `item`; an error in the event gives its reason in its place."""
        event = row.event
        key = row.key if event is None else effective(event, row.key)
        log, seq, event_hash = row.counted
        try:
            assert event is not None  # only decoded events have links
            put = self._corrections.put(row)
            unknown = self._is_unknown(connection, row, key, put, item)
            item_event: ItemEvent | str = self._item_event(event, row.counted, key, put, unknown=unknown)
        except Exception as error:
            if is_of_medium(error):
                raise
            item_event = reason_of(error)
        return _tuple(DueEvent, ((key.us, log, seq), event_hash, row.pos, item_event))

    def _is_unknown(
        self, connection: Connection, row: LedgerRow, key: OrderKey, put: dict[str, Any], item: str
    ) -> bool:
        event, code = row.event, row.code
        if event is None or code is None or event.unread or "item" in put or self._orders.released(connection, item):
            return False
        named = self._bindings.named(code, row.identity, event.scheme, (key.us, row.counted.log, row.counted.seq))
        if named.bound:
            return False
        has_any, has_orders = self.definitions(connection)
        return has_orders if named.known else has_any


def _nothing(code: str) -> EventItem:
    return EventItem(NOTHING, 0, code, "")


def insert_links(connection: Connection, rows: Iterable[tuple[LedgerRow, list[EventItem]]]) -> None:
    """Insert the links of events."""
    linked: list[tuple[Any, ...]] = []
    unlinked: list[tuple[Any, ...]] = []
    for row, items in rows:
        for link in items:
            if link.item == NOTHING:
                unlinked.append((row.pos, link.code))
            else:
                linked.append((link.item, link.key_us, row.pos, link.code, link.verb))
    insert_many(connection, event_item, linked)
    insert_many(connection, no_item, unlinked)


def stored_links(connection: Connection, positions: list[int]) -> dict[int, list[EventItem]]:
    """The links of events as the tables hold them, by position."""
    links_at: dict[int, list[EventItem]] = {pos: [] for pos in positions}
    c = event_item.c
    for start in range(0, len(positions), AT_ONCE):
        chunk = positions[start : start + AT_ONCE]
        for pos, *link in connection.execute(select(c.pos, c.item, c.key_us, c.code, c.verb).where(c.pos.in_(chunk))):
            links_at[pos].append(EventItem(*link))
        for pos, code in connection.execute(select(no_item.c.pos, no_item.c.code).where(no_item.c.pos.in_(chunk))):
            links_at[pos].append(_nothing(code))
    return links_at


def delete_links(connection: Connection, positions: list[int]) -> None:
    """Delete the links of events."""
    for start in range(0, len(positions), AT_ONCE):
        chunk = positions[start : start + AT_ONCE]
        connection.execute(event_item.delete().where(event_item.c.pos.in_(chunk)))
        connection.execute(no_item.delete().where(no_item.c.pos.in_(chunk)))


def scanned_as(connection: Connection, code: str) -> set[int]:
    """The positions of all events with this code, or with a spelling of this key, with and without an item."""
    codes = [code, *spellings_of(connection, code)]
    return {
        pos
        for table in (event_item, no_item)
        for start in range(0, len(codes), AT_ONCE)
        for pos in connection.execute(
            select(table.c.pos).where(table.c.code.in_(codes[start : start + AT_ONCE]))
        ).scalars()
    }


def scanned_codes(connection: Connection) -> set[str]:
    """All codes of projected events."""
    return {
        code
        for table in (event_item, no_item)
        for code in connection.execute(select(table.c.code).where(table.c.code.is_not(None)).distinct()).scalars()
    }
