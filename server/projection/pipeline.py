"""Progress: what one transaction of the projector does with the next rows of the ledger.

Standing first (what counts at all), then time, then what the rows say of others (corrections, bindings, definitions), then
what they are about, and last the items themselves. Rows projected before that mean something else now go the same way again.
"""

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select

from server.db.bulk_insert import insert_many
from server.db.schema import ledger
from server.projection.anchor_seals import seal_key
from server.projection.bindings import NOTHING, Bindings
from server.projection.definitions import Definitions
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
from server.projection.interpreter import MEANING, EventInterpreter
from server.projection.item_states import ItemStates
from server.projection.ledger_row import NOT_PERMITTED, LedgerRow, rows_after, rows_at, state_rows
from server.projection.log_permissions import LogOwners, note_claims
from server.projection.refold_queue import dirty_codes, dirty_items
from server.projection.released_orders import RELEASE, ReleasedOrders
from server.projection.set_aside import CODE, ITEM, RebuildNeeded, blame, events_aside, items_aside, put_aside
from server.projection.tables import PROJECTED_POS, event_item, event_state, item, projection
from server.projection.tag_numbers import note_numbers
from server.projection.timeline import Timeline
from server.projection.void_state import VoidState
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import Correction, Place

PATTERNS = "pattern.define"
REFOLDED_TOGETHER = 10  # items read with one question


class ProjectionPipeline:
    """The projection so far, with what of it is kept in memory. After an error it is thrown away and read again."""

    def __init__(self, connection: Connection, meaning: EventInterpreter = MEANING) -> None:
        self._meaning = meaning
        self.pos = projected_pos(connection)
        self._aside = events_aside(connection, self.pos)  # of the events that come: these are set aside
        self._items_aside = items_aside(connection)
        self._owners = LogOwners(connection, self.pos)
        self._hub_logs: set[str] = set()
        self._settlement = VoidState.load(connection, self._owners, meaning.void)
        self._timeline = Timeline(connection, meaning.times)
        self._corrections = Corrections(connection)
        self._definitions = Definitions(connection)
        self._bindings = Bindings(connection)
        self._bindings.use(self._definitions.of(PATTERNS))
        self._orders = ReleasedOrders()
        self._facts = ItemEventBuilder(self._bindings, self._corrections, self._orders, meaning.fact)
        self._has_definitions = self._facts.has_definitions(connection)
        self._items = ItemStates(connection, meaning.apply)
        self._dirty, self._dirty_codes = dirty_items(connection), dirty_codes(connection)
        self._key = seal_key(connection)

    def project_batch(self, connection: Connection, most: int) -> int:
        """Project the next rows, at most `most`; how many there were."""
        fresh = rows_after(connection, self.pos, most, self._aside)
        if not fresh:
            return 0
        self.pos = fresh[-1].pos
        self._owners.use(connection, self.pos)
        for each in fresh:
            blame(each.pos, self._meaning.permit, each, self._owners)
            blame(each.pos, self._meaning.seal, each, self._key)
        self._meet_hub_logs(fresh)
        flipped = self._flipped(connection, self._settlement.apply_rows(connection, fresh))
        moved = self._timeline.apply_rows(connection, fresh, flipped)
        insert_many(connection, event_state, state_rows(fresh))
        note_numbers(connection, fresh, self._meaning.numbers)
        note_claims(connection, fresh, self._owners)
        revised = flipped + rows_at(connection, moved.keys() - {each.pos for each in flipped})
        self._revise(connection, revised, moved)
        self._follow(connection, fresh, revised)
        stored = projection.update().where(projection.c.k == PROJECTED_POS).values(v=self.pos)
        if not connection.execute(stored).rowcount:
            connection.execute(projection.insert().values(k=PROJECTED_POS, v=self.pos))
        return len(fresh)

    def _meet_hub_logs(self, fresh: list[LedgerRow]) -> None:
        """A log of the hub's that is new here may have been claimed before: such a claim does not count any more."""
        met = {each.stored.log for each in fresh if self._owners.is_hubs(each.stored.log)} - self._hub_logs
        self._hub_logs |= met
        if any(self._settlement.is_claimed(log) for log in met):
            msg = f"a station had claimed places in the hub's logs {sorted(met)}"
            raise RebuildNeeded(msg)

    def set_aside(self, connection: Connection, part: str, name: str, reason: str) -> None:
        """Take a waiting item or code (`part`) off its queue: it could not be folded or linked again."""
        if part == CODE:
            put_aside(connection, [(0, part, name, reason)])
            self._dirty_codes.done(connection, [name])
            return
        self._items.gone(name)
        self._items.write(connection)
        put_aside(connection, [(0, part, name, reason)])
        self._dirty.done(connection, [name])
        self._items_aside.add(name)

    def waiting(self, codes: int, items: int) -> tuple[str, list[str]]:
        """What waits longest to be done again: the part, and at most so many names of it."""
        first = self._dirty_codes.first(codes)
        return (CODE, first) if first else (ITEM, self._dirty.first(items))

    def link_again(self, connection: Connection, most: int, longest_s: float) -> bool:
        """Link the events of some waiting codes again; False where none waits."""
        end = time.monotonic() + longest_s
        waiting = self._dirty_codes.first(most)
        for code in waiting:
            self._link_old(connection, rows_at(connection, scanned_as(connection, code)))
            self._dirty_codes.done(connection, [code])
            if time.monotonic() > end:
                break
        return bool(waiting)

    def fold_again(self, connection: Connection, most: int, longest_s: float) -> bool:
        """Fold some waiting items from nothing; False where none waits."""
        end = time.monotonic() + longest_s
        waiting = self._dirty.first(most)
        for start in range(0, len(waiting), REFOLDED_TOGETHER):
            names = waiting[start : start + REFOLDED_TOGETHER]
            fold_anew(connection, names, self._items, self._facts, self._definitions)
            self._dirty.done(connection, names)
            self._items_aside.difference_update(names)
            if time.monotonic() > end:
                break
        self._items.write(connection)
        return bool(waiting)

    def _flipped(self, connection: Connection, places: set[Place]) -> list[LedgerRow]:
        """The older rows at these places, with the standing that they have now."""
        positions: set[int] = set()
        for place in places:
            at = and_(ledger.c.log_id == bytes.fromhex(place.log), ledger.c.seq == place.seq)
            positions.update(connection.execute(select(ledger.c.pos).where(at, ledger.c.pos <= self.pos)).scalars())
        found = rows_at(connection, positions)
        for each in found:
            if each.read_as == "ok" and each.status in ("ok", "void", "copy", NOT_PERMITTED):
                each.status = self._settlement.standing(each.stored)
        return found

    def _revise(self, connection: Connection, revised: list[LedgerRow], moved: dict[int, OrderKey]) -> None:
        for each in revised:
            each.key = moved.get(each.pos, each.key)
        if revised:
            names = ("status", "key_us", "lo_us", "hi_us", "approx")
            row = (
                event_state.update()
                .where(event_state.c.pos == bindparam("at"))
                .values({n: bindparam(n) for n in names})
            )
            values = [dict(zip(names, (each.status, *each.key), strict=True)) | {"at": each.pos} for each in revised]
            connection.execute(row, values)

    def _follow(self, connection: Connection, fresh: list[LedgerRow], revised: list[LedgerRow]) -> None:
        """Everything that hangs on standing and time."""
        changed = self._corrections.apply_rows(connection, fresh + revised, self._meaning.correction)
        if changed:
            done = {each.pos for each in fresh} | {each.pos for each in revised}
            revised = revised + rows_at(connection, _corrected_rows(connection, changed) - done)
        rows = [(each, self._corrections.put(each)) for each in fresh + revised]
        verbs = [(each, verb_of(each.event, put)) for each, put in rows if each.event]
        codes = self._bindings.apply_rows(connection, verbs, self._meaning.binds)
        defined = self._definitions.apply_rows(connection, fresh + revised, self._meaning.defined)
        if any(what == PATTERNS for what, _ in defined):
            codes |= self._read_otherwise(connection)
        self._dirty_codes.add(connection, codes, self.pos)
        self._dirty.add(connection, self._definitions.who_asked(connection, defined), self.pos)
        linked = [(each, self._links(each, put)) for each, put in rows[: len(fresh)]]
        insert_links(connection, linked)
        self._note_releases(connection, [link for _, found in linked for link in found], known=True)
        self._link_old(connection, revised)
        has_definitions = self._facts.has_definitions(connection)
        if has_definitions != self._has_definitions:
            self._has_definitions = has_definitions
            self._dirty.add(connection, connection.execute(select(item.c.item)).scalars(), self.pos)
        self._move(connection, linked)

    def _links(self, each: LedgerRow, put: dict[str, Any]) -> list[EventItem]:
        return blame(each.pos, self._meaning.links, each, put, self._bindings)

    def _read_otherwise(self, connection: Connection) -> set[str]:
        """Take over the patterns; the codes scanned so far that they read in another way than before."""
        codes = scanned_codes(connection)
        before = {code: self._bindings.readings(code) for code in codes}
        if not self._bindings.use(self._definitions.of(PATTERNS)):
            return set()
        return {code for code in codes if set(before[code]) | set(self._bindings.readings(code)) != {before[code][0]}}

    def _note_releases(self, connection: Connection, found: Iterable[EventItem], *, known: bool) -> None:
        """A release that came or went: whether the item is known changes for all of its past."""
        released = {link.item for link in found if link.verb == RELEASE}
        if released:
            self._orders.changed(released)
            self._items.load(connection, released)
            past = {name for name in released if not known or self._items.get(connection, name).stored}
            self._dirty.add(connection, past, self.pos)

    def _link_old(self, connection: Connection, rows: list[LedgerRow]) -> None:
        """Link rows again that were projected before; the items they were and are about are folded anew."""
        stored = stored_links(connection, [each.pos for each in rows])
        new = [(each, self._links(each, self._corrections.put(each))) for each in rows]
        changed = [(each, found) for each, found in new if set(found) != set(stored[each.pos])]
        delete_links(connection, [each.pos for each, _ in changed])
        insert_links(connection, changed)
        moved = [link for each, found in changed for link in set(found) ^ set(stored[each.pos])]
        self._note_releases(connection, moved, known=False)
        about = {link.item for _, found in new for link in found}
        about |= {link.item for found in stored.values() for link in found}
        self._dirty.add(connection, about - {NOTHING}, self.pos)

    def _move(self, connection: Connection, linked: list[tuple[LedgerRow, list[EventItem]]]) -> None:
        """Fold new facts onto their items, in their order; what comes too late for that makes its item dirty."""
        about = {link.item for _, found in linked for link in found}
        late = about & self._items_aside  # what could not be folded is tried again with each new fact
        names = {name for name in about - late if name not in self._dirty} - {NOTHING}
        self._facts.load(connection, names)
        self._items.load(connection, names)
        facts = [
            (self._facts.due(connection, each, link.item), link.item)
            for each, found in linked
            for link in found
            if link.item in names
        ]
        facts.sort(key=lambda pair: pair[0].place)
        catalogue = self._definitions.catalogue
        for due, name in facts:
            if name in late:
                continue
            one = self._items.get(connection, name)
            if due.place <= one.state.last:
                late.add(name)
                continue
            self._items.follow(one, due, catalogue)
        self._items.write(connection)
        self._dirty.add(connection, late, self.pos)


def fold_anew(
    connection: Connection,
    names: list[str],
    items: ItemStates,
    facts: ItemEventBuilder,
    definitions: Definitions,
    source: Connection | None = None,
) -> None:
    """Fold items, each from all events that are linked to it. `source`: where the ledger is, if not beside the links."""
    linked = select(event_item.c.item, event_item.c.pos).where(event_item.c.item.in_(names))
    about: dict[str, list[int]] = {name: [] for name in names}
    for name, pos in connection.execute(linked):
        about[name].append(pos)
    rows = {each.pos: each for each in rows_at(connection, {pos for of in about.values() for pos in of}, source)}
    facts.load(connection, names)
    for name, positions in about.items():
        items.refold(name, [facts.due(connection, rows[pos], name) for pos in positions], definitions.catalogue)


def projected_pos(connection: Connection) -> int:
    """The position in the ledger that the projection stands at."""
    found = connection.execute(select(projection.c.v).where(projection.c.k == PROJECTED_POS)).scalar_one_or_none()
    return int(found or 0)


def _corrected_rows(connection: Connection, changed: list[Correction]) -> set[int]:
    """The rows that these corrections are about, where they count and where they stand."""
    found: set[int] = set()
    state: Any = event_state.c
    for each in changed:
        log_id = bytes.fromhex(each.log)
        at = and_(state.at_log == log_id, state.at_seq.between(each.from_seq, each.to_seq))
        found.update(connection.execute(select(state.pos).where(at)).scalars())
        stored = and_(ledger.c.log_id == log_id, ledger.c.seq.between(each.from_seq, each.to_seq))
        inside = or_(state.at_log != log_id, state.at_seq != state.seq)
        sent_again = select(state.pos).join(ledger, ledger.c.pos == state.pos).where(stored, inside)
        found.update(connection.execute(sent_again).scalars())
    return found
