"""Stations: which devices may send, each known by a token of its own.

A token is shown once, when it is made; the hub keeps its SHA-256. Revoking ends a station's sending and nothing else: it
goes on recording, and what it recorded comes in when it has a new token.
"""

import logging
import secrets
import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, and_, select
from sqlalchemy.exc import SQLAlchemyError

from server.db import schema
from server.db.store import Store

REFRESH_S = 5.0
_log = logging.getLogger(__name__)


class StationError(ValueError):
    """This cannot be done with that station; the message says what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that may send, and the station that it is."""

    id: int
    station: str


def token_hash(token: str) -> bytes:
    """What the hub keeps of a token."""
    return sha256(token.encode()).digest()


def add(connection: Connection, name: str, now_us: int) -> str:
    """Make a station, or let a revoked one in again on a new device; its token, shown this once."""
    if not name or len(name) > 64 or not name.isprintable() or name == "hub":
        msg = f"Station name {name!r}: expected 1 to 64 printable characters, and not 'hub'. Use a name such as saw-1."
        raise StationError(msg)
    station = schema.station
    known = connection.execute(select(station).where(station.c.name == name)).first()
    if known is None:
        row = {"name": name, "added_us": now_us}
        key = connection.execute(station.insert().returning(station.c.id), [row]).scalar_one()
    elif known.revoked_us is None:
        msg = f"Station {name!r} is here already. For a new device: wipline-hub station revoke {name}, then add it."
        raise StationError(msg)
    else:
        key = known.id
        connection.execute(station.update().where(station.c.id == key).values(revoked_us=None))
    token = secrets.token_urlsafe(32)
    device = {"station": key, "token_hash": token_hash(token), "state": "active", "added_us": now_us}
    connection.execute(schema.device.insert(), [device])
    return token


def revoke(connection: Connection, name: str, now_us: int) -> None:
    """End a station's tokens, at once."""
    station, device = schema.station, schema.device
    key = connection.execute(
        select(station.c.id).where(and_(station.c.name == name, station.c.revoked_us.is_(None)))
    ).scalar()
    if key is None:
        msg = f"No station {name!r} that could be revoked. wipline-hub station list names them."
        raise StationError(msg)
    connection.execute(station.update().where(station.c.id == key).values(revoked_us=now_us))
    connection.execute(device.update().where(device.c.station == key).values(state="revoked"))


def device_of(connection: Connection, token: str) -> Device | None:
    """The device that this token belongs to; None where there is none or it was revoked."""
    station, device = schema.station, schema.device
    found = connection.execute(
        select(device.c.id, station.c.name)
        .join(station, station.c.id == device.c.station)
        .where(and_(device.c.token_hash == token_hash(token), device.c.state == "active"))
    ).first()
    return None if found is None else Device(found.id, found.name)


def overview(connection: Connection) -> list[dict[str, Any]]:
    """Every station with its last heartbeat, its logs, and what is wrong with them; by name."""
    beats = {row.station: row for row in connection.execute(select(schema.heartbeat))}
    alarms = select(schema.station.c.name, schema.device.c.clone_us).where(
        and_(schema.device.c.station == schema.station.c.id, schema.device.c.clone_us.is_not(None))
    )
    clones: dict[str, int] = {row.name: row.clone_us for row in connection.execute(alarms)}
    gaps: dict[bytes, list[dict[str, int]]] = {}
    for row in connection.execute(select(schema.gap).order_by(schema.gap.c.from_seq)):
        gaps.setdefault(row.log_id, []).append({"from_seq": row.from_seq, "to_seq": row.to_seq})
    logs: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(schema.log).order_by(schema.log.c.opened_us)):
        logs.setdefault(row.station, []).append(
            {
                "log": row.log_id.hex(),
                "accepted_thru": row.accepted_thru,
                "durable_thru": row.durable_thru,
                "state": row.state,
                "forks": row.forks,
                "gaps": gaps.get(row.log_id, []),
                "seen_us": row.seen_us,
            }
        )
    return [
        {
            "station": row.name,
            "added_us": row.added_us,
            "revoked_us": row.revoked_us,
            "clone_us": clones.get(row.name),
            "heartbeat": _beat(beats.get(row.name)),
            "logs": logs.get(row.name, []),
        }
        for row in connection.execute(select(schema.station).order_by(schema.station.c.name))
    ]


def _beat(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    names = (column.name for column in schema.heartbeat.columns if column.name not in ("station", "log_id"))
    return {"log": None if row.log_id is None else row.log_id.hex(), **{name: getattr(row, name) for name in names}}


class StationTokens:
    """The tokens of all stations that may send, kept in memory: the web server asks before it gives a request a thread.

    A new or a revoked token is noticed within `REFRESH_S`. Whether a request is let in is `server.auth.gate`'s to say.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hashes: frozenset[bytes] = frozenset()

    def known(self, token: str) -> bool:
        """Whether this is a station's token."""
        return token_hash(token) in self._hashes

    def refresh(self) -> None:
        """Read them anew."""
        device = schema.device.c
        with self._store.read() as connection:
            hashes = connection.execute(select(device.token_hash).where(device.state == "active")).scalars()
            self._hashes = frozenset(bytes(each) for each in hashes)

    def run(self, stop: threading.Event) -> None:
        """Read them anew until `stop`; what was read last stays valid while the database cannot be read."""
        while not stop.wait(REFRESH_S):
            try:
                self.refresh()
            except SQLAlchemyError:
                _log.exception("the stations' tokens could not be read again")
