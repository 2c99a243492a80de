"""A reader of which the lesson cannot be used is read in no other way: its scans are red, until it is taught anew."""

import json
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from drivers import DriverError, OperatorNotice, Outcome, ProfileLearned
from station.cli import capture
from station.config import StationConfig
from station.feedback.messages import Red
from station.readers.enrolment import UNUSABLE
from station.readers.profile_store import ProfileStore, ReaderProfile, beside
from station.readers.registry import OPEN_STATES, ReaderRegistry, to_heartbeat
from station.status import ReaderStatus
from tests.drivers.conftest import Wedge
from tests.station.fixtures.reader_threads import Scanner, Station
from tests.station.fixtures.scan_pipeline import a_read

WHY = UNUSABLE.format(
    "There is no keyboard layout 'xx'.",
    "Correct the reader's layout, or have the station learn it from the setup sheet.",
)


class Cordless(Scanner):
    """A fake scanner with another name, whose stored layout does not exist."""

    def __init__(self, kind: str = "keyboard") -> None:
        super().__init__(kind)
        self.reader = Wedge.reader

    def teach(self, sheets: Any, profile: str | None) -> None:
        super().teach(sheets, profile)
        if profile is not None:
            raise DriverError(
                came="There is no keyboard layout 'xx'.",
                expected="A name.",
                do="Correct the reader's layout, or have the station learn it from the setup sheet.",
            )


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ({"layout": "xx"}, WHY),
        (
            {"layout": "us", "caps": "sideways"},
            UNUSABLE.format(
                "The reader's profile cannot be used: The profile's 'caps' is 'sideways': expected one of obeyed, "
                "ignored, inverted, upper, lower.",
                "Have the station learn it again from the setup sheet.",
            ),
        ),
    ],
)
def test_a_scanner_that_cannot_be_read_as_it_was_taught_is_answered_red_and_shown_so(
    tmp_path: Path, profile: dict[str, str], why: str
) -> None:
    wedge = Wedge(tmp_path)
    station = Station(tmp_path, opens=lambda _kind, _settings: wedge.driver)
    station.taught.keep(wedge.reader, ReaderProfile(profile=profile, words="The layout is xx."))
    reading = station.reads()
    until(lambda: station.state() == ["refusing"])
    wedge.scan("wo-1042")
    refused = station.work_queue.next_work(5)
    assert (refused.why, refused.reader) == (why, wedge.reader)
    (line,) = station.registry.lines()
    assert (line.why, line.taught) == (why, "The layout is xx.")
    assert (to_heartbeat(line)["state"], to_heartbeat(line)["why"]) == ("refusing", why[:240])
    assert station.logged == ["a reader's profile cannot be used", "a reader lost a scan"]
    reading.close()
    wedge.unplug()


def test_what_it_is_taught_anew_is_read_at_once(tmp_path: Path) -> None:
    scanner = Cordless()
    station = Station(tmp_path, scanner)
    station.taught.keep(scanner.reader, ReaderProfile(profile={"layout": "xx"}))
    reading = station.reads()
    until(lambda: station.state() == ["refusing"])
    assert [profile for _, profile in scanner.taught] == ['{"layout": "xx"}', None]
    scanner.says.put(a_read(b"wrong", kind="keyboard", reader=scanner.reader))
    assert station.work_queue.next_work(5).why == WHY
    scanner.says.put(OperatorNotice("keyboard", scanner.reader, 5, "The sheet was read in half."))
    until(lambda: station.said != [])
    assert not any(isinstance(each, Red) for each in station.said)
    shown = ("The layout is learned.",)
    scanner.says.put(ProfileLearned("keyboard", scanner.reader, 5, shown, json.dumps({"layout": "learned"})))
    scanner.says.put(a_read(b"WO-1", 60, kind="keyboard", reader=scanner.reader))
    assert station.work_queue.next_work(5).raw == b"WO-1"
    (line,) = station.registry.lines()
    assert (line.state, line.why, line.evidence[:1]) == ("ready", "", shown)
    reading.close()


def test_a_reader_that_refuses_is_open_in_the_registry() -> None:
    registry = ReaderRegistry(lambda *_a, **_f: None, lambda: None)
    registry.update("event3.1", ReaderStatus("keyboard", "usb-1", "refusing", "why"))
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost"))  # the late word of its plug before
    assert [each.state for each in registry.lines()] == ["refusing"]
    assert "refusing" in OPEN_STATES


def test_a_recording_says_that_the_lesson_cannot_be_used_and_keeps_what_the_scanner_sends(tmp_path: Path) -> None:
    wedge = Wedge(tmp_path)
    config = StationConfig(station="saw-1", journal=str(tmp_path / "journal.db"), status=str(tmp_path / "status.json"))
    ProfileStore(beside(tmp_path / "journal.db")).keep(wedge.reader, ReaderProfile(profile={"layout": "xx"}))
    said = list[Outcome]()

    def scan_once_told(outcome: Outcome) -> None:
        said.append(outcome)
        if isinstance(outcome, OperatorNotice):
            wedge.scan("wo-1042")
        else:
            wedge.driver.close()

    options = capture.CaptureOptions(kind="keyboard")
    recording = capture.Capture(options, config, open_reader=lambda _kind, _settings: wedge.driver)
    made = recording.make(tmp_path / "x.rec", scan_once_told, 10)
    assert [each.text for each in said if isinstance(each, OperatorNotice)] == [WHY]
    assert (made.reader, made.scans) == (wedge.reader, 1)
    assert b'"key":[1,' in (tmp_path / "x.rec").read_bytes()
    wedge.unplug()
