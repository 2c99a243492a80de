"""Decoding with a profile, at the limits of everything that a profile may contain."""

import tracemalloc

import pytest

from drivers.decode.keyboard.keymap import BARE, US
from drivers.decode.keyboard.keys import EV_KEY, HAND_GAP_S, KeyEvent, TypedScan, WedgeDecoder
from drivers.decode.keyboard.profile import CAPS, GAP_MAX_MS, ScannerProfile
from drivers.decode.scan import MAX_RAW_BYTES
from drivers.platform import xkb
from tests.drivers.fixtures.key_events import (
    ALT,
    ALT_GR,
    ENTER,
    LEFT_CONTROL,
    decode,
    hold,
    key,
    last_press_ns,
    press,
    texts,
    timed,
)

SHIFT, CAPS_KEY, NUM_LOCK, SPACE, F8, DOWN = 42, 58, 69, 57, 66, 108
GERMAN, FRENCH = xkb.layout("de"), xkb.layout("fr")


def typed(events, layout=US, **profile):
    return texts(decode(WedgeDecoder(layout, ScannerProfile(**profile)), timed([*events, *ENTER])))


def test_altgr_types_the_third_level_and_ctrl_with_alt_does_the_same():
    assert typed(hold(ALT_GR, 16, 8, 86), GERMAN) == ["@{|"]
    assert typed([key(LEFT_CONTROL), *hold(ALT, 16, 8), key(LEFT_CONTROL, 0)], GERMAN) == ["@{"]
    assert typed([key(LEFT_CONTROL), *hold(ALT_GR, 10), key(LEFT_CONTROL, 0)], GERMAN) == ["\x1d"]  # Ctrl and ]


def test_a_dead_key_waits_for_the_next_one():
    circumflex, acute = 41, 13
    assert typed(press(circumflex, 18, circumflex, SPACE, circumflex, circumflex), GERMAN) == ["ê^^"]
    assert typed([*press(acute), *hold(SHIFT, 18), *press(acute, SPACE)], GERMAN) == ["É'"]
    assert typed(press(circumflex, 45, acute, circumflex, 30), GERMAN) == ["^x'â"]  # no composition exists
    assert typed(press(circumflex), GERMAN) == ["^"]  # no key after it
    assert typed([*press(circumflex), *hold(LEFT_CONTROL, 27)], GERMAN) == ["^\x1d"]
    assert typed([*press(circumflex), *hold(ALT, 82, 80, 73)], GERMAN) == ["^\x1d"]
    assert typed([*press(circumflex), *press(DOWN, 18)], GERMAN) == ["ê"]  # a key without text does not end it


def test_a_dead_key_alone_is_a_scan_once_it_is_quiet_and_none_of_the_next():
    keys = WedgeDecoder(GERMAN)
    assert decode(keys, timed(press(41))) == []
    assert keys.due_ns == int(HAND_GAP_S * 1e9)
    assert texts(decode(keys, timed([*press(18), *ENTER], start_ms=6000))) == ["^", "e"]


def test_dead_keys_may_stand_alone():
    assert typed(press(41, 18, 13, 41), GERMAN, dead="alone") == ["^e'^"]


def test_a_control_character_is_decoded_from_its_chord():
    for layout in (US, GERMAN, FRENCH):
        assert (
            typed([*press(30), *hold(LEFT_CONTROL, 27)], layout)[0][1:] == "\x1d"
        )  # ] by its place, without a profile
        assert typed(press(F8, DOWN), layout, control={"GS": "F8", "RS": "Down"}) == ["\x1d\x1e"]
        assert typed(hold(LEFT_CONTROL, 7), layout, control={"RS": "Ctrl+6"}) == ["\x1e"]
        assert typed(hold(ALT, 79, 80), layout, control={"EOT": "Alt+12"}) == ["\x04"]
    assert typed([*press(F8), *hold(SHIFT, F8)], control={"GS": "F8"}) == ["\x1d"]  # another chord has no text
    assert typed([*press(CAPS_KEY), *press(F8)], control={"GS": "F8"}) == ["\x1d"]  # Caps Lock is not part of a chord


def test_num_lock_and_the_keypad_change_nothing_on_any_layout():
    for layout in (US, GERMAN, FRENCH, BARE):
        assert typed([*press(79, 82, 83), *press(NUM_LOCK), *press(79, 82, 83, NUM_LOCK)], layout) == ["10.10."]


@pytest.mark.parametrize(
    ("caps", "read"),
    [("obeyed", "aAAa1"), ("ignored", "aAaA1"), ("inverted", "AaAa1"), ("upper", "AAAA1"), ("lower", "aaaa1")],
)
def test_what_caps_lock_does(caps, read):
    letters = [*press(30), *hold(SHIFT, 30)]
    assert typed([*letters, *press(CAPS_KEY), *letters, *press(2)], caps=caps) == [read]
    assert set(CAPS) == {"obeyed", "ignored", "inverted", "upper", "lower"}


def test_the_terminator_that_was_learned_ends_a_scan_and_no_other():
    stream = [*press(30, 15, 48), *ENTER, *press(46, 96), *press(32), *hold(LEFT_CONTROL, 36), *press(18)]
    ended = {
        "any": ["a", "b", "c", "d\ne"],
        "none": ["a", "b", "c", "d\ne"],
        "Enter": ["a\tb", "c\rd\ne"],
        "KeypadEnter": ["a\tb\rc", "d\ne"],
        "Tab": ["a", "b\rc\rd\ne"],
        "Ctrl+J": ["a\tb\rc\rd", "e"],
        "F8": ["a\tb\rc\rd\ne"],
        "Alt+029": ["a\tb\rc\rd\ne"],
    }
    for terminator, scans in ended.items():
        keys = WedgeDecoder(US, ScannerProfile(terminator=terminator))
        outcomes = decode(keys, timed(stream))
        assert texts([*outcomes, *keys.quiet(10**12)]) == scans, terminator
    keys = WedgeDecoder(US, ScannerProfile(terminator="Alt+029"))
    assert texts(decode(keys, timed([*press(30), *hold(ALT, 82, 80, 73)]))) == ["a"]


def test_the_keys_of_a_profile_beat_the_layout():
    keys = {"Q": "a", "Shift+Q": "A", "AltGr+E": "€", "[": "◌̂"}
    stream = [*press(16), *hold(SHIFT, 16), *hold(ALT_GR, 18), *press(26, 16, 26, SPACE, 17)]
    assert typed(stream, keys=keys) == ["aA€â^w"]
    assert typed(stream, layout=BARE, keys=keys) == ["aA€â^"]
    assert texts(decode(WedgeDecoder(US, ScannerProfile(layout="learned", keys=keys)), timed([*stream, *ENTER]))) == [
        "aA€â^"
    ]
    assert typed([*press(CAPS_KEY), *press(16)], keys=keys) == ["A"]


@pytest.mark.parametrize(
    "profile", [ScannerProfile(), ScannerProfile(prefix="a", suffix="b", dead="alone", control={"GS": "F8"})]
)
def test_a_flood_without_end_costs_bounded_memory(profile):
    keys = WedgeDecoder(GERMAN, profile)
    codes = [*range(2, 14), *range(16, 28), *range(30, 41), 41, 43, *range(44, 54), 57, 58, 69, 79, 42, 29, 56, 100]
    events = [
        KeyEvent(EV_KEY, code, value, number * 1000)
        for number, (code, value) in enumerate((code, value) for code in codes for value in (1, 0))
        if code not in (28, 96, 15)
    ]
    assert decode(keys, events * 80) == []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(600):
            decode(keys, events)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert keys.begun > MAX_RAW_BYTES
    assert grown < 16_384


def test_a_stuck_key_is_one_character():
    stuck = [key(30), *[key(30, 2)] * 50_000, key(30, 0)]
    assert typed(stuck) == ["a"]


@pytest.mark.parametrize(("gap_ms", "ends_ms"), [(0, 500), (125, 500), (126, 504), (GAP_MAX_MS, 2000)])
def test_a_scanner_that_pauses_is_waited_for_four_of_its_pauses(strike, gap_ms, ends_ms):
    keys = WedgeDecoder(US, ScannerProfile(gap_ms=gap_ms))
    events = timed(strike("WO-1"))
    decode(keys, events)
    assert keys.due_ns - last_press_ns(events) == ends_ms * 1_000_000


def test_typed_text_is_never_longer_than_its_limit():
    keys = WedgeDecoder(GERMAN, ScannerProfile(prefix="7", suffix="7"))
    events = timed([*press(8) * (MAX_RAW_BYTES + 3), *ENTER], step_ms=0.1)
    (outcomes,) = decode(keys, events)
    assert isinstance(outcomes, TypedScan)
    assert (outcomes.scan.raw_len, len(outcomes.scan.raw)) == (MAX_RAW_BYTES + 1, MAX_RAW_BYTES)
