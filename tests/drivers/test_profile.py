"""What a scanner types by its profile, at the edges of everything it may hold, and the profile in a file."""

import hashlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import xkb
from drivers.decode import chords
from drivers.decode.chords import Chord
from drivers.decode.keymap import BARE, US
from drivers.decode.keys import EV_KEY, HAND_GAP_S, KeyEvent, Keys, Typed
from drivers.decode.profile import (
    AFFIX_MAX_CHARS,
    CAPS,
    CONTROLS,
    DEAD,
    GAP_MAX_MS,
    NAMES_MAX,
    PROFILE_MAX_CHARS,
    Profile,
    dict_of,
    profile_in,
    profile_of,
    text_of,
)
from drivers.decode.scan import MAX_RAW_BYTES, Scan
from drivers.decode.trimmed import Trimmed, stripped
from tests.drivers.test_keys import ALT, ALT_GR, ENTER, LEFT_CONTROL, heard, hold, key, press, texts, timed

SHIFT, CAPS_KEY, NUM_LOCK, SPACE, F8, DOWN = 42, 58, 69, 57, 66, 108
GERMAN, FRENCH = xkb.layout("de"), xkb.layout("fr")


def typed(events, layout=US, **profile):
    return texts(heard(Keys(layout, Profile(**profile)), timed([*events, *ENTER])))


def test_altgr_types_the_third_level_and_ctrl_with_alt_does_the_same():
    assert typed(hold(ALT_GR, 16, 8, 86), GERMAN) == ["@{|"]
    assert typed([key(LEFT_CONTROL), *hold(ALT, 16, 8), key(LEFT_CONTROL, 0)], GERMAN) == ["@{"]
    assert typed([key(LEFT_CONTROL), *hold(ALT_GR, 10), key(LEFT_CONTROL, 0)], GERMAN) == ["\x1d"]  # Ctrl and ]


def test_a_dead_key_waits_for_the_next_one():
    circumflex, acute = 41, 13
    assert typed(press(circumflex, 18, circumflex, SPACE, circumflex, circumflex), GERMAN) == ["ê^^"]
    assert typed([*press(acute), *hold(SHIFT, 18), *press(acute, SPACE)], GERMAN) == ["É'"]
    assert typed(press(circumflex, 45, acute, circumflex, 30), GERMAN) == ["^x'â"]  # what does not go together
    assert typed(press(circumflex), GERMAN) == ["^"]  # nothing came after it
    assert typed([*press(circumflex), *hold(LEFT_CONTROL, 27)], GERMAN) == ["^\x1d"]
    assert typed([*press(circumflex), *hold(ALT, 82, 80, 73)], GERMAN) == ["^\x1d"]
    assert typed([*press(circumflex), *press(DOWN, 18)], GERMAN) == ["ê"]  # a key without text is none


def test_a_dead_key_alone_is_a_scan_once_it_is_quiet_and_none_of_the_next():
    keys = Keys(GERMAN)
    assert heard(keys, timed(press(41))) == []
    assert keys.due_ns == int(HAND_GAP_S * 1e9)
    assert texts(heard(keys, timed([*press(18), *ENTER], start_ms=6000))) == ["^", "e"]


def test_dead_keys_may_stand_alone():
    assert typed(press(41, 18, 13, 41), GERMAN, dead="alone") == ["^e'^"]


def test_control_characters_come_as_whatever_chord_stands_for_them():
    for layout in (US, GERMAN, FRENCH):
        assert typed([*press(30), *hold(LEFT_CONTROL, 27)], layout)[0][1:] == "\x1d"  # ] by its place, unlearned
        assert typed(press(F8, DOWN), layout, control={"GS": "F8", "RS": "Down"}) == ["\x1d\x1e"]
        assert typed(hold(LEFT_CONTROL, 7), layout, control={"RS": "Ctrl+6"}) == ["\x1e"]
        assert typed(hold(ALT, 79, 80), layout, control={"EOT": "Alt+12"}) == ["\x04"]
    assert typed([*press(F8), *hold(SHIFT, F8)], control={"GS": "F8"}) == ["\x1d"]  # another chord is none
    assert typed([*press(CAPS_KEY), *press(F8)], control={"GS": "F8"}) == ["\x1d"]  # Caps Lock is no part of a chord


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
        keys = Keys(US, Profile(terminator=terminator))
        told = heard(keys, timed(stream))
        assert texts([*told, *keys.quiet(10**12)]) == scans, terminator
    keys = Keys(US, Profile(terminator="Alt+029"))
    assert texts(heard(keys, timed([*press(30), *hold(ALT, 82, 80, 73)]))) == ["a"]


def test_the_keys_of_a_profile_beat_the_layout():
    keys = {"Q": "a", "Shift+Q": "A", "AltGr+E": "€", "[": "◌̂"}
    stream = [*press(16), *hold(SHIFT, 16), *hold(ALT_GR, 18), *press(26, 16, 26, SPACE, 17)]
    assert typed(stream, keys=keys) == ["aA€â^w"]
    assert typed(stream, layout=BARE, keys=keys) == ["aA€â^"]
    assert texts(heard(Keys(US, Profile(layout="learned", keys=keys)), timed([*stream, *ENTER]))) == ["aA€â^"]
    assert typed([*press(CAPS_KEY), *press(16)], keys=keys) == ["A"]


# Prefix and suffix

TRIMMED = [
    (b"S1-WO-1-E", b"WO-1"),
    (b"]C1S1-WO-1-E", b"]C1WO-1"),
    (b"S1-]C1WO-1-E", b"]C1WO-1"),
    (b"WO-1", b"WO-1"),
    (b"S1-S1-WO-E-E", b"S1-WO-E"),
    (b"WO-S1--E1", b"WO-S1--E1"),
    (b"S1-", b"S1-"),
    (b"-E", b"-E"),
    (b"S1", b"S1"),
    (b"x", b"x"),
]


@pytest.mark.parametrize(("raw", "rest"), TRIMMED)
def test_prefix_and_suffix_are_stripped_where_they_are_there(raw, rest):
    profile = Profile(prefix="S1-", suffix="-E")
    assert stripped(raw, profile) == rest
    for cut in range(1, len(raw) + 1):
        text = Trimmed(b"S1-", b"-E")
        for place in range(0, len(raw), cut):
            text.add(raw[place : place + cut])
        assert text.take() == Scan(rest, len(rest), None)
        assert text.take() is None


@given(st.binary(max_size=40), st.sampled_from([b"", b"a", b"ab"]), st.sampled_from([b"", b"b", b"ba"]))
def test_a_stream_is_stripped_as_the_whole_is(raw, prefix, suffix):
    text = Trimmed(prefix, suffix)
    for byte in raw:
        text.add(bytes([byte]))
    assert len(text) <= len(raw)
    scan = text.take()
    whole = stripped(raw, Profile(prefix=prefix.decode(), suffix=suffix.decode()))
    assert (scan.raw if scan else b"") == whole


@pytest.mark.parametrize("over", [0, 1, 3000])
def test_the_longest_label_is_whole_whatever_stands_round_it_and_longer_ones_are_cut(strike, over):
    prefix, suffix = "P" * AFFIX_MAX_CHARS, "S" * AFFIX_MAX_CHARS
    text = "7" * (MAX_RAW_BYTES + over)
    keys = Keys(US, Profile(prefix=prefix, suffix=suffix))
    (scan,) = [each.scan for each in heard(keys, timed(strike(prefix + text + suffix + "\n"), step_ms=0.1))]
    digest = hashlib.sha256(text.encode()).hexdigest() if over else None
    assert scan == Scan(text[:MAX_RAW_BYTES].encode(), len(text), digest)


@pytest.mark.parametrize("profile", [Profile(), Profile(prefix="a", suffix="b", dead="alone", control={"GS": "F8"})])
def test_a_flood_without_end_costs_bounded_memory(profile):
    keys = Keys(GERMAN, profile)
    codes = [*range(2, 14), *range(16, 28), *range(30, 41), 41, 43, *range(44, 54), 57, 58, 69, 79, 42, 29, 56, 100]
    events = [
        KeyEvent(EV_KEY, code, value, number * 1000)
        for number, (code, value) in enumerate((code, value) for code in codes for value in (1, 0))
        if code not in (28, 96, 15)
    ]
    assert heard(keys, events * 80) == []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(600):
            heard(keys, events)
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
    keys = Keys(US, Profile(gap_ms=gap_ms))
    heard(keys, timed(strike("WO-1")))
    last_ns = keys._last_ns
    assert keys.due_ns - last_ns == ends_ms * 1_000_000


# The file

CHORDS = st.one_of(
    st.builds(Chord, st.integers(1, 0x2FF), st.integers(0, 31).map(lambda mods: mods & ~chords.LOCKED), st.just("")),
    st.builds(Chord, st.just(0), st.just(chords.ALTED), st.from_regex(r"\A[0-9]{1,4}\Z")),
)


@given(CHORDS)
def test_a_chord_is_read_as_it_was_written(chord):
    assert chords.chord(chords.name(chord)) == chord


@pytest.mark.parametrize(
    "written", ["", "Ctrl+", "Strg+A", "a", "Alt+12345", "key", "key768", "Ctrl+Ctrl", "F25", "Alt+x"]
)
def test_what_is_no_chord_is_refused(written):
    with pytest.raises(ValueError, match="is no key: expected one as F8, Down"):
        chords.chord(written)


KEYS = st.builds(Chord, st.integers(1, 0x2FF), st.integers(0, 3), st.just(""))
PROFILES = st.builds(
    Profile,
    layout=st.sampled_from(["us", "ch(fr)", "learned"]),
    keys=st.dictionaries(KEYS.map(chords.name), st.text(min_size=1, max_size=2), max_size=5),
    dead=st.sampled_from(list(DEAD)),
    caps=st.sampled_from(list(CAPS)),
    control=st.dictionaries(st.sampled_from(list(CONTROLS)), CHORDS.map(chords.name)),
    prefix=st.text(max_size=AFFIX_MAX_CHARS),
    suffix=st.text(max_size=AFFIX_MAX_CHARS),
    terminator=st.one_of(st.sampled_from(["any", "none"]), CHORDS.map(chords.name)),
    aim=st.booleans(),
    gap_ms=st.integers(0, GAP_MAX_MS),
    alike=st.lists(st.text(max_size=5), max_size=3).map(tuple),
)


@given(PROFILES)
def test_a_profile_goes_through_json(profile):
    assert profile_in(text_of(profile)) == profile
    assert profile_of(json.loads(json.dumps(dict_of(profile)))) == profile
    Keys(US, profile)  # and can be used


WRONG = {
    "": "The profile is not JSON: Expecting value: line 1 column 1 (char 0).",
    "[]": "The profile is list: expected an object of names and values.",
    '{"lay": "de"}': "The profile's 'key' is 'lay': expected one of layout, keys,",
    '{"layout": null}': "The profile's 'layout' is None: expected a text.",
    '{"aim": 1}': "The profile's 'aim' is 1: expected true or false.",
    '{"gap_ms": true}': "The profile's 'gap_ms' is True: expected a whole number.",
    '{"gap_ms": 501}': "The profile's 'gap_ms' is 501: expected 0 to 500 milliseconds.",
    '{"caps": "off"}': "The profile's 'caps' is 'off': expected one of obeyed, ignored, inverted, upper, lower.",
    '{"dead": ""}': "The profile's 'dead' is '': expected one of composes, alone.",
    '{"control": {"FS": "F8"}}': "The profile's 'control' is 'FS': expected names out of GS, RS, EOT.",
    '{"control": {"GS": "F99"}}': "'F99' is no key: expected one as F8, Down, Ctrl+], AltGr+Q, Alt+029 or key110.",
    '{"control": ["GS"]}': "The profile's 'control' is ['GS']: expected a table of at most 512 texts.",
    '{"keys": {"A": 1}}': "The profile's 'keys' is {'A': 1}: expected a table of at most 512 texts.",
    '{"keys": {"nothing": "a"}}': "'nothing' is no key: expected one as F8,",
    '{"keys": {"Ctrl+A": "a"}}': "The profile's 'keys' is 'Ctrl+A': expected keys alone, with Shift or with AltGr.",
    '{"keys": {"A": "\\ud800"}}': "The profile's 'text' is '\\ud800': expected characters that UTF-8 has.",
    '{"prefix": "\\udfff"}': "The profile's 'text' is '\\udfff': expected characters that UTF-8 has.",
    '{"terminator": "CR"}': "'CR' is no key: expected one as F8,",
    '{"alike": "at"}': "The profile's 'alike' is 'at': expected a list of at most 512 texts.",
    '{"alike": [1]}': "The profile's 'alike' is [1]: expected a list of at most 512 texts.",
    "[" * 50_000: "The profile is not JSON: maximum recursion depth exceeded",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30])
def test_a_wrong_profile_says_what_is_wrong(text):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the sentence is compared below
        profile_in(text)
    assert str(wrong.value).startswith(WRONG[text])


def test_a_profile_has_its_limits_at_the_edge():
    for name in ("prefix", "suffix"):
        assert getattr(Profile(**{name: "x" * AFFIX_MAX_CHARS}), name)
        with pytest.raises(ValueError, match=f"The profile's '{name}' is '65 characters': expected at most 64."):
            Profile(**{name: "x" * (AFFIX_MAX_CHARS + 1)})
    assert len(profile_of({"alike": ["x"] * NAMES_MAX}).alike) == NAMES_MAX
    with pytest.raises(ValueError, match="expected a list of at most 512 texts"):
        profile_of({"alike": ["x"] * (NAMES_MAX + 1)})
    whole = text_of(Profile(alike=("x",)))
    assert profile_in(whole + " " * (PROFILE_MAX_CHARS - len(whole)))
    with pytest.raises(ValueError, match="The profile has 65537 characters: expected at most 65536"):
        profile_in(whole + " " * (PROFILE_MAX_CHARS - len(whole) + 1))


def test_typed_text_is_never_longer_than_its_limit():
    keys = Keys(GERMAN, Profile(prefix="7", suffix="7"))
    events = timed([*press(8) * (MAX_RAW_BYTES + 3), *ENTER], step_ms=0.1)
    (told,) = heard(keys, events)
    assert isinstance(told, Typed)
    assert (told.scan.raw_len, len(told.scan.raw)) == (MAX_RAW_BYTES + 1, MAX_RAW_BYTES)
