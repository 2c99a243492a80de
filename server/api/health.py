"""Health check of the hub: one sentence for each fault; no sentence means healthy."""

import logging
import threading
from collections.abc import Iterator

from sqlalchemy import Connection, and_, select

from server.api.open_items import projected_pos
from server.api.schemas import HealthAnswer, RunningWorkAnswer
from server.clock.readings import HubClock
from server.clock.watch import suspects, why_in_doubt
from server.config import seconds_of
from server.context import HubContext
from server.db import schema
from server.db.long_work import REBUILD, running
from server.db.storage_errors import low_space, storage_trouble
from server.ledger.hub_log import hub_row
from server.ledger.ingest import last_pos
from server.locale_format import DAY_S, NBSP, SECOND_US, duration
from server.projection import dead_letters
from server.projection.definitions import refused_patterns
from server.projection.log_permissions import count_not_permitted
from server.queries.long_work_words import sentence
from server.queries.site import ignored_settings, site_definitions
from server.text import counted, utc_text

DOUBTED = "No station is given the time."
SUSPECTS = "{} given while the hub's clock was wrong: times of scans are off. See: wipline-hub clock"
WITHIN_S = 5.0
WAITS_US = 60 * 1_000_000  # the projection normally takes less than a second
BEHIND = 10_000  # unprojected events above which the projection is reported
_log = logging.getLogger(__name__)
CONNECTED_US = 90 * 1_000_000
STUCK_S = 600
QUIET_US = 10 * 60 * 1_000_000


def health(hub: HubContext, within_s: float = WITHIN_S) -> HealthAnswer:
    """Check the hub; the answer also has its positions. It is returned within `within_s`, even if a disk hangs.

    The checks run in a thread of their own: a read from a hanging disk cannot be interrupted.
    """
    answers: list[HealthAnswer] = []
    check = threading.Thread(target=lambda: answers.append(_check(hub)), name="health", daemon=True)
    check.start()
    check.join(within_s)
    if answers:
        return answers[0]
    text = f"The database does not answer within {within_s:g} s. Check its disk, then restart the hub."
    return HealthAnswer("wrong", [text], [], None, None, None)


def _check(hub: HubContext) -> HealthAnswer:
    now_us = hub.clock.utc_us()
    try:
        with hub.store.read() as connection:
            pos, folded = last_pos(connection), projected_pos(connection)
            wrong = [
                *hub_faults(hub, connection, now_us),
                *_clock(connection, hub.clock),
                *_set_aside(connection),
                *_logs(connection, now_us),
            ]
            remarks = notes(connection, now_us, seconds_of(hub.config.backup.every))
            remarks += ignored_settings(site_definitions(connection), hub.config, now_us)
            epoch = hub_row(connection).epoch
            works = [
                RunningWorkAnswer(key, sentence(key, work), work.unit, work.done, work.total, work.left_s)
                for key, work in sorted(running(hub.store, connection).items())
            ]
    except Exception as error:  # noqa: BLE001  healthz must answer after any error of the database
        _log.exception("the hub's health could not be read")
        trouble = storage_trouble(error)
        text = f"The database cannot be read: {type(error).__name__}. Check its disk, then restart the hub."
        wrong = [text if trouble is None else trouble.text]
        return HealthAnswer("wrong", wrong, [], None, None, None)
    return HealthAnswer("wrong" if wrong else "ok", wrong, remarks, epoch, pos, folded, works)


def hub_faults(hub: HubContext, connection: Connection, now_us: int) -> list[str]:
    """The faults of the hub itself that no table of the pages has: storage, background threads, projection, breaks."""
    pos, folded = last_pos(connection), projected_pos(connection)
    rebuilds = REBUILD in running(hub.store, connection)  # its progress is a line of its own, and no fault
    return [
        *_storage(hub),
        *filter(None, (duty() for duty in hub.duties)),
        *([] if rebuilds else _projection(connection, pos, folded, now_us)),
        *_breaks(connection),
    ]


def notes(connection: Connection, now_us: int, backup_every_s: int = DAY_S) -> list[str]:
    """Remarks that are no faults: entries lost by a restore, the backup, events that are not permitted, unused patterns."""
    backup = backup_note(connection, now_us, backup_every_s)
    remarks = [*lost_by_restore(connection), *([f"{backup}: stations keep everything they send."] if backup else [])]
    remarks += [f"Station {row.station}{row.item_event} (log {row.log})." for row in count_not_permitted(connection)]
    return remarks + unused_patterns(connection, now_us)


def lost_by_restore(connection: Connection) -> list[str]:
    """The remark about entries that the newest restore lost."""
    last = connection.execute(select(schema.epoch).order_by(schema.epoch.c.epoch.desc())).first()
    if last is not None and last.high_pos is not None and last.high_pos > last.pos:
        text = (
            f"Since {utc_text(last.since_us)} ({last.cause}) the events at positions {last.pos + 1} to {last.high_pos} are"
            " missing: stations send their scans again, entries of that time must be entered again."
        )
        return [text]
    return []


def backup_note(connection: Connection, now_us: int, every_s: int) -> str | None:
    """The remark about a missing backup, or one older than two intervals while the ledger grew; without its full stop."""
    hub = hub_row(connection)
    if not hub.backup_pos:
        return "No verified backup off the hub's disk"
    age_s = (now_us - hub.backup_us) // SECOND_US if hub.backup_us is not None else 0
    if age_s <= 2 * every_s or last_pos(connection) <= hub.backup_pos:
        return None
    return f"The last verified backup off the hub's disk is {duration(age_s)} old".replace(NBSP, " ")


def unused_patterns(connection: Connection, now_us: int) -> list[str]:
    """A remark for each pattern that is recorded and cannot be used."""
    return [
        f"{pattern.why} It is recorded and not used: codes that it should match are read without it. Define it again."
        for pattern in refused_patterns(connection, now_us)
    ]


def _clock(connection: Connection, clock: HubClock) -> list[str]:
    reason, count = why_in_doubt(connection, clock), suspects(connection)
    in_doubt = [] if reason is None else [f"{DOUBTED} {reason}"]
    return [*in_doubt, *([SUSPECTS.format(counted(count, "anchor was", "anchors were"))] if count else [])]


def _storage(hub: HubContext) -> Iterator[str]:
    if hub.store.trouble is not None:
        yield hub.store.trouble.text
    low = None if hub.store.path is None else low_space(hub.store.path)
    if low is not None:
        yield low


def _projection(connection: Connection, pos: int, folded: int, now_us: int) -> list[str]:
    if pos - folded > BEHIND:
        return [f"The pages are {pos - folded} events behind the ledger."]
    first = select(schema.ledger.c.recv_us).where(schema.ledger.c.pos == folded + 1)
    waits_us = now_us - (connection.execute(first).scalar() or now_us) if pos > folded else 0
    if waits_us <= WAITS_US:
        return []
    events = counted(pos - folded, "event waits", "events wait")
    return [f"The pages have not moved for {waits_us // 60_000_000} min: {events}. See the hub's log."]


def _breaks(connection: Connection) -> list[str]:
    breaks = sorted(connection.execute(select(schema.known_break.c.text)).scalars())
    if not breaks:
        return []
    number = "a break" if len(breaks) == 1 else f"{len(breaks)} breaks, the first"
    return [f"The ledger has {number}: {breaks[0]}. Backups are made of it as it is; see all with wipline-hub verify."]


def _set_aside(connection: Connection) -> list[str]:
    rows, count = dead_letters.shown(connection)
    more = [f"{counted(count - len(rows), 'more was', 'more were')} set aside."] if count > len(rows) else []
    return [*(row.sentence for row in rows), *more]


def _logs(connection: Connection, now_us: int) -> Iterator[str]:
    logs, gaps, device, station, beat = schema.log, schema.gap, schema.device, schema.station, schema.heartbeat
    for row in connection.execute(select(logs).where(logs.c.forks > 0)):
        name = row.log_id.hex()
        yield f"Two devices write log {name} of station {row.station}: both are kept; give one a new card."
    stuck = and_(beat.c.seen_us > now_us - CONNECTED_US, beat.c.oldest_waiting_s > STUCK_S)
    for row in connection.execute(select(beat).where(stuck)):
        events = counted(row.waiting, "event waits", "events wait")
        waiting = f"{events}, the oldest for {row.oldest_waiting_s // 60} min"
        yield f"Station {row.station} is connected, but its events do not come in: {waiting}."
    for row in connection.execute(select(gaps, logs.c.station).join(logs, logs.c.log_id == gaps.c.log_id)):
        span = f"station {row.station}, log {row.log_id.hex()}, from {row.from_seq} to {row.to_seq}"
        lost = counted(row.to_seq - row.from_seq + 1, "event is", "events are")
        yield f"{lost} permanently lost: {span}."
    cloned = select(station.c.name).join(device, device.c.station == station.c.id)
    for name in connection.execute(cloned.where(device.c.clone_us > now_us - QUIET_US)).scalars():
        yield f"Station {name} sends another device's log: look for a copied card."
