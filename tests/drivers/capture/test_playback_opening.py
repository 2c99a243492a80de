"""A capture contains the opening of its reader: the rest of an earlier scan is dropped in playback as well."""

import pytest
from waiting import until

from drivers import Dropped, Read, boot_ns
from drivers.decode.capture_file import CaptureError, CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.capture_schema import TIME_MAX_NS
from drivers.platform.serial_ports import open_port
from drivers.serial_line import HEAD_LOST, SerialLine
from tests.drivers.fixtures.captures import StandingClock, bare, lines_of, play, record
from tests.drivers.fixtures.simulated_readers import Cable

MS = 1_000_000
END = event_line(CaptureEvent(9 * 1000 * MS, "end", True))


def a_recording(kind, *events, **settings):
    return head_line(CaptureHeader(kind, "r", settings)) + b"".join(event_line(event) for event in events) + END


@pytest.fixture
def cable():
    made = Cable()
    yield made
    made.hand_over()
    made.unplug()


@pytest.mark.parametrize(("ago_ms", "said"), [(0, [Dropped, Read]), (49, [Dropped, Read]), (50, [Read, Read])])
def test_what_was_red_at_the_bench_is_no_scan_when_it_is_played(cable, tmp_path, ago_ms, said):
    clock = StandingClock()
    opened_ns = clock.now_ns() - ago_ms * MS
    driver = SerialLine(open_port(cable.port, {}), opened_ns=opened_ns, hold=clock.hold)

    def hand(told):
        cable.send(b"42\r\n")
        until(lambda: len(told) == 1)
        cable.send(b"WO-7\r\n")
        until(lambda: len(told) == 2)

    take = record(driver, tmp_path / "case.rec", hand, clock.now_ns)
    replayed = play((tmp_path / "case.rec").read_bytes(), begun_ns=boot_ns())
    assert [type(outcome) for outcome in take.outcomes] == said
    assert bare(replayed) == bare(take.outcomes)
    (head, *_) = lines_of((tmp_path / "case.rec").read_bytes())
    assert head.settings["opened_ns"] == -ago_ms * MS


def test_a_scanner_with_flow_control_has_no_opening_time(cable, tmp_path):
    take = record(SerialLine(open_port(cable.port, {}), flow_control=True), tmp_path / "case.rec", lambda _told: None)
    assert take.outcomes == []
    assert lines_of((tmp_path / "case.rec").read_bytes())[0].settings == {"profile": {}}


TAIL = CaptureEvent(20 * MS, "in", b"42\r\n")


def test_a_recording_that_does_not_say_when_its_reader_was_opened_is_played_as_ever():
    assert [outcome.raw for outcome in play(a_recording("serial_line", TAIL))] == [b"42"]
    (lost,) = play(a_recording("serial_line", TAIL, opened_ns=-29 * MS))
    assert lost == Dropped("replay", "replay-x", 20 * MS, HEAD_LOST)
    assert [outcome.raw for outcome in play(a_recording("serial_line", TAIL, opened_ns=-30 * MS))] == [b"42"]


@pytest.mark.parametrize("kind", ["serial_line", "keyboard"])
@pytest.mark.parametrize("opened_ns", [1, -TIME_MAX_NS - 1, "soon", True])
def test_an_opening_that_cannot_be_is_refused(kind, opened_ns):
    a_recording(kind, opened_ns=0)
    a_recording(kind, opened_ns=-TIME_MAX_NS)
    with pytest.raises(CaptureError, match=r"opened_ns is .*; expected a whole number from -86400000000000 to 0\."):
        a_recording(kind, opened_ns=opened_ns)
