"""One reader's thread: what it shows of itself is kept, stored scans wait in order, and it may turn out another kind."""

import json
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers import DeviceLost, DriverError, Dropped, Known, Note, Read
from station import reading as module
from station.answers import TOO_FAST, Answer, Notice, Red
from station.inbox import Inbox
from station.pupil import FORGET_IT
from station.reading import Desk, Reading, Wanted
from station.roll import Roll
from station.signals.reader import Beeps
from station.stored import MS
from station.taught import Lesson, Taught
from tests.station.scan_room import a_read, until

SHEET = Known("keyboard", "usb-1", 5, ("The layout is de.", "GS comes as Ctrl+]."), json.dumps({"layout": "de"}))


class Scanner:
    """A reader in a test's hand; it can be taught."""

    kind = "keyboard"
    lossless = False

    def __init__(self, kind: str = "keyboard") -> None:
        self.kind, self.reader = kind, "usb-1"
        self.says: queue.Queue[Any] = queue.Queue()
        self.taught: list[tuple[int, str | None]] = []

    def teach(self, sheets: Any, profile: str | None) -> None:
        self.taught.append((len(sheets), profile))

    def reads(self) -> Iterator[Any]:
        while (said := self.says.get()) is not None:
            if said == "lost":
                raise DeviceLost(came="Unplugged.", expected="A plug.", do="Plug it in.")
            yield said

    def close(self) -> None:
        self.says.put(None)


class Station:
    """A desk, and the scanners that are opened one after the other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *scanners: Scanner, room: int = 64) -> None:
        self.inbox: Inbox[Any] = Inbox(room)
        self.said: list[Answer] = []
        self.logged: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.roll = Roll(lambda *_a, **_f: None, lambda: None)
        self.taught = Taught(folder / "readers.json")
        log = lambda what, **_: self.logged.append(what)  # noqa: E731 - a port
        self.desk = Desk(
            self.inbox, self.said.append, log, self.roll, Beeps(log), self.taught, lambda _: None, lambda *_: None
        )
        given = iter(scanners)

        def open_driver(kind: str, settings: Mapping[str, str | None]) -> Scanner:
            self.asked.append((kind, settings.get("listen")))
            scanner = next(given, None)
            if scanner is None:
                raise DriverError(came="It is gone.", expected="A plug.", do="Plug it in.")
            return scanner

        monkeypatch.setattr(module, "open_driver", open_driver)
        monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)

    def reads(self, *, listen: bool = False, kind: str = "keyboard") -> Reading:
        evidence = ("It looks like a person's keyboard.", "usb 1a86:5723")
        reading = Reading(
            Wanted("event3", kind, {"listen": "yes" if listen else None}, None, listen, evidence), self.desk
        )
        reading.start()
        return reading

    def state(self) -> list[str]:
        return [each.state for each in self.roll.lines()]


def test_what_a_device_has_shown_is_kept_and_told_to_it_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Scanner(), Scanner()
    station = Station(tmp_path, monkeypatch, first, second)
    reading = station.reads(listen=True)
    until(lambda: station.state() == ["listening"])
    assert first.taught == [(2, None)]
    first.says.put(SHEET)
    until(lambda: station.state() == ["ready"])
    assert station.taught.of("usb-1") == Lesson(profile={"layout": "de"}, words="The layout is de. GS comes as Ctrl+].")
    (line,) = station.roll.lines()
    assert (line.evidence, line.taught, line.mend) == (
        (*SHEET.evidence, "usb 1a86:5723"), "The layout is de. GS comes as Ctrl+].", FORGET_IT.format("usb-1"),
    )  # fmt: skip
    first.says.put("lost")
    until(lambda: second.taught != [])
    assert second.taught == [(2, '{"layout": "de"}')]
    reading.close()


def test_a_device_that_was_only_listened_to_leaves_no_line_when_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner)
    reading = station.reads(listen=True)
    until(lambda: station.state() == ["listening"])
    reading.wanted.gone.set()
    scanner.says.put("lost")
    until(lambda: station.state() == [])
    reading.close()


def test_a_device_that_never_could_be_opened_leaves_no_line_when_it_is_pulled_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(tmp_path, monkeypatch)
    reading = station.reads()
    until(lambda: station.state() == ["waiting"])
    reading.wanted.gone.set()
    reading.knock()
    until(lambda: station.state() == [])


def test_a_reader_that_was_tried_in_vain_before_udev_said_that_it_is_gone_stays_lost_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner)
    reading = station.reads()
    scanner.says.put("lost")
    until(lambda: station.state() == ["waiting"])
    assert [each.id for each in station.roll.lines()] == ["usb-1"]
    reading.wanted.gone.set()
    reading.knock()
    until(lambda: station.state() == ["lost"])
    (line,) = station.roll.lines()
    assert (line.id, line.why) == ("usb-1", "Unplugged. A plug. Plug it in.")


def test_a_device_that_was_pulled_out_is_not_tried_again_at_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Scanner(), Scanner()
    station = Station(tmp_path, monkeypatch, first, second, Scanner())
    pulled = Reading(Wanted("event3", "keyboard", {}, names=("usb-1",)), station.desk)
    pulled.start()
    until(lambda: station.state() == ["ready"])
    first.says.put("lost")
    until(lambda: station.state() == ["lost"])
    pulled.knock()  # something else was plugged in
    assert not until_or_not(lambda: len(station.asked) > 1, within_s=0.2)
    pulled.wanted.gone.set()
    assert not until_or_not(lambda: len(station.asked) > 1, within_s=0.2)
    monkeypatch.setattr(module, "UNPLUGGED_S", 0.01)  # udev says nothing: it was lost for another reason
    stays = Reading(Wanted("event4", "keyboard", {}, names=("usb-1",)), station.desk)
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


def test_a_port_that_turns_out_a_scanner_is_opened_again_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rfid, line = Scanner("serial_rfid"), Scanner("serial_line")
    station = Station(tmp_path, monkeypatch, rfid, line)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 60)  # its operator was told to scan again, and does
    reading = station.reads(listen=True, kind="serial_rfid")
    rfid.says.put(Known("serial_line", "usb-1", 5, ("It names the kind of code.",), '{"aim": true}'))
    until(lambda: line.taught != [])
    assert (station.asked, line.taught) == ([("serial_rfid", "yes"), ("serial_line", None)], [(2, '{"aim": true}')])
    until(lambda: [(each.kind, each.state) for each in station.roll.lines()] == [("serial_line", "ready")])
    assert [type(each) for each in station.said] == [Notice]
    assert station.said[0].text == "This scanner is set up now. Scan again to try it."
    reading.close()


def test_a_reader_that_fails_while_it_is_taught_is_closed_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Scanner(), Scanner()
    closed: list[Scanner] = []

    def fails(*_: object) -> None:
        msg = "no memory for a layout"
        raise OSError(msg)

    monkeypatch.setattr(first, "teach", fails)
    monkeypatch.setattr(first, "close", lambda: closed.append(first))
    station = Station(tmp_path, monkeypatch, first, second)
    reading = station.reads()
    until(lambda: station.state() == ["ready"])
    assert closed == [first]
    reading.close()


def test_a_reader_that_opens_and_is_lost_at_once_for_ever_is_tried_with_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanners = [Scanner() for _ in range(100)]
    for scanner in scanners:
        scanner.says.put("lost")
    station = Station(tmp_path, monkeypatch, *scanners)
    reading = station.reads()
    time.sleep(0.5)  # 0.01 + 0.02 + 0.04 + 0.08 + 0.16 and the next one
    reading.close()
    assert 3 <= len(station.asked) <= 7
    monkeypatch.setattr(module, "LASTED_S", 0.0)
    reading = station.reads()
    until(lambda: len(station.asked) > 30)
    reading.close()


def test_a_note_is_amber_without_a_number_at_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner)
    reading = station.reads()
    scanner.says.put(Note("keyboard", "usb-1", 5, "The sheet was read in half. Scan it again."))
    until(lambda: station.said != [])
    assert station.said == [Notice("card", "The sheet was read in half. Scan it again.")]
    assert station.said[0].reader == "usb-1"
    reading.close()


def test_stored_scans_wait_in_their_order_and_no_other_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner, room=8)
    reading = station.reads()
    for number in range(200):
        raw = b"WO-%d" % number
        scanner.says.put(Read(raw, None, "keyboard", "usb-1", 10**9 + number * 40 * MS, len(raw)))
    until(lambda: len(reading._spool) >= 190)
    taken = [station.inbox.take(5) for _ in range(200)]
    assert [read.raw for read in taken] == [b"WO-%d" % number for number in range(200)]
    assert [read.since_ns for read in taken] == [None] * 3 + [0] * 197
    assert station.said == []
    reading.close()
    reading.drained(time.monotonic() + 5)


def test_scans_by_hand_that_find_no_room_are_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner, room=1)
    reading = station.reads()
    for number in range(2):
        scanner.says.put(a_read(b"WO-%d" % number, 10 + number, kind="keyboard", reader="usb-1"))
    until(lambda: station.said != [])
    assert station.said == [Red("not_saved", TOO_FAST)]
    reading.close()


@pytest.mark.parametrize(("kind", "tag"), [("replay", False), ("serial_rfid", True)])
def test_a_pipe_and_a_field_full_of_tags_are_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, tag: bool
) -> None:
    scanner = Scanner(kind)
    station = Station(tmp_path, monkeypatch, scanner)
    reading = station.reads(kind=kind)
    for number in range(20):
        raw = b"04A1B2%02X" % number
        scanner.says.put(Read(raw, None, kind, "usb-1", 10**9 + number * MS, len(raw), tag=tag))
    assert [station.inbox.take(5).since_ns for _ in range(20)] == [None] * 20
    reading.close()


def test_scans_that_a_device_loses_by_the_thousand_are_each_red_and_logged_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner, room=4000)
    reading = station.reads()
    for _ in range(3000):
        scanner.says.put(Dropped("keyboard", "usb-1", 5, "The scanner spoke of 70 bytes in a report with room for 56."))
    taken = [station.inbox.take(5) for _ in range(3000)]
    assert {type(each) for each in taken} == {Dropped}
    assert station.logged == ["a reader lost a scan"]
    reading.close()


def test_a_scanner_that_looks_at_the_sheet_for_hours_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner()
    station = Station(tmp_path, monkeypatch, scanner)
    reading = station.reads()
    for _ in range(100):
        scanner.says.put(SHEET)
    scanner.says.put(replace(SHEET, evidence=("The layout is fr.",), profile='{"layout": "fr"}'))
    scanner.says.put(a_read())
    assert station.inbox.take(5).raw == a_read().raw
    assert station.logged == ["a reader has shown what it is"] * 2
    reading.close()


def test_what_cannot_be_kept_is_logged_and_the_reader_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner()
    station = Station(tmp_path / "missing", monkeypatch, scanner)
    reading = station.reads()
    scanner.says.put(SHEET)
    scanner.says.put(a_read())
    assert station.inbox.take(5).raw == a_read().raw
    assert "what a reader was taught cannot be kept" in station.logged
    reading.close()
