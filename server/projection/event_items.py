"""Event items: the item that each event is about, and the item event that it makes there.

A scan is about the item of its code, a correction may name another one; an entry names its item, an order's release every
item under it. Links are rows of `event_item`; a fold reads its item's facts through them.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_many
from server.projection.bindings import NOTHING, Bindings
from server.projection.internal_tables import correction, no_item
from server.projection.ledger_row import AT_ONCE, LedgerRow
from server.projection.released_orders import MOST_ITEMS, RELEASE, ReleasedOrders
from server.projection.set_aside import blame, is_of_medium
from server.projection.tables import event_item
from station.core.event import Event
from station.core.ledger.fold import reason_of
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import Correction, corrected, effective, fact, is_fact
from station.core.ledger.void_resolution import correction as correction_of

NO_ITEM = frozenset({"void", "correct", "reread", "period.close", "period.reopen", "code.bind"})
_JSON = msgspec.json.Encoder()


class EventItem(NamedTuple):
    """One row of `event_item`, without the event's place."""

    item: str
    key_us: int
    code: str | None
    verb: str


class Corrections:
    """Every correction that counts, in memory: as many as people have made."""

    def __init__(self, connection: Connection) -> None:
        self._of: dict[str, dict[int, Correction]] = {}
        self._log_of: dict[int, str] = {}
        for row in connection.execute(select(correction)):
            recorded = (row.key_us, row.log_id.hex(), row.seq)
            put = blame(row.pos, msgspec.json.decode, row.put)
            self._keep(row.pos, Correction(recorded, row.of_log.hex(), row.from_seq, row.to_seq, put))

    def _keep(self, pos: int, one: Correction) -> None:
        self._of.setdefault(one.log, {})[pos] = one
        self._log_of[pos] = one.log

    def put(self, each: LedgerRow) -> dict[str, Any]:
        """The fields that corrections put in place of an event's own."""
        if not self._of:
            return {}
        found = [one for place in each.places for one in self._of.get(place.log, {}).values()]
        return corrected(each.places, found) if found else {}

    def apply_rows(
        self,
        connection: Connection,
        rows: list[LedgerRow],
        read: Callable[[Event, tuple[int, str, int]], Correction | None] = correction_of,
    ) -> list[Correction]:
        """Note what new and changed events correct; every correction that came, went or moved."""
        changed = []
        for each in rows:
            if each.was is not None and each.pos in self._log_of:
                changed.append(self._of[self._log_of.pop(each.pos)].pop(each.pos))
                connection.execute(correction.delete().where(correction.c.pos == each.pos))
        new = []
        for each in rows:
            event = each.event if each.ok else None
            one = None if event is None else blame(each.pos, read, event, each.recorded)
            if one is not None:
                new.append((each.pos, one))
                self._keep(each.pos, one)
        insert_many(connection, correction, [correction_row(pos, one) for pos, one in new])
        return changed + [one for _, one in new]


def correction_row(pos: int, one: Correction) -> tuple[Any, ...]:
    """A row of the table `correction`."""
    key_us, log, seq = one.recorded
    put = _JSON.encode(one.set).decode()
    return (pos, key_us, bytes.fromhex(log), seq, bytes.fromhex(one.log), one.from_seq, one.to_seq, put)


def verb_of(event: Event, put: dict[str, Any]) -> str:
    """What an event says, corrected: an action, an entry's word, or nothing for a bare scan."""
    if event.kind == "entry" and event.what != "checkin":
        return event.what or ""
    if "action" in put:
        return put["action"] or ""
    said = event.action if event.kind == "scan" else (event.data or {}).get("action")
    return said if isinstance(said, str) else ""


def links(each: LedgerRow, put: dict[str, Any], bindings: Bindings) -> list[EventItem]:
    """What an event is about: nothing where it does not count or names nothing."""
    event = each.event
    if event is None or not each.ok or not is_fact(event):
        return []
    at_us = effective(event, each.key).us
    verb = verb_of(event, put)
    if event.kind == "entry" and event.what != "checkin":
        return [] if verb in NO_ITEM else [EventItem(name, at_us, None, verb) for name in _named_items(event)]
    code = each.code
    if isinstance(put.get("item"), str):
        return [EventItem(put["item"], at_us, code, verb)]
    if code is None:
        return [EventItem(name, at_us, None, verb) for name in _named_items(event)[:1]]
    at = (at_us, each.counted.log, each.counted.seq)
    named = bindings.named(code, event.scheme, at).item
    return [EventItem(named, at_us, code, verb) if named != NOTHING else _nothing(code)]


def _named_items(event: Event) -> list[str]:
    data = event.data or {}
    first = data.get("order") if (event.what or "").startswith("order.") else data.get("item")
    names = [first]
    if event.what == RELEASE and isinstance(data.get("items"), list):
        names += [each.get("item") if isinstance(each, dict) else each for each in data["items"]]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))[:MOST_ITEMS]


class DueEvent(NamedTuple):
    """A fact in its place in the order, with its event's hash and position; `fact`: why it cannot be made, if so.

    Two events of a copied card stand at one place. Their hashes order them, so that the order of arrival does not count.
    """

    place: tuple[int, str, int]
    hash: str
    pos: int
    fact: ItemEvent | str


class ItemEventBuilder:
    """Makes the fact that an event states about an item."""

    def __init__(
        self,
        bindings: Bindings,
        corrections: Corrections,
        orders: ReleasedOrders,
        fact: Callable[..., ItemEvent] = fact,
    ) -> None:
        self._bindings, self._corrections, self._orders, self._fact = bindings, corrections, orders, fact

    def load(self, connection: Connection, items: Iterable[str]) -> None:
        """Know of many items at once whether they were released."""
        self._orders.load(connection, items)

    def has_definitions(self, connection: Connection) -> bool:
        """Whether the hub knows anything by which a code could be unknown to it."""
        return self._bindings.has_patterns or self._orders.any(connection)

    def of(self, connection: Connection, each: LedgerRow, item: str) -> ItemEvent:
        """The fact of an event that is linked to `item`."""
        event = each.event
        assert event is not None  # only what can be folded is linked
        put = self._corrections.put(each)
        key = effective(event, each.key)
        return self._fact(event, each.counted, key, put, unknown=self._unknown(connection, each, key, put, item))

    def due(self, connection: Connection, each: LedgerRow, item: str) -> "DueEvent":
        """The same as it is to be folded; with the reason in its place where the fact cannot be made."""
        try:
            made: ItemEvent | str = self.of(connection, each, item)
        except Exception as error:
            if is_of_medium(error):
                raise
            made = reason_of(error)
        event = each.event
        key_us = each.key.us if event is None else effective(event, each.key).us
        return DueEvent((key_us, each.counted.log, each.counted.seq), each.counted.hash, each.pos, made)

    def _unknown(self, connection: Connection, each: LedgerRow, key: OrderKey, put: dict[str, Any], item: str) -> bool:
        event, code = each.event, each.code
        if event is None or code is None or event.unread or "item" in put or self._orders.released(connection, item):
            return False
        if self._bindings.named(code, event.scheme, (key.us, each.counted.log, each.counted.seq)).known:
            return False
        return self.has_definitions(connection)


def _nothing(code: str) -> EventItem:
    return EventItem(NOTHING, 0, code, "")


def insert_links(connection: Connection, rows: Iterable[tuple[LedgerRow, list[EventItem]]]) -> None:
    """Write the links of events."""
    about: list[tuple[Any, ...]] = []
    nothing: list[tuple[Any, ...]] = []
    for each, found in rows:
        for one in found:
            if one.item == NOTHING:
                nothing.append((each.pos, one.code))
            else:
                place = (bytes.fromhex(each.counted.log), each.counted.seq, each.pos)
                about.append((one.item, one.key_us, *place, one.code, one.verb))
    insert_many(connection, event_item, about)
    insert_many(connection, no_item, nothing)


def stored_links(connection: Connection, positions: list[int]) -> dict[int, list[EventItem]]:
    """The links of events as they are written."""
    found: dict[int, list[EventItem]] = {pos: [] for pos in positions}
    row = event_item.c
    for start in range(0, len(positions), AT_ONCE):
        some = positions[start : start + AT_ONCE]
        about = select(row.pos, row.item, row.key_us, row.code, row.verb).where(row.pos.in_(some))
        for pos, *link in connection.execute(about):
            found[pos].append(EventItem(*link))
        for pos, code in connection.execute(select(no_item.c.pos, no_item.c.code).where(no_item.c.pos.in_(some))):
            found[pos].append(_nothing(code))
    return found


def delete_links(connection: Connection, positions: list[int]) -> None:
    """Unlink events."""
    for start in range(0, len(positions), AT_ONCE):
        some = positions[start : start + AT_ONCE]
        connection.execute(event_item.delete().where(event_item.c.pos.in_(some)))
        connection.execute(no_item.delete().where(no_item.c.pos.in_(some)))


def scanned_as(connection: Connection, code: str) -> set[int]:
    """The positions of all events with this code, whatever it names."""
    return {
        pos
        for table in (event_item, no_item)
        for pos in connection.execute(select(table.c.pos).where(table.c.code == code)).scalars()
    }


def scanned_codes(connection: Connection) -> set[str]:
    """Every code that was ever scanned."""
    return {
        code
        for table in (event_item, no_item)
        for code in connection.execute(select(table.c.code).where(table.c.code.is_not(None)).distinct()).scalars()
    }
