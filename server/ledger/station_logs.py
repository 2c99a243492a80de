"""Station logs: their owner, how far the hub has them, and the answer to a session request.

A log belongs to the device that first sent it. `log_ahead`: the station's tip is behind the hub's, because its card was
replaced by an older copy; it opens a new log. `reidentify`: the station's past differs from the hub's, because two devices
have one identity; it sends the events that the hub lacks in a new log. Neither loses events nor stops recording.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from server.db import schema
from server.db.driver_statement import DriverStatement
from server.ledger.gaps import first_in_gap, note_gap
from station.core.hash_chain import genesis

_LOG = DriverStatement(select(schema.log).where(schema.log.c.log_id == bindparam("of")))


class ForeignLog(Exception):
    """The log belongs to another device; the message names its station."""


@dataclass(frozen=True, slots=True)
class LogTip:
    """The end of a station's log: seq (0: empty log), its hash, and the seq up to which the station has pruned."""

    seq: int
    hash: bytes
    pruned_thru: int = 0


@dataclass(frozen=True, slots=True)
class SessionComparison:
    """Comparison of a station's log with the hub's copy; `do`: `log_ahead`, `reidentify` or None."""

    accepted_thru: int
    accepted_hash: bytes
    durable_thru: int
    do: str | None


def log_of(
    connection: Connection, log_id: bytes, *, device: int | None, station: str, now_us: int, parent: bytes | None = None
) -> Any:
    """The row of a log; a new log is inserted.

    A log of a revoked device passes to the new device of the same station. Raises `ForeignLog` for any other device's log.
    """
    log = _LOG.first(connection, {"of": log_id})
    if log is None:
        _open(connection, log_id, device=device, station=station, now_us=now_us, parent=parent)
    elif log.device != device:
        _adopt(connection, log, device=device, station=station)
    else:
        return log
    return _LOG.first(connection, {"of": log_id})


def note_clone(connection: Connection, device: int, now_us: int) -> None:
    """Record that a device presented another device's log; an alert then asks a person to check both devices."""
    connection.execute(schema.device.update().where(schema.device.c.id == device).values(clone_us=now_us))


def compare_tips(connection: Connection, log: Any, tip: LogTip, now_us: int) -> SessionComparison:
    """Compare a station's log with the hub's copy, and record a gap where the station pruned events that the hub lacks.

    A station that still has the events of a gap (another copy of its card pruned them) sends those first: the answer's
    `accepted_thru` then ends before the gap.
    """
    log_id, accepted_thru, accepted_hash = log.log_id, log.accepted_thru, bytes(log.tip)
    do = _what_to_do(connection, log, tip)
    if tip.pruned_thru > accepted_thru:
        note_gap(connection, log_id, accepted_thru + 1, tip.pruned_thru, now_us)
        accepted_thru, accepted_hash = tip.pruned_thru, b""
    connection.execute(schema.log.update().where(schema.log.c.log_id == log_id).values(seen_us=now_us))
    recoverable = None if do == "reidentify" else first_in_gap(connection, log_id, tip.pruned_thru, tip.seq)
    if recoverable is not None:
        accepted_thru, do = recoverable - 1, None
        accepted_hash = hash_at(connection, log_id, accepted_thru) or b""
    return SessionComparison(accepted_thru, accepted_hash, min(log.durable_thru, accepted_thru), do)


def hash_at(connection: Connection, log_id: bytes, seq: int) -> bytes | None:
    """The hash of the event at `seq` in the ledger; None where there is no event. Seq 0 gives the log's genesis hash."""
    if seq == 0:
        return genesis(log_id)
    rows = schema.ledger.c
    event_hash = connection.execute(select(rows.hash).where(and_(rows.log_id == log_id, rows.seq == seq))).scalar()
    return None if event_hash is None else bytes(event_hash)


def reached(connection: Connection, log_id: bytes) -> tuple[int, int]:
    """(accepted_thru, durable_thru) of a log; zeros for an unknown log."""
    row = _LOG.first(connection, {"of": log_id})
    return (0, 0) if row is None else (row.accepted_thru, row.durable_thru)


def _open(
    connection: Connection, log_id: bytes, *, device: int | None, station: str, now_us: int, parent: bytes | None
) -> None:
    row = {
        "log_id": log_id,
        "device": device,
        "station": station,
        "parent": parent,
        "accepted_thru": 0,
        "tip": genesis(log_id),
        "durable_thru": 0,
        "state": "active",
        "forks": 0,
        "opened_us": now_us,
        "seen_us": now_us,
    }
    connection.execute(schema.log.insert(), [row])


def _adopt(connection: Connection, log: Any, *, device: int | None, station: str) -> None:
    owner = connection.execute(select(schema.device.c.state).where(schema.device.c.id == log.device)).scalar()
    if device is None or log.station != station or owner != "revoked":
        msg = f"log {log.log_id.hex()} belongs to station {log.station!r}, on another device"
        raise ForeignLog(msg)
    connection.execute(schema.log.update().where(schema.log.c.log_id == log.log_id).values(device=device))


def _what_to_do(connection: Connection, log: Any, tip: LogTip) -> str | None:
    stored_hash = hash_at(connection, log.log_id, tip.seq)
    if tip.seq <= log.accepted_thru and stored_hash is not None:
        if stored_hash != tip.hash:
            return "reidentify"
        return "log_ahead" if tip.seq < log.accepted_thru else None
    if tip.seq < log.accepted_thru:
        # The tip lies in a gap: the station still has events that were recorded as lost, and the hub lacks them.
        return "reidentify"
    fork = schema.fork.c
    same = and_(fork.log_id == log.log_id, fork.seq == tip.seq, fork.hash == tip.hash)
    return None if connection.execute(select(fork.id).where(same)).first() is None else "reidentify"
