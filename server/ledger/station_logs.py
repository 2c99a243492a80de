"""Logs: whose they are, how far the hub has them, and what a station must hear when it opens a session.

A log belongs to the device that first sent it. A station whose tip lies behind the hub was put back to an older card
(`log_ahead`: open a new log); one whose past differs from the hub's is one of two devices with one identity (`reidentify`:
send what the hub lacks in a new log). Neither loses anything, and neither is stopped from recording.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from server.db import schema
from server.ledger.gaps import first_in_gap, note_gap
from station.core.hash_chain import genesis


class ForeignLog(Exception):
    """This log belongs to another device; the message names whose it is."""


@dataclass(frozen=True, slots=True)
class LogTip:
    """Where a station's log ends: seq (0: nothing yet), its hash, and up to which seq the station has pruned."""

    seq: int
    hash: bytes
    pruned_thru: int = 0


@dataclass(frozen=True, slots=True)
class SessionComparison:
    """How the hub and a station's log stand to each other; `do`: `log_ahead`, `reidentify` or None."""

    accepted_thru: int
    accepted_hash: bytes
    durable_thru: int
    do: str | None


def log_of(
    connection: Connection, log_id: bytes, *, device: int | None, station: str, now_us: int, parent: bytes | None = None
) -> Any:
    """The row of a log, made where it is new.

    Raises `ForeignLog` where it is another device's; a log whose device was revoked goes to that station's new device.
    """
    known = connection.execute(select(schema.log).where(schema.log.c.log_id == log_id)).first()
    if known is None:
        _open(connection, log_id, device=device, station=station, now_us=now_us, parent=parent)
    elif known.device != device:
        _adopt(connection, known, device=device, station=station)
    return connection.execute(select(schema.log).where(schema.log.c.log_id == log_id)).one()


def note_clone(connection: Connection, device: int, now_us: int) -> None:
    """Remember that this device came with another device's log: somebody has to look at both."""
    connection.execute(schema.device.update().where(schema.device.c.id == device).values(clone_us=now_us))


def meet(connection: Connection, log: Any, tip: LogTip, now_us: int) -> SessionComparison:
    """Compare a station's log with the hub's, and note what the station has pruned before the hub had it.

    A station that holds what another copy of its card had pruned is asked for that first: the log is accepted up to the gap.
    """
    log_id, accepted_thru, accepted_hash = log.log_id, log.accepted_thru, bytes(log.tip)
    do = _what_to_do(connection, log, tip)
    if tip.pruned_thru > accepted_thru:
        note_gap(connection, log_id, accepted_thru + 1, tip.pruned_thru, now_us)
        accepted_thru, accepted_hash = tip.pruned_thru, b""
    connection.execute(schema.log.update().where(schema.log.c.log_id == log_id).values(seen_us=now_us))
    held = None if do == "reidentify" else first_in_gap(connection, log_id, tip.pruned_thru, tip.seq)
    if held is not None:
        accepted_thru, do = held - 1, None
        accepted_hash = hash_at(connection, log_id, accepted_thru) or b""
    return SessionComparison(accepted_thru, accepted_hash, min(log.durable_thru, accepted_thru), do)


def hash_at(connection: Connection, log_id: bytes, seq: int) -> bytes | None:
    """The hash that the ledger has at this place; None where it has nothing. Seq 0 is the log's beginning."""
    if seq == 0:
        return genesis(log_id)
    rows = schema.ledger.c
    found = connection.execute(select(rows.hash).where(and_(rows.log_id == log_id, rows.seq == seq))).scalar()
    return None if found is None else bytes(found)


def reached(connection: Connection, log_id: bytes) -> tuple[int, int]:
    """(accepted_thru, durable_thru) of a log; zeros for one that the hub does not know."""
    known = schema.log.c
    found = connection.execute(select(known.accepted_thru, known.durable_thru).where(known.log_id == log_id)).first()
    return (0, 0) if found is None else (found.accepted_thru, found.durable_thru)


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
    here = hash_at(connection, log.log_id, tip.seq)
    if tip.seq <= log.accepted_thru and here is not None:
        if here != tip.hash:
            return "reidentify"
        return "log_ahead" if tip.seq < log.accepted_thru else None
    if tip.seq < log.accepted_thru:
        # Its end lies in a gap that was declared lost: the station has events after all that the hub lacks.
        return "reidentify"
    fork = schema.fork.c
    same = and_(fork.log_id == log.log_id, fork.seq == tip.seq, fork.hash == tip.hash)
    return None if connection.execute(select(fork.id).where(same)).first() is None else "reidentify"
