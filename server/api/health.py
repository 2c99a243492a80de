"""Is the hub well? Each thing that is wrong is one sentence; none means that it is."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, select
from sqlalchemy.exc import SQLAlchemyError

from server import clock, schema
from server.api.forms import HealthAnswer
from server.api.items import projected_pos
from server.hublog import hub_row, trusts_clock
from server.ledger import last_pos
from server.projection import aside
from server.projection.owners import beyond
from server.running import Running
from server.words import utc_text

DOUBTED = (
    "The hub's clock disagrees with its own ledger by more than an hour; no station is given the time."
    " Set it right, then: wipline-hub clock confirm"
)
BEHIND = 10_000  # events that wait to be folded before it counts as wrong
CONNECTED_US = 90 * 1_000_000
STUCK_S = 600
QUIET_US = 10 * 60 * 1_000_000


def health(hub: Running, now_us: int) -> HealthAnswer:
    """What is wrong with this hub now; also where it stands."""
    try:
        with hub.store.read() as connection:
            pos, folded = last_pos(connection), projected_pos(connection)
            wrong = [*_clock(connection), *_projection(pos, folded), *_logs(connection, now_us)]
            wrong += [*_breaks(connection), *_set_aside(connection)]
            told = notes(connection)
            epoch = hub_row(connection).epoch
    except SQLAlchemyError as error:
        wrong = [f"The database cannot be read: {type(error).__name__}. Look at its disk, then restart the hub."]
        return HealthAnswer("wrong", wrong, [], None, None, None)
    return HealthAnswer("wrong" if wrong else "ok", wrong, told, epoch, pos, folded)


def notes(connection: Connection) -> list[str]:
    """What a page should say of the ledger itself: a restore that may have cost entries, and that no backup holds it."""
    told = []
    last = connection.execute(select(schema.epoch).order_by(schema.epoch.c.epoch.desc())).first()
    if last is not None and last.high_pos is not None and last.high_pos > last.pos:
        told.append(
            f"Since {utc_text(last.since_us)} ({last.cause}) what stood at positions {last.pos + 1} to {last.high_pos} is"
            " missing: stations send theirs again, what people entered then has to be entered anew."
        )
    if not hub_row(connection).backup_pos:
        told.append("No verified backup off the hub's disk: stations keep everything they send.")
    told += [f"Station {each.station}{each.fact} (log {each.log})." for each in beyond(connection)]
    return told


def _clock(connection: Connection) -> list[str]:
    if trusts_clock(hub_row(connection), clock.read()):
        return []
    return [DOUBTED]


def _projection(pos: int, folded: int) -> list[str]:
    if pos - folded <= BEHIND:
        return []
    return [f"The pages are {pos - folded} events behind the ledger."]


def _breaks(connection: Connection) -> list[str]:
    found = sorted(connection.execute(select(schema.known_break.c.text)).scalars())
    if not found:
        return []
    number = "a break" if len(found) == 1 else f"{len(found)} breaks, the first"
    return [f"The ledger has {number}: {found[0]}. Backups are made of it as it is; see all with wipline-hub verify."]


def _set_aside(connection: Connection) -> list[str]:
    rows, count = aside.shown(connection)
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
