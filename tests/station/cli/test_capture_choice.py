"""Which reader `record` opens, how it is set, and which it leaves alone."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from drivers import Driver, DriverError, Settings
from drivers.decode.capture_file import CaptureHeader
from drivers.decode.detect.device_info import DeviceInfo
from station.cli.capture import Capture, CaptureOptions
from station.config import load
from station.readers.profile_store import ProfileStore, ReaderProfile, beside
from tests.drivers.conftest import Wedge
from tests.drivers.fixtures.simulated_readers import Cable
from tests.station.fixtures.capture_command import asked, events_of, never_started
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return never_started(tmp_path)


class SilentReaders:
    """Every reader that a recording opens is a keyboard wedge that sends nothing; `opened`: its kind and its settings."""

    def __init__(self, folder: Path, toml: Path) -> None:
        self._folder, self._toml = folder, toml
        self.opened: list[tuple[str, Settings]] = []

    def _open(self, kind: str, settings: Settings) -> Driver:
        self.opened.append((kind, settings))
        return Wedge(self._folder).driver

    def record(self, file: str, *connected: DeviceInfo, **options: str) -> None:
        """Record for a second, where these devices are connected, with these options."""
        capture = Capture(
            CaptureOptions(**options), load(self._toml), open_reader=self._open, devices=lambda: connected
        )
        with closing(capture):
            capture.make(self._folder / file, lambda _outcome: None, 1)


@pytest.fixture
def readers(tmp_path: Path, toml: Path) -> SilentReaders:
    return SilentReaders(tmp_path, toml)


def test_the_row_of_the_configuration_says_how_a_reader_is_set_and_flags_beat_it(
    tmp_path: Path, toml: Path, readers: SilentReaders
) -> None:
    toml.write_text(
        f'{toml.read_text()}[[reader]]\nkind = "keyboard"\nmatch = "05e0:1200"\nlayout = "de"\n'
        '[[reader]]\nkind = "serial_line"\npath = "/dev/ttyS0"\nbaud = 19200\n'
        '[[reader]]\nkind = "replay"\npath = "/run/wipline/scans"\n'
    )
    ProfileStore(beside(tmp_path / "journal.db")).keep(
        Wedge.reader, ReaderProfile(profile={"layout": "de", "prefix": "S1-"})
    )
    readers.record("a.rec", kind="keyboard", layout="fr")
    readers.record("b.rec", path="/dev/ttyS0")
    readers.record("c.rec", kind="keyboard", match="SN77")
    set_so = {"path": None, "match": None, "layout": None, "baud": None, "parity": None, "flow": None}
    assert readers.opened == [
        ("keyboard", set_so | {"match": "05e0:1200", "layout": "fr"}),
        ("serial_line", set_so | {"path": "/dev/ttyS0", "baud": "19200"}),
        ("keyboard", {"path": None, "match": "SN77", "layout": None}),  # no row of it
    ]
    head = events_of(tmp_path / "a.rec")[0]
    assert isinstance(head, CaptureHeader)
    assert head.settings["profile"] == {"layout": "de", "prefix": "S1-"}  # as the station would read it
    code, _out, error = asked("record", "--config", toml, "--seconds", 1, tmp_path / "d.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: The configuration has 2 readers that fit: "
            "keyboard 05e0:1200; serial_line /dev/ttyS0. "
            "Expected one. Select one by --kind, --path or --match, as in the configuration.\n"
        ),
    )


def test_without_a_word_the_first_that_is_known_for_a_reader_is_recorded(
    tmp_path: Path, readers: SilentReaders
) -> None:
    keys = DeviceInfo("/dev/input/event1", "Cherry Keyboard", 3, 0x046A, 0x0001, "", "usb-1", types=True, points=False)
    scanner = DeviceInfo("/dev/input/event3", "Symbol", 3, 0x05E0, 0x1200, "SN77", "usb-2", types=True, points=False)
    readers.record("a.rec", keys, scanner)
    readers.record("b.rec", keys, match="046a:0001")
    assert readers.opened == [
        ("keyboard", {"path": "/dev/input/event3", "match": "05e0:1200", "layout": None}),
        ("keyboard", {"path": "/dev/input/event1", "match": "046a:0001", "layout": None}),
    ]
    with pytest.raises(DriverError) as error:
        readers.record("x.rec", keys)
    assert str(error.value) == (
        "No reader is plugged in. Expected one that is recognised as a reader, or that is named. "
        "Name it: --kind (keyboard, serial_line, serial_rfid, hidpos, pcsc) and --match; "
        "`wipline-station readers` shows what is there."
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
