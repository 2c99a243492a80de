"""A recording says when its reader was opened: the rest of a scan that was red at the bench is no scan when it is played."""

import pytest
from waiting import until

from drivers import Dropped, Read, boot_ns
from drivers.decode.capture_file import CaptureError, CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.capture_schema import TIME_MAX_NS
from drivers.platform.serial_ports import open_port
from drivers.serial_line import HEAD_LOST, SerialLine
from tests.drivers.fixtures.captures import bare, lines_of, play, record
from tests.drivers.fixtures.simulated_readers import Cable

MS = 1_000_000
END = event_line(CaptureEvent(9 * 1000 * MS, "end", True))


def a_recording(kind, *events, **settings):
    return head_line(CaptureHeader(kind, "r", settings)) + b"".join(event_line(each) for each in events) + END


@pytest.fixture
def cable():
    made = Cable()
    yield made
    made.hand_over()
    made.unplug()


@pytest.mark.parametrize(("ago_ms", "said"), [(0, [Dropped, Read]), (59_000, [Dropped, Read]), (61_000, [Read, Read])])
def test_what_was_red_at_the_bench_is_no_scan_when_it_is_played(cable, tmp_path, monkeypatch, ago_ms, said):
    monkeypatch.setattr("drivers.serial_line.JOINED_S", 60.0)  # of a slow machine, as it were
    driver = SerialLine(open_port(cable.port, {}), opened_ns=boot_ns() - ago_ms * MS)

    def hand(told):
        cable.send(b"42\r\n")
        until(lambda: len(told) == 1)
        cable.send(b"WO-7\r\n")
        until(lambda: len(told) == 2)

    take = record(driver, tmp_path / "case.rec", hand)
    again = play((tmp_path / "case.rec").read_bytes(), begun_ns=boot_ns())
    assert [type(each) for each in take.said] == said
    assert bare(again) == bare(take.said)
    (head, *_) = lines_of((tmp_path / "case.rec").read_bytes())
    assert -(ago_ms + 10_000) * MS < head.settings["opened_ns"] <= -ago_ms * MS


def test_a_scanner_with_flow_control_says_nothing_of_its_opening(cable, tmp_path):
    take = record(SerialLine(open_port(cable.port, {}), flow_control=True), tmp_path / "case.rec", lambda _told: None)
    assert take.said == []
    assert lines_of((tmp_path / "case.rec").read_bytes())[0].settings == {"profile": {}}


TAIL = CaptureEvent(20 * MS, "in", b"42\r\n")


def test_a_recording_that_does_not_say_when_its_reader_was_opened_is_played_as_ever():
    assert [each.raw for each in play(a_recording("serial_line", TAIL))] == [b"42"]
    (lost,) = play(a_recording("serial_line", TAIL, opened_ns=-29 * MS))
    assert lost == Dropped("replay", "replay-x", 20 * MS, HEAD_LOST)
    assert [each.raw for each in play(a_recording("serial_line", TAIL, opened_ns=-30 * MS))] == [b"42"]


@pytest.mark.parametrize("kind", ["serial_line", "keyboard"])
@pytest.mark.parametrize("opened_ns", [1, -TIME_MAX_NS - 1, "soon", True])
def test_an_opening_that_cannot_be_is_refused(kind, opened_ns):
    a_recording(kind, opened_ns=0)
    a_recording(kind, opened_ns=-TIME_MAX_NS)
    with pytest.raises(CaptureError, match=r"opened_ns is .*; expected a whole number from -86400000000000 to 0\."):
        a_recording(kind, opened_ns=opened_ns)
