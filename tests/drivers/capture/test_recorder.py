"""The writer of captures: when it stops, and what the file contains then."""

import io

from drivers.capture import playback_reader
from drivers.capture.recorder import CaptureWriter
from drivers.decode.capture_file import CaptureEvent
from drivers.decode.capture_schema import TIME_MAX_NS
from tests.drivers.fixtures.captures import HEAD, lines_of, notes, play, raws


def test_a_capture_stops_at_its_limit() -> None:
    file, stopped = io.BytesIO(), []
    recording = CaptureWriter(file.write, lambda: stopped.append(1), max_bytes=2**20)
    recording.begin("serial_line", "r")
    while not stopped:
        recording.note("in", bytes(100))
    recording.note("in", b"after")
    recording.end()
    assert recording.trouble == "The recording is full: it has 1 MiB."
    assert len(file.getvalue()) <= 2**20
    assert stopped == [1]
    outcomes = lines_of(file.getvalue())
    assert len(outcomes) == recording.events + 2
    assert isinstance(outcomes[-1], CaptureEvent)
    assert outcomes[-1].name == "end"


def test_a_capture_stops_after_a_day() -> None:
    file, stopped = io.BytesIO(), []
    recording = CaptureWriter(file.write, lambda: stopped.append(1), now_ns=lambda: 7)
    recording.begin("keyboard", "r")
    recording.note("key", (1, 30, 1), 7 + TIME_MAX_NS)
    assert not stopped
    recording.note("key", (1, 30, 0), 7 + TIME_MAX_NS + 1)
    recording.end()
    assert recording.trouble == "The recording is full: it has lasted 24 hours."
    assert [item.name for item in lines_of(file.getvalue()) if isinstance(item, CaptureEvent)] == ["key", "end"]


def test_a_full_disk_ends_the_recording_and_what_was_written_is_played() -> None:
    room = len(HEAD) + 40
    file = io.BytesIO()

    def write(line: bytes) -> None:
        fits = line[: room - file.tell()]
        file.write(fits)
        if fits != line:
            raise OSError(28, "No space left on device")

    stopped: list[int] = []
    recording = CaptureWriter(write, lambda: stopped.append(1))
    recording.begin("serial_line", "r")
    for _ in range(4):
        recording.note("in", b"WO-1\r")
    recording.end()
    assert recording.trouble == "The recording cannot be written: No space left on device."
    assert stopped == [1]
    outcomes = play(file.getvalue())
    assert raws(outcomes) == [b"WO-1"]
    assert notes(outcomes) == [f"{playback_reader.BROKEN_OFF} Line 3 is torn, and was left out."]


def test_times_that_run_backwards_are_written_as_one() -> None:
    file = io.BytesIO()
    recording = CaptureWriter(file.write, lambda: None, now_ns=lambda: 7)
    recording.begin("keyboard", "r")
    for late_ns in (500, 300, -700, 900):
        recording.note("key", (1, 30, 1), 7 + late_ns)
    times = [item.time_ns for item in lines_of(file.getvalue()) if isinstance(item, CaptureEvent)]
    assert times == [500, 500, 500, 900]
