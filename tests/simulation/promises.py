"""What must be true at the end of a story: the promises, and the invariants of DESIGN section 6.

The ledger of promises knows, beside every scan that showed green, what cannot be kept: a green whose only copy lay on a card
that was replaced before the station could send it is lost with that card, and what only the hub had is lost when the hub
is put back to a state without it. Everything else has to be there, once.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select

from server.db import schema
from server.ledger.ingest import last_pos
from server.ledger.verify import verify
from server.projection.rebuild import compare
from server.projection.tables import event_state
from server.projection.worker import projected_pos
from station.core.ledger.void_resolution import read
from tests.simulation.sim_hub import SimHub
from tests.simulation.sim_station import Promise, SimStation
from tests.simulation.world import DAY, World

KEEP_DAYS = 90
HOUR_US = 3_600_000_000


class Invariant(StrEnum):
    """The invariants of DESIGN section 6 that a story can break."""

    GREEN_SURVIVES = "I1"
    COUNTED_ONCE = "I2"
    ACCEPTED_STAYS = "I3"
    PRUNED_WHEN_DURABLE = "I4"
    LEDGER_UNCHANGED = "I6"
    ONE_EVENT_A_PLACE = "I7"
    NO_EVENT_DELAYS = "I8"
    GREEN_HAS_ITS_RECEIPT = "I10"
    OWN_KEY = "I11"
    RECORDING_GOES_ON = "I12"
    REBUILT_IS_EQUAL = "I13"
    TIME_IN_INTERVAL = "I9"
    BACKLOG_DRAINS = "I14"


class Violation(BaseException):
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, sentence: str) -> None:
        super().__init__(f"{invariant}: {sentence}")
        self.invariant = invariant


class Stored(NamedTuple):
    """One row of the ledger: its own place, the place under which it counts, what was scanned, and its state."""

    log: str
    seq: int
    counted: tuple[str, int, str]
    raw: bytes | None
    status: str
    lo_us: int
    hi_us: int
    approx: bool


class Ledger:
    """The promises of a shop, and the checks."""

    def __init__(self, world: World, hub: SimHub) -> None:
        self.world, self.hub = world, hub
        self.stations: list[SimStation] = []
        self._excused: set[tuple[bytes, int, bytes]] = set()
        self._hub_only: dict[tuple[bytes, int, bytes], Promise] = {}
        self._pruned: set[tuple[bytes, int]] = set()
        self._accepted: dict[bytes, int] = {}
        self._clock_was_wrong = False

    # -- what happens on the way

    def clock_is_wrong(self, offset_us: int) -> None:
        """The hub's clock runs beside the true time: intervals given meanwhile may not hold until a person looks."""
        self._clock_was_wrong = self._clock_was_wrong or bool(offset_us)

    def ended(self, station: SimStation, error: BaseException | None) -> None:
        """A daemon ended by itself, and nothing was wrong with its card."""
        raise Violation(Invariant.RECORDING_GOES_ON, f"{station.device} ended: {error}")

    def answered(self, station: SimStation, promise: Promise) -> None:
        """I10: an answer with a number comes after its event is in the journal."""
        held = [(stored.seq, stored.hash) for stored in station.journal.newest(3)]
        if (promise.seq, promise.hash) not in held:
            raise Violation(Invariant.GREEN_HAS_ITS_RECEIPT, f"{promise.raw!r} was answered, and is not in the journal")

    def look_at_logs(self) -> None:
        """I3: how far the hub has a log never shrinks, but where the hub itself was put back."""
        known = schema.log.c
        with self.hub.store.read() as connection:
            now = {
                row.log_id: row.accepted_thru for row in connection.execute(select(known.log_id, known.accepted_thru))
            }
        less = [log_id.hex()[:8] for log_id, thru in self._accepted.items() if now.get(log_id, 0) < thru]
        if less:
            raise Violation(Invariant.ACCEPTED_STAYS, f"the hub has less of log {less[0]} than before")
        self._accepted = now

    def card_goes_back(self, station: SimStation, kept: int) -> None:
        """A card is replaced by an image that has the first `kept` promises: what came after is on the hub or nowhere."""
        for promise in station.promises[kept:]:
            place = (promise.log_id, promise.seq, promise.hash)
            if self._is_here(promise):
                self._hub_only[place] = promise
            else:
                self._excused.add(place)

    def hub_goes_back(self) -> None:
        """Called before the hub is put back: what only the hub has is looked for again at the end of that."""
        self._accepted = {}
        self.world.at(0, self._after_going_back)

    def _after_going_back(self) -> None:
        for place, promise in list(self._hub_only.items()):
            if not self._is_here(promise):
                self._excused.add(place)
                del self._hub_only[place]

    def _is_here(self, promise: Promise) -> bool:
        if not self.hub.on:
            self.hub.boot()
        raw = promise.raw
        return self.hub.has(promise.log_id, promise.seq, promise.hash) or any(
            row.raw == raw and row.counted[2] == promise.hash.hex() for row in self._rows()
        )

    def pruned(self, station: SimStation, log_id: bytes, first: int, last: int) -> None:
        """I4: what a station lets go of is old, and lies in a backup that is there."""
        young = [p for p in station.promises if p.log_id == log_id and first <= p.seq <= last and self._is_young(p)]
        if young:
            raise Violation(
                Invariant.PRUNED_WHEN_DURABLE,
                f"{station.device} pruned {young[0].raw!r}, which is not {KEEP_DAYS} days old",
            )
        if not any(_reaches(path, log_id, last) for path in self.hub.backups.glob("*.db")):
            raise Violation(
                Invariant.PRUNED_WHEN_DURABLE, f"{station.device} pruned up to {last}, and no backup has that"
            )
        self._pruned.update((log_id, seq) for seq in range(first, last + 1))
        for promise in station.promises:
            if promise.log_id == log_id and first <= promise.seq <= last:
                self._hub_only[promise.log_id, promise.seq, promise.hash] = promise

    def _is_young(self, promise: Promise) -> bool:
        return self.world.now_us - promise.true_us < KEEP_DAYS * DAY

    # -- at the end

    def check(self) -> None:
        """Raise `Violation` for the first invariant that does not hold."""
        rows = list(self._rows())
        self._every_promise_once(rows)
        self._no_scan_twice(rows)
        self._ledger_is_sound()
        self._everything_is_folded()
        self._logs_have_their_owner()
        self._time_lies_in_its_interval(rows)
        different = compare(self.hub.store)
        if different:
            raise Violation(Invariant.REBUILT_IS_EQUAL, f"a rebuilt projection differs: {different[0]}")

    def _promises(self) -> Iterator[Promise]:
        for station in self.stations:
            for promise in station.promises:
                if (promise.log_id, promise.seq, promise.hash) not in self._excused:
                    yield promise

    def _every_promise_once(self, rows: list[Stored]) -> None:
        here = Counter(row.counted for row in rows if row.status == "ok")
        lost = [p for p in self._promises() if not here[p.log_id.hex(), p.seq, p.hash.hex()]]
        if lost:
            first = lost[0]
            where = f"{first.log_id.hex()[:8]} seq {first.seq}"
            raise Violation(
                Invariant.GREEN_SURVIVES,
                f"{len(lost)} green lost, the first {first.raw!r} of {first.station} ({where})",
            )
        twice = [counted for counted, count in here.items() if count > 1]
        if twice:
            raise Violation(Invariant.COUNTED_ONCE, f"{len(twice)} events count twice, the first {twice[0]}")

    def _no_scan_twice(self, rows: list[Stored]) -> None:
        count = Counter(row.raw for row in rows if row.status == "ok" and row.raw)
        twice = [raw for raw, number in count.items() if number > 1]
        if twice:
            raise Violation(Invariant.COUNTED_ONCE, f"{twice[0]!r} was scanned once and counts {count[twice[0]]} times")

    def _ledger_is_sound(self) -> None:
        with self.hub.store.read() as connection:
            breaks = verify(connection)
        if breaks:
            raise Violation(Invariant.LEDGER_UNCHANGED, f"the ledger does not verify: {breaks[0]}")

    def _everything_is_folded(self) -> None:
        rows = schema.ledger.c
        with self.hub.store.read() as connection:
            behind = last_pos(connection) - projected_pos(connection)
            places = connection.execute(
                select(rows.log_id, rows.seq).group_by(rows.log_id, rows.seq).having(func.count() > 1)
            )
            twice = places.first()
        if behind:
            raise Violation(Invariant.NO_EVENT_DELAYS, f"{behind} events are not folded, and the projector is at rest")
        if twice is not None:
            raise Violation(Invariant.ONE_EVENT_A_PLACE, f"log {twice.log_id.hex()[:8]} has two events at {twice.seq}")

    def _logs_have_their_owner(self) -> None:
        log, device, station = schema.log, schema.device, schema.station
        wanted = select(log.c.station, station.c.name).join(device, device.c.id == log.c.device)
        with self.hub.store.read() as connection:
            found = connection.execute(wanted.join(station, station.c.id == device.c.station)).all()
        wrong = [row for row in found if row[0] != row[1]]
        if wrong:
            raise Violation(Invariant.OWN_KEY, f"a log of {wrong[0][0]} came with the token of {wrong[0][1]}")

    def _time_lies_in_its_interval(self, rows: list[Stored]) -> None:
        true_us = {p.raw: p.true_us for p in self._promises()}
        slack_us = HOUR_US if self._clock_was_wrong else 2_000
        for row in rows:
            at_us = true_us.get(row.raw or b"")
            if row.status != "ok" or row.approx or at_us is None:
                continue
            if not row.lo_us - slack_us <= at_us <= row.hi_us + slack_us:
                off_s = max(row.lo_us - at_us, at_us - row.hi_us) / 1e6
                raise Violation(
                    Invariant.TIME_IN_INTERVAL, f"the true time of {row.raw!r} lies {off_s:.0f} s outside its interval"
                )

    def _rows(self) -> Iterator[Stored]:
        state, rows = event_state.c, schema.ledger.c
        wanted = select(
            rows.log_id, rows.seq, rows.hash, rows.bytes, state.status, state.lo_us, state.hi_us, state.approx
        )
        with self.hub.store.read() as connection:
            found = connection.execute(wanted.join(event_state, state.pos == rows.pos, isouter=True)).all()
        for log_id, seq, event_hash, encoded, status, lo_us, hi_us, approx in found:
            yield _stored(log_id, seq, event_hash, encoded, (status, lo_us, hi_us, approx))


def _stored(log_id: bytes, seq: int, event_hash: bytes, encoded: bytes, state: Any) -> Stored:
    found = read(log_id.hex(), seq, event_hash.hex(), encoded)
    event = found.event
    raw = event.raw if event is not None and event.kind == "scan" and event.seen is None else None
    return Stored(log_id.hex(), seq, tuple(found.counted), raw, *state)


def _reaches(path: Path, log_id: bytes, seq: int) -> bool:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        found = raw.execute("SELECT 1 FROM ledger WHERE log_id = ? AND seq >= ? LIMIT 1", (log_id, seq)).fetchone()
    return found is not None
