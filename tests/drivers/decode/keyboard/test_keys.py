"""Decoding the key events of a wedge scanner: complete streams, broken ones, and silences."""

import hashlib
import random
import tracemalloc

import pytest
from evdev import ecodes
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.keyboard.keymap import US, control
from drivers.decode.keyboard.keys import KeyEvent, TypedScan, WedgeDecoder
from drivers.decode.scan import MAX_RAW_BYTES, Scan
from tests.drivers.fixtures.key_events import (
    ALT,
    ALT_GR,
    ENTER,
    LEFT_CONTROL,
    LOST,
    PRINTABLE,
    decode,
    hold,
    key,
    press,
    texts,
    timed,
)

CAPS, KEYPAD_ENTER, RIGHT_SHIFT, RIGHT_CONTROL = 58, 96, 54, 97


def test_every_printable_character_is_typed(strike):
    assert texts(decode(WedgeDecoder(), timed(strike(PRINTABLE + "\n")))) == [PRINTABLE]


def test_the_table_agrees_with_the_kernels_names_of_the_keys():
    for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
        code = ecodes.ecodes[f"KEY_{char}"]
        assert US.plain[code] == char.lower()
        assert US.shifted[code] == (char if char.isalpha() else ")!@#$%^&*("[int(char)])
    named = {"MINUS": "-_", "EQUAL": "=+", "LEFTBRACE": "[{", "RIGHTBRACE": "]}", "SEMICOLON": ";:", "APOSTROPHE": "'\"",
             "GRAVE": "`~", "BACKSLASH": "\\|", "COMMA": ",<", "DOT": ".>", "SLASH": "/?", "SPACE": "  ",
             "KPASTERISK": "**", "KPMINUS": "--", "KPPLUS": "++", "KPDOT": "..", "KPSLASH": "//"}  # fmt: skip
    for name, (alone, shifted) in named.items():
        code = ecodes.ecodes[f"KEY_{name}"]
        assert (US.plain[code], US.shifted[code]) == (alone, shifted)
    assert [US.plain[ecodes.ecodes[f"KEY_KP{digit}"]] for digit in range(10)] == list("0123456789")


@pytest.mark.parametrize("terminator", [28, KEYPAD_ENTER, 15])
def test_enter_keypad_enter_and_tab_end_a_scan(strike, terminator):
    events = timed([*strike("4006381333931"), *press(terminator)])
    assert decode(WedgeDecoder(), events) == [TypedScan(Scan(b"4006381333931", 13, None), events[-2].time_ns)]


def test_only_key_down_types():
    events = [key(30), key(30, 2), key(30, 2), key(30, 0), key(31, 0), key(32, 2), *ENTER]
    assert texts(decode(WedgeDecoder(), timed(events))) == ["a"]


@pytest.mark.parametrize("shift", [42, RIGHT_SHIFT])
def test_either_shift_holds_until_it_is_released(shift):
    assert texts(decode(WedgeDecoder(), timed([*hold(shift, 30, 2), *press(30, 2), *ENTER]))) == ["A!a1"]


def test_one_shift_released_leaves_the_other():
    events = [key(42), key(54), key(42, 0), *press(30), key(54, 0), *press(30), *ENTER]
    assert texts(decode(WedgeDecoder(), timed(events))) == ["Aa"]


def test_caps_lock_turns_letters_alone_and_shift_turns_them_back():
    events = [*press(CAPS), *press(30, 2), *hold(42, 30, 2), *press(CAPS), *press(30), *ENTER]
    assert texts(decode(WedgeDecoder(), timed(events))) == ["A1a!a"]


def test_caps_lock_that_was_on_when_the_reader_was_opened_counts():
    assert texts(decode(WedgeDecoder(caps_lock=True), timed([*press(30), *press(CAPS), *press(30), *ENTER]))) == ["Aa"]


@pytest.mark.parametrize("ctrl", [LEFT_CONTROL, RIGHT_CONTROL])
def test_control_with_a_letter_or_bracket_is_its_control_byte(ctrl):
    for char in "abcdefghijklmnopqrstuvwxyz[\\]":
        code = next(code for code, typed in US.plain.items() if typed == char)
        (typed,) = decode(WedgeDecoder(), timed([*hold(ctrl, code), *ENTER]))
        assert typed.scan.raw == bytes([ord(char) & 0x1F])


def test_control_with_a_sign_is_its_control_byte():
    assert [control(char) for char in "^6_-@2 "] == ["\x1e", "\x1e", "\x1f", "\x1f", "\x00", "\x00", "\x00"]


def test_control_with_another_key_types_the_key():
    assert texts(decode(WedgeDecoder(), timed([*hold(LEFT_CONTROL, 3), *hold(LEFT_CONTROL, 59), *ENTER]))) == ["\x00"]
    assert texts(decode(WedgeDecoder(), timed([*hold(LEFT_CONTROL, 4), *ENTER]))) == ["3"]


def test_the_keypad_types_digits_with_and_without_num_lock():
    keypad = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73, 83]
    assert texts(decode(WedgeDecoder(), timed([*press(*keypad), *press(69), *press(*keypad), *press(96)]))) == [
        "0123456789." * 2
    ]


def test_alt_and_a_number_on_the_keypad_is_the_character_of_that_number():
    gs = hold(ALT, 82, 82, 80, 73)  # Alt+0029
    umlaut = hold(ALT, 82, 80, 80, 72)  # Alt+0228 in the code page of Windows
    old = hold(ALT, 79, 81, 80)  # Alt+132 in that of the PC
    assert texts(decode(WedgeDecoder(), timed([*gs, *umlaut, *old, *ENTER]))) == ["\x1dää"]


def test_alt_with_another_key_types_the_key():
    assert texts(decode(WedgeDecoder(), timed([*hold(ALT, 30), *hold(ALT_GR, 31), *ENTER]))) == ["as"]


def test_keys_without_text_are_no_part_of_a_scan():
    assert texts(decode(WedgeDecoder(), timed([*press(59, 103, 108, 125), *press(30), *press(113), *ENTER]))) == ["a"]


def test_events_that_are_no_keys_are_no_part_of_a_scan(strike):
    garbage = [(4, 4, 458756), (2, 0, 5), (17, 1, 1), (0, 1, 0), (3, 0, 9)]
    rng = random.Random(1)
    events = [event for struck in strike("WO-1042\n") for event in (*rng.sample(garbage, 2), struck)]
    assert texts(decode(WedgeDecoder(), timed(events, step_ms=0.1))) == ["WO-1042"]


def test_a_stream_of_scans_is_the_same_whole_and_key_by_key(strike):
    stream = ["WO-1042", "wip:in", "]C10104012345678901\x1d10a", '{"a": 1}', "x" * 300]
    events = timed([event for text in stream for event in strike(text + "\n")])
    assert texts(decode(WedgeDecoder(), events)) == stream
    assert texts(outcome for keys in [WedgeDecoder()] for event in events for outcome in keys.feed(event)) == stream


def test_a_scan_beyond_the_limit_is_cut_with_its_length_and_fingerprint(strike):
    text = "7" * (MAX_RAW_BYTES + 3)
    (typed,) = decode(WedgeDecoder(), timed(strike(text + "\n")))
    assert typed.scan == Scan(text[:MAX_RAW_BYTES].encode(), len(text), hashlib.sha256(text.encode()).hexdigest())


def test_a_minute_of_keys_without_an_end_costs_bounded_memory_and_the_next_scan_is_whole(strike):
    keys, flood = WedgeDecoder(), 60_000  # 1,000 keys a second for 60 s
    seven = [key(ecodes.KEY_7), key(ecodes.KEY_7, 0)]
    tracemalloc.start()
    begun = [decode(keys, timed(seven, start_ms=number)) for number in range(flood)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert begun == [[]] * flood
    assert keys.begun == flood
    assert peak - flood * 200 < 64 * 1024  # the memory of this test for each, and of the decoder for all
    (cut, whole) = decode(keys, timed([*press(ecodes.KEY_ENTER), *strike("WO-1042\n")], start_ms=flood))
    assert (len(cut.scan.raw), cut.scan.raw_len) == (MAX_RAW_BYTES, flood)
    assert whole.scan.raw == b"WO-1042"


def test_a_key_that_is_stuck_is_one_character(strike):
    stuck = [key(ecodes.KEY_7), *[key(ecodes.KEY_7, 2)] * 10_000, key(ecodes.KEY_7, 0)]
    assert texts(decode(WedgeDecoder(), timed([*stuck, *strike("1\n")], step_ms=0.05))) == ["71"]


EVENTS = st.builds(
    KeyEvent,
    st.one_of(st.sampled_from([0, 1]), st.integers(0, 0xFFFF)),
    st.one_of(st.sampled_from([0, 3, 15, 28, 29, 30, 42, 56, 58, 79, 82, 96]), st.integers(0, 0xFFFF)),
    st.one_of(st.sampled_from([0, 1, 2]), st.integers(-(2**31), 2**31 - 1)),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(EVENTS, max_size=60), st.booleans())
def test_no_event_raises_and_every_scan_is_within_the_limit(events, caps_lock):
    keys = WedgeDecoder(caps_lock=caps_lock)
    for event in events:
        for outcome in [*keys.feed(event), *keys.quiet(event.time_ns)]:
            if isinstance(outcome, TypedScan):
                assert 1 <= len(outcome.scan.raw) <= MAX_RAW_BYTES
            else:
                assert outcome.why == LOST
        assert keys.begun >= 0


@given(
    st.text(alphabet=PRINTABLE + "".join(map(chr, [*range(1, 9), *range(11, 13), *range(14, 27), 28, 29])), min_size=1)
)
def test_any_text_that_a_scanner_can_type_is_read_as_it_was_typed(text):
    from_layout = {char: (code, False) for code, char in US.plain.items()} | {
        char: (code, True) for code, char in US.shifted.items() if US.plain[code] != char
    }
    events = []
    for char in text:
        if char in PRINTABLE:
            code, shifted = from_layout[char]
            events += hold(42, code) if shifted else press(code)
        else:
            events += hold(LEFT_CONTROL, from_layout[chr(ord(char) | 0x40).lower()][0])
    assert texts(decode(WedgeDecoder(), timed([*events, *ENTER], step_ms=0.01))) == [text]
