"""Devices: the stations that may send events, each authenticated by its own token.

A token is shown once, when it is made; the hub stores its SHA-256. A revoked station can no longer send, but it continues to
record, and its events arrive after it has a new token.
"""

import logging
import secrets
import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from server.db import schema
from server.db.driver_statement import DriverStatement
from server.db.store import Store

REFRESH_S = 5.0
MOST_KNOWN = 4_096  # devices in memory, some 200 bytes each
_DEVICE = DriverStatement(
    select(schema.device.c.id, schema.station.c.name)
    .join(schema.station, schema.station.c.id == schema.device.c.station)
    .where(and_(schema.device.c.token_hash == bindparam("hash"), schema.device.c.state == "active"))
)
_STATE = DriverStatement(select(schema.device.c.state).where(schema.device.c.id == bindparam("of")))
_log = logging.getLogger(__name__)


class StationError(ValueError):
    """An operation on a station failed; the message has what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """An active device and the name of its station."""

    id: int
    station: str


def token_hash(token: str) -> bytes:
    """The stored form of a token: its SHA-256."""
    return sha256(token.encode()).digest()


def add(connection: Connection, name: str, now_us: int) -> str:
    """Add a station, or reactivate a revoked one on a new device. Returns the token, of which only the hash is stored."""
    if not name or len(name) > 64 or not name.isprintable() or name == "hub":
        msg = f"Station name {name!r}: expected 1 to 64 printable characters, and not 'hub'. Use a name such as saw-1."
        raise StationError(msg)
    station = schema.station
    known = connection.execute(select(station).where(station.c.name == name)).first()
    if known is None:
        row = {"name": name, "added_us": now_us}
        key = connection.execute(station.insert().returning(station.c.id), [row]).scalar_one()
    elif known.revoked_us is None:
        msg = f"Station {name!r} already exists. For a new device: wipline-hub station revoke {name}, then add it."
        raise StationError(msg)
    else:
        key = known.id
        connection.execute(station.update().where(station.c.id == key).values(revoked_us=None))
    token = secrets.token_urlsafe(32)
    device = {"station": key, "token_hash": token_hash(token), "state": "active", "added_us": now_us}
    connection.execute(schema.device.insert(), [device])
    return token


def revoke(connection: Connection, name: str, now_us: int) -> None:
    """Revoke all tokens of a station at once. Raises `StationError` for an unknown or revoked one."""
    station, device = schema.station, schema.device
    key = connection.execute(
        select(station.c.id).where(and_(station.c.name == name, station.c.revoked_us.is_(None)))
    ).scalar()
    if key is None:
        msg = f"No active station {name!r}. List all stations: wipline-hub station list."
        raise StationError(msg)
    connection.execute(station.update().where(station.c.id == key).values(revoked_us=now_us))
    connection.execute(device.update().where(device.c.station == key).values(state="revoked"))


def device_of(connection: Connection, token: str) -> Device | None:
    """The device of a token; None for an unknown or revoked one."""
    row = _DEVICE.first(connection, {"hash": token_hash(token)})
    return None if row is None else Device(row.id, row.name)


def is_active(connection: Connection, device: Device) -> bool:
    """Whether the token of a device is valid in this transaction."""
    row = _STATE.first(connection, {"of": device.id})
    return row is not None and row.state == "active"


class KnownDevices:
    """The devices of the tokens that were valid before, in memory, so that a request needs no transaction for its token.

    A token may have been revoked since: a request that relies on it checks `is_active` in its own transaction, and
    forgets the token where it is not.
    """

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._by_hash: dict[bytes, Device] = {}

    def get(self, token: str) -> Device | None:
        """The device of a token that was valid before; None for another one."""
        return self._by_hash.get(token_hash(token))

    def add(self, token: str, device: Device) -> None:
        """Remember a valid token."""
        if len(self._by_hash) >= self._most:
            self._by_hash.clear()
        self._by_hash[token_hash(token)] = device

    def forget(self, device: Device) -> None:
        """Forget a device that is not active any more."""
        for known, other in list(self._by_hash.items()):
            if other == device:
                self._by_hash.pop(known, None)


def overview(connection: Connection) -> list[dict[str, Any]]:
    """Every station with its last heartbeat, its logs with gaps and forks, and a clone warning; by name."""
    heartbeats = {row.station: row for row in connection.execute(select(schema.heartbeat))}
    cloned = select(schema.station.c.name, schema.device.c.clone_us).where(
        and_(schema.device.c.station == schema.station.c.id, schema.device.c.clone_us.is_not(None))
    )
    clones: dict[str, int] = {row.name: row.clone_us for row in connection.execute(cloned)}
    logs = _logs_by_station(connection)
    return [
        {
            "station": row.name,
            "added_us": row.added_us,
            "revoked_us": row.revoked_us,
            "clone_us": clones.get(row.name),
            "heartbeat": _heartbeat(heartbeats.get(row.name)),
            "logs": logs.get(row.name, []),
        }
        for row in connection.execute(select(schema.station).order_by(schema.station.c.name))
    ]


def _logs_by_station(connection: Connection) -> dict[str, list[dict[str, Any]]]:
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
    return logs


def _heartbeat(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    names = (column.name for column in schema.heartbeat.columns if column.name not in ("station", "log_id"))
    return {"log": None if row.log_id is None else row.log_id.hex(), **{name: getattr(row, name) for name in names}}


class StationTokens:
    """In-memory set of all active station tokens, by which the web server classifies a request before it gets a thread.

    A new or revoked token takes effect within `REFRESH_S`. It only classifies: `server.auth.gate` authenticates.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hashes: frozenset[bytes] = frozenset()

    def known(self, token: str) -> bool:
        """Whether this is the token of an active station."""
        return token_hash(token) in self._hashes

    def refresh(self) -> None:
        """Read the tokens from the database."""
        device = schema.device.c
        with self._store.read() as connection:
            hashes = connection.execute(select(device.token_hash).where(device.state == "active")).scalars()
            self._hashes = frozenset(map(bytes, hashes))

    def run(self, stop: threading.Event) -> None:
        """Refresh until `stop`; the last set stays valid while the database cannot be read."""
        while not stop.wait(REFRESH_S):
            try:
                self.refresh()
            except SQLAlchemyError:
                _log.exception("the stations' tokens could not be read again")
