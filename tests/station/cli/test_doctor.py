"""The doctor: for each finding, the thing is broken and the mending command is read."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from station.cli import doctor
from station.cli.doctor import Diagnosis, examine
from station.config import HubConfig, ReaderConfig, StationConfig
from station.journal.disk_space import DiskSpace
from station.status import HubStatus, StationStatus, write
from station.sync.transport import HttpReply
from station.system.clock import boot_ns
from station.system.files import file_system
from tests.station.fixtures.journals import a_scan, open_journal

RESTART = "sudo systemctl restart wipline-station"
MIB = 2**20


@pytest.fixture
def user() -> str:
    """The name of who runs this."""
    return subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def config(tmp_path: Path) -> StationConfig:
    """A station whose journal is whole and whose reader is there."""
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan())
    os.mkfifo(tmp_path / "scans")
    return a_config(tmp_path)


def a_config(folder: Path, **changes: Any) -> StationConfig:
    """The configuration of a station in this folder."""
    known = {"journal": str(folder / "journal.db"), "status": str(folder / "status.json")}
    readers = (ReaderConfig("replay", str(folder / "scans")),)
    return StationConfig(station="saw-1", **({"reader": readers} | known | changes))


def a_status(folder: Path, *, pid: int | None = None, age_s: float = 0) -> None:
    """A status file of a station that runs, `age_s` old."""
    status = StationStatus(
        station="saw-1", sw="1", pid=pid or os.getpid(), boot="b", written_boot_ns=boot_ns() - int(age_s * 1e9),
        written_us=0, ready_boot_ns=0, ready_in_s=0, stage=None, operator=None, log="", tip_seq=0, waiting=0,
        oldest_waiting_s=None, clock="never", hub=HubStatus(), readers=[], disk_level="fine", disk_free_bytes=0,
        days_left=None, journal="", news=[], config="",
    )  # fmt: skip
    write(folder / "status.json", status)


def test_a_stage_that_is_not_the_shops_is_wrong(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.save_snapshot("v1", b'{"definitions":[{"what":"stage.define","data":{"stage":"saw","name":"Saw"}}]}')
    assert doctor.shop_stages(a_config(tmp_path, stage="swa")) == Diagnosis(
        False,
        "stage 'swa' of station.toml is not one of the shop's: saw",
        "write one of them, or define the stage on the hub: wipline-hub import FOLDER",
    )
    assert doctor.shop_stages(a_config(tmp_path, stage="saw")).ok
    reader = ReaderConfig("replay", str(tmp_path / "scans"), stage="weld")
    assert not doctor.shop_stages(a_config(tmp_path, reader=(reader,))).ok
    assert not doctor.shop_stages(a_config(tmp_path, stages=("saw", "weld"))).ok


def test_a_shop_without_stages_allows_any(config: StationConfig) -> None:
    finding = doctor.shop_stages(config)
    assert (finding.ok, finding.only_note) == (True, True)


def test_a_whole_station_has_nothing_wrong(config: StationConfig, tmp_path: Path) -> None:
    a_status(tmp_path)
    findings = [check(config) for check in doctor.CHECKS]
    assert [each for each in findings if not each.ok and not each.only_note] == []


def test_a_configuration_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text('station = "a"\nstagee = "b"\n')
    assert list(examine(tmp_path / "station.toml")) == [
        Diagnosis(
            False,
            f"{tmp_path}/station.toml has a key 'stagee'. Expected a known one; the nearest is 'stage'.",
            "Correct it.",
        )
    ]


def test_a_station_that_does_not_run(config: StationConfig, tmp_path: Path) -> None:
    none = doctor.running(config)
    assert (none.ok, none.mend) == (False, RESTART)
    a_status(tmp_path, pid=2**22 - 3)
    assert doctor.running(config) == Diagnosis(False, "the station (process 4194301) has ended", RESTART)
    a_status(tmp_path, age_s=31)
    assert doctor.running(config) == Diagnosis(False, "the station has not updated its status for 31 s", RESTART)


def test_a_journal_folder_that_is_not_there(tmp_path: Path, user: str) -> None:
    missing = tmp_path / "journals"
    found = doctor.journal_folder(a_config(missing))
    assert found.mend == f"sudo install -d -o {user} -m 750 {missing}"


def test_a_journal_folder_that_may_not_be_written(
    config: StationConfig, tmp_path: Path, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", denied(tmp_path))
    assert doctor.journal_folder(config).mend == f"sudo chown {user} {tmp_path}"
    monkeypatch.setattr(os, "access", denied(tmp_path / "journal.db"))
    assert doctor.journal_folder(config).mend == f"sudo chown {user} {tmp_path}/journal.db*"


def denied(what: Path) -> Callable[[Any, int], bool]:
    """An `os.access` for a user who may not touch this; a test that runs as root has no other way to be one."""
    return lambda path, _mode: Path(path) != what


@pytest.mark.parametrize(("kind", "words"), [("tmpfs", "in memory"), ("nfs4", "on a network drive")])
def test_a_journal_on_the_wrong_medium(config: StationConfig, tmp_path: Path, kind: str, words: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nx {tmp_path} {kind} rw 0 0\n")
    found = doctor.journal_medium(config, mounts)
    assert not found.ok
    assert words in found.what
    assert found.mend == 'put it on this device\'s card: journal = "/var/lib/wipline/journal.db"'


def test_the_nearest_mount_says_on_what_a_folder_lies(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nx /run/with\\040space nfs4 rw 0 0\n")
    kinds = [file_system(Path(path), mounts) for path in ("/var/lib", "/run/x", "/run/with space/x", "/runner")]
    assert kinds == ["ext4", "tmpfs", "nfs4", "ext4"]


def test_settings_that_do_not_hold(config: StationConfig) -> None:
    def refuse(path: Path) -> NoReturn:
        path.touch()
        raise sqlite3.OperationalError

    assert doctor.journal_settings(config, refuse).mend.startswith("put it on this device's card")
    assert not list(Path(config.journal).parent.glob(".doctor*"))


def test_a_broken_chain(config: StationConfig) -> None:
    db = sqlite3.connect(config.journal)
    db.execute("DROP TRIGGER event_stays_as_it_is")
    db.execute("UPDATE event SET bytes = x'00'")
    db.commit()
    db.close()
    found = doctor.journal_chain(config)
    verify = f"sudo wipline-station verify --journal {config.journal}"
    assert (found.ok, found.mend) == (False, f"{verify} || {RESTART}")


def test_an_old_sqlite_is_noted_with_what_not_to_do(config: StationConfig) -> None:
    old = doctor.sqlite_version(config, (3, 40, 1))
    assert (old.only_note, old.mend) == (True, "never write to the journal with another program while the station runs")
    assert "3.51.3" in old.what
    assert doctor.sqlite_version(config, (3, 51, 3)) == Diagnosis(True, "SQLite 3.51.3")


def test_a_card_that_is_filling_up(config: StationConfig) -> None:
    found = doctor.disk(config, DiskSpace(1000 * MIB, 30 * MIB, 16 * MIB))
    assert found == Diagnosis(
        False,
        "the card is filling up (nearly full): 30 MiB are free under the journal",
        "sudo journalctl --vacuum-size=50M && sudo apt-get clean",
    )


def test_a_missing_ballast(config: StationConfig) -> None:
    path = Path(config.journal)
    assert doctor.ballast(config, DiskSpace(1000 * MIB, 500 * MIB, 0)) == Diagnosis(
        False, f"the ballast {path}.ballast is missing", RESTART
    )
    assert doctor.ballast(config, DiskSpace(8 * MIB, 4 * MIB, 0)).only_note


def test_a_clock_that_was_never_set(config: StationConfig) -> None:
    assert doctor.clock(config, "never").mend == "sudo timedatectl set-ntp true"
    assert doctor.clock(config, "synced") == Diagnosis(True, "the clock is synced")


def test_input_devices_that_may_not_be_read(
    config: StationConfig, tmp_path: Path, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyboards = a_config(tmp_path, reader=())
    assert doctor.input_devices(keyboards, tmp_path / "none").mend == "plug a scanner in, then check again: lsusb"
    (tmp_path / "event0").touch()
    monkeypatch.setattr(os, "access", denied(tmp_path / "event0"))
    found = doctor.input_devices(keyboards, tmp_path)
    assert found.mend == f"sudo usermod -aG input {user} && sudo systemctl restart wipline-station"
    assert doctor.input_devices(config, tmp_path).ok


def test_a_readers_path_that_is_not_there(config: StationConfig, tmp_path: Path) -> None:
    (tmp_path / "scans").unlink()
    assert doctor.reader_paths(config) == Diagnosis(
        False, f"the reader's {tmp_path}/scans is not there", f"mkfifo {tmp_path}/scans"
    )


def test_a_token_that_is_missing_or_open_to_everybody(tmp_path: Path) -> None:
    path = tmp_path / "token"
    config = a_config(tmp_path, hub=HubConfig("http://127.0.0.1:1", str(path)))
    assert doctor.hub_token(config).mend.startswith("Put it there, readable for this user")
    path.write_text("abc\n")
    path.chmod(0o644)
    assert doctor.hub_token(config).mend == f"sudo chmod o-rwx {path}"
    path.chmod(0o640)
    assert doctor.hub_token(config).ok


def test_a_hub_that_does_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    config = a_config(tmp_path, hub=HubConfig("http://127.0.0.1:1", str(path)))
    found = doctor.hub_answers(config)
    assert found.mend == "curl -i http://127.0.0.1:1/healthz"
    assert found.what.startswith("The hub at http://127.0.0.1:1/api/v1 cannot be reached: ")


class RefusingHub:
    """A transport to a hub that accepts no token."""

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply:
        assert (method, url, body) == ("GET", "http://127.0.0.1:1/api/v1/snapshot", None)
        assert headers["Authorization"] == "Bearer abc"
        return HttpReply(401, {})

    def close(self) -> None:
        """Nothing is open."""


def test_a_hub_that_does_not_let_the_station_in(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    config = a_config(tmp_path, hub=HubConfig("http://127.0.0.1:1", str(path)))
    assert doctor.hub_answers(config, RefusingHub()) == Diagnosis(
        False,
        "the hub refuses this station: The hub answers 401",
        f"on the hub: wipline-hub station add saw-1 (then put the token in {path})",
    )


def test_the_command_exits_1_where_something_is_wrong(config: StationConfig, tmp_path: Path) -> None:
    toml = tmp_path / "station.toml"
    toml.write_text(
        f'station = "saw-1"\njournal = "{config.journal}"\nstatus = "{config.status}"\n'
        f'[[reader]]\nkind = "replay"\npath = "{tmp_path}/scans"\n'
    )
    command = [sys.executable, "-m", "station.cli", "doctor", "--config", str(toml)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert (
        f"WRONG  there is no status in {tmp_path}/status.json: the station does not run\n       {RESTART}\n"
        in asked.stdout
    )
    a_status(tmp_path)
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout.splitlines()[-1]) == (0, "nothing is wrong")


def test_a_journal_path_that_names_another_file_is_not_mended_by_a_restart(config: StationConfig) -> None:
    path = Path(config.journal)
    for beside in path.parent.glob("journal.db*"):
        beside.unlink()
    path.write_text("a list of what to buy\n")
    found = doctor.journal_chain(config)
    assert (found.ok, found.mend) == (False, "")
    assert found.what.startswith(f"{path} is a file of another kind, which begins with b'a list of what t'.")
    assert found.what.endswith("Correct `journal` in station.toml.")
