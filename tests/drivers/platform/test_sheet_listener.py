"""An open device detects the setup sheet: it is grabbed, its profile is learned, and the sheet itself is decoded."""

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
    """A keyboard on a pipe, with events at given times."""

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
        """Write these events at their pace, a second after the events before."""
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


def test_an_unknown_keyboard_is_grabbed_when_it_has_typed_the_sheet(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    desk.type(typist.scan("WO-1042", **GERMAN).events)  # before the sheet nothing is read
    assert outcomes.nothing(0.8)
    assert desk.grabs == 0
    desk.type(typist.scan(SQUARE[0], **GERMAN).events)
    known = outcomes.next()
    assert isinstance(known, ProfileLearned)
    assert (known.kind, known.reader, desk.grabs) == ("keyboard", "usb-1", 1)
    assert profile_in(known.profile).layout == "de"
    assert any("German" in outcome or "de" in outcome for outcome in known.evidence), known.evidence
    assert outcomes.read().raw == SQUARE[0].encode()
    label = typist.scan("]C10109506000134352\x1d10AB-y_z", **GERMAN)
    desk.type(label.events)
    assert outcomes.read().raw == label.text.encode()


def test_two_bar_codes_are_learned_and_after_the_first_another_is_expected(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    desk.type(typist.scan(BARS[1], **GERMAN).events)
    note = outcomes.next()
    assert isinstance(note, OperatorNotice)
    assert note.text.endswith(".")
    assert desk.grabs == 0
    desk.type(typist.scan(BARS[0], **GERMAN).events)
    assert isinstance(outcomes.next(), ProfileLearned)
    assert outcomes.read().raw == BARS[0].encode()
    assert desk.grabs == 1


def test_a_scanner_that_is_read_already_is_learned_again_and_its_sheet_is_decoded(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    garbled = typist.scan("AZ-1", layout="fr")
    desk.type(garbled.events)
    assert outcomes.read().raw != b"AZ-1"
    desk.type(typist.scan(SQUARE[0], layout="fr").events)
    known = outcomes.next()
    assert isinstance(known, ProfileLearned)
    assert outcomes.read().raw == SQUARE[0].encode()
    desk.type(garbled.events)
    assert outcomes.read().raw == b"AZ-1"
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
    outcomes = listen(desk.driver)  # the keys of both are in the pipe
    assert isinstance(outcomes.next(), ProfileLearned)
    assert [outcomes.read().raw, outcomes.read().raw] == [SQUARE[0].encode(), label.text.encode()]


def test_a_caps_lock_led_that_was_on_before_the_grab_counts(typist, listen):
    desk = Desk(heard_only=True)
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    desk.type([KeyEvent(17, 1, 1, 0)])  # a person's Caps Lock, on another keyboard
    desk.type(typist.scan(SQUARE[0], turned=True, **GERMAN).events)
    known = outcomes.next()
    assert isinstance(known, ProfileLearned)
    assert profile_in(known.profile).caps == "obeyed"
    assert outcomes.read().raw == SQUARE[0].encode()
    desk.type(typist.scan("Wo-1042", turned=True, **GERMAN).events)
    assert outcomes.read().raw == b"Wo-1042"


def test_a_code_whose_signs_repeat_as_the_head_of_the_sheet_is_a_code_like_any_other(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    for code in ("AB1-CDEF1-GH-5", "AB1-CDEF1-GH-567890"):  # W I P : S E T U P : 2 D :
        desk.type(typist.scan(code, layout="us").events)
        assert outcomes.read().raw == code.encode()
        assert outcomes.nothing(0.7)


def test_half_a_sheet_teaches_nothing_and_is_kept_as_it_came(typist, listen):
    desk = Desk()
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    desk.type(typist.scan(SQUARE[0][:60], layout="us").events)
    assert outcomes.read().raw == SQUARE[0][:60].encode()
    note = outcomes.next()
    assert isinstance(note, OperatorNotice)
    assert note.text == "The sheet was read in half. Scan the setup sheet again, one code, the whole of it."


def test_what_was_learned_holds_at_the_next_opening_and_a_configured_layout_beats_it(typist, listen):
    learned = text_of(ScannerProfile(layout="fr", prefix="S1-"))
    desk = Desk()
    desk.driver.teach(SHEETS, learned)
    outcomes = listen(desk.driver)
    desk.type(typist.scan("S1-AZ-1", layout="fr").events)
    assert outcomes.read().raw == b"AZ-1"
    fixed = Desk(fixed_layout="de")
    fixed.driver.teach(SHEETS, learned)
    outcomes = listen(fixed.driver)
    fixed.type(typist.scan("S1-AZ-1", layout="de").events)
    assert outcomes.read().raw == b"AZ-1"


def test_a_device_that_another_program_took_meanwhile_is_lost_and_not_shared(typist, listen):
    desk = Desk(heard_only=True)

    def taken() -> None:
        raise OSError(16, "Device or resource busy")

    desk.driver._grab = taken
    desk.driver.teach(SHEETS, None)
    outcomes = listen(desk.driver)
    desk.type(typist.scan(SQUARE[0], **GERMAN).events)
    lost = outcomes.next()
    assert isinstance(lost, DriverError)
    assert outcomes.next() is None


@pytest.mark.parametrize("profile", ["{", '{"layout": 7}', '{"caps": "sideways"}'])
def test_a_profile_that_cannot_be_used_is_reported(profile):
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
        assert lessons.begun <= STROKES_MAX * EVENTS_A_STROKE
    later = number * MS + 10 * NS
    assert lessons.quiet(later, ended=False) is None
    lessons.feed(KeyEvent(0, 0, 0, later + MS), ended=False)
    assert lessons.begun == 1


# -- bytes


def until_heard(outcomes, send):
    """Send repeatedly until an outcome comes: a change of speed discards bytes."""
    for _ in range(40):
        send()
        try:
            return outcomes.next(0.5)
        except queue.Empty:
            continue
    pytest.fail("nothing was heard")


def on_line(cable, **how):
    return SerialLine(open_port(cable.port, {}), **how)


def test_a_serial_scanner_learns_its_prefix_and_suffix(cable, listen):
    driver = on_line(cable)
    driver.teach(SHEETS, None)
    outcomes = listen(driver)
    cable.send(b"S1-" + SQUARE[0].encode() + b"-X\r\n")
    known = outcomes.next()
    assert isinstance(known, ProfileLearned)
    assert (known.kind, dict_of(profile_in(known.profile))["prefix"]) == ("serial_line", "S1-")
    assert outcomes.read().raw == SQUARE[0].encode()
    cable.send(b"S1-WO-1042-X\r\n")
    assert outcomes.read().raw == b"WO-1042"


def test_what_a_serial_scanner_learned_holds_at_the_next_opening(cable, listen):
    driver = on_line(cable)
    driver.teach(SHEETS, text_of(ScannerProfile(prefix="S1-", control={"GS": "itself"})))
    outcomes = listen(driver)
    cable.send(b"S1-WO-1042\r\nWO-7\r\n")
    assert [outcomes.read().raw, outcomes.read().raw] == [b"WO-1042", b"WO-7"]


def test_on_an_unknown_port_a_scanner_is_identified_by_the_sheet(cable, listen):
    driver = SerialRfid(open_port(cable.port, {}))
    driver.teach(SHEETS, None)
    outcomes = listen(driver)
    known = until_heard(outcomes, lambda: cable.send(b"WO-1042\r\n" + SQUARE[0].encode() + b"\r\n"))
    assert isinstance(known, ProfileLearned)
    assert known.kind == "serial_line"


def test_on_an_unknown_port_a_tag_reader_is_identified_by_its_frames(cable, listen):
    driver = SerialRfid(open_port(cable.port, {}))
    driver.teach(SHEETS, None)
    outcomes = listen(driver)
    known = until_heard(outcomes, lambda: cable.send(id12("3C00CE754C")))
    assert isinstance(known, ProfileLearned)
    assert (known.kind, known.profile, known.evidence) == (
        "serial_rfid", None, ("It sends whole frames by itself as ID-12, RDM6300 does, at 9600 baud.",),
    )  # fmt: skip
    assert isinstance(outcomes.next(), Read)


def test_the_byte_detector_detects_only_the_sheet():
    detector = ByteSheetDetector(SHEETS)
    assert [detector.detect(raw) for raw in (b"WO-1042", b"WIP:SCRAP", b"", b"\xff" * 5000)] == [None] * 4
    assert detector.detect(b"xWIP:SETUP:2D:half") is not None


def test_a_scan_that_was_cut_stays_as_it_came():
    cut = Scan(b"S1-" + b"x" * 4293, 9000, "ab" * 32)
    assert trimmed(cut, ScannerProfile(prefix="S1-")) == cut
    assert trimmed(Scan(b"S1-WO", 5, None), ScannerProfile(prefix="S1-")) == Scan(b"WO", 2, None)
