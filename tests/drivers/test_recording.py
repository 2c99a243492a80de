"""Recordings as files: written and read back, torn by a power cut, made by somebody who means harm, and their bounds."""

import io
import json
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers import DriverError, Dropped, Gone, Note, Outcome, Read, open_driver, recorded
from drivers.decode.recorded_values import BYTES_MAX, EVENTS, NAME_MAX_CHARS, SETTINGS, TIME_MAX_NS
from drivers.decode.recording import (
    FILE_MAX_BYTES,
    LINE_MAX_BYTES,
    MARK,
    Event,
    Head,
    Recorded,
    RecordingError,
    event_line,
    head_line,
    is_recording,
)
from drivers.recorded import READERS, RecordedReader
from drivers.tape import Tape
from tests.drivers.recording_room import bare, notes, play, raws

FOLDER = Path(__file__).parent / "recordings"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.rec"))}
HALF = "was unplugged in mid-scan, and half a scan was dropped (bytes: "
ACR = "pcsc-ACS ACR122U PICC Interface"


def a_read(raw: bytes, sym: str | None = None, **more) -> Read:
    return Read(raw, sym, "", "", 0, len(raw), **more)


TAG = b"3A76340030751FEB705C5904E3D50D70"
SAID: dict[str, list[Outcome]] = {
    "keyboard": [
        a_read(b"WO-1042/7"),
        a_read(b"]d20109506000134352\x1d10AB#7", "]d2"),
        a_read(b"WIP:BADGE:kim"),
        Dropped("", "", 0, "The reader sent keys faster than they were taken, and some were lost."),
        a_read(b"WO-1044"),
        Note("", "", 0, f"usb-05e0-1200-SN77 (Symbol Bar Code Scanner) {HALF}4)."),
    ],
    "serial_line": [
        a_read(b"]C10109506000134352\x1d10AB", "]C1"),
        a_read(b"WO-1042"),
        a_read(b"WO-1043"),
        a_read(b"WIP:IN"),
        Note("", "", 0, f"usb-0c2e-0720-SN1 {HALF}5)."),
    ],
    "serial_rfid": [a_read(TAG, tag=True), Gone("", "", 0, 0, TAG, 2, -55), a_read(TAG, tag=True)],
    "hidpos": [
        a_read(b"]C1010950600013435210AB", "]C1"),
        a_read(b"]Q1" + b"WO-1042 " * 16, "]Q1"),
        Dropped("", "", 0, "The scanner stopped in the middle of a scan. Half a scan was dropped (bytes: 4)."),
        a_read(b"]A0WO-7", "]A0"),
        Note("", "", 0, f"usb-05e0-1300-SN77 (Zebra POS Scanner) {HALF}4)."),
    ],
    "pcsc": [
        a_read(b"04A1B2C3", tag=True, texts=(b"WO-1042",)),
        Gone("", "", 0, 0, b"04A1B2C3", 1),
        Dropped("", "", 0, "The card shows a random number, another one each time (08A1B2C3)."),
        a_read(b"04112233445566", tag=True),
        Gone("", "", 0, 0, b"04112233445566", 2),
        Note("", "", 0, f"{ACR} was unplugged."),
    ],
}
"""What each sample says. Where a decoder changes on purpose, change it here, and say so in the changelog."""


def lines_of(recording: bytes) -> list[Head | Event]:
    recorded = Recorded()
    return [*recorded.feed(recording), *recorded.end()]


def test_there_is_a_sample_of_each_kind() -> None:
    assert set(SAMPLES) == set(SAID) == set(EVENTS) == set(SETTINGS) == set(READERS)


@pytest.mark.parametrize("kind", sorted(SAID))
def test_a_sample_says_what_it_always_said(kind: str) -> None:
    assert bare(play(SAMPLES[kind])) == SAID[kind]


@pytest.mark.parametrize("kind", sorted(SAID))
def test_a_recording_is_read_as_it_was_written_wherever_it_is_cut(kind: str) -> None:
    whole = lines_of(SAMPLES[kind])
    reader, piecewise = Recorded(), []
    for byte in SAMPLES[kind]:
        piecewise += reader.feed(bytes([byte]))
    assert [*piecewise, *reader.end()] == whole
    assert (reader.torn, reader.ended) == (None, True)
    head, *events = whole
    assert isinstance(head, Head)
    again = head_line(head) + b"".join(event_line(each) for each in events if isinstance(each, Event))
    assert again == SAMPLES[kind]


@pytest.mark.parametrize("kind", sorted(SAID))
def test_a_power_cut_leaves_what_is_whole(kind: str) -> None:
    """Truncated at every byte: never a half scan, never another one, and the more is left the more is said."""
    recording = SAMPLES[kind]
    full, most = bare(play(recording)), 0
    head = recording.index(b"\n")
    ends = {end for end in range(len(recording)) if recording[end : end + 1] == b"\n"}
    step = 1 if len(recording) < 3000 else 23  # of the keyboard's, which is long, every byte of its last lines
    for cut in sorted({*range(1, len(recording), step), *range(len(recording) - 300, len(recording))}):
        torn = recording[:cut]
        if cut < head:
            with pytest.raises(DriverError):
                play(torn)
            continue
        said = bare(play(torn))
        scans = [each for each in said if not isinstance(each, Note)]
        assert scans == full[: len(scans)], cut
        assert len(scans) >= most, cut
        most = len(scans)
        whole_line = cut in ends or cut - 1 in ends
        lines = torn.count(b"\n") + 1
        if cut in ends and cut == len(recording) - 1:
            assert said == full  # only the last newline is missing
        elif said[-1:] != full[-1:] or not isinstance(said[-1], Note):  # it did not reach the unplugging
            tail = "" if whole_line else f" Line {lines} is torn, and was left out."
            assert notes(said)[-1] == recorded.BROKEN_OFF + tail
    assert most == len([each for each in full if not isinstance(each, Note)])


def test_the_first_letters_of_a_recording_are_no_scan(tmp_path: Path) -> None:
    for cut in range(2, len(MARK) + 5):
        path = tmp_path / "torn.rec"
        path.write_bytes(SAMPLES["serial_line"][:cut])
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": str(path)})
        assert "Expected what `wipline-station record` writes." in str(refused.value)


HEAD = head_line(Head("serial_line", "r"))
PCSC = head_line(Head("pcsc", "r"))
KEYS = head_line(Head("keyboard", "r"))
TIMES, OWN = f"a whole number from 0 to {TIME_MAX_NS}", "t and one of in, out, baud, lost, end"
WRONG = [
    (b"", 1, "the head is not whole", "a line that says what was recorded"),
    (b"\n", 1, "b'' came", "an object of JSON"),
    (b"[]\n", 1, "b'[]' came", "an object of JSON"),
    (HEAD.replace(b":1", b":2", 1), 1, "its form is 2", "1, which this software reads"),
    (HEAD.replace(b":1", b":true", 1), 1, "its form is True", "1, which this software reads"),
    (b'{"recording":1}\n', 1, "{'recording': 1} came", "recording, kind, reader, settings and sw"),
    (HEAD.replace(b"serial_line", b"replay"), 1, "kind is 'replay'", f"one of {', '.join(EVENTS)}"),
    (HEAD.replace(b"{}", b'{"baud":1}'), 1, "settings is {'baud': 1}", "at most profile"),
    (HEAD.replace(b"{}", b'{"profile":7}'), 1, "profile is 7",
     "a scanner's profile (The profile is int: expected an object of names and values.)"),
    (HEAD.replace(b'"r"', b'"\\u202e"'), 1, "reader is '\\u202e'",
     f"a text of at most {NAME_MAX_CHARS} characters that can be seen"),
    (HEAD + b"{}\n", 2, "{} came", OWN),
    (HEAD + b'{"t":1,"in":"","out":""}\n', 2, "{'t': 1, 'in': '', 'out': ''} came", OWN),
    (HEAD + b'{"t":1,"in":"0"}\n', 2, "in is '0'", "at most 65538 bytes in hex"),
    (HEAD + b'{"t":1,"in":7}\n', 2, "in is 7", "at most 65538 bytes in hex"),
    (HEAD + b'{"t":5,"in":"00"}\n{"t":4,"in":"00"}\n', 3, "t is 4", TIMES.replace("from 0", "from 5")),
    (HEAD + b'{"t":1.5,"in":"00"}\n', 2, "t is 1.5", TIMES),
    (HEAD + b'{"t":true,"in":"00"}\n', 2, "t is True", TIMES),
    (HEAD + b'{"t":1,"end":true}\n{"t":2,"lost":true}\n', 3, "something follows the end", "nothing"),
    (HEAD + b'{"t":1,"lost":false}\n', 2, "lost is False", "true"),
    (HEAD + b"[" * 100_000 + b"\n", 2, f"b'{'[' * 78}... came", "an object of JSON"),
    (KEYS + b'{"t":1,"key":[1,65536,1]}\n', 2, "key is [1, 65536, 1]", "a whole number from 0 to 65535"),
    (PCSC + b'{"t":1,"state":[1,1,""]}\n', 2, "state is [1, 1, '']", "true or false"),
    (PCSC + b'{"t":1,"gone":"home"}\n', 2, "gone is 'home'", "'service' or 'reader'"),
    (PCSC + b'{"t":1,"readers":"all"}\n', 2, "readers is 'all'", "a list of at most 64 names"),
]  # fmt: skip


@pytest.mark.parametrize(("recording", "line", "came", "expected"), WRONG)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, recording: bytes, line: int, came: str, expected: str
) -> None:
    why = f"Line {line} of the recording: {came}; expected {expected}."
    with pytest.raises(RecordingError) as wrong:
        lines_of(recording)
    assert str(wrong.value) == why
    path = tmp_path / "case.rec"
    path.write_bytes(recording)
    if is_recording(recording):
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": str(path)})
        assert refused.value.came == why


def test_the_bounds_of_a_line_a_file_a_time_and_a_name_are_where_they_are_said_to_be() -> None:
    longest = b'{"t":1,"in":""}'
    longest = longest[:-1] + b" " * (LINE_MAX_BYTES - len(longest)) + b"}"
    assert len(lines_of(HEAD + longest + b"\n")) == 2
    with pytest.raises(
        RecordingError, match=r"^Line 2 of the recording: it goes on; expected at most 524288 bytes in a line"
    ):
        lines_of(HEAD + longest + b" \n")
    filler = event_line(Event(1, "in", bytes(50_000)))
    count, rest = divmod(FILE_MAX_BYTES - len(HEAD), len(filler))
    reader = Recorded()
    list(reader.feed(HEAD))
    for _ in range(count):
        list(reader.feed(filler))
    list(reader.feed(b" " * rest))
    with pytest.raises(RecordingError, match=rf"the recording goes on; expected at most {FILE_MAX_BYTES} bytes\.$"):
        list(reader.feed(b" "))
    assert len(lines_of(HEAD + event_line(Event(TIME_MAX_NS, "in", bytes(BYTES_MAX))))) == 2
    for event in (Event(TIME_MAX_NS + 1, "in", b""), Event(1, "in", bytes(BYTES_MAX + 1))):
        with pytest.raises(RecordingError):
            lines_of(HEAD + event_line(event) + HEAD)
    head_line(Head("serial_line", "n" * NAME_MAX_CHARS))
    for wrong in ("n" * (NAME_MAX_CHARS + 1), "n\n"):
        with pytest.raises(RecordingError):
            head_line(Head("serial_line", wrong))
    with pytest.raises(RecordingError):
        head_line(Head("keyboard", "r", {"profile": {"prefix": 7}}))


def test_a_tape_stops_where_a_recording_may_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers import tape

    monkeypatch.setattr(tape, "FILE_MAX_BYTES", 2**20)
    file, stopped = io.BytesIO(), []
    recording = Tape(file.write, lambda: stopped.append(1))
    recording.begin("serial_line", "r")
    while not stopped:
        recording.note("in", bytes(100))
    recording.note("in", b"after")
    recording.end()
    assert recording.trouble == "The recording is full: it has 1 MiB."
    assert len(file.getvalue()) <= 2**20
    assert stopped == [1]
    said = lines_of(file.getvalue())
    assert len(said) == recording.events + 2
    assert isinstance(said[-1], Event)
    assert said[-1].name == "end"


def test_a_tape_that_runs_for_a_day_stops() -> None:
    file, stopped = io.BytesIO(), []
    recording = Tape(file.write, lambda: stopped.append(1))
    recording.begin("keyboard", "r")
    recording.note("key", (1, 30, 1), recording._begun_ns + TIME_MAX_NS)
    assert not stopped
    recording.note("key", (1, 30, 0), recording._begun_ns + TIME_MAX_NS + 1)
    recording.end()
    assert recording.trouble == "The recording is full: it has lasted 24 hours."
    assert [each.name for each in lines_of(file.getvalue()) if isinstance(each, Event)] == ["key", "end"]


def test_a_full_disk_ends_the_recording_and_what_was_written_is_played() -> None:
    room = len(HEAD) + 40
    file = io.BytesIO()

    def write(line: bytes) -> None:
        fits = line[: room - file.tell()]
        file.write(fits)
        if fits != line:
            raise OSError(28, "No space left on device")

    stopped: list[int] = []
    recording = Tape(write, lambda: stopped.append(1))
    recording.begin("serial_line", "r")
    for _ in range(4):
        recording.note("in", b"WO-1\r")
    recording.end()
    assert recording.trouble == "The recording cannot be written: No space left on device."
    assert stopped == [1]
    said = play(file.getvalue())
    assert raws(said) == [b"WO-1"]
    assert notes(said) == [f"{recorded.BROKEN_OFF} Line 3 is torn, and was left out."]


def test_times_that_run_backwards_are_written_as_one() -> None:
    file = io.BytesIO()
    recording = Tape(file.write, lambda: None)
    recording.begin("keyboard", "r")
    for late_ns in (500, 300, -700, 900):
        recording.note("key", (1, 30, 1), recording._begun_ns + late_ns)
    times = [each.time_ns for each in lines_of(file.getvalue()) if isinstance(each, Event)]
    assert times == [500, 500, 500, 900]


def test_a_file_is_told_from_a_list_of_scans() -> None:
    assert not is_recording(b'{"order": 7}')
    assert not is_recording(b"{")
    assert is_recording(MARK)


# -- a station's reader


def test_a_replay_reader_plays_a_recording_once_at_full_speed(tmp_path: Path, listen, open_descriptors) -> None:
    before = open_descriptors()
    path = tmp_path / "case.rec"
    path.write_bytes(SAMPLES["keyboard"])
    driver = open_driver("replay", {"path": str(path)})
    assert (driver.kind, driver.reader, driver.lossless) == ("replay", f"replay-{path}", True)
    begun_ns = recorded.boot_ns()
    heard = listen(driver)
    said = [heard.next(1) for _ in SAID["keyboard"]]
    assert bare(said) == SAID["keyboard"]
    assert {(each.kind, each.reader) for each in said} == {("replay", f"replay-{path}")}
    assert all(each.boot_ns <= begun_ns for each in said)  # none lies in the future
    assert (said[2].boot_ns - said[1].boot_ns) // 1_000_000 == 532  # the silence that ended the third is still there
    assert heard.nothing()
    heard.end()
    assert open_descriptors() == before


def test_a_recording_that_began_before_the_machine_did_waits(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "case.rec"
    path.write_bytes(SAMPLES["serial_rfid"])
    last_ns = lines_of(SAMPLES["serial_rfid"])[-1].time_ns
    monkeypatch.setattr(recorded, "boot_ns", lambda: last_ns - 1)
    with pytest.raises(DriverError) as refused:
        open_driver("replay", {"path": str(path)})
    assert str(refused.value) == (
        "The recording is 3 s long, and this machine was started 3 s ago. "
        "Its scans are played as if the last were made now, and none may lie before the start. Wait: it is tried again."
    )
    monkeypatch.setattr(recorded, "boot_ns", lambda: last_ns)
    driver = open_driver("replay", {"path": str(path)})
    driver.close()
    assert list(driver.reads()) == []


def test_a_recording_with_a_mistake_plays_nothing_of_it(tmp_path: Path, open_descriptors) -> None:
    """Half of it, again and again at each attempt, would be scans that nobody made."""
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
    scans = b"".join(event_line(Event(each, "in", b"%d\r" % each)) for each in range(5000))
    path.write_bytes(HEAD + scans)
    driver = open_driver("replay", {"path": str(path)})
    taken = []
    for read in driver.reads():
        taken.append(read.raw)
        if len(taken) == 3:
            driver.close()
    assert taken == [b"0", b"1", b"2"]


# -- recordings that mean harm

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["00", "ff" * 40]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def spoiled(draw) -> bytes:
    """A sample of which bytes, lines or values are others."""
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
    """A recording that is in order, of a device that no maker makes."""
    kind = draw(st.sampled_from(sorted(EVENTS)))
    data = st.binary(max_size=40) | st.sampled_from(
        [bytes.fromhex(each) for each in ("9000", "04a1b2c39000", "3b8f80")]
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
        rows.append(event_line(Event(now_ns, name, draw(values[name]))))
    if draw(st.booleans()):
        rows.append(event_line(Event(draw(st.integers(now_ns, TIME_MAX_NS)), "end", True)))
    return b"".join(rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.one_of(spoiled(), invented()))
def test_a_hostile_recording_raises_nothing_but_the_drivers_error(recording: bytes) -> None:
    try:
        said = play(recording)
    except DriverError:
        return
    times = [each.boot_ns for each in said if not isinstance(each, Gone)]
    assert times == sorted(times)


HUGE = 8 * 1024 * 1024


def test_the_longest_recording_is_played_in_bounded_memory() -> None:
    row = event_line(Event(0, "in", random.Random(20_26).randbytes(3000)))

    class Endless(io.RawIOBase):
        """So many bytes that nobody could hold them."""

        left = HUGE

        def read(self, _size: int = -1) -> bytes:
            if self.left <= 0:
                return b""
            line = HEAD if self.left == HUGE else row
            self.left -= len(line)
            return line

    tracemalloc.start()
    reader = RecordedReader(Endless(), "replay-x", stays=False)  # type: ignore[arg-type]
    scans = sum(isinstance(each, Read) for each in reader.reads())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scans > 100
    assert peak < 2 * 1024 * 1024
