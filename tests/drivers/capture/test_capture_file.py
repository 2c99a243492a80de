"""Capture files: written and read back, torn by a power cut, malformed on purpose, and their bounds."""

import contextlib
from pathlib import Path

import pytest

from drivers import DriverError, OperatorNotice, kinds, open_driver
from drivers.capture import playback_reader
from drivers.capture.playback_reader import READERS
from drivers.decode.capture_file import (
    FILE_MAX_BYTES,
    LINE_MAX_BYTES,
    MARK,
    CaptureError,
    CaptureEvent,
    CaptureHeader,
    CaptureReader,
    event_line,
    head_line,
    is_recording,
)
from drivers.decode.capture_schema import BYTES_MAX, EVENTS, NAME_MAX_CHARS, SETTINGS, TIME_MAX_NS
from tests.drivers.fixtures.captures import HEAD, OUTCOMES, SAMPLES, bare, lines_of, notes, play


def test_there_is_a_sample_of_each_kind() -> None:
    assert set(SAMPLES) == set(OUTCOMES) == set(EVENTS) == set(SETTINGS) == set(READERS) == set(kinds()) - {"replay"}


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_a_sample_yields_its_known_outcomes(kind: str) -> None:
    assert bare(play(SAMPLES[kind])) == OUTCOMES[kind]


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_a_recording_is_read_as_it_was_written_wherever_it_is_cut(kind: str) -> None:
    whole = lines_of(SAMPLES[kind])
    reader, piecewise = CaptureReader(), []
    for byte in SAMPLES[kind]:
        piecewise += reader.feed(bytes([byte]))
    assert [*piecewise, *reader.end()] == whole
    assert (reader.torn, reader.ended) == (None, True)
    head, *events = whole
    assert isinstance(head, CaptureHeader)
    replayed = head_line(head) + b"".join(event_line(event) for event in events if isinstance(event, CaptureEvent))
    assert replayed == SAMPLES[kind]


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_a_power_cut_leaves_what_is_whole(kind: str) -> None:
    """Truncated at every byte: never half a scan, never another one, and the outcomes are a prefix of the whole."""
    recording = SAMPLES[kind]
    full, most = bare(play(recording)), 0
    head = recording.index(b"\n")
    ends = {end for end in range(len(recording)) if recording[end : end + 1] == b"\n"}
    step = 1 if len(recording) < 3000 else 23  # of the long keyboard capture, only the last lines at every byte
    for cut in sorted({*range(1, len(recording), step), *range(len(recording) - 300, len(recording))}):
        torn = recording[:cut]
        if cut < head:
            with pytest.raises(DriverError):
                play(torn)
            continue
        outcomes = bare(play(torn))
        scans = [outcome for outcome in outcomes if not isinstance(outcome, OperatorNotice)]
        assert scans == full[: len(scans)], cut
        assert len(scans) >= most, cut
        most = len(scans)
        whole_line = cut in ends or cut - 1 in ends
        lines = torn.count(b"\n") + 1
        if cut in ends and cut == len(recording) - 1:
            assert outcomes == full  # only the last newline is missing
        elif outcomes[-1:] != full[-1:] or not isinstance(
            outcomes[-1], OperatorNotice
        ):  # truncated before the unplugging
            tail = "" if whole_line else f" Line {lines} is torn, and was left out."
            assert notes(outcomes)[-1] == playback_reader.BROKEN_OFF + tail
    assert most == len([outcome for outcome in full if not isinstance(outcome, OperatorNotice)])


@pytest.mark.parametrize("recording", [*SAMPLES.values(), b"[]\n"], ids=[*SAMPLES, "none"])
def test_a_recording_that_was_played_lets_go_of_everything(recording: bytes, open_descriptors) -> None:
    before = open_descriptors()
    with contextlib.suppress(DriverError):
        play(recording)
    assert open_descriptors() == before


def test_the_first_letters_of_a_recording_are_no_scan(tmp_path: Path) -> None:
    for cut in range(2, len(MARK) + 5):
        path = tmp_path / "torn.rec"
        path.write_bytes(SAMPLES["serial_line"][:cut])
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": str(path)})
        assert "Expected what `wipline-station record` writes." in str(refused.value)


PCSC = head_line(CaptureHeader("pcsc", "r"))
KEYS = head_line(CaptureHeader("keyboard", "r"))
TIMES, OWN = f"a whole number from 0 to {TIME_MAX_NS}", "t and one of in, out, baud, lost, end"
WRONG = [
    (b"", 1, "the head is not whole", "a line that says what was recorded"),
    (b"\n", 1, "b'' came", "an object of JSON"),
    (b"[]\n", 1, "b'[]' came", "an object of JSON"),
    (HEAD.replace(b":1", b":2", 1), 1, "its form is 2", "1, which this software reads"),
    (HEAD.replace(b":1", b":true", 1), 1, "its form is True", "1, which this software reads"),
    (b'{"recording":1}\n', 1, "{'recording': 1} came", "recording, kind, reader, settings and sw"),
    (HEAD.replace(b"serial_line", b"replay"), 1, "kind is 'replay'", f"one of {', '.join(EVENTS)}"),
    (HEAD.replace(b"{}", b'{"baud":1}'), 1, "settings is {'baud': 1}", "at most profile, opened_ns"),
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
def test_an_error_is_reported_with_its_line(
    tmp_path: Path, recording: bytes, line: int, came: str, expected: str
) -> None:
    why = f"Line {line} of the recording: {came}; expected {expected}."
    with pytest.raises(CaptureError) as wrong:
        lines_of(recording)
    assert str(wrong.value) == why
    path = tmp_path / "case.rec"
    path.write_bytes(recording)
    if is_recording(recording):
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": str(path)})
        assert refused.value.came == why


def test_line_file_time_and_name_are_bounded() -> None:
    longest = b'{"t":1,"in":""}'
    longest = longest[:-1] + b" " * (LINE_MAX_BYTES - len(longest)) + b"}"
    assert len(lines_of(HEAD + longest + b"\n")) == 2
    with pytest.raises(
        CaptureError, match=r"^Line 2 of the recording: it goes on; expected at most 524288 bytes in a line"
    ):
        lines_of(HEAD + longest + b" \n")
    filler = event_line(CaptureEvent(1, "in", bytes(50_000)))
    count, rest = divmod(FILE_MAX_BYTES - len(HEAD), len(filler))
    reader = CaptureReader()
    list(reader.feed(HEAD))
    for _ in range(count):
        list(reader.feed(filler))
    list(reader.feed(b" " * rest))
    with pytest.raises(CaptureError, match=rf"the recording goes on; expected at most {FILE_MAX_BYTES} bytes\.$"):
        list(reader.feed(b" "))
    assert len(lines_of(HEAD + event_line(CaptureEvent(TIME_MAX_NS, "in", bytes(BYTES_MAX))))) == 2
    for event in (CaptureEvent(TIME_MAX_NS + 1, "in", b""), CaptureEvent(1, "in", bytes(BYTES_MAX + 1))):
        with pytest.raises(CaptureError):
            lines_of(HEAD + event_line(event) + HEAD)
    head_line(CaptureHeader("serial_line", "n" * NAME_MAX_CHARS))
    for wrong in ("n" * (NAME_MAX_CHARS + 1), "n\n"):
        with pytest.raises(CaptureError):
            head_line(CaptureHeader("serial_line", wrong))
    with pytest.raises(CaptureError):
        head_line(CaptureHeader("keyboard", "r", {"profile": {"prefix": 7}}))


def test_a_capture_is_distinguished_from_a_list_of_scans() -> None:
    assert not is_recording(b'{"order": 7}')
    assert not is_recording(b"{")
    assert is_recording(MARK)
