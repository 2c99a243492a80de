"""What one reader was taught and has shown: under both its names, over a restart, and as its line says it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import until

from drivers import ProbeTimeout, ProfileLearned
from drivers.decode.detect.device_info import DeviceInfo, both_names
from drivers.decode.detect.device_policy import LEAVE_IT
from station.readers.device_access import ReaderPauses
from station.readers.enrolment import AGAIN, FORGET_IT
from station.readers.profile_store import ReaderProfile
from station.readers.reader_thread import ReaderSpec, ReaderThread
from tests.station.fixtures.reader_threads import Scanner, Station

ASKED = "This serial port is unknown, so it is asked with harmless questions and listened to, until a reader answers."
MEND = 'Is it a scanner? Scan the setup sheet with it, or name it: kind = "serial_line", match = "1a86:7523".'
PORT = DeviceInfo(
    "/dev/ttyUSB0", "Serial", 3, 0x1A86, 0x7523, "S1", "usb-1.2", types=False, points=False, subsystem="tty"
)
TWIN = replace(PORT, node="/dev/ttyUSB1", place="usb-1.3")


def listening(station: Station) -> ReaderThread:
    wanted = ReaderSpec(
        "ttyUSB0", "serial_rfid", {"listen": "yes"}, None, True, (ASKED, "usb 1a86:7523"), MEND, ("usb-1",)
    )
    reading = ReaderThread(wanted, station.context)
    reading.start()
    until(lambda: station.state() == ["listening"])
    return reading


def test_a_reader_that_has_answered_is_not_asked_whether_it_is_a_scanner(tmp_path: Path) -> None:
    scanner = Scanner("serial_rfid")
    station = Station(tmp_path, scanner)
    reading = listening(station)
    assert station.registry.lines()[0].mend == MEND
    scanner.says.put(
        ProfileLearned("serial_rfid", "usb-1", 5, ("It answers a question as M100 does, at 115200 baud.",))
    )
    until(lambda: station.state() == ["ready"])
    (line,) = station.registry.lines()
    assert line.evidence == ("It answers a question as M100 does, at 115200 baud.", "usb 1a86:7523")
    assert line.mend == LEAVE_IT
    reading.close()


def test_a_port_that_is_only_heard_any_more_says_why_and_what_to_do(tmp_path: Path) -> None:
    scanner = Scanner("serial_rfid")
    station = Station(tmp_path, scanner)
    reading = listening(station)
    scanner.says.put(ProbeTimeout("serial_rfid", "usb-1", 5, "It has answered nothing."))
    until(lambda: station.registry.lines()[0].why != "")
    (line,) = station.registry.lines()
    assert (line.state, line.why, line.mend) == ("listening", "It has answered nothing.", AGAIN.format(MEND))
    scanner.says.put(ProfileLearned("serial_rfid", "usb-1", 6, ("It sends whole frames by itself.",)))
    until(lambda: station.state() == ["ready"])
    (line,) = station.registry.lines()
    assert (line.why, line.mend) == ("", LEAVE_IT)
    reading.close()


def test_a_row_for_an_rfid_reader_that_the_sheet_made_a_scanner_is_one_after_a_restart_without_a_word(
    tmp_path: Path,
) -> None:
    rfid, line = Scanner("serial_rfid"), Scanner("serial_line")
    kinds = {"serial_rfid": rfid, "serial_line": line}
    station = Station(tmp_path, opens=lambda kind, _settings: kinds[kind], pauses=ReaderPauses(first_s=60))
    station.taught.keep("usb-1", ReaderProfile(profile={"prefix": "S1-"}, words="The prefix is S1-."))
    reading = station.reads(kind="serial_rfid")
    rfid.says.put(ProfileLearned("serial_line", "usb-1", 5, ("It has sent the setup sheet.",), '{"prefix": "S1-"}'))
    until(lambda: line.taught != [])
    assert rfid.taught == line.taught == [(2, '{"prefix": "S1-"}')]
    until(lambda: [(each.kind, each.state) for each in station.registry.lines()] == [("serial_line", "ready")])
    assert station.said == []  # its operator has nothing to try
    assert station.taught.of("usb-1") == ReaderProfile(profile={"prefix": "S1-"}, words="The prefix is S1-.")
    rfid.says.put(None)
    reading.close()


@pytest.mark.parametrize(
    ("taught_as", "opened_as", "there"),
    [
        ("usb-1a86-7523-S1", "usb-1a86-7523-at-usb-1.2", [PORT, TWIN]),
        ("usb-1a86-7523-at-usb-1.2", "usb-1a86-7523-S1", [PORT]),
    ],
)
def test_a_serial_scanner_of_a_row_is_known_with_and_without_its_twin(
    tmp_path: Path, taught_as: str, opened_as: str, there: list[DeviceInfo]
) -> None:
    scanner = Scanner("serial_line")
    scanner.reader = opened_as
    station = Station(tmp_path, scanner, ports=there)
    station.taught.keep(taught_as, ReaderProfile(profile={"prefix": "S1-"}, words="The prefix is S1-."))
    reading = station.reads(kind="serial_line")
    until(lambda: station.state() == ["ready"])
    assert [json.loads(profile or "null") for _, profile in scanner.taught] == [{"prefix": "S1-"}]
    (line,) = station.registry.lines()
    assert (line.taught, line.mend) == ("The prefix is S1-.", FORGET_IT.format(taught_as))
    reading.close()


def test_a_name_is_one_device_s_and_never_its_twin_s() -> None:
    assert both_names("usb-1a86-7523-at-usb-1.3", [PORT, TWIN]) == ("usb-1a86-7523-S1", "usb-1a86-7523-at-usb-1.3")
    assert both_names("usb-1a86-7523-S1", [PORT]) == ("usb-1a86-7523-S1", "usb-1a86-7523-at-usb-1.2")
    assert both_names("serial-/dev/ttyS0", [PORT, TWIN]) == ()
