"""Doctor: check a station, and print each fault in a sentence with the command that corrects it.

One function is one check. The facts that it examines can be passed in, so that a test can simulate each fault. A check
raises `PermissionError` where another user than the station's may not look: `examine` reports it as not checked.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from station.config import ConfigError, StationConfig, configured_stages, load, token
from station.status import lives, read
from station.system.access import is_own_station, is_there, refusal
from station.system.files import MOUNTS, file_system, nearest_folder

if TYPE_CHECKING:
    from sqlite_utils import Database

    from station.journal.disk_space import DiskSpace
    from station.rules.snapshot import StationDefinitions
    from station.sync.transport import HubTransport

WAL_RESET_FIXED = (3, 51, 3)
STALE_S = 30.0
LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check; `mend` is a command, or what the user has to do. With `only_note` it is no fault.

    `checked` is False where this user may not see what the check examines: then it is neither a fault nor ok.
    """

    ok: bool
    what: str
    mend: str = ""
    only_note: bool = False
    checked: bool = True


def examine(config_path: Path) -> Iterator[Diagnosis]:
    """Run every check on the station of this configuration; only the first where the configuration cannot be read."""
    try:
        config = load(config_path)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            yield _not_checked("The configuration can be used.", config_path)
        else:
            yield Diagnosis(False, f"{error.came} {error.expected}", error.do)
        return
    yield Diagnosis(True, f"{config_path} is understood")
    for check in CHECKS:
        try:
            yield check(config)
        except PermissionError as error:
            yield _not_checked(check.__doc__ or check.__name__, error.filename)


def _not_checked(fact: str, path: object) -> Diagnosis:
    first = fact.splitlines()[0].rstrip(".")
    what = f"not checked: {first[0].lower()}{first[1:]} (no access for this user: {path})"
    return Diagnosis(True, what, only_note=True, checked=False)


def journal_folder(config: StationConfig) -> Diagnosis:
    """The journal's folder exists, and the station may write in it."""
    folder = Path(config.journal).absolute().parent
    if not is_there(folder):
        mend = f"sudo install -d -o {_user()} -m 750 {folder}"
        return Diagnosis(False, f"the journal's folder {folder} is not there", mend)
    if not os.access(folder, os.W_OK | os.X_OK):
        _require_own_station(config, folder)
        return Diagnosis(
            False, f"this user may not write in the journal's folder {folder}", f"sudo chown {_user()} {folder}"
        )
    journal = Path(config.journal)
    if is_there(journal) and not os.access(journal, os.R_OK | os.W_OK):
        _require_own_station(config, journal)
        return Diagnosis(False, f"this user may not write the journal {journal}", f"sudo chown {_user()} {journal}*")
    return Diagnosis(True, f"the journal's folder {folder} can be written")


def journal_medium(config: StationConfig, mounts: Path = MOUNTS) -> Diagnosis:
    """The journal is on a medium where fsync is effective: not in memory, not on a network drive."""
    folder = nearest_folder(Path(config.journal).absolute().parent)
    kind = file_system(folder, mounts)
    if kind in ("tmpfs", "ramfs"):
        return Diagnosis(False, f"the journal is in memory ({kind}): a power cut deletes it", _move(config))
    if kind.startswith(("nfs", "cifs", "smb", "fuse.sshfs", "9p")):
        return Diagnosis(False, f"the journal is on a network drive ({kind})", _move(config))
    return Diagnosis(True, f"the journal is on {kind or 'a file system'} of this device")


def journal_settings(config: StationConfig, connect: Callable[[Path], "Database"] | None = None) -> Diagnosis:
    """A journal opened for writing has its settings.

    Tried on a file beside it, because the daemon has the real one open.
    """
    from station.journal import JournalError
    from station.journal.schema import connect as connect_writing

    folder = Path(config.journal).absolute().parent
    trial = folder / f".doctor-{os.getpid()}.db"
    if not os.access(folder, os.W_OK | os.X_OK):
        raise refusal(folder)  # `journal_folder` reports it where it is a fault
    try:
        (connect or connect_writing)(trial).conn.close()
    except (JournalError, sqlite3.Error, OSError) as error:
        return Diagnosis(False, f"the journal's settings do not hold here: {error}", _move(config))
    finally:
        for suffix in ("", "-wal", "-shm"):
            trial.with_name(trial.name + suffix).unlink(missing_ok=True)
    return Diagnosis(True, "the journal's settings hold (WAL, synchronous FULL)")


def journal_chain(config: StationConfig) -> Diagnosis:
    """The journal's chain holds."""
    from station.journal import JournalDenied, JournalError, JournalReader, NotAJournal

    path = Path(config.journal)
    if not is_there(path):
        return Diagnosis(True, f"there is no journal at {path} yet", only_note=True)
    try:
        with closing(JournalReader(path)) as reader:
            breaks = reader.verify()
    except JournalDenied as error:
        raise refusal(path) from error
    except JournalError as error:
        mend = "" if isinstance(error, NotAJournal) else "sudo systemctl restart wipline-station"
        return Diagnosis(False, str(error), mend)
    if breaks:
        verify_then_restart = f"sudo wipline-station verify --journal {path} || sudo systemctl restart wipline-station"
        return Diagnosis(False, f"the journal's chain is broken: {breaks[0].sentence}", verify_then_restart)
    return Diagnosis(True, "the journal's chain holds")


def earlier_logs(config: StationConfig) -> Diagnosis:
    """The events of earlier and damaged logs are at the hub, as far as this station knows."""
    from station.journal import JournalDenied, JournalError, JournalReader
    from station.journal.earlier_logs import require_access, set_aside

    path = Path(config.journal).absolute()
    require_access(path)
    logs = set_aside(path)
    if not logs:
        return Diagnosis(True, "no earlier log lies aside", only_note=True)
    try:
        with closing(JournalReader(path)) as reader:
            mark = reader.mark()
    except JournalDenied as error:
        raise refusal(path) from error
    except JournalError:
        mark = None
    missing = {log.path.parent: log.unconfirmed(mark.hub_epoch if mark else None) for log in logs}
    count = sum(missing.values())
    if count:
        folder = next(folder for folder, events in missing.items() if events)
        return Diagnosis(
            False,
            f"{count} events of earlier logs are not confirmed by the hub; the first are in {folder}",
            "let the station reach its hub: it sends what is missing; delete nothing",
        )
    return Diagnosis(True, f"the events of {len(logs)} earlier logs are at the hub")


def shop_patterns(config: StationConfig) -> Diagnosis:
    """Every pattern of the shop is used, according to the journal's last snapshot."""
    shop = _shop(config)
    if shop is None:
        return Diagnosis(True, "no pattern of a shop is known here yet", only_note=True)
    if shop.refused:
        first, more = shop.refused[0], len(shop.refused) - 1
        others = f" ({more} more)" if more else ""
        what = f"a pattern of the shop is not used{others}: {first.why.rstrip('.')}"
        return Diagnosis(False, what, f"define pattern {first.name!r} again on the hub")
    return Diagnosis(True, f"all {len(shop.patterns)} patterns of the shop are used")


def shop_stages(config: StationConfig) -> Diagnosis:
    """Every stage of the configuration is one of the shop's, according to the journal's last snapshot."""
    shop = _shop(config)
    if shop is None:
        return Diagnosis(True, "no stage of a shop is known here yet", only_note=True)
    names = shop.stage_names()
    unknown = shop.unknown_stages(configured_stages(config))
    if unknown:
        what = f"stage {unknown[0]!r} of station.toml is not one of the shop's: {', '.join(names)}"
        return Diagnosis(False, what, "write one of them, or define the stage on the hub: wipline-hub import FOLDER")
    if not names:
        return Diagnosis(True, "no stage of a shop is known here yet", only_note=True)
    return Diagnosis(True, "the stages of station.toml are the shop's")


def _shop(config: StationConfig) -> "StationDefinitions | None":
    """The shop's definitions in the journal's last snapshot; None where there is no journal that can be read."""
    from station.journal import JournalDenied, JournalError, JournalReader
    from station.rules.snapshot import read_shop

    path = Path(config.journal)
    try:
        with closing(JournalReader(path)) as reader:
            snapshot = reader.snapshot()
    except JournalDenied as error:
        raise refusal(path) from error
    except JournalError:
        return None
    return read_shop(snapshot[1] if snapshot else None)


def sqlite_version(config: StationConfig, version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Diagnosis:  # noqa: ARG001
    """SQLite below 3.51.3 has the WAL-reset bug: two connections that write or checkpoint at once may lose a write."""
    text = ".".join(map(str, version))
    if version < WAL_RESET_FIXED:
        return Diagnosis(
            True,
            f"SQLite {text} is older than 3.51.3 and has the WAL-reset bug; a single writer, as here, does not trigger it",
            "never write to the journal with another program while the station runs",
            only_note=True,
        )
    return Diagnosis(True, f"SQLite {text}")


def disk(config: StationConfig, room: "DiskSpace | None" = None) -> Diagnosis:
    """There is room for weeks of scans."""
    from station.journal.disk_space import DiskLevel, ballast_path, level_of
    from station.journal.disk_space import room as room_of

    is_there(ballast_path(Path(config.journal).absolute()))  # its size counts; a hidden one would count as missing
    space = room or room_of(nearest_folder(Path(config.journal).absolute().parent) / Path(config.journal).name)
    level, free = level_of(space), space.free_bytes // 2**20
    if level in (DiskLevel.FINE, DiskLevel.WARN):
        return Diagnosis(True, f"{free} MiB are free under the journal")
    mend = "sudo journalctl --vacuum-size=50M && sudo apt-get clean"
    return Diagnosis(False, f"the card is filling up ({level}): {free} MiB are free under the journal", mend)


def ballast(config: StationConfig, room: "DiskSpace | None" = None) -> Diagnosis:
    """The ballast exists, so that a full card can still prune."""
    from station.journal.disk_space import ballast_path, ballast_wanted
    from station.journal.disk_space import room as room_of

    path = Path(config.journal).absolute()
    if not is_there(path):
        return Diagnosis(True, "the ballast is made when the station starts", only_note=True)
    space = room or room_of(path)
    if not ballast_wanted(space.size_bytes):
        return Diagnosis(
            True, "this file system is too small for a ballast: a full card cannot prune by itself", only_note=True
        )
    if not space.ballast_bytes:
        return Diagnosis(
            False, f"the ballast {ballast_path(path)} is missing", "sudo systemctl restart wipline-station"
        )
    return Diagnosis(True, f"the ballast exists ({space.ballast_bytes // 2**20} MiB)")


def clock(config: StationConfig, state: str | None = None) -> Diagnosis:  # noqa: ARG001 - the signature of all checks
    """The wall clock is set. It is shown to users, and never orders events."""
    from station.clock import WallClock

    clock_state = state or WallClock().state()
    if clock_state == "never":
        mend = "sudo timedatectl set-ntp true"
        return Diagnosis(
            True, "the clock was never set since the start; times shown here may be wrong", mend, only_note=True
        )
    return Diagnosis(True, f"the clock is {clock_state}")


def input_devices(config: StationConfig, folder: Path = Path("/dev/input")) -> Diagnosis:
    """This user may read the scanners that are plugged in."""
    if config.reader and all(row.kind != "keyboard" for row in config.reader):
        return Diagnosis(True, "no reader here is a keyboard scanner")
    nodes = sorted(folder.glob("event*")) if folder.is_dir() else []
    if not nodes:
        return Diagnosis(False, f"no input device is in {folder}", "plug a scanner in, then check again: lsusb")
    _require_own_station(config, folder)
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if len(closed) == len(nodes):
        mend = f"sudo usermod -aG input {_user()} && sudo systemctl restart wipline-station"
        return Diagnosis(False, f"this user may read none of the {len(nodes)} input devices", mend)
    return Diagnosis(True, f"{len(nodes) - len(closed)} of {len(nodes)} input devices can be read")


def reader_paths(config: StationConfig) -> Diagnosis:
    """Every path of a configured reader exists."""
    for row in config.reader:
        if row.path is not None and not is_there(Path(row.path)):
            make = (
                f"mkfifo {row.path}"
                if row.kind == "replay"
                else f"plug it in, or correct its path: ls {Path(row.path).parent}"
            )
            return Diagnosis(False, f"the reader's {row.path} is not there", make)
        if row.path is not None and not os.access(row.path, os.R_OK):
            _require_own_station(config, Path(row.path))
            return Diagnosis(False, f"this user may not read {row.path}", f"sudo chown {_user()} {row.path}")
    return Diagnosis(True, f"{sum(row.path is not None for row in config.reader)} paths of readers are there")


def hub_token(config: StationConfig) -> Diagnosis:
    """The token exists, and other users may not read it."""
    if config.hub is None:
        return Diagnosis(True, "no hub is configured: the station records for itself", only_note=True)
    try:
        token(config.hub)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            _require_own_station(config, Path(config.hub.token_file))
        return Diagnosis(False, error.came, error.do)
    path = Path(config.hub.token_file)
    if path.stat().st_mode & 0o007:
        return Diagnosis(False, f"every user of this device may read the token {path}", f"sudo chmod o-rwx {path}")
    return Diagnosis(True, "the token exists")


def hub_answers(config: StationConfig, transport: "HubTransport | None" = None) -> Diagnosis:
    """The hub answers, and accepts this station's token."""
    if config.hub is None:
        return Diagnosis(True, "no hub is called", only_note=True)
    from station.sync.client import HubClient, HubError
    from station.sync.transport import HttpTransport

    try:
        hub = HubClient(config.hub.url, token(config.hub), transport or HttpTransport(config.hub.ca_file))
        hub.snapshot(None)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            _require_own_station(config, Path(config.hub.token_file))
        return Diagnosis(False, "the hub cannot be called without a token", f"cat {config.hub.token_file}")
    except HubError as error:
        if error.refused:
            mend = (
                f"on the hub: wipline-hub station add {config.station} (then put the token in {config.hub.token_file})"
            )
            return Diagnosis(False, f"the hub refuses this station: {error}", mend)
        return Diagnosis(False, str(error), f"curl -i {config.hub.url}/healthz")
    current = read(Path(config.status))
    if current is not None and current[0].hub.state == "refused":
        mend = f"the token in {config.hub.token_file} is another station's: correct `station`, or get this one its own"
        return Diagnosis(False, f"the hub refuses this station: {current[0].hub.error}", mend)
    return Diagnosis(True, f"the hub at {config.hub.url} answers")


def running(config: StationConfig) -> Diagnosis:
    """The station runs and updates its status."""
    current = read(Path(config.status))
    start = "sudo systemctl restart wipline-station"
    if current is None:
        return Diagnosis(False, f"there is no status in {config.status}: the station does not run", start)
    status, age_s = current
    if not lives(status.pid):
        return Diagnosis(False, f"the station (process {status.pid}) has ended", start)
    if age_s > STALE_S:
        return Diagnosis(False, f"the station has not updated its status for {age_s:.0f} s", start)
    return Diagnosis(True, f"the station runs (process {status.pid})")


CHECKS: tuple[Callable[[StationConfig], Diagnosis], ...] = (
    running,
    journal_folder,
    journal_medium,
    journal_settings,
    journal_chain,
    earlier_logs,
    shop_patterns,
    shop_stages,
    sqlite_version,
    disk,
    ballast,
    clock,
    input_devices,
    reader_paths,
    hub_token,
    hub_answers,
)


def _require_own_station(config: StationConfig, path: Path) -> None:
    """Raise `PermissionError` for this path where the station runs as another user: its rights are unknown then."""
    if not is_own_station(Path(config.status), Path(config.journal).absolute()):
        raise refusal(path)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _move(config: StationConfig) -> str:
    return f'put it on this device\'s card: journal = "/var/lib/wipline/{Path(config.journal).name}"'
