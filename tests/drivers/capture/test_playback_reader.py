"""A capture as a reader of the station: played back once, at full speed, by its own clock; and malformed captures."""

import io
import json
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers import DriverError, Read, TagRemoved, boot_ns, open_driver
from drivers.capture.playback_reader import PlaybackReader, open_capture
from drivers.decode.capture_file import CaptureEvent, event_line
from drivers.decode.capture_schema import EVENTS, TIME_MAX_NS
from tests.drivers.fixtures.captures import HEAD, OUTCOMES, SAMPLES, bare, lines_of, play


def test_a_replay_reader_plays_a_recording_once_at_full_speed(tmp_path: Path, listen, open_descriptors) -> None:
    before = open_descriptors()
    path = tmp_path / "case.rec"
    path.write_bytes(SAMPLES["keyboard"])
    driver = open_driver("replay", {"path": str(path)})
    assert (driver.kind, driver.reader, driver.lossless) == ("replay", f"replay-{path}", True)
    begun_ns = boot_ns()
    outcomes = listen(driver)
    yielded = [outcomes.next(1) for _ in OUTCOMES["keyboard"]]
    assert bare(yielded) == OUTCOMES["keyboard"]
    assert {(outcome.kind, outcome.reader) for outcome in yielded} == {("replay", f"replay-{path}")}
    assert all(outcome.boot_ns <= begun_ns for outcome in yielded)  # no time in the future
    assert (
        yielded[2].boot_ns - yielded[1].boot_ns
    ) // 1_000_000 == 532  # the silence that ended the third scan is unchanged
    assert outcomes.nothing()
    outcomes.end()
    assert open_descriptors() == before


def test_a_recording_that_began_before_the_machine_did_waits() -> None:
    recording = SAMPLES["serial_rfid"]
    last_ns = lines_of(recording)[-1].time_ns
    with pytest.raises(DriverError) as refused:
        open_capture(io.BytesIO(recording), "replay-x", lambda: last_ns - 1)
    assert str(refused.value) == (
        "The recording is 3 s long, and this machine was started 3 s ago. "
        "Its scans are played as if the last were made now, and none may lie before the start. Wait: it is tried again."
    )
    driver = open_capture(io.BytesIO(recording), "replay-x", lambda: last_ns)
    driver.close()
    assert list(driver.reads()) == []


def test_a_recording_with_a_mistake_plays_nothing_of_it(tmp_path: Path, open_descriptors) -> None:
    """Playing half of it at each attempt would record scans that were not made."""
    before = open_descriptors()
    path = tmp_path / "case.rec"
    lines = SAMPLES["serial_line"].splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"rubbish\n", *lines[4:]]))
    with pytest.raises(DriverError) as refused:
        open_driver("replay", {"path": str(path)})
    assert refused.value.came == "Line 5 of the recording: b'rubbish' came; expected an object of JSON."
    assert open_descriptors() == before


def test_close_ends_a_long_recording_at_once(tmp_path: Path) -> None:
    path = tmp_path / "case.rec"
    scans = b"".join(event_line(CaptureEvent(number, "in", b"%d\r" % number)) for number in range(5000))
    path.write_bytes(HEAD + scans)
    driver = open_driver("replay", {"path": str(path)})
    taken = []
    for read in driver.reads():
        taken.append(read.raw)
        if len(taken) == 3:
            driver.close()
    assert taken == [b"0", b"1", b"2"]


# -- malformed captures

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["00", "ff" * 40]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def spoiled(draw) -> bytes:
    """A sample with changed bytes, lines or values."""
    recording = SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))]
    how = draw(st.sampled_from(["bytes", "lines", "values", "cut"]))
    if how == "bytes":
        data = bytearray(recording)
        for place, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=8)):
            data[place] = byte
        return bytes(data)
    lines = recording.splitlines(keepends=True)
    if how == "lines":
        return lines[0] + b"".join(draw(st.lists(st.sampled_from(lines[1:]), max_size=60)))
    if how == "cut":
        return recording[draw(st.integers(0, len(recording))) :]
    place = draw(st.integers(0, len(lines) - 1))
    row = json.loads(lines[place])
    row[draw(st.sampled_from([*row, "end", "t"]))] = draw(_JSON)
    return b"".join([*lines[:place], json.dumps(row).encode() + b"\n", *lines[place + 1 :]])


@st.composite
def invented(draw) -> bytes:
    """A valid capture of a device that does not exist."""
    kind = draw(st.sampled_from(sorted(EVENTS)))
    data = st.binary(max_size=40) | st.sampled_from(
        [bytes.fromhex(item) for item in ("9000", "04a1b2c39000", "3b8f80")]
    )
    values = {
        "key": st.tuples(st.integers(0, 65535) | st.integers(0, 110), st.integers(0, 250), st.integers(-1, 3)),
        "in": data, "out": data, "report": data, "baud": st.integers(1, 10**7), "lost": st.just(True), "end": st.just(True),
        "state": st.tuples(st.integers(0, 9), st.booleans(), st.binary(max_size=33)),
        "asked": st.tuples(data | st.just(bytes.fromhex("ffca000000")), st.none() | data),
        "readers": st.lists(st.sampled_from(["a", "b"]), max_size=3), "gone": st.sampled_from(["service", "reader"]),
    }  # fmt: skip
    head = json.loads(SAMPLES[kind].splitlines()[0])
    steps = draw(st.lists(st.tuples(st.sampled_from(sorted(EVENTS[kind])), st.integers(0, 2_000_000_000)), max_size=25))
    rows, now_ns = [json.dumps(head).encode() + b"\n"], 0
    for name, step_ns in steps:
        now_ns += step_ns
        rows.append(event_line(CaptureEvent(now_ns, name, draw(values[name]))))
    if draw(st.booleans()):
        rows.append(event_line(CaptureEvent(draw(st.integers(now_ns, TIME_MAX_NS)), "end", True)))
    return b"".join(rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.one_of(spoiled(), invented()))
def test_a_hostile_recording_raises_nothing_but_the_drivers_error(recording: bytes) -> None:
    try:
        yielded = play(recording)
    except DriverError:
        return
    times = [outcome.boot_ns for outcome in yielded if not isinstance(outcome, TagRemoved)]
    assert times == sorted(times)


HUGE = 8 * 1024 * 1024


def test_the_longest_recording_is_played_in_bounded_memory() -> None:
    row = event_line(CaptureEvent(0, "in", random.Random(20_26).randbytes(3000)))

    class Endless(io.RawIOBase):
        """More bytes than memory."""

        left = HUGE

        def read(self, _size: int = -1) -> bytes:
            if self.left <= 0:
                return b""
            line = HEAD if self.left == HUGE else row
            self.left -= len(line)
            return line

    tracemalloc.start()
    reader = PlaybackReader(Endless(), "replay-x", stays=False)  # type: ignore[arg-type]
    scans = sum(isinstance(outcome, Read) for outcome in reader.reads())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scans > 100
    assert peak < 2 * 1024 * 1024
