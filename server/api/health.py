"""Is the hub well? Each thing that is wrong is one sentence; none means that it is."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, select
from sqlalchemy.exc import SQLAlchemyError

from server import clock, schema
from server.api.forms import HealthAnswer
from server.api.items import projected_pos
from server.hublog import hub_row, trusts_clock
from server.ledger import last_pos
from server.projection.definitions import refused_patterns
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
            told = notes(connection, now_us)
            epoch = hub_row(connection).epoch
    except SQLAlchemyError as error:
        wrong = [f"The database cannot be read: {type(error).__name__}. Look at its disk, then restart the hub."]
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
    told += [
        f"{each.why} It is recorded and not used: codes that it should match are read without it. Define it anew."
        for each in refused_patterns(connection, now_us)
    ]
    return told


def _clock(connection: Connection) -> list[str]:
    if trusts_clock(hub_row(connection), clock.read()):
        return []
    return [DOUBTED]


def _projection(pos: int, folded: int) -> list[str]:
    if pos - folded <= BEHIND:
        return []
    return [f"The pages are {pos - folded} events behind the ledger."]


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
