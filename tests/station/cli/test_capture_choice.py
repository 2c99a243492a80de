"""Which reader `record` opens, how it is set, and which it leaves alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.decode.capture_file import CaptureHeader
from drivers.decode.detect.device_info import DeviceInfo
from station.cli import capture
from station.readers.profile_store import ProfileStore, ReaderProfile, beside
from tests.drivers.conftest import Wedge
from tests.drivers.fixtures.simulated_readers import Cable
from tests.station.fixtures.capture_command import asked, events_of, never_started
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return never_started(tmp_path)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What `record` opens; it gets a keyboard wedge that is in nobody's hand."""
    opened: list[tuple[str, dict[str, Any]]] = []

    def open_wedge(kind: str, settings: dict[str, Any]) -> Any:
        opened.append((kind, settings))
        return Wedge(tmp_path).driver

    monkeypatch.setattr(capture, "open_driver", open_wedge)
    return opened


def test_the_row_of_the_configuration_says_how_a_reader_is_set_and_flags_beat_it(
    tmp_path: Path, toml: Path, held: list[tuple[str, dict[str, Any]]]
) -> None:
    toml.write_text(
        f'{toml.read_text()}[[reader]]\nkind = "keyboard"\nmatch = "05e0:1200"\nlayout = "de"\n'
        '[[reader]]\nkind = "serial_line"\npath = "/dev/ttyS0"\nbaud = 19200\n'
        '[[reader]]\nkind = "replay"\npath = "/run/wipline/scans"\n'
    )
    ProfileStore(beside(tmp_path / "journal.db")).keep(
        Wedge.reader, ReaderProfile(profile={"layout": "de", "prefix": "S1-"})
    )
    words = ("record", "--config", toml, "--seconds", 1)
    assert asked(*words, "--kind", "keyboard", "--layout", "fr", tmp_path / "a.rec")[0] == 0
    assert asked(*words, "--path", "/dev/ttyS0", tmp_path / "b.rec")[0] == 0
    assert asked(*words, "--kind", "keyboard", "--match", "SN77", tmp_path / "c.rec")[0] == 0
    set_so = {"path": None, "match": None, "layout": None, "baud": None, "parity": None, "flow": None}
    assert held == [
        ("keyboard", set_so | {"match": "05e0:1200", "layout": "fr"}),
        ("serial_line", set_so | {"path": "/dev/ttyS0", "baud": "19200"}),
        ("keyboard", {"path": None, "match": "SN77", "layout": None}),  # no row of it
    ]
    head = events_of(tmp_path / "a.rec")[0]
    assert isinstance(head, CaptureHeader)
    assert head.settings["profile"] == {"layout": "de", "prefix": "S1-"}  # as the station would read it
    code, _out, error = asked(*words, tmp_path / "d.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: The configuration has 2 readers that fit: "
            "keyboard 05e0:1200; serial_line /dev/ttyS0. "
            "Expected one. Select one by --kind, --path or --match, as in the configuration.\n"
        ),
    )


def test_without_a_word_the_first_that_is_known_for_a_reader_is_recorded(
    tmp_path: Path, toml: Path, held: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = DeviceInfo("/dev/input/event1", "Cherry Keyboard", 3, 0x046A, 0x0001, "", "usb-1", types=True, points=False)
    scanner = DeviceInfo("/dev/input/event3", "Symbol", 3, 0x05E0, 0x1200, "SN77", "usb-2", types=True, points=False)
    monkeypatch.setattr(capture.serial_ports, "present", list)
    monkeypatch.setattr(capture.hidpos, "present", list)
    words = ("record", "--config", toml, "--seconds", 1)
    for there, more in (([keys, scanner], ()), ([keys], ("--match", "046a:0001"))):
        monkeypatch.setattr(capture, "present", lambda there=there: there)
        assert asked(*words, *more, tmp_path / f"{len(there)}.rec")[0] == 0
    assert held == [
        ("keyboard", {"path": "/dev/input/event3", "match": "05e0:1200", "layout": None}),
        ("keyboard", {"path": "/dev/input/event1", "match": "046a:0001", "layout": None}),
    ]
    code, _out, error = asked(*words, tmp_path / "x.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: No reader is plugged in. Expected one that is recognised as a reader, or that is named. "
            "Name it: --kind (keyboard, serial_line, serial_rfid, hidpos, pcsc) and --match; "
            "`wipline-station readers` shows what is there.\n"
        ),
    )
    assert not (tmp_path / "x.rec").exists()


def test_a_kind_that_is_not_recorded_is_told(tmp_path: Path, toml: Path) -> None:
    code, _out, error = asked("record", "--config", toml, "--kind", "replay", tmp_path / "x.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: Readers of kind 'replay' are not recorded. "
            "Expected one of keyboard, serial_line, serial_rfid, hidpos, pcsc. Correct --kind.\n"
        ),
    )


def test_a_reader_that_the_station_reads_is_left_to_it(tmp_path: Path) -> None:
    cable = Cable()
    row = f'[[reader]]\nkind = "serial_line"\npath = "{cable.port}"\n'
    stop = "top the station for as long as you record: sudo systemctl stop wipline-station"
    with Daemon(tmp_path, row) as daemon:
        daemon.start()
        daemon.until(
            lambda: any(each["state"] == "ready" for each in daemon.status()["readers"] if "pts" in each["id"])
        )
        done = daemon.command("record", "--kind", "serial_line", str(tmp_path / "x.rec"))
        assert (done.returncode, done.stderr) == (
            2,
            (
                f"wipline-station: {cable.port} is held by another program. A reader is read by one program alone. "
                f"End the other one, perhaps ModemManager or a second station; this finds it: sudo fuser -v {cable.port} "
                f"The station is running; where it is the one that holds the reader: s{stop}\n"
            ),
        )
        # A device that two programs could open: as the status says.
        status = msgspec.json.decode((tmp_path / "status.json").read_bytes())
        other = Cable()
        status["readers"][0] |= {"id": f"serial-{other.port}", "state": "ready"}
        (tmp_path / "other.json").write_bytes(msgspec.json.encode(status))
        toml = tmp_path / "other.toml"
        toml.write_text(f'station = "x"\njournal = "{tmp_path}/none.db"\nstatus = "{tmp_path}/other.json"\n')
        words = ("--config", toml, "--kind", "serial_line", "--path", other.port, "--seconds", 1)
        said = asked("record", *words, tmp_path / "x.rec")
        assert (said[0], said[2]) == (
            2,
            (
                f"wipline-station: serial-{other.port} is being read by the station. "
                f"A reader is read by one program alone. S{stop}\n"
            ),
        )
        assert not (tmp_path / "x.rec").exists()
