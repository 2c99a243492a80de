"""An open device hears the setup sheet: it is taken, what it sends is learned, and the sheet itself is read as it stands."""

import os
import queue
import time

import pytest

from drivers import DriverError, OperatorNotice, ProfileLearned, Read
from drivers.decode.keyboard.keys import KeyEvent
from drivers.decode.keyboard.profile import ScannerProfile, dict_of, profile_in, text_of
from drivers.decode.scan import Scan
from drivers.decode.setup_sheet.sheet_learning import STROKES_MAX
from drivers.keyboard import EVENT, Keyboard, KeyboardDevice
from drivers.platform.serial_ports import open_port
from drivers.platform.sheet_listener import EVENTS_A_STROKE, ByteSheetDetector, KeySheetListener, trimmed
from drivers.serial_line import SerialLine
from drivers.serial_rfid import SerialRfid
from tests.drivers.fixtures.simulated_readers import id12
from tests.drivers.fixtures.typing_scanners import BARS, SHEETS, SQUARE, Typist

MS = 1_000_000
NS = 1_000_000_000


class Desk:
    """A keyboard on a pipe; its events carry the times that they are given."""

    def __init__(self, *, heard_only: bool = False, caps_lock: bool = False, **how) -> None:
        self._read_end, self._write_end = os.pipe()
        self.grabs = 0
        device = KeyboardDevice(
            self._read_end,
            "USB Keyboard",
            lambda: os.close(self._read_end),
            caps_lock=caps_lock,
            stamped=True,
            grab=self._grab if heard_only else None,
        )
        self.driver = Keyboard(device, "usb-1", **how)
        self._at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def _grab(self) -> None:
        self.grabs += 1

    def type(self, events: list[KeyEvent]) -> None:
        """These events, as fast as they were typed, a second behind what came before."""
        self._at_ns = max(self._at_ns + NS, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        first = events[0].time_ns
        for event in events:
            at_ns = self._at_ns + event.time_ns - first
            os.write(self._write_end, EVENT.pack(at_ns // NS, at_ns % NS // 1000, *event[:3]))
        self._at_ns += events[-1].time_ns - first

    def unplug(self) -> None:
        os.close(self._write_end)


@pytest.fixture
def typist():
    one = Typist()
    yield one
    one.end()


GERMAN = {"layout": "de", "controls": "ctrl"}


def test_a_keyboard_nobody_knows_is_taken_once_it_has_typed_the_sheet(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    desk.type(typist.scan("WO-1042", **GERMAN).events)  # before it is known: whoever types, nothing is read
    assert heard.nothing(0.8)
    assert desk.grabs == 0
    desk.type(typist.scan(SQUARE[0], **GERMAN).events)
    known = heard.next()
    assert isinstance(known, ProfileLearned)
    assert (known.kind, known.reader, desk.grabs) == ("keyboard", "usb-1", 1)
    assert profile_in(known.profile).layout == "de"
    assert any("German" in each or "de" in each for each in known.evidence), known.evidence
    assert heard.read().raw == SQUARE[0].encode()
    label = typist.scan("]C10109506000134352\x1d10AB-y_z", **GERMAN)
    desk.type(label.events)
    assert heard.read().raw == label.said.encode()


def test_two_codes_of_bars_teach_it_and_the_first_says_that_another_is_to_come(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    desk.type(typist.scan(BARS[1], **GERMAN).events)
    note = heard.next()
    assert isinstance(note, OperatorNotice)
    assert note.text.endswith(".")
    assert desk.grabs == 0
    desk.type(typist.scan(BARS[0], **GERMAN).events)
    assert isinstance(heard.next(), ProfileLearned)
    assert heard.read().raw == BARS[0].encode()
    assert desk.grabs == 1


def test_a_scanner_that_is_read_already_learns_anew_and_its_sheet_is_no_garbled_item(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    garbled = typist.scan("AZ-1", layout="fr")
    desk.type(garbled.events)
    assert heard.read().raw != b"AZ-1"
    desk.type(typist.scan(SQUARE[0], layout="fr").events)
    known = heard.next()
    assert isinstance(known, ProfileLearned)
    assert heard.read().raw == SQUARE[0].encode()
    desk.type(garbled.events)
    assert heard.read().raw == b"AZ-1"
    assert desk.grabs == 0


@pytest.mark.parametrize("heard_only", [False, True])
def test_a_scan_behind_a_sheet_that_only_silence_ended_keeps_its_first_key_where_we_are_late(
    typist, listen, heard_only
):
    desk = Desk(heard_only=heard_only)
    desk.driver.teach(SHEETS, None)
    desk.type(typist.scan(SQUARE[0], **GERMAN, ends=[]).events)
    label = typist.scan("WO-1042", **GERMAN, ends=[])
    desk.type(label.events)
    heard = listen(desk.driver)  # the keys of both have waited
    assert isinstance(heard.next(), ProfileLearned)
    assert [heard.read().raw, heard.read().raw] == [SQUARE[0].encode(), label.said.encode()]


def test_a_caps_lock_lamp_that_was_lit_while_it_was_only_heard_counts_once_it_is_read(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    desk.type([KeyEvent(17, 1, 1, 0)])  # a person's Caps Lock, on another keyboard
    desk.type(typist.scan(SQUARE[0], turned=True, **GERMAN).events)
    known = heard.next()
    assert isinstance(known, ProfileLearned)
    assert profile_in(known.profile).caps == "obeyed"
    assert heard.read().raw == SQUARE[0].encode()
    desk.type(typist.scan("Wo-1042", turned=True, **GERMAN).events)
    assert heard.read().raw == b"Wo-1042"


def test_a_code_whose_signs_repeat_as_the_head_of_the_sheet_is_a_code_like_any_other(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    for code in ("AB1-CDEF1-GH-5", "AB1-CDEF1-GH-567890"):  # W I P : S E T U P : 2 D :
        desk.type(typist.scan(code, layout="us").events)
        assert heard.read().raw == code.encode()
        assert heard.nothing(0.7)


def test_half_a_sheet_teaches_nothing_and_is_kept_as_it_came(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    desk.type(typist.scan(SQUARE[0][:60], layout="us").events)
    assert heard.read().raw == SQUARE[0][:60].encode()
    note = heard.next()
    assert isinstance(note, OperatorNotice)
    assert note.text == "The sheet was read in half. Scan the setup sheet again, one code, the whole of it."


def test_what_was_learned_holds_at_the_next_opening_and_a_configured_layout_beats_it(typist, listen):
    learned = text_of(ScannerProfile(layout="fr", prefix="S1-"))
    desk = Desk()
    desk.driver.teach(SHEETS, learned)
    heard = listen(desk.driver)
    desk.type(typist.scan("S1-AZ-1", layout="fr").events)
    assert heard.read().raw == b"AZ-1"
    said = Desk(fixed_layout="de")
    said.driver.teach(SHEETS, learned)
    heard = listen(said.driver)
    said.type(typist.scan("S1-AZ-1", layout="de").events)
    assert heard.read().raw == b"AZ-1"


def test_a_device_that_another_program_took_meanwhile_is_lost_and_not_shared(typist, listen):
    desk = Desk(heard_only=True)

    def taken() -> None:
        raise OSError(16, "Device or resource busy")

    desk.driver._grab = taken
    desk.driver.teach(SHEETS, None)
    heard = listen(desk.driver)
    desk.type(typist.scan(SQUARE[0], **GERMAN).events)
    lost = heard.next()
    assert isinstance(lost, DriverError)
    assert heard.next() is None


@pytest.mark.parametrize("profile", ["{", '{"layout": 7}', '{"caps": "sideways"}'])
def test_a_profile_that_cannot_be_used_is_said(profile):
    desk = Desk()
    with pytest.raises(DriverError, match="The reader's profile cannot be used") as caught:
        desk.driver.teach(SHEETS, profile)
    assert caught.value.do == "Have the station learn it again from the setup sheet."
    desk.driver.close()
    desk.unplug()


def test_the_keys_of_what_is_typed_are_bounded_and_gone_when_it_is_over():
    lessons = KeySheetListener(SHEETS, caps_lock=False)
    for number in range(3 * STROKES_MAX * EVENTS_A_STROKE):
        lessons.feed(KeyEvent(1, 30, 1 - number % 2, number * MS), ended=False)
        assert len(lessons._events) <= STROKES_MAX * EVENTS_A_STROKE
    later = number * MS + 10 * NS
    assert lessons.quiet(later, ended=False) is None
    lessons.feed(KeyEvent(0, 0, 0, later + MS), ended=False)
    assert len(lessons._events) == 1


# -- bytes


def until_heard(heard, send):
    """Send again and again: a port whose speed changes throws away what came before."""
    for _ in range(40):
        send()
        try:
            return heard.next(0.5)
        except queue.Empty:
            continue
    pytest.fail("nothing was heard")


def on_line(cable, **how):
    return SerialLine(open_port(cable.port, {}), **how)


def test_a_serial_scanner_learns_its_prefix_and_suffix(cable, listen):
    driver = on_line(cable)
    driver.teach(SHEETS, None)
    heard = listen(driver)
    cable.send(b"S1-" + SQUARE[0].encode() + b"-X\r\n")
    known = heard.next()
    assert isinstance(known, ProfileLearned)
    assert (known.kind, dict_of(profile_in(known.profile))["prefix"]) == ("serial_line", "S1-")
    assert heard.read().raw == SQUARE[0].encode()
    cable.send(b"S1-WO-1042-X\r\n")
    assert heard.read().raw == b"WO-1042"


def test_what_a_serial_scanner_learned_holds_at_the_next_opening(cable, listen):
    driver = on_line(cable)
    driver.teach(SHEETS, text_of(ScannerProfile(prefix="S1-", control={"GS": "itself"})))
    heard = listen(driver)
    cable.send(b"S1-WO-1042\r\nWO-7\r\n")
    assert [heard.read().raw, heard.read().raw] == [b"WO-1042", b"WO-7"]


def test_on_a_port_that_nobody_knows_a_scanner_shows_itself_by_the_sheet(cable, listen):
    driver = SerialRfid(open_port(cable.port, {}))
    driver.teach(SHEETS, None)
    heard = listen(driver)
    known = until_heard(heard, lambda: cable.send(b"WO-1042\r\n" + SQUARE[0].encode() + b"\r\n"))
    assert isinstance(known, ProfileLearned)
    assert known.kind == "serial_line"


def test_on_a_port_that_nobody_knows_a_tag_reader_shows_itself_by_its_frames(cable, listen):
    driver = SerialRfid(open_port(cable.port, {}))
    driver.teach(SHEETS, None)
    heard = listen(driver)
    known = until_heard(heard, lambda: cable.send(id12("3C00CE754C")))
    assert isinstance(known, ProfileLearned)
    assert (known.kind, known.profile, known.evidence) == (
        "serial_rfid", None, ("It sends whole frames by itself as ID-12, RDM6300 does, at 9600 baud.",),
    )  # fmt: skip
    assert isinstance(heard.next(), Read)


def test_an_ear_hears_only_the_sheet():
    detector = ByteSheetDetector(SHEETS)
    assert [detector.detect(raw) for raw in (b"WO-1042", b"WIP:SCRAP", b"", b"\xff" * 5000)] == [None] * 4
    assert detector.detect(b"xWIP:SETUP:2D:half") is not None


def test_a_scan_that_was_cut_stays_as_it_came():
    cut = Scan(b"S1-" + b"x" * 4293, 9000, "ab" * 32)
    assert trimmed(cut, ScannerProfile(prefix="S1-")) == cut
    assert trimmed(Scan(b"S1-WO", 5, None), ScannerProfile(prefix="S1-")) == Scan(b"WO", 2, None)
