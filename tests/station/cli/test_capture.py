"""`record`: what is scanned is shown as it comes and stands in the file, however the recording ends."""

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from drivers import DriverError
from drivers.decode.capture_file import CaptureEvent, CaptureHeader
from drivers.decode.keyboard.keys import JOINED_S
from station.cli import capture
from tests.drivers.fixtures.simulated_readers import Cable
from tests.station.fixtures.capture_command import asked, events_of, never_started

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]


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

    def sends(self, data: bytes) -> None:
        """Send this, and wait until it stands in the file: what comes next is then an event of its own."""
        before = self.file.stat().st_size
        self.cable.send(data)
        until(lambda: self.file.stat().st_size > before)

    def threads(self) -> list[int]:
        """The kernel's ids of its threads, the main thread first."""
        return sorted(int(path.name) for path in Path(f"/proc/{self._process.pid}/task").iterdir())

    def end(self, number: int | None = signal.SIGINT, *, thread: int | None = None) -> tuple[int, str, str]:
        """End it by a signal to the process or to one thread; its exit code, and the rest of its output."""
        if thread is not None:
            assert ctypes.CDLL(None, use_errno=True).tgkill(self._process.pid, thread, number) == 0
        elif number is not None:
            self._process.send_signal(number)
        out, error = self._process.communicate(timeout=30)
        return self._process.returncode, out.decode(), error.decode()


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return never_started(tmp_path)


@pytest.fixture
def recorder(tmp_path: Path, toml: Path) -> Recorder:
    """A serial scanner that is being recorded."""
    cable = Cable()
    made = Recorder(tmp_path, "--config", str(toml), "--kind", "serial_line", "--path", cable.port)
    made.cable = cable
    made.begun()
    time.sleep(2 * JOINED_S)  # a hand takes longer to its trigger; what comes sooner counts as a tail
    return made


def test_what_is_recorded_is_shown_as_it_comes_and_decodes_to_the_same(recorder: Recorder, toml: Path) -> None:
    recorder.cable.send(b"]C10109506000134352\x1d10AB\r\n")
    first = recorder.line()
    assert (first["scheme"], first["fields"]) == ("gs1", {"01": "09506000134352", "10": "AB"})
    recorder.sends(b"WO-10")
    recorder.cable.send(b"42\r")
    second = recorder.line()
    assert second["code"] == "WO-1042"
    recorder.sends(b"half")
    code, rest, error = recorder.end()
    file = recorder.file
    assert (code, rest) == (0, "")
    assert error == (
        f"serial-{recorder.cable.port}: everything that is scanned or typed on it from now on is in {file}.\n"
        f"Scan now. Ctrl-C ends it.\n{file}: 4 events, 2 scans.\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head, *events = events_of(file)
    assert isinstance(head, CaptureHeader)
    assert (head.kind, head.reader) == ("serial_line", f"serial-{recorder.cable.port}")
    assert [each.name for each in events if isinstance(each, CaptureEvent)] == ["in"] * 4 + ["end"]
    for said in (asked("decode", "--config", toml, file), asked("decode", "--config", toml, stdin=file.read_bytes())):
        assert (said[0], [json.loads(row) for row in said[1].splitlines()]) == (0, [first, second])


def test_an_interrupt_that_linux_delivers_to_another_thread_ends_the_recording(recorder: Recorder) -> None:
    _main, *others = recorder.threads()
    assert others, "the reader is read by a thread of its own"
    code, _rest, error = recorder.end(thread=others[-1])
    assert code == 0
    assert error.endswith(f"{recorder.file}: 0 events, 0 scans.\n")


def test_a_scanner_that_is_pulled_out_ends_the_recording(recorder: Recorder) -> None:
    recorder.cable.send(b"WO-1\rhalf")
    assert recorder.line()["code"] == "WO-1"
    recorder.cable.unplug()
    code, _rest, error = recorder.end(None)
    port = recorder.cable.port
    assert code == 1
    assert error.endswith(
        f"wipline-station: serial-{port} ({port}) was unplugged in mid-scan, and half a scan was dropped (bytes: 4). "
        "The file contains the input before it.\n"
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
    assert time.monotonic() - begun >= 1
    assert error.splitlines()[1:] == ["Scan now. It ends in 1 s.", f"{file}: 0 events, 0 scans."]
    code, _out, error = asked(*words)
    assert (code, error.splitlines()[-1]) == (
        2,
        f"wipline-station: {file} cannot be created: File exists. Expected the name of a new file. Name another.",
    )


def test_a_disk_that_does_not_keep_a_recording_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    file = tmp_path / "case.rec"
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(DriverError) as error, capture.new_file(file) as write:
        write(b"{}\n")
    assert str(error.value) == (
        f"{file} is written, but could not be flushed to the disk: Input/output error. Expected a disk that accepts it."
        " Play it (`decode`), and copy it, before the power is switched off."
    )
    assert file.read_bytes() == b"{}\n"
