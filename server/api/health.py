"""Is the hub well? Each thing that is wrong is one sentence; none means that it is."""

import logging
import threading
from collections.abc import Iterator

from sqlalchemy import Connection, and_, select

from server.api.open_items import projected_pos
from server.api.schemas import HealthAnswer
from server.clock.readings import HubClock
from server.clock.watch import suspects, why_in_doubt
from server.context import HubContext
from server.db import schema
from server.db.storage_errors import low_space, storage_trouble
from server.ledger.hub_log import hub_row
from server.ledger.ingest import last_pos
from server.projection import set_aside
from server.projection.definitions import refused_patterns
from server.projection.log_permissions import count_not_permitted
from server.text import utc_text

DOUBTED = "No station is given the time."
SUSPECTS = "{} anchors were given while the hub's clock was wrong: times of scans are off. Look: wipline-hub clock"
WITHIN_S = 5.0
WAITS_US = 60 * 1_000_000  # an event is on the pages within a second
BEHIND = 10_000  # events that wait to be folded before it counts as wrong
_log = logging.getLogger(__name__)
CONNECTED_US = 90 * 1_000_000
STUCK_S = 600
QUIET_US = 10 * 60 * 1_000_000


def health(hub: HubContext, within_s: float = WITHIN_S) -> HealthAnswer:
    """What is wrong with this hub now; also where it is. Answers within `within_s`, also where a disk hangs."""
    found: list[HealthAnswer] = []
    asking = threading.Thread(target=lambda: found.append(_look(hub)), name="health", daemon=True)
    asking.start()
    asking.join(within_s)
    if found:
        return found[0]
    text = f"The database does not answer within {within_s:g} s. Look at its disk, then restart the hub."
    return HealthAnswer("wrong", [text], [], None, None, None)


def _look(hub: HubContext) -> HealthAnswer:
    now_us = hub.clock.utc_us()
    try:
        with hub.store.read() as connection:
            pos, folded = last_pos(connection), projected_pos(connection)
            wrong = [
                *_storage(hub),
                *filter(None, (duty() for duty in hub.duties)),
                *_clock(connection, hub.clock),
                *_projection(connection, pos, folded, now_us),
                *_breaks(connection),
                *_set_aside(connection),
                *_logs(connection, now_us),
            ]
            told = notes(connection, now_us)
            epoch = hub_row(connection).epoch
    except Exception as error:  # noqa: BLE001  healthz has an answer whatever the database does
        _log.exception("the hub's health could not be read")
        trouble = storage_trouble(error)
        text = f"The database cannot be read: {type(error).__name__}. Look at its disk, then restart the hub."
        wrong = [text if trouble is None else trouble.text]
        return HealthAnswer("wrong", wrong, [], None, None, None)
    return HealthAnswer("wrong" if wrong else "ok", wrong, told, epoch, pos, folded)


def notes(connection: Connection, now_us: int) -> list[str]:
    """Notes on the ledger itself: a restore that may have cost entries, no backup, recorded patterns that are not used."""
    told = []
    last = connection.execute(select(schema.epoch).order_by(schema.epoch.c.epoch.desc())).first()
    if last is not None and last.high_pos is not None and last.high_pos > last.pos:
        told.append(
            f"Since {utc_text(last.since_us)} ({last.cause}) what stood at positions {last.pos + 1} to {last.high_pos} is"
            " missing: stations send theirs again, what people entered then has to be entered anew."
        )
    if not hub_row(connection).backup_pos:
        told.append("No verified backup off the hub's disk: stations keep everything they send.")
    told += [f"Station {each.station}{each.fact} (log {each.log})." for each in count_not_permitted(connection)]
    told += [
        f"{each.why} It is recorded and not used: codes that it should match are read without it. Define it anew."
        for each in refused_patterns(connection, now_us)
    ]
    return told


def _clock(connection: Connection, clock: HubClock) -> list[str]:
    reason = why_in_doubt(connection, clock)
    found = [] if reason is None else [f"{DOUBTED} {reason}"]
    return [*found, *([] if not (count := suspects(connection)) else [SUSPECTS.format(count)])]


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
    return [
        f"The pages have not moved for {waits_us // 60_000_000} min: {pos - folded} events wait. Look at the hub's log."
    ]


def _breaks(connection: Connection) -> list[str]:
    found = sorted(connection.execute(select(schema.known_break.c.text)).scalars())
    if not found:
        return []
    number = "a break" if len(found) == 1 else f"{len(found)} breaks, the first"
    return [f"The ledger has {number}: {found[0]}. Backups are made of it as it is; see all with wipline-hub verify."]


def _set_aside(connection: Connection) -> list[str]:
    rows, count = set_aside.shown(connection)
    more = [f"{count - len(rows)} more were set aside."] if count > len(rows) else []
    return [*(row.sentence for row in rows), *more]


def _logs(connection: Connection, now_us: int) -> Iterator[str]:
    logs, gaps, device, station, beat = schema.log, schema.gap, schema.device, schema.station, schema.heartbeat
    for row in connection.execute(select(logs).where(logs.c.forks > 0)):
        name = row.log_id.hex()
        yield f"Two devices write log {name} of station {row.station}: both are kept; give one a new card."
    stuck = and_(beat.c.seen_us > now_us - CONNECTED_US, beat.c.oldest_waiting_s > STUCK_S)
    for row in connection.execute(select(beat).where(stuck)):
        waiting = f"{row.waiting} events wait, the oldest for {row.oldest_waiting_s // 60} min"
        yield f"Station {row.station} is connected, but its events do not come in: {waiting}."
    for row in connection.execute(select(gaps, logs.c.station).join(logs, logs.c.log_id == gaps.c.log_id)):
        span = f"station {row.station}, log {row.log_id.hex()}, from {row.from_seq} to {row.to_seq}"
        yield f"{row.to_seq - row.from_seq + 1} events lost for ever: {span}."
    cloned = select(station.c.name).join(device, device.c.station == station.c.id)
    for name in connection.execute(cloned.where(device.c.clone_us > now_us - QUIET_US)).scalars():
        yield f"Station {name} sends another device's log: look for a copied card."
