"""Settlement: which rows of the ledger count, as voids and second copies arrive in any order.

Voids, closed periods and events sent again are few beside the scans, so what is known of them stays in memory; each takes
some hundred bytes. `station.core.ledger.void_resolution` defines their
meaning; this module resolves again only what a new row touches.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, and_, select

from server.db.bulk_insert import insert_many
from server.projection.internal_tables import resent, void_mark
from server.projection.ledger_row import NOT_PERMITTED, LedgerRow
from server.projection.log_permissions import LogOwners
from server.projection.set_aside import blame
from server.projection.tables import event_state
from station.core.event import Event
from station.core.ledger.void_resolution import CountedIdentity, Place, first_copies, named_by_void, voided

PERIOD = Place("", 0)  # in the place of a target: this row is a closed period


class VoidState:
    """What is void and what is a second copy, after the rows so far. A void of what is another's is refused."""

    def __init__(self, owners: LogOwners, void_of: Callable[[Event], Place | None] = named_by_void) -> None:
        self._owners, self._void_of = owners, void_of
        self._named: dict[Place, Place] = {}  # void, where it is stored -> the place it names
        self._periods: set[Place] = set()
        self._copies: dict[CountedIdentity, dict[Place, None]] = {}  # sent again: where its copies are stored
        self._at: dict[Place, set[CountedIdentity]] = {}  # a place -> what counts there and was sent again
        self._own: dict[
            CountedIdentity, bool
        ] = {}  # of what was sent again: whether the ledger has it at its own place too
        self._counted: dict[Place, CountedIdentity] = {}  # where a copy is stored -> what it is
        self._targets: dict[Place, Place] = {}  # void -> where its target is stored; voids that count
        self._voiders: dict[Place, set[Place]] = {}
        self._refused: set[Place] = set()  # voids of what is another's
        self._early: dict[str, set[Place]] = {}  # a log of which nothing has arrived -> voids that name it
        self._second: set[Place] = set()
        self._void: set[Place] = set()

    @classmethod
    def load(
        cls, connection: Connection, owners: LogOwners, void_of: Callable[[Event], Place | None] = named_by_void
    ) -> "VoidState":
        """As the tables have it. `void_of`: the place that a void names, None for every other event."""
        known = cls(owners, void_of)
        for _pos, log_id, seq, target_log, target_seq in connection.execute(select(void_mark)):
            known._note(Place(log_id.hex(), seq), Place(target_log.hex(), target_seq))
        for row in connection.execute(select(resent)):
            counted = CountedIdentity(row.at_log.hex(), row.at_seq, row.at_hash.hex())
            known._copy(Place(row.log_id.hex(), row.seq), counted)
        for counted in known._copies:
            known._own[counted] = _stands(connection, counted)
        known._settle_all()
        return known

    def _note(self, void: Place, named: Place) -> None:
        if named == PERIOD:
            self._periods.add(void)
        else:
            self._named[void] = named

    def _copy(self, stored: Place, counted: CountedIdentity) -> None:
        self._copies.setdefault(counted, {})[stored] = None
        self._at.setdefault(counted.place, set()).add(counted)
        self._counted[stored] = counted

    def apply_rows(self, connection: Connection, fresh: list[LedgerRow]) -> set[Place]:
        """Give each new row its status; the places of older rows whose standing changed."""
        marks, copies = self._note_all(connection, fresh)
        insert_many(connection, void_mark, [(each.pos, *_raw(each.stored), *_raw(named)) for each, named in marks])
        rows = [(each.pos, *_raw(each.stored), *_raw(each.counted.place), _hash(each.counted)) for each in copies]
        insert_many(connection, resent, rows)
        changed: set[Place] = set()
        awaited = {void for log in {each.stored.log for each in fresh} for void in self._early.pop(log, ())}
        if self._copies and any(each.counted in self._copies for each in fresh):
            void, second, refused = self._void, self._second, self._refused
            self._settle_all()
            changed = (void ^ self._void) | (second ^ self._second) | (refused ^ self._refused)
        elif marks or awaited:
            changed = self._settle({each.stored for each, _ in marks} | awaited)
        for each in fresh:
            if each.status == "ok":
                each.status = self.standing(each.stored)
        return changed - {each.stored for each in fresh}

    def _note_all(
        self, connection: Connection, fresh: list[LedgerRow]
    ) -> tuple[list[tuple[LedgerRow, Place]], list[LedgerRow]]:
        marks, copies = [], []
        for each in fresh:
            event = each.event
            if each.counted.place != each.stored and each.status != "damaged":
                self._copy(each.stored, each.counted)
                copies.append(each)
            if event is None or each.status != "ok":
                continue
            closes = event.kind == "entry" and event.what == "period.close"
            named = PERIOD if closes else blame(each.pos, self._void_of, event)
            if named is not None:
                self._note(each.stored, named)
                marks.append((each, named))
        own = {each.counted for each in fresh if each.counted.place == each.stored and each.status != "damaged"}
        for counted in {each.counted for each in copies} | (own & self._copies.keys()):
            self._own[counted] = counted in own or self._own.get(counted) or _stands(connection, counted)
        return marks, copies

    def _second_copies(self) -> set[Place]:
        held = []
        for counted, stored in self._copies.items():
            held += [(counted, place) for place in stored]
            held += [(counted, counted.place)] if self._own.get(counted) else []
        chosen = first_copies(held)
        return {place for counted, place in held if chosen[counted] != place}

    def standing(self, stored: Place) -> str:
        """ok, void, copy or not_permitted, for a row that could be read."""
        if stored in self._second:
            return "copy"
        if stored in self._void:
            return "void"
        return NOT_PERMITTED if stored in self._refused else "ok"

    def is_claimed(self, log: str) -> bool:
        """Whether a station claims places in a log of the hub's that was not known as one when the claim came."""
        stored = (place for counted, places in self._copies.items() if counted.log == log for place in places)
        return any(not self._owners.is_hubs(place.log) for place in stored)

    def _may_stand(self, copy: Place, named: Place) -> bool:
        """Whether a copy is of a log of the same owner: a void of one station's event means no other station's claim."""
        return not self._owners.has_arrived(named.log) or self._owners.of(copy.log) == self._owners.of(named.log)

    def _may(self, void: Place, target: Place) -> bool:
        """Whether a void takes out what it means; one of a log that has not arrived waits for that."""
        if self._owners.is_hubs(void.log) or void.log == target.log:
            return True
        if not self._owners.has_arrived(target.log):
            self._early.setdefault(target.log, set()).add(void)
            return True
        return self._owners.may_void(void, target)

    def _target(self, void: Place) -> Place:
        """Where the event that a void means is stored; the place as named while nothing has arrived there."""
        named = self._named[void]
        here = self._counted.get(named)
        identities = {here} if here else self._at.get(named, set())
        found = [place for counted in identities for place in self._copies[counted] if self._may_stand(place, named)]
        if identities and not self._owners.has_arrived(named.log):
            self._early.setdefault(named.log, set()).add(void)
        if not found:
            return named
        own = [counted.place for counted in identities if self._own.get(counted)]
        # A clone's events stand at the same places as its twin's: a void that was sent again means its own log's copy.
        same_log = [place for place in found if place.log == void.log]
        candidates = [place for place in (same_log or own or found) if place not in self._second]
        return min(candidates or [place for place in own + found if place not in self._second] or [named])

    def _settle_all(self) -> None:
        self._second, self._early = self._second_copies(), {}
        self._targets = {void: self._target(void) for void in self._named if void not in self._second}
        self._voiders = {}
        for void, target in self._targets.items():
            self._voiders.setdefault(target, set()).add(void)
        self._refused = {void for void, target in self._targets.items() if not self._may(void, target)}
        edges = {void: target for void, target in self._targets.items() if void not in self._refused}
        self._void = set(voided(edges, frozenset(self._periods)))

    def _settle(self, marked: Iterable[Place]) -> set[Place]:
        """Ask again only for the voids that hang together with new ones; the places whose standing changed."""
        waiting, left = list(marked), []
        for void in waiting:
            if void in self._named and void not in self._second:
                old, target = self._targets.get(void), self._target(void)
                if old is not None and old != target:
                    self._voiders[old].discard(void)
                    left.append(old)  # what it meant until now may count again
                self._targets[void] = target
                self._voiders.setdefault(target, set()).add(void)
        waiting += left
        together: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place not in together:
                together.add(place)
                waiting += self._voiders.get(place, ())
                waiting += [self._targets[place]] if place in self._targets else []
        refused = {void for void in together if void in self._targets and not self._may(void, self._targets[void])}
        edges = {void: self._targets[void] for void in together - refused if void in self._targets}
        changed = refused ^ (self._refused & together)
        self._refused = (self._refused - together) | refused
        before, now = self._void & together, voided(edges, frozenset(self._periods & together))
        self._void = (self._void - together) | now
        return changed | (before ^ now)


def _raw(place: Place) -> tuple[bytes, int]:
    return bytes.fromhex(place.log), place.seq


def _hash(counted: CountedIdentity) -> bytes:
    return bytes.fromhex(counted.hash)


def _stands(connection: Connection, counted: CountedIdentity) -> bool:
    """Whether this very event was projected from its own place, undamaged."""
    at_log, row = bytes.fromhex(counted.log), event_state.c
    own = select(row.pos).where(
        and_(
            row.at_log == at_log,
            row.at_seq == counted.seq,
            row.at_hash == _hash(counted),
            row.log_id == at_log,
            row.seq == counted.seq,
            row.status != "damaged",
        )
    )
    return connection.execute(own).first() is not None
