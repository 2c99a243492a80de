"""Number pads are named, and what was taught is forgotten: where the running station looks, by an ID that is here."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from drivers.decode.detect.device_info import DeviceInfo
from station import status
from station.cli.keypads import change_profiles
from station.config import load
from station.readers.profile_store import KEYPAD, ProfileStore, beside
from station.status import ReaderStatus
from station.system.clock import boot_ns
from tests.station.cli.test_cli import command

PAD = DeviceInfo("/dev/input/event3", "Numeric Pad", 3, 0x1A2C, 0x0002, "", "usb-1.4", types=True, points=False)
MOUSE = DeviceInfo("/dev/input/event4", "Mouse", 3, 0x046D, 0x0001, "M1", "usb-1.5", types=True, points=True)
ID = "usb-1a2c-0002-at-usb-1.4"
AGAIN = "Pull it out and plug it in again.\n"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A station.toml."""
    path = tmp_path / "station.toml"
    path.write_text(f'station = "saw-1"\njournal = "{tmp_path}/journal.db"\nstatus = "{tmp_path}/status.json"\n')
    return path


Change = Callable[..., tuple[object, str, str]]


@pytest.fixture
def change(toml: Path, capsys: pytest.CaptureFixture[str]) -> Change:
    """Change the profiles where a number pad and a mouse are plugged in; the exit code, standard output and error."""

    def change(
        journal: Path | None = None,
        *,
        keypad: str | None = None,
        forget: str | None = None,
        connected: Sequence[DeviceInfo] = (PAD, MOUSE),
    ) -> tuple[object, str, str]:
        code: object = 0
        try:
            change_profiles(
                load(toml), str(journal) if journal else None, forget=forget, keypad=keypad, connected=lambda: connected
            )
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return change


def runs(toml: Path, journal: Path, *readers: ReaderStatus, pid: int = 0, ago_s: float = 0) -> None:
    """A station runs (this process), with its journal elsewhere."""
    said = status.StationStatus(
        station="saw-1", sw="t", pid=pid or os.getpid(), boot="b", written_boot_ns=boot_ns() - int(ago_s * 1e9),
        written_us=0, ready_boot_ns=0, ready_in_s=0, stage=None, operator=None, log="", tip_seq=0, waiting=0,
        oldest_waiting_s=None, clock="never", hub=status.HubStatus(), readers=list(readers), disk_level="ok",
        disk_free_bytes=0, days_left=None,
        journal=str(journal), news=[], config=str(toml),
    )  # fmt: skip
    status.write(toml.with_name("status.json"), said)


def test_a_number_pad_is_named_and_what_was_taught_is_forgotten(toml: Path, tmp_path: Path, change: Change) -> None:
    file = f"{tmp_path}/readers.json"
    assert change(keypad=ID) == (0, f"{ID} is a number pad from now on ({file}). {AGAIN}", "")
    assert ProfileStore(beside(tmp_path / "journal.db")).of(ID) == KEYPAD
    asked = command("readers", "--config", toml, "--forget", "usb-2")
    assert (asked.exit_code, asked.stderr) == (
        2,
        f"wipline-station: There is no profile of 'usb-2' in {file}. Expected one of: {ID}.\n",
    )
    assert command("readers", "--config", toml, "--forget", ID).output == f"{ID} is forgotten ({file}). {AGAIN}"
    asked = command("readers", "--config", toml, "--forget", "usb-2")
    assert asked.stderr.endswith("Expected one of: no reader has a profile.\n")


def test_an_id_that_is_not_here_is_told_with_those_that_are(tmp_path: Path, change: Change) -> None:
    do = "Plug it in, and give its ID as `readers` shows it.\n"
    for wrong in ("usb-1a2c-0002", "usb-046d-0001-M1"):  # half an ID, and a mouse's
        error = f"wipline-station: There is no device {wrong!r} here. Expected one of {ID}. {do}"
        assert change(keypad=wrong) == (2, "", error)
    assert not (tmp_path / "readers.json").exists()
    error = f"wipline-station: There is no device {ID!r} here. No keyboard device is plugged in. {do}"
    assert change(keypad=ID, connected=()) == (2, "", error)


def test_an_id_that_the_running_station_knows_is_taken(toml: Path, tmp_path: Path) -> None:
    lost = ReaderStatus("keyboard", "usb-bt-pad", "lost")
    runs(
        toml,
        tmp_path / "journal.db",
        lost,
        ReaderStatus("keyboard", "usb-button", "ignored"),
        ReaderStatus("pcsc", "pcsc-X", "ready"),
    )
    codes = [
        command("readers", "--config", toml, "--keypad", each).exit_code
        for each in ("usb-bt-pad", "usb-button", "pcsc-X")
    ]
    assert codes == [0, 2, 2]


def test_what_is_taught_goes_where_the_running_station_looks(toml: Path, tmp_path: Path, change: Change) -> None:
    for folder in ("moved", "said"):
        (tmp_path / folder).mkdir()
    runs(toml, tmp_path / "moved" / "x.db")  # as `run --journal` moves it
    assert f"({tmp_path}/moved/readers.json)" in change(keypad=ID)[1]
    assert ProfileStore(tmp_path / "moved" / "readers.json").of(ID) == KEYPAD
    assert f"({tmp_path}/said/readers.json)" in change(tmp_path / "said" / "x.db", keypad=ID)[1]
    runs(toml, tmp_path / "moved" / "x.db", ago_s=status.OLD_S + 1)  # it does not run any more
    assert f"({tmp_path}/readers.json)" in change(keypad=ID)[1]


def test_a_status_is_a_running_stations_while_it_is_fresh_and_its_process_lives(toml: Path, tmp_path: Path) -> None:
    path = toml.with_name("status.json")
    assert status.running(path) is None
    for pid, ago_s, there in (
        (0, 0, True),
        (0, status.OLD_S - 5, True),
        (0, status.OLD_S + 1, False),
        (2**22 + 1, 0, False),
    ):
        runs(toml, tmp_path / "x.db", pid=pid, ago_s=ago_s)
        assert (status.running(path) is not None) is there
