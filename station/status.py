"""status.json: the station's status for `status`, `readers`, `doctor` and other programs. It is replaced atomically."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from station.system.clock import boot_ns

OLD_S = 60.0
"""An older status is not that of a running station, which writes it every 5 s."""


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One line of `wipline-station readers`.

    `state`: ready; listening (not identified yet); refusing (its profile is unusable, so each scan is answered red); waiting
    (to be opened); lost; ended; ignored. `why`: the reason in a sentence; `evidence`: the facts behind it; `mend`: how to
    change it; `taught`: the reader's profile in words. Times are CLOCK_BOOTTIME in ns.
    """

    kind: str
    id: str
    state: str
    why: str = ""
    reads: int = 0
    last_boot_ns: int | None = None
    evidence: tuple[str, ...] = ()
    mend: str = ""
    taught: str = ""


class HubStatus(msgspec.Struct, frozen=True):
    """The connection to the hub: `state` none, never, ok, away or refused; `error` is the last failure in a sentence."""

    state: str = "none"
    error: str = ""
    last_contact_boot_ns: int | None = None
    accepted_thru: int = 0
    durable_thru: int = 0
    epoch: str | None = None


class StationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The content of status.json. Times are CLOCK_BOOTTIME in ns (`_ns`) or UTC in us (`_us`)."""

    station: str
    sw: str
    pid: int
    boot: str
    written_boot_ns: int
    written_us: int
    ready_boot_ns: int
    ready_in_s: float
    stage: str | None
    operator: str | None
    log: str
    tip_seq: int
    waiting: int
    oldest_waiting_s: float | None
    clock: str
    hub: HubStatus
    readers: list[ReaderStatus]
    disk_level: str
    disk_free_bytes: int
    days_left: float | None
    journal: str
    news: list[str]
    config: str
    aside: int = 0  # events of earlier logs that the hub has not confirmed


def write(path: Path, status: StationStatus) -> None:
    """Replace the file at `path`. Without fsync, because after a power cut the status is worthless."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")
    fresh.replace(path)


def read(path: Path) -> tuple[StationStatus, float] | None:
    """The status and its age in seconds; None where there is no valid file.

    Raises `PermissionError` where this user may not read it: then it is unknown whether a station runs.
    """
    try:
        status = msgspec.json.decode(path.read_bytes(), type=StationStatus)
    except PermissionError:
        raise
    except (OSError, msgspec.MsgspecError):
        return None
    age_s = (boot_ns() - status.written_boot_ns) / 1e9
    return status, max(age_s, 0.0)


def running(path: Path) -> StationStatus | None:
    """The status of a running station; None where none runs. Raises `PermissionError` as `read`."""
    current = read(path)
    if current is None:
        return None
    status, age_s = current
    return status if age_s <= OLD_S and lives(status.pid) else None


def may_be_fresh(path: Path) -> bool:
    """Whether a status that this user may not read was written lately, by its time of change."""
    try:
        return time.time() - path.stat().st_mtime <= OLD_S
    except PermissionError:
        return True
    except OSError:
        return False


def lives(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
