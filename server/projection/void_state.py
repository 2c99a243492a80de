"""Void state: which ledger rows have effect, while voids and second copies arrive in any order.

Voids, closed periods and resent events are few compared with scans, so their state stays in memory, some hundred bytes each.
`station.core.ledger.void_resolution` defines their meaning; this module resolves only what a new row affects.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, and_, select

from server.db.bulk_insert import insert_many
from server.projection.dead_letters import unfoldable
from server.projection.internal_tables import resent, void_mark
from server.projection.ledger_row import NOT_PERMITTED, LedgerRow
from server.projection.log_permissions import LogOwners
from server.projection.tables import event_state
from server.projection.words import word_id
from station.core.event import Event
from station.core.ledger.void_resolution import CountedIdentity, PositionKey, first_copies, named_by_void, voided

PERIOD = PositionKey("", 0)  # the target of a row that closes a period


class VoidState:
    """Void events and second copies after the rows so far. A void of another owner's event is not permitted."""

    def __init__(self, owners: LogOwners, void_of: Callable[[Event], PositionKey | None] = named_by_void) -> None:
        self._owners, self._void_of = owners, void_of
        self._named: dict[PositionKey, PositionKey] = {}  # place of a void -> place that it names
        self._periods: set[PositionKey] = set()
        self._copies: dict[CountedIdentity, dict[PositionKey, None]] = {}  # resent event -> places of its copies
        self._at: dict[PositionKey, set[CountedIdentity]] = {}  # place -> resent events that count there
        self._own: dict[CountedIdentity, bool] = {}  # resent event -> whether the ledger also has it at its own place
        self._counted: dict[PositionKey, CountedIdentity] = {}  # place of a copy -> its event
        self._targets: dict[
            PositionKey, PositionKey
        ] = {}  # void -> place of its target; without voids that are second copies
        self._voiders: dict[PositionKey, set[PositionKey]] = {}  # the inverse of `_targets`
        self._refused: set[PositionKey] = set()  # voids of another owner's event
        self._early: dict[str, set[PositionKey]] = {}  # log without any event yet -> voids that name it
        self._second: set[PositionKey] = set()
        self._void: set[PositionKey] = set()

    @classmethod
    def load(
        cls, connection: Connection, owners: LogOwners, void_of: Callable[[Event], PositionKey | None] = named_by_void
    ) -> "VoidState":
        """Load the state from the tables. `void_of`: the place that a void names, None for every other event."""
        state = cls(owners, void_of)
        for _pos, log_id, seq, target_log, target_seq in connection.execute(select(void_mark)):
            state._add_void(PositionKey(log_id.hex(), seq), PositionKey(target_log.hex(), target_seq))
        for row in connection.execute(select(resent)):
            counted = CountedIdentity(row.at_log.hex(), row.at_seq, row.at_hash.hex())
            state._add_copy(PositionKey(row.log_id.hex(), row.seq), counted)
        for counted in state._copies:
            state._own[counted] = _has_original(connection, counted, owners)
        state._resolve_all()
        return state

    def _add_void(self, void: PositionKey, named: PositionKey) -> None:
        if named == PERIOD:
            self._periods.add(void)
        else:
            self._named[void] = named

    def _add_copy(self, stored: PositionKey, counted: CountedIdentity) -> None:
        self._copies.setdefault(counted, {})[stored] = None
        self._at.setdefault(counted.place, set()).add(counted)
        self._counted[stored] = counted

    def apply_rows(self, connection: Connection, fresh: list[LedgerRow]) -> set[PositionKey]:
        """Give each new row its status. Returns the places of older rows whose status changed.

        1. Store the new voids and copies, and find the older voids that waited for a log of these rows.
        2. A copy may change which copy counts and what any void means: resolve everything.
        3. Otherwise resolve only what is connected with the new or waiting voids.
        """
        marks, copies = self._collect(connection, fresh)
        store_marks(connection, marks, copies)
        changed: set[PositionKey] = set()
        waiting = {void for log in {row.stored.log for row in fresh} for void in self._early.pop(log, ())}
        if self._copies and any(row.counted in self._copies for row in fresh):
            void, second, refused = self._void, self._second, self._refused
            self._resolve_all()
            changed = (void ^ self._void) | (second ^ self._second) | (refused ^ self._refused)
        elif marks or waiting:
            changed = self._resolve({row.stored for row, _ in marks} | waiting)
        for row in fresh:
            if row.status == "ok":
                row.status = self.status_of(row.stored)
        return changed - {row.stored for row in fresh}

    def _collect(
        self, connection: Connection, fresh: list[LedgerRow]
    ) -> tuple[list[tuple[LedgerRow, PositionKey]], list[LedgerRow]]:
        """Add the voids, closed periods and copies among new rows: (row, place that it names), and the copies."""
        marks, copies = [], []
        for row in fresh:
            if is_resent(row):
                self._add_copy(row.stored, row.counted)
                copies.append(row)
            named = named_place(row, self._void_of)
            if named is not None:
                self._add_void(row.stored, named)
                marks.append((row, named))
        own = {row.counted for row in fresh if row.counted.place == row.stored and row.status != "damaged"}
        for counted in {row.counted for row in copies} | (own & self._copies.keys()):
            self._own[counted] = (
                counted in own or self._own.get(counted) or _has_original(connection, counted, self._owners)
            )
        return marks, copies

    def _second_copies(self) -> set[PositionKey]:
        stored = []
        for counted, places in self._copies.items():
            stored += [(counted, place) for place in places]
            stored += [(counted, counted.place)] if self._own.get(counted) else []
        chosen = first_copies(stored)
        return {place for counted, place in stored if chosen[counted] != place}

    def without_effect(self) -> set[PositionKey]:
        """The places whose status is not ok."""
        return self._second | self._void | self._refused

    def status_of(self, stored: PositionKey) -> str:
        """ok, void, copy or not_permitted, for a row that could be decoded."""
        if stored in self._second:
            return "copy"
        if stored in self._void:
            return "void"
        return NOT_PERMITTED if stored in self._refused else "ok"

    def is_claimed(self, log: str) -> bool:
        """Whether a station claims places in a hub log that was unknown when the claim arrived."""
        stored = (place for counted, places in self._copies.items() if counted.log == log for place in places)
        return any(not self._owners.is_hubs(place.log) for place in stored)

    def _same_owner(self, copy: PositionKey, named: PositionKey) -> bool:
        """Whether a copy is in a log of the owner that a void names: a void never reaches another station's claim."""
        return not self._owners.has_arrived(named.log) or self._owners.of(copy.log) == self._owners.of(named.log)

    def _is_permitted(self, void: PositionKey, target: PositionKey) -> bool:
        """Whether a void may void its target. A void of a log that has not arrived is checked again when it arrives."""
        if self._owners.is_hubs(void.log) or void.log == target.log:
            return True
        if not self._owners.has_arrived(target.log):
            self._early.setdefault(target.log, set()).add(void)
            return True
        return self._owners.may_void(void, target)

    def _target(self, void: PositionKey) -> PositionKey:
        """The place where the target of a void is stored; the named place while nothing has arrived there.

        Of several copies: one in the void's own log, else the original, else any; second copies only as a last resort.
        """
        named = self._named[void]
        copy_at_named = self._counted.get(named)
        identities = {copy_at_named} if copy_at_named else self._at.get(named, set())
        copies = [place for counted in identities for place in self._copies[counted] if self._same_owner(place, named)]
        if identities and not self._owners.has_arrived(named.log):
            self._early.setdefault(named.log, set()).add(void)
        if not copies:
            return named
        own = [counted.place for counted in identities if self._own.get(counted)]
        # Two clones have events at the same places: a resent void means the copy in its own log.
        same_log = [place for place in copies if place.log == void.log]
        candidates = [place for place in (same_log or own or copies) if place not in self._second]
        return min(candidates or [place for place in own + copies if place not in self._second] or [named])

    def _resolve_all(self) -> None:
        """Resolve all voids and copies again."""
        self._second, self._early = self._second_copies(), {}
        self._targets = {void: self._target(void) for void in self._named if void not in self._second}
        self._voiders = {}
        for void, target in self._targets.items():
            self._voiders.setdefault(target, set()).add(void)
        self._refused = {void for void, target in self._targets.items() if not self._is_permitted(void, target)}
        edges = {void: target for void, target in self._targets.items() if void not in self._refused}
        self._void = set(voided(edges, frozenset(self._periods)))

    def _resolve(self, marked: Iterable[PositionKey]) -> set[PositionKey]:
        """Resolve only the voids that are connected with `marked` ones. Returns the places whose status changed.

        1. Find the target of each marked void; a former target may count again.
        2. Collect everything that is connected by voids: chains of voids have one common result.
        3. Check permission and resolve this set alone.
        """
        connected = self._connected([*marked, *self._retarget(marked)])
        targets = {void: self._targets[void] for void in connected if void in self._targets}
        refused = {void for void, target in targets.items() if not self._is_permitted(void, target)}
        edges = {void: target for void, target in targets.items() if void not in refused}
        changed = refused ^ (self._refused & connected)
        self._refused = (self._refused - connected) | refused
        before, now = self._void & connected, voided(edges, frozenset(self._periods & connected))
        self._void = (self._void - connected) | now
        return changed | (before ^ now)

    def _retarget(self, marked: Iterable[PositionKey]) -> list[PositionKey]:
        """Update the targets of voids. Returns the former targets of those that have a new one."""
        former = []
        for void in marked:
            if void in self._named and void not in self._second:
                old, target = self._targets.get(void), self._target(void)
                if old is not None and old != target:
                    self._voiders[old].discard(void)
                    former.append(old)
                self._targets[void] = target
                self._voiders.setdefault(target, set()).add(void)
        return former

    def _connected(self, places: list[PositionKey]) -> set[PositionKey]:
        """These places and all that are connected with them through voids, in either direction."""
        connected: set[PositionKey] = set()
        open_places = list(places)
        while open_places:
            place = open_places.pop()
            if place not in connected:
                connected.add(place)
                open_places += self._voiders.get(place, ())
                open_places += [self._targets[place]] if place in self._targets else []
        return connected


def note_marks(
    connection: Connection, rows: Iterable[LedgerRow], void_of: Callable[[Event], PositionKey | None]
) -> None:
    """Store the voids, closed periods and resent events among new rows, without an effect on any status yet."""
    marks, copies = [], []
    for row in rows:
        if is_resent(row):
            copies.append(row)
        named = named_place(row, void_of)
        if named is not None:
            marks.append((row, named))
    store_marks(connection, marks, copies)


def is_resent(row: LedgerRow) -> bool:
    """Whether an event counts at another place than that where it is stored."""
    return row.counted[:2] != row.stored and row.status != "damaged"


def named_place(row: LedgerRow, void_of: Callable[[Event], PositionKey | None]) -> PositionKey | None:
    """The place that a void names, PERIOD for the closing of a period; None for every other event and without effect."""
    event = row.event
    if event is None or row.status != "ok":
        return None
    if event.kind == "entry" and event.what == "period.close":
        return PERIOD
    try:
        return void_of(event)
    except Exception as error:
        raise unfoldable(row.pos, error) from error


def store_marks(connection: Connection, marks: list[tuple[LedgerRow, PositionKey]], copies: list[LedgerRow]) -> None:
    """Store voids and closed periods with the places that they name, and resent events."""
    insert_many(connection, void_mark, [(row.pos, *_raw(row.stored), *_raw(named)) for row, named in marks])
    rows = [(row.pos, *_raw(row.stored), *_raw(row.counted.place), _hash(row.counted)) for row in copies]
    insert_many(connection, resent, rows)


def _raw(place: PositionKey) -> tuple[bytes, int]:
    return bytes.fromhex(place.log), place.seq


def _hash(counted: CountedIdentity) -> bytes:
    return bytes.fromhex(counted.hash)


def _has_original(connection: Connection, counted: CountedIdentity, owners: LogOwners) -> bool:
    """Whether this event was projected, undamaged, from its own place: there it is no resent one."""
    row = event_state.c
    at_place = and_(row.at_log == word_id(counted.log), row.at_seq == counted.seq, row.status != "damaged")
    query = select(row.pos, row.at_hash).where(and_(at_place, row.pos.not_in(select(resent.c.pos))))
    originals = connection.execute(query).all()
    return any((own.at_hash or owners.hash_of(own.pos)) == _hash(counted) for own in originals)
