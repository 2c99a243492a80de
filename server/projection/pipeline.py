"""Projection pipeline: the work of one projector transaction on the next rows of the ledger.

The stages run in a fixed order, because each one reads the result of the stage before: status (which rows count), order
keys, rows about other events (corrections, bindings, definitions), links to items, and the fold of the items. Projected rows
whose status, key or links change pass through the later stages again.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from server.db.bulk_insert import insert_many
from server.db.schema import ledger
from server.projection.anchor_seals import seal_key
from server.projection.bindings import NOTHING, Bindings
from server.projection.call_marks import note_calls
from server.projection.checkpoints import KeptRows, events_after, rows_before
from server.projection.code_keys import note_spellings
from server.projection.dead_letters import (
    CODE,
    ITEM,
    RebuildNeeded,
    add_dead_letters,
    attribute_error,
    dead_events,
    dead_items,
)
from server.projection.definitions import Definitions, count_change
from server.projection.event_items import (  # fmt: skip
    Corrections,
    EventItem,
    ItemEventBuilder,
    delete_links,
    insert_links,
    scanned_as,
    scanned_codes,
    stored_links,
    verb_of,
)
from server.projection.internal_tables import resent
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.item_states import ItemStates
from server.projection.ledger_row import (  # fmt: skip
    NOT_PERMITTED,
    LedgerRow,
    rows_after,
    rows_at,
    rows_of,
    state_rows,
    words_of,
)
from server.projection.log_permissions import LogOwners, note_claims
from server.projection.order_keys import ROWS_AT_ONCE, OrderKeys
from server.projection.refold_queue import dirty_codes, dirty_items
from server.projection.released_orders import RELEASE, ReleasedOrders
from server.projection.tables import PROJECTED_POS, event_state, item, projection
from server.projection.tag_numbers import note_numbers
from server.projection.void_state import VoidState
from server.projection.words import WordNumbers, word_id
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import Correction, PositionKey
from station.core.site import SITE

PATTERNS = "pattern.define"
_SET_POS = projection.update().where(projection.c.k == PROJECTED_POS).values(v=bindparam("to"))
REFOLDED_TOGETHER = 10  # items that are read with one statement


class ProjectionPipeline:
    """The projection with its caches in memory. After an error it is discarded and loaded again from the tables."""

    def __init__(
        self,
        connection: Connection,
        interpreter: EventInterpreter = DEFAULT_INTERPRETER,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._interpreter = interpreter
        self.pos = projected_pos(connection)
        self._aside = dead_events(connection, self.pos)  # coming events that are already set aside
        self._items_aside = dead_items(connection)
        self._owners = LogOwners(connection, self.pos)
        self._hub_logs: set[str] = set()
        self._words = WordNumbers()
        self._void_state = VoidState.load(connection, self._owners, interpreter.void)
        self._timeline = OrderKeys(connection, interpreter.times, rows_at_once)
        self._corrections = Corrections(connection)
        self._definitions = Definitions(connection)
        self._bindings = Bindings(connection)
        self._bindings.use(self._definitions.of(PATTERNS))
        self._orders = ReleasedOrders()
        self._item_events = ItemEventBuilder(self._bindings, self._corrections, self._orders, interpreter.item_event)
        self._known_by = self._item_events.definitions(connection)
        self._items = ItemStates(
            connection, interpreter.apply, interpreter.item_row, checkpoint_events=interpreter.checkpoint_events
        )
        self._dirty, self._dirty_codes = dirty_items(connection), dirty_codes(connection)
        self._key = seal_key(connection)

    def project_batch(self, connection: Connection, most: int) -> int:
        """Project the next rows of the ledger, at most `most`, inside the caller's transaction. Returns their number.

        1. Mark rows that are not permitted or whose seal is wrong as inert.
        2. Give each row its status; load older rows whose status changes.
        3. Give each row its order key; load older rows whose key moves.
        4. Write the rows of event_state, tag numbers, claims and calls; update the older rows.
        5. Apply everything that depends on status and key (`_apply_dependents`).
        6. Store the projected position.
        """
        fresh = rows_after(connection, self.pos, most, self._aside)
        if not fresh:
            return 0
        self.pos = fresh[-1].pos
        self._owners.use(connection, self.pos)
        self._bindings.read_from(connection)
        self._bindings.load(fresh)
        for row in fresh:
            attribute_error(row.pos, self._interpreter.permit, row, self._owners)
            attribute_error(row.pos, self._interpreter.seal, row, self._key)
        self._check_new_hub_logs(fresh)
        flipped = self._flipped_rows(connection, self._void_state.apply_rows(connection, fresh))
        moved = self._timeline.apply_rows(connection, fresh, flipped)
        insert_many(connection, event_state, state_rows(fresh, self._words.ids(connection, words_of(fresh))))
        note_numbers(connection, fresh, self._interpreter.numbers)
        note_spellings(connection, fresh)
        note_claims(connection, fresh, self._owners)
        note_calls(connection, fresh)
        revised = flipped + rows_at(connection, moved.keys() - {row.pos for row in flipped})
        self._update_states(connection, revised, moved)
        self._apply_dependents(connection, fresh, revised)
        if not connection.execute(_SET_POS, {"to": self.pos}).rowcount:
            connection.execute(projection.insert().values(k=PROJECTED_POS, v=self.pos))
        return len(fresh)

    def _check_new_hub_logs(self, fresh: list[LedgerRow]) -> None:
        """Raise `RebuildNeeded` where a station claimed places in a hub log before the hub log arrived.

        The claim was accepted as an event of an unknown log; it has no effect once the log is known as the hub's.
        """
        new_logs = {row.stored.log for row in fresh if self._owners.is_hubs(row.stored.log)} - self._hub_logs
        self._hub_logs |= new_logs
        if any(self._void_state.is_claimed(log) for log in new_logs):
            msg = f"a station had claimed places in the hub's logs {sorted(new_logs)}"
            raise RebuildNeeded(msg)

    def set_aside(self, connection: Connection, part: str, name: str, reason: str) -> None:
        """Set aside a queued item or code (`part`) that cannot be refolded or relinked, and remove it from its queue."""
        if part == CODE:
            add_dead_letters(connection, [(0, part, name, reason)])
            self._dirty_codes.remove(connection, [name])
            return
        self._items.mark_deleted(name)
        self._items.write(connection)
        add_dead_letters(connection, [(0, part, name, reason)])
        self._dirty.remove(connection, [name])
        self._items_aside.add(name)

    def waiting(self, codes: int, items: int) -> tuple[str, list[str]]:
        """The next queued work, codes before items: the part, and at most `codes` or `items` names."""
        first = self._dirty_codes.first(codes)
        return (CODE, first) if first else (ITEM, list(self._dirty.first(items)))

    def relink_codes(self, connection: Connection, most: int, longest_s: float) -> bool:
        """Relink the events of some queued codes; False where the queue is empty."""
        end = time.monotonic() + longest_s
        queued = self._dirty_codes.first(most)
        self._bindings.read_from(connection)
        for code in queued:
            self._relink(connection, rows_at(connection, scanned_as(connection, code)), whole=True)
            self._dirty_codes.remove(connection, [code])
            if time.monotonic() > end:
                break
        return bool(queued)

    def refold_queued(self, connection: Connection, most: int, longest_s: float) -> bool:
        """Refold some queued items; False where the queue is empty."""
        end = time.monotonic() + longest_s
        queued = self._dirty.first(most)
        self._bindings.read_from(connection)
        every_name = list(queued)
        for start in range(0, len(queued), REFOLDED_TOGETHER):
            names = every_name[start : start + REFOLDED_TOGETHER]
            refold_items(connection, names, self._items, self._item_events, self._definitions, changed_us=queued)
            self._dirty.remove(connection, names)
            self._items_aside.difference_update(names)
            if time.monotonic() > end:
                break
        self._items.write(connection)
        return bool(queued)

    def _flipped_rows(self, connection: Connection, places: set[PositionKey]) -> list[LedgerRow]:
        """The older rows at these places, with their new status."""
        positions: set[int] = set()
        for place in places:
            at = and_(ledger.c.log_id == bytes.fromhex(place.log), ledger.c.seq == place.seq)
            positions.update(connection.execute(select(ledger.c.pos).where(at, ledger.c.pos <= self.pos)).scalars())
        flipped = rows_at(connection, positions)
        for row in flipped:
            if row.read_as == "ok" and row.status in ("ok", "void", "copy", NOT_PERMITTED):
                row.status = self._void_state.status_of(row.stored)
        return flipped

    def _update_states(self, connection: Connection, revised: list[LedgerRow], moved: dict[int, OrderKey]) -> None:
        for row in revised:
            row.key = moved.get(row.pos, row.key)
        if revised:
            names = ("status", "key_us", "lo_us", "hi_us", "approx")
            update = (
                event_state.update()
                .where(event_state.c.pos == bindparam("at"))
                .values({name: bindparam(name) for name in names})
            )
            values = [dict(zip(names, (row.status, *row.key), strict=True)) | {"at": row.pos} for row in revised]
            connection.execute(update, values)

    def _apply_dependents(self, connection: Connection, fresh: list[LedgerRow], revised: list[LedgerRow]) -> None:
        """Apply everything that depends on the status and the key of rows.

        1. Corrections; the rows that they correct are revised too.
        2. Bindings, with the corrected verbs, and definitions. Changed codes and the items that looked up a changed
           definition are queued; after a changed definition of the site the moves are counted on its days.
        3. Links of the fresh rows to items; releases change whether an item is known.
        4. Links of the revised rows; their items are queued.
        5. The first or last pattern or release of the shop changes which codes are unknown: then all items are queued.
        6. The fold of the fresh item events.
        """
        changed = self._corrections.apply_rows(connection, fresh + revised, self._interpreter.correction)
        if changed:
            done = {row.pos for row in fresh} | {row.pos for row in revised}
            revised = revised + rows_at(connection, corrected_rows(connection, changed) - done)
        rows = [(row, self._corrections.put(row)) for row in fresh + revised]
        verbs = [(row, verb_of(row.event, put)) for row, put in rows if row.event]
        codes = self._bindings.apply_rows(connection, verbs, self._interpreter.binds)
        defined = self._definitions.apply_rows(connection, fresh + revised, self._interpreter.defined)
        if codes or defined:
            count_change(connection)
        if any(what == PATTERNS for what, _ in defined):
            codes |= self._apply_patterns(connection)
        self._dirty_codes.add(connection, codes, self.pos)
        if any(what == SITE for what, _ in defined):
            self._items.redefine_days(connection)
        of_defined = self._definitions.items_that_looked_up(connection, defined)
        self._dirty.add(connection, dict.fromkeys(of_defined), self.pos)
        linked = [(row, self._links(row, put)) for row, put in rows[: len(fresh)]]
        insert_links(connection, linked)
        self._apply_releases(connection, [link for _, of_row in linked for link in of_row], known=True)
        self._relink(connection, revised)
        known_by = self._item_events.definitions(connection)
        if known_by != self._known_by:
            self._known_by = known_by
            self._dirty.add(connection, dict.fromkeys(connection.execute(select(item.c.item)).scalars()), self.pos)
        self._fold_item_events(connection, linked)

    def _links(self, row: LedgerRow, put: dict[str, Any]) -> list[EventItem]:
        return attribute_error(row.pos, self._interpreter.links, row, put, self._bindings)

    def _apply_patterns(self, connection: Connection) -> set[str]:
        """Replace the patterns. Returns the codes whose match changed, and of the tags bound to them at benches."""
        bound, readings = self._bindings.bound_at_benches(), self._bindings.readings
        before = {code: readings(code) for code in scanned_codes(connection) | bound.keys()}
        if not self._bindings.use(self._definitions.of(PATTERNS)):
            return set()
        changed = {code for code, was in before.items() if {*was, *readings(code)} != {was[0]}}
        return changed.union(*(bound.get(code, ()) for code in changed))

    def _apply_releases(self, connection: Connection, links: Iterable[EventItem], *, known: bool) -> None:
        """Queue the items of added or removed releases: whether an item is known applies to all of its past.

        `known`: the links are those of fresh rows, so an item without stored rows has no past.
        """
        released = {link.item for link in links if link.verb == RELEASE}
        if released:
            self._orders.changed(released)
            self._items.load(connection, released)
            past = {name for name in released if not known or self._items.get(connection, name).stored}
            self._dirty.add(connection, dict.fromkeys(past), self.pos)

    def _relink(self, connection: Connection, rows: list[LedgerRow], *, whole: bool = False) -> None:
        """Recompute the links of projected rows, and queue the items that they had or have links to.

        An item has changed from the earliest of these links on; `whole`: from its first event.
        """
        self._bindings.load(rows)
        stored = stored_links(connection, [row.pos for row in rows])
        new = [(row, self._links(row, self._corrections.put(row))) for row in rows]
        changed = [(row, links) for row, links in new if set(links) != set(stored[row.pos])]
        delete_links(connection, [row.pos for row, _ in changed])
        insert_links(connection, changed)
        moved = [link for row, links in changed for link in set(links) ^ set(stored[row.pos])]
        self._apply_releases(connection, moved, known=False)
        first_us = _first_us(link for links in (*stored.values(), *(links for _, links in new)) for link in links)
        self._dirty.add(connection, dict.fromkeys(first_us) if whole else first_us, self.pos)

    def _fold_item_events(self, connection: Connection, linked: list[tuple[LedgerRow, list[EventItem]]]) -> None:
        """Fold new item events in order; an item with one that precedes its last one is queued for a refold."""
        first_us = _first_us(link for _, links in linked for link in links)
        aside = first_us.keys() & self._items_aside  # could not be refolded; retried with each new item event
        late = {name for name in first_us if name in self._dirty}
        names = first_us.keys() - late - aside
        self._item_events.load(connection, names)
        self._items.load(connection, names)
        item_events = [
            (self._item_events.due(connection, row, link.item), link.item)
            for row, links in linked
            for link in links
            if link.item in names
        ]
        item_events.sort(key=lambda pair: pair[0].place)
        master_data = self._definitions.master_data
        for due, name in item_events:
            if name in late:
                continue
            loaded = self._items.get(connection, name)
            if due.place <= loaded.state.last:
                late.add(name)
                continue
            self._items.apply_item_event(loaded, due, master_data)
        self._items.write(connection)
        self._dirty.add(connection, {name: first_us[name] for name in late} | dict.fromkeys(aside), self.pos)


def _first_us(links: Iterable[EventItem]) -> dict[str, int | None]:
    """The earliest time of the links of each item."""
    first_us: dict[str, int | None] = {}
    for link in links:
        earlier = first_us.get(link.item)
        if link.item != NOTHING and (earlier is None or link.key_us < earlier):
            first_us[link.item] = link.key_us
    return first_us


def refold_items(
    connection: Connection,
    names: list[str],
    items: ItemStates,
    item_events: ItemEventBuilder,
    definitions: Definitions,
    source: Connection | None = None,
    changed_us: Mapping[str, int | None] | None = None,
) -> None:
    """Fold items from all events that are linked to them.

    `source`: the connection to the ledger, where it is not in the database of the links. `changed_us`: the first time at
    which an item changed; it is folded from its newest checkpoint before that, and without such a time from its first event.
    """
    kept: dict[str, KeptRows | None] = {}
    for name in names:
        first_us = (changed_us or {}).get(name)
        kept[name] = None if first_us is None else rows_before(connection, name, first_us)
    while kept:
        positions_of, states = events_after(connection, kept)
        rows = {row.pos: row for row in rows_of(connection, states, source)}
        item_events.load(connection, kept, rows.values())
        whole: dict[str, KeptRows | None] = {}
        for name, positions in positions_of.items():
            due = [item_events.due(connection, rows[pos], name) for pos in positions]
            if not items.refold(name, due, definitions.master_data, kept[name]):
                whole[name] = None
        kept = whole


def projected_pos(connection: Connection) -> int:
    """The last ledger position that the projection includes; 0 for an empty one."""
    pos = connection.execute(select(projection.c.v).where(projection.c.k == PROJECTED_POS)).scalar_one_or_none()
    return int(pos or 0)


def corrected_rows(connection: Connection, changed: Iterable[Correction]) -> set[int]:
    """The positions of the rows that these corrections name, by the place where they count or are stored."""
    positions: set[int] = set()
    state: Any = event_state.c
    for correction in changed:
        log_id = bytes.fromhex(correction.log)
        counted = and_(
            state.at_log == word_id(correction.log), state.at_seq.between(correction.from_seq, correction.to_seq)
        )
        positions.update(connection.execute(select(state.pos).where(counted)).scalars())
        here = and_(resent.c.log_id == log_id, resent.c.seq.between(correction.from_seq, correction.to_seq))
        positions.update(connection.execute(select(resent.c.pos).where(here)).scalars())
    return positions
