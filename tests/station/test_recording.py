"""`record`, `decode` of a recording, and a station that plays one."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from drivers import DriverError, open_driver
from drivers.decode.keys import JOINED_S
from drivers.decode.plugged import Facts
from drivers.decode.recording import Event, Head, Recorded
from station import recording
from station.cli import main
from station.core.event import decode
from station.journal import JournalReader
from station.taught import Lesson, Taught, beside
from tests.drivers.conftest import Wedge
from tests.drivers.hands import Cable
from tests.station.daemon_room import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]
SAMPLES = Path(__file__).parent.parent / "drivers" / "recordings"


class Recorder:
    """`wipline-station record`, of a serial line whose other end is in a hand."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.cable, self.file = Cable(), folder / "case.rec"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "station.cli", "record", *words, str(self.file)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def line(self) -> dict[str, Any]:
        """The next that it prints."""
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def begun(self) -> None:
        """Wait until it reads."""
        deadline = time.monotonic() + 30
        while not (self.file.exists() and self.file.stat().st_size):
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.cable.hand_over()

    def end(self, number: int | None = signal.SIGINT) -> tuple[int, str, str]:
        """End it: its exit code, and what else it said."""
        if number is not None:
            self._process.send_signal(number)
        out, error = self._process.communicate(timeout=30)
        return self._process.returncode, out.decode(), error.decode()


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """The configuration of a station that was never started."""
    path = tmp_path / "station.toml"
    path.write_text(f'station = "saw-1"\njournal = "{tmp_path}/journal.db"\nstatus = "{tmp_path}/status.json"\n')
    return path


@pytest.fixture
def recorder(tmp_path: Path, toml: Path) -> Recorder:
    """A serial scanner that is being recorded."""
    cable = Cable()
    made = Recorder(tmp_path, "--config", str(toml), "--kind", "serial_line", "--path", cable.port)
    made.cable = cable
    made.begun()
    time.sleep(2 * JOINED_S)  # a hand takes longer to its trigger; what comes sooner counts as a tail
    return made


def asked(*words: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """What a command says: its code, its standard output and error."""
    done = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
    return done.exit_code, done.stdout, done.stderr


def events_of(file: Path) -> list[Head | Event]:
    reader = Recorded()
    return [*reader.feed(file.read_bytes()), *reader.end()]


def test_what_is_recorded_is_shown_as_it_comes_and_decodes_to_the_same(recorder: Recorder, toml: Path) -> None:
    recorder.cable.send(b"]C10109506000134352\x1d10AB\r\n")
    first = recorder.line()
    assert (first["scheme"], first["fields"]) == ("gs1", {"01": "09506000134352", "10": "AB"})
    recorder.cable.send(b"WO-10")
    time.sleep(0.05)
    recorder.cable.send(b"42\r")
    second = recorder.line()
    assert second["code"] == "WO-1042"
    recorder.cable.send(b"half")
    time.sleep(0.05)
    code, rest, error = recorder.end()
    file = recorder.file
    assert (code, rest) == (0, "")
    assert error == (
        f"serial-{recorder.cable.port}: all that is scanned or typed on it from now on stands in {file}.\n"
        f"Scan now. Ctrl-C ends it.\n{file}: 4 events, 2 scans.\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head, *events = events_of(file)
    assert isinstance(head, Head)
    assert (head.kind, head.reader) == ("serial_line", f"serial-{recorder.cable.port}")
    assert [each.name for each in events if isinstance(each, Event)] == ["in"] * 4 + ["end"]
    for said in (asked("decode", "--config", toml, file), asked("decode", "--config", toml, stdin=file.read_bytes())):
        assert (said[0], [json.loads(row) for row in said[1].splitlines()]) == (0, [first, second])


def test_a_scanner_that_is_pulled_out_ends_the_recording(recorder: Recorder) -> None:
    recorder.cable.send(b"WO-1\rhalf")
    assert recorder.line()["code"] == "WO-1"
    recorder.cable.unplug()
    code, _rest, error = recorder.end(None)
    port = recorder.cable.port
    assert code == 1
    assert error.endswith(
        f"wipline-station: serial-{port} ({port}) was unplugged in mid-scan, and half a scan was dropped (bytes: 4). "
        "The file holds what came before.\n"
    )
    assert asked("decode", recorder.file)[1].splitlines()[-1] == (
        f'{{"note":"serial-{port} was unplugged in mid-scan, and half a scan was dropped (bytes: 4)."}}'
    )


def test_a_recording_that_is_killed_plays_to_its_last_line(recorder: Recorder) -> None:
    recorder.cable.send(b"WO-1\r")
    recorder.line()
    recorder.end(signal.SIGKILL)
    code, out, _error = asked("decode", recorder.file)
    said = [json.loads(row) for row in out.splitlines()]
    assert (code, said[0]["code"]) == (0, "WO-1")
    assert said[1:] == [
        {"note": "The recording breaks off, as after a power cut; it was played to its last whole line."}
    ]


def test_it_ends_by_itself_after_the_seconds_that_were_said(tmp_path: Path, toml: Path) -> None:
    cable = Cable()
    file = tmp_path / "case.rec"
    begun = time.monotonic()
    words = ("record", "--config", toml, "--kind", "serial_line", "--path", cable.port, "--seconds", 1, file)
    code, _out, error = asked(*words)
    assert code == 0
    assert 1 <= time.monotonic() - begun < 10
    assert error.splitlines()[1:] == ["Scan now. It ends in 1 s.", f"{file}: 0 events, 0 scans."]
    code, _out, error = asked(*words)
    assert (code, error.splitlines()[-1]) == (
        2,
        f"wipline-station: {file} cannot be made: File exists. Expected the name of a new file. Name another.",
    )


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What `record` opens; it gets a keyboard wedge that is in nobody's hand."""
    opened: list[tuple[str, dict[str, Any]]] = []

    def open_wedge(kind: str, settings: dict[str, Any]) -> Any:
        opened.append((kind, settings))
        return Wedge(tmp_path).driver

    monkeypatch.setattr(recording, "open_driver", open_wedge)
    return opened


def test_the_row_of_the_configuration_says_how_a_reader_is_set_and_flags_beat_it(
    tmp_path: Path, toml: Path, held: list[tuple[str, dict[str, Any]]]
) -> None:
    toml.write_text(
        f'{toml.read_text()}[[reader]]\nkind = "keyboard"\nmatch = "05e0:1200"\nlayout = "de"\n'
        '[[reader]]\nkind = "serial_line"\npath = "/dev/ttyS0"\nbaud = 19200\n'
        '[[reader]]\nkind = "replay"\npath = "/run/wipline/scans"\n'
    )
    Taught(beside(tmp_path / "journal.db")).keep(Wedge.reader, Lesson(profile={"layout": "de", "prefix": "S1-"}))
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
    assert isinstance(head, Head)
    assert head.settings["profile"] == {"layout": "de", "prefix": "S1-"}  # as the station would read it
    code, _out, error = asked(*words, tmp_path / "d.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: The configuration has 2 readers that could be meant: "
            "keyboard 05e0:1200; serial_line /dev/ttyS0. "
            "Expected one. Say which, as it stands there, with --kind, --path or --match.\n"
        ),
    )


def test_without_a_word_the_first_that_is_known_for_a_reader_is_recorded(
    tmp_path: Path, toml: Path, held: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Facts("/dev/input/event1", "Cherry Keyboard", 3, 0x046A, 0x0001, "", "usb-1", types=True, points=False)
    scanner = Facts("/dev/input/event3", "Symbol", 3, 0x05E0, 0x1200, "SN77", "usb-2", types=True, points=False)
    monkeypatch.setattr(recording.ports, "present", list)
    monkeypatch.setattr(recording.hidpos, "present", list)
    words = ("record", "--config", toml, "--seconds", 1)
    for there, more in (([keys, scanner], ()), ([keys], ("--match", "046a:0001"))):
        monkeypatch.setattr(recording, "present", lambda there=there: there)
        assert asked(*words, *more, tmp_path / f"{len(there)}.rec")[0] == 0
    assert held == [
        ("keyboard", {"path": "/dev/input/event3", "match": "05e0:1200", "layout": None}),
        ("keyboard", {"path": "/dev/input/event1", "match": "046a:0001", "layout": None}),
    ]
    code, _out, error = asked(*words, tmp_path / "x.rec")
    assert (code, error) == (
        2,
        (
            "wipline-station: No reader is plugged in. Expected one that is known for one, or that is named. "
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


def test_a_wrong_recording_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "case.rec"
    file.write_bytes((SAMPLES / "serial_line.rec").read_bytes().replace(b'"t":35757273', b'"t":"soon"'))
    code, out, error = asked("decode", file)
    assert code == 2
    assert len(out.splitlines()) == 1  # what stands before it
    assert error == (
        "wipline-station: Line 4 of the recording: t is 'soon'; expected a whole number from 30554727 to 86400000000000. "
        "Expected what `wipline-station record` writes. Record it again, or have somebody look at the file.\n"
    )


def test_decode_answers_a_pipe_line_by_line() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "station.cli", "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(2):
        process.stdin.write(b"WO-%d\n" % number)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["code"] == f"WO-{number}"
    process.communicate(timeout=30)


def test_a_station_plays_recordings_as_its_readers(tmp_path: Path) -> None:
    names = ("keyboard", "pcsc")
    rows = "".join(f'[[reader]]\nkind = "replay"\npath = "{SAMPLES}/{name}.rec"\n' for name in names)
    with Daemon(tmp_path, rows) as daemon:
        daemon.start()
        journal = JournalReader(tmp_path / "journal.db")
        daemon.until(lambda: len(list(journal.events())) >= 8)
        time.sleep(0.5)  # nothing is played twice
        events = [decode(stored.encoded) for stored in journal.events()]
    found = {
        name: [each for each in events if each.reader and each.reader.id.endswith(f"{name}.rec")] for name in names
    }
    keyboard = [(each.kind, each.raw, each.seen) for each in found["keyboard"]]
    assert keyboard == [
        ("scan", b"WO-1042/7", None),
        ("scan", b"]d20109506000134352\x1d10AB#7", None),
        ("scan", b"WIP:BADGE:kim", None),
        ("scan", b"WO-1044", None),
    ]
    cards = sorted((each.raw or b"", each.seen or 0) for each in found["pcsc"])
    assert cards == [(b"04112233445566", 0), (b"04112233445566", 2), (b"04A1B2C3", 0), (b"04A1B2C3", 1)]
    assert {(each.reader.kind, each.reader.id) for each in events if each.reader} == {
        ("replay", f"replay-{SAMPLES}/{name}.rec") for name in names
    }
    times = [each.mono_ns for each in found["keyboard"] if each.mono_ns is not None]
    assert times == sorted(times)
    assert (times[2] - times[1]) // 1_000_000 == 532


def test_a_recording_that_was_made_is_what_the_reader_of_kind_replay_opens(tmp_path: Path) -> None:
    driver = open_driver("replay", {"path": str(SAMPLES / "hidpos.rec")})
    assert (driver.kind, driver.reader) == ("replay", f"replay-{SAMPLES}/hidpos.rec")
    driver.close()


def test_a_disk_that_does_not_keep_a_recording_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    file = tmp_path / "case.rec"
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(DriverError) as error, recording.new_file(file) as write:
        write(b"{}\n")
    assert str(error.value) == (
        f"{file} is written and may not be kept: Input/output error. Expected a disk that takes it."
        " Play it (`decode`), and copy it, before the power goes."
    )
    assert file.read_bytes() == b"{}\n"
