"""One reader's thread: what it shows of itself is kept, it is opened again with patience, and may turn out another kind."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from waiting import until

from drivers import ProfileLearned
from station.feedback.messages import Notice
from station.readers.device_access import ReaderPauses
from station.readers.enrolment import FORGET_IT
from station.readers.profile_store import ReaderProfile
from station.readers.reader_thread import ReaderSpec, ReaderThread
from tests.station.fixtures.reader_threads import SHEET, SHORT, Scanner, Station


def test_what_a_device_has_shown_is_kept_and_told_to_it_at_the_next_opening(tmp_path: Path) -> None:
    first, second = Scanner(), Scanner()
    station = Station(tmp_path, first, second)
    reading = station.reads(listen=True)
    until(lambda: station.state() == ["listening"])
    assert first.taught == [(2, None)]
    first.says.put(SHEET)
    until(lambda: station.state() == ["ready"])
    assert station.taught.of("usb-1") == ReaderProfile(
        profile={"layout": "de"}, words="The layout is de. GS comes as Ctrl+]."
    )
    (line,) = station.registry.lines()
    assert (line.evidence, line.taught, line.mend) == (
        (*SHEET.evidence, "usb 1a86:5723"), "The layout is de. GS comes as Ctrl+].", FORGET_IT.format("usb-1"),
    )  # fmt: skip
    first.says.put("lost")
    until(lambda: second.taught != [])
    assert second.taught == [(2, '{"layout": "de"}')]
    reading.close()


def test_a_device_that_was_only_listened_to_leaves_no_line_when_it_goes(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner)
    reading = station.reads(listen=True)
    until(lambda: station.state() == ["listening"])
    reading.spec.gone.set()
    scanner.says.put("lost")
    until(lambda: has_ended(reading))
    assert (station.state(), station.asked) == ([], [("keyboard", "yes")])


def test_a_device_that_never_could_be_opened_leaves_no_line_when_it_is_pulled_out(tmp_path: Path) -> None:
    station = Station(tmp_path)
    reading = station.reads()
    until(lambda: station.state() == ["waiting"])
    reading.spec.gone.set()
    reading.retry_now()
    until(lambda: has_ended(reading))
    assert station.state() == []


def has_ended(reading: ReaderThread) -> bool:
    """Whether its thread has ended by itself, and reports nothing more."""
    return not reading.thread.is_alive()


def test_a_reader_that_was_tried_in_vain_before_udev_said_that_it_is_gone_stays_lost_under_its_name(
    tmp_path: Path,
) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner)
    reading = station.reads()
    scanner.says.put("lost")
    until(lambda: station.state() == ["waiting"])
    assert [each.id for each in station.registry.lines()] == ["usb-1"]
    reading.spec.gone.set()
    reading.retry_now()
    until(lambda: station.state() == ["lost"])
    (line,) = station.registry.lines()
    assert (line.id, line.why) == ("usb-1", "Unplugged. A plug. Plug it in.")


def test_a_device_that_was_pulled_out_is_not_tried_again_at_its_node(tmp_path: Path) -> None:
    first, second = Scanner(), Scanner()
    station = Station(tmp_path, first, second, Scanner())
    pulled = ReaderThread(ReaderSpec("event3", "keyboard", {}, names=("usb-1",)), station.context)
    pulled.start()
    until(lambda: station.state() == ["ready"])
    first.says.put("lost")
    until(lambda: station.state() == ["lost"])
    pulled.retry_now()  # something else was plugged in
    assert not until_or_not(lambda: len(station.asked) > 1, within_s=0.2)
    pulled.spec.gone.set()
    assert not until_or_not(lambda: len(station.asked) > 1, within_s=0.2)
    devices = replace(
        station.context.devices, pauses=replace(SHORT, unplugged_s=0.01)
    )  # it was lost for another reason
    stays = ReaderThread(
        ReaderSpec("event4", "keyboard", {}, names=("usb-1",)), replace(station.context, devices=devices)
    )
    stays.start()
    until(lambda: len(station.asked) == 2)
    second.says.put("lost")
    until(lambda: len(station.asked) == 3)
    stays.close()


def until_or_not(true: Callable[[], bool], within_s: float) -> bool:
    """Whether it came true within so long."""
    end = time.monotonic() + within_s
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


def test_a_port_that_turns_out_a_scanner_is_opened_again_as_that(tmp_path: Path) -> None:
    rfid, line = Scanner("serial_rfid"), Scanner("serial_line")
    # Its operator has been asked to scan again, and must not wait.
    station = Station(tmp_path, rfid, line, pauses=ReaderPauses(first_s=60))
    reading = station.reads(listen=True, kind="serial_rfid")
    rfid.says.put(ProfileLearned("serial_line", "usb-1", 5, ("It names the kind of code.",), '{"aim": true}'))
    until(lambda: line.taught != [])
    assert (station.asked, line.taught) == ([("serial_rfid", "yes"), ("serial_line", None)], [(2, '{"aim": true}')])
    until(lambda: [(each.kind, each.state) for each in station.registry.lines()] == [("serial_line", "ready")])
    assert [type(each) for each in station.said] == [Notice]
    assert station.said[0].text == "This scanner is set up now. Scan again to try it."
    reading.close()


def test_a_reader_that_fails_while_it_is_taught_is_closed_said_and_tried_again(tmp_path: Path) -> None:
    closed: list[Scanner] = []

    class Failing(Scanner):
        def teach(self, _sheets: Any, _profile: str | None) -> None:
            msg = "no memory for a layout"
            raise OSError(msg)

        def close(self) -> None:
            closed.append(self)

    first, second = Failing(), Scanner()
    station = Station(tmp_path, first, second)
    reading = station.reads()
    until(lambda: station.state() == ["ready"])
    assert closed == [first]
    reading.close()


def test_a_reader_that_opens_and_is_lost_at_once_for_ever_is_tried_with_patience(tmp_path: Path) -> None:
    def lost_at_once() -> list[Scanner]:
        scanners = [Scanner() for _ in range(100)]
        for scanner in scanners:
            scanner.says.put("lost")
        return scanners

    station = Station(tmp_path, *lost_at_once())
    began_s = time.monotonic()
    reading = station.reads()
    until(lambda: len(station.asked) >= 6)
    assert time.monotonic() - began_s >= 0.01 + 0.02 + 0.04 + 0.08 + 0.16
    reading.close()
    station = Station(tmp_path, *lost_at_once(), pauses=replace(SHORT, lasted_s=0.0))
    reading = station.reads()
    until(lambda: len(station.asked) > 30)
    reading.close()
