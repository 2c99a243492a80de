"""Known changes: what rows after an earlier ledger position changed of the events up to it, and the items that it concerns.

A later void, copy or log changes the status of an event, a later anchor its key; corrections, bindings, definitions and
links depend on both. These events are found through indexes and computed again from the rows up to the position.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, func, select

from server.db import schema
from server.db.bulk_insert import insert_many
from server.db.given_values import in_parts, is_one_of
from server.projection.bindings import NOTHING, Bindings, binding_row, binds
from server.projection.definitions import NOT_FOLDED, Definitions, defined, definition_row
from server.projection.event_items import (
    Corrections,
    EventItem,
    correction_row,
    links,
    scanned_as,
    stored_links,
    verb_of,
)
from server.projection.internal_tables import correction, looked_up, no_item, resent, void_mark
from server.projection.known_keys import keys_at, last_places
from server.projection.ledger_row import AT_ONCE, NOT_PERMITTED, LedgerRow, rows_at, state_rows, words_of
from server.projection.log_permissions import LogOwners
from server.projection.pipeline import PATTERNS, corrected_rows
from server.projection.released_orders import RELEASE, ReleasedOrders
from server.projection.tables import binding, definition, event_item, event_state, item, move
from server.projection.void_state import VoidState
from server.projection.words import WordNumbers, word_id
from station.core.codes import binding_key
from station.core.codes.identity import gtin_texts
from station.core.ledger.moves import FIRST_SEEN
from station.core.ledger.void_resolution import Correction, PositionKey
from station.core.ledger.void_resolution import correction as correction_of
from station.core.master_data import MasterData, name_of

MOST_LATE = 30_000  # late events that are read before the horizon is computed
_Key = TypeVar("_Key", int, str)


class KnownChanges:
    """The events up to position `pos` that later rows changed, and the corrections, bindings and definitions of that time.

    `scratch`: empty tables of a projection, which get those of that time. `rows`: the changed events by position, with their
    status and key at `pos`; `links`: their links to items then. `changed_items`: the items that have or had one of them.
    """

    def __init__(self, live: Connection, scratch: Connection, pos: int) -> None:
        self._live, self.scratch, self.pos = live, scratch, pos
        self.rows: dict[int, LedgerRow] = {}
        self.links: dict[int, list[EventItem]] = {}
        later = select(event_state.c.pos).where(event_state.c.pos > pos).limit(1)
        self.is_past = live.execute(later).first() is not None
        self._differing: set[str] | None = None
        if self.is_past:
            self._find_flipped()
        self.corrections = self._apply_corrections()
        codes = self._apply_bindings()
        self._apply_definitions()
        self.bindings, self.definitions = Bindings(scratch), Definitions(scratch)
        self.bindings.use(self.definitions.of(PATTERNS))
        self._add_rows(pos for code in codes for pos in scanned_as(live, code))
        self.changed_items: set[str] = set()
        self._link()
        self.any_released = self._had_release()

    def _add_rows(self, positions: Iterable[int], change: Callable[[LedgerRow], None] | None = None) -> None:
        new = {pos for pos in positions if pos <= self.pos and pos not in self.rows}
        for row in rows_at(self._live, new):
            self.rows[row.pos] = row
            if change is not None:
                change(row)

    def _find_flipped(self) -> None:
        """Find the events whose status or key was another one."""
        for row in self._flipped():
            self.rows[row.pos] = row
        keys = keys_at(self._live, self.pos, self.rows.values(), self._last_places)
        self._add_rows(keys)
        for pos, key in keys.items():
            self.rows[pos].key = key

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
        insert_many(self.scratch, event_state, state_rows(rows, WordNumbers().ids(self.scratch, words_of(rows))))
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
        known = {pos: tuple(row) for pos, row in today.items() if pos <= self.pos and pos not in self.rows}
        for row in self.rows.values():
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
        known = {pos: values for pos, values in today.items() if pos <= self.pos and pos not in self.rows}
        for row in self.rows.values():
            if row.event is not None:
                bound = binds(row, verb_of(row.event, self.corrections.put(row)))
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
        known = {pos: values for pos, values in today.items() if pos <= self.pos and pos not in self.rows}
        for row in self.rows.values():
            made = defined(row)
            if made is not None:
                known[row.pos] = definition_row(row.pos, made)
        insert_many(self.scratch, definition, list(known.values()))
        self._defined_otherwise = known != today

    def _link(self) -> None:
        """Compute the links of the changed events, and the items that had or have one of them."""
        for row in self.rows.values():
            self.links[row.pos] = links(row, self.corrections.put(row), self.bindings)
        stored = stored_links(self._live, list(self.rows))
        linked = [link.item for of_row in (*self.links.values(), *stored.values()) for link in of_row]
        self.changed_items = set(linked) - {NOTHING}

    def _had_release(self) -> bool:
        if any(link.verb == RELEASE for of_row in self.links.values() for link in of_row):
            return True
        c = event_item.c
        query = select(c.pos).where(and_(c.verb == RELEASE, c.pos <= self.pos, c.pos.not_in(self.rows))).limit(1)
        return self._live.execute(query).first() is not None

    def items_defined_otherwise(self) -> set[str]:
        """The items whose fold up to the horizon looks up something that was defined otherwise, or not, at the position.

        These are all items where the patterns were others, and where the shop had no release or has none today: that decides
        which codes are unknown.
        """
        today = Definitions(self._live) if self._defined_otherwise else self.definitions
        both = (today.master_data, self.definitions.master_data)
        names = {
            (one.what, name_of(one.what, one.data)) for shop in (today, self.definitions) for one in shop.entries()
        }
        relinked = any(what == PATTERNS and _differs(both, what, name) for what, name in names)
        if relinked or self.any_released != ReleasedOrders().any(self._live):
            return self._all_items(relinked=relinked)
        items: set[str] = set()
        if self._defined_otherwise:
            until_us = self.horizon_us()
            for what, name in names:
                if what not in NOT_FOLDED and _differs(both, what, name, until_us):
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

    def late_items(self, at_us: int | None) -> tuple[int, dict[str, int]]:
        """The time (UTC us) that counts in place of `at_us`, and the items with an event up to it behind the position.

        That time is not after the horizon, because today's rows from then on have later events only. None: the horizon.
        Of each item the time of its first such event.
        """
        c = event_item.c
        late = select(c.item, c.key_us).where(c.pos > self.pos)
        if at_us is not None:
            found = self._live.execute(late.where(c.key_us <= at_us).limit(MOST_LATE)).all()
            # Where no event came in between, the horizon need not be known: that reads an index up to the position.
            if len(found) < MOST_LATE and all(key_us <= self._last_us for _, key_us in found):
                return at_us, _earliest(found)
        horizon_us = self.horizon_us()
        until_us = horizon_us if at_us is None else min(at_us, horizon_us)
        return until_us, _earliest(self._live.execute(late.where(c.key_us <= until_us)))

    def only_continued(self, late: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Those of late items whose rows of today hold for the time before their first late event, with the last time known.

        All their events up to the position are before it, and only scans came behind. Scans change nothing of the time
        before, unless one gave the item its quantity. The rows of a closed order do not tell when it was open.
        """
        c, found = event_item.c, dict[str, tuple[int, int]]()
        for part in in_parts(sorted(late.keys() - self.changed_items)):
            of_part = and_(is_one_of(self._live, c.item, part), c.pos <= self.pos)
            known = select(c.item, func.max(c.key_us)).where(of_part).group_by(c.item)
            found.update({name: (us, late[name]) for name, us in self._live.execute(known) if us < late[name]})
        for part in in_parts(sorted(found)):
            entered = and_(is_one_of(self._live, c.item, part), c.pos > self.pos, c.code.is_(None))
            closed = and_(is_one_of(self._live, item.c.item, part), item.c.closed_us.is_not(None))
            for query in (select(c.item).where(entered), select(item.c.item).where(closed)):
                for name in set(self._live.execute(query).scalars()):
                    found.pop(name, None)
        for name in self.items_known_later(found):
            del found[name]
        return found

    def items_known_later(self, names: Iterable[str]) -> set[str]:
        """Those of some items that were released, or whose quantity became known, by an event after the position.

        Both hold for the time before, too.
        """
        found: set[str] = set()
        for chunk in chunks(names):
            i, m = event_item.c, move.c
            released = select(i.item).where(and_(i.item.in_(chunk), i.pos > self.pos, i.verb == RELEASE))
            counted = select(m.item).where(and_(m.item.in_(chunk), m.pos > self.pos, m.to_state == FIRST_SEEN))
            for query in (released, counted):
                found.update(self._live.execute(query.distinct()).scalars())
        return found

    def horizon_us(self) -> int:
        """A time (UTC us) at which every event up to the position has its effect, with the keys of today."""
        i = event_item.c
        entered = select(func.max(i.key_us)).where(i.pos <= self.pos)  # an entry may hold from after it was recorded
        return max(self._last_us, self._live.execute(entered).scalar() or 0)

    @cached_property
    def _last_us(self) -> int:
        """The greatest key of the events up to the position: keys do not decrease within a log."""
        c, found = event_state.c, [0]
        for log, seq in self._last_places.items():  # a fork has two events at one place
            at_place = and_(c.at_log == word_id(log), c.at_seq == seq, c.pos <= self.pos)
            found.append(self._live.execute(select(func.max(c.key_us)).where(at_place)).scalar_one())
        return max(found)

    @cached_property
    def _last_places(self) -> dict[str, int]:
        return last_places(self._live, self.pos)

    def later_items(self, names: Iterable[str]) -> set[str]:
        """Those of some items that have an event after the position."""
        c, found = event_item.c, set[str]()
        for chunk in chunks(names):
            later = select(c.item).where(and_(c.item.in_(chunk), c.pos > self.pos))
            found.update(self._live.execute(later.distinct()).scalars())
        return found

    def differing(self, names: Iterable[str]) -> set[str]:
        """Those of some items that have an event after the position, or that a later row changed."""
        if self._differing is None:
            self._differing = self.items_defined_otherwise() | self.changed_items if self.is_past else set()
        wanted = set(names)
        return (wanted & self._differing) | (self.later_items(wanted) if self.is_past else set())


def chunks(names: Iterable[_Key]) -> Iterator[list[_Key]]:
    ordered = sorted(names)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))


def _earliest(found: Iterable[Any]) -> dict[str, int]:
    """By item, the least of its times."""
    earliest: dict[str, int] = {}
    for name, us in found:
        if us < earliest.setdefault(name, us):
            earliest[name] = us
    return earliest


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
