"""A reader's profile in a file: JSON and back, and the errors of a wrong one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.keyboard import chords
from drivers.decode.keyboard.chords import Chord
from drivers.decode.keyboard.keymap import US
from drivers.decode.keyboard.keys import WedgeDecoder
from drivers.decode.keyboard.profile import (
    AFFIX_MAX_CHARS,
    CAPS,
    CONTROLS,
    DEAD,
    GAP_MAX_MS,
    NAMES_MAX,
    PROFILE_MAX_CHARS,
    ScannerProfile,
    dict_of,
    profile_in,
    profile_of,
    text_of,
)

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
    ScannerProfile,
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
    WedgeDecoder(US, profile)  # the profile can be used


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
def test_a_wrong_profile_is_reported_with_its_error(text):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the sentence is compared below
        profile_in(text)
    assert str(wrong.value).startswith(WRONG[text])


def test_a_profile_has_its_limits_at_the_edge():
    for name in ("prefix", "suffix"):
        assert getattr(ScannerProfile(**{name: "x" * AFFIX_MAX_CHARS}), name)
        with pytest.raises(ValueError, match=f"The profile's '{name}' is '65 characters': expected at most 64."):
            ScannerProfile(**{name: "x" * (AFFIX_MAX_CHARS + 1)})
    assert len(profile_of({"alike": ["x"] * NAMES_MAX}).alike) == NAMES_MAX
    with pytest.raises(ValueError, match="expected a list of at most 512 texts"):
        profile_of({"alike": ["x"] * (NAMES_MAX + 1)})
    whole = text_of(ScannerProfile(alike=("x",)))
    assert profile_in(whole + " " * (PROFILE_MAX_CHARS - len(whole)))
    with pytest.raises(ValueError, match="The profile has 65537 characters: expected at most 65536"):
        profile_in(whole + " " * (PROFILE_MAX_CHARS - len(whole) + 1))
