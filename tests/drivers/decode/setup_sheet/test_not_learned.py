"""Other codes and incomplete sheets are not learned, with the reason; and scanners that send bytes."""

import random

import pytest

from drivers.decode.keyboard.keys import EV_SYN, SYN_DROPPED, KeyEvent
from drivers.decode.keyboard.profile import AFFIX_MAX_CHARS, profile_in, text_of
from drivers.decode.setup_sheet.sheet_detector import ProfileFailure, ProfileResult, learn, learned_from_bytes
from drivers.decode.setup_sheet.sheet_learning import (
    AGAIN,
    HALF,
    LOST,
    MORE,
    NO_LAYOUT,
    NO_SHEET,
    SAME,
    STROKES_MAX,
    TOO_LONG,
    TWICE,
)
from tests.drivers.fixtures.typing_scanners import BARS, LAYOUTS, SHEETS, SQUARE, profile_of, taught


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("layout", ["us", "fr"])
def test_half_a_sheet_is_reported(typist, sheet, layout):
    text = sheet[0]
    for half in (text[: len(text) * 2 // 3], text[len(text) // 3 :], text[:-1], text[1:]):
        scans = [half, *sheet[1:]]
        result = learn([typist.scan(scan, layout=layout).events for scan in scans], sheet, LAYOUTS)
        assert result == HALF, half
    assert (HALF.why, HALF.do) == ("The sheet was read in half.", AGAIN)


def test_other_scans_are_no_sheet(typist):
    for text in ("4006381333931", "]C10104012345678901\x1d10A7", "", "WIP:IN", "WIP:BADGE:77", "x" * STROKES_MAX):
        scan = typist.scan(text, layout="de", ends=[]).events
        assert learn([scan], SQUARE, LAYOUTS) == NO_SHEET
        assert learn([scan, scan], BARS, LAYOUTS) == NO_SHEET
    assert learn([typist.scan("x" * (STROKES_MAX + 1), layout="de", ends=[]).events], SQUARE, LAYOUTS) == TOO_LONG


def test_two_codes_in_one_scan_are_reported(typist):
    one, two = (typist.scan(text, layout="us").events for text in BARS)
    square = typist.scan(SQUARE[0], layout="us").events
    assert learn([square + square], SQUARE, LAYOUTS) == TWICE
    assert learn([one + two, two], BARS, LAYOUTS) == TWICE
    assert learn([one, one], BARS, LAYOUTS) == SAME
    assert learn([one], BARS, LAYOUTS) == MORE
    assert isinstance(learn([two, one], BARS, LAYOUTS), ProfileResult)


def test_codes_with_different_affixes_are_reported(typist):
    one, two = (typist.scan(t, layout="us", prefix=p).events for t, p in zip(BARS, "AB", strict=True))
    result = learn([one, two], BARS, LAYOUTS)
    assert result == ProfileFailure("The codes of the sheet came with different text before or after them.", AGAIN)


@pytest.mark.parametrize("place", ["prefix", "suffix"])
def test_affixes_that_are_too_long_are_reported_at_the_limit(typist, place):
    longest = {place: "x" * AFFIX_MAX_CHARS}
    assert getattr(profile_of(taught(typist, layout="us", **longest)), place) == longest[place]
    result = taught(typist, layout="us", **{place: "x" * (AFFIX_MAX_CHARS + 1)})
    assert result.why == "More than 64 characters stand before or after the text of the sheet."


def test_keys_lost_by_the_kernel_are_reported(typist):
    events = typist.scan(SQUARE[0], layout="us").events
    assert (
        learn([[*events[:50], KeyEvent(EV_SYN, SYN_DROPPED, 0, events[50].time_ns), *events[50:]]], SQUARE, LAYOUTS)
        == LOST
    )


def test_keys_that_are_swapped_or_lost_teach_nothing(typist):
    rng = random.Random(20260101)
    strokes = typist.scan(SQUARE[0], layout="de", ends=[]).events
    downs = [
        n
        for n, event in enumerate(strokes)
        if event.value == 1 and event.code in range(2, 54) and event.code not in (29, 42)
    ]
    for _ in range(30):
        gone = rng.sample(downs[13:], 6)
        result = learn([[event for n, event in enumerate(strokes) if n not in gone]], SQUARE, LAYOUTS)
        assert isinstance(result, ProfileFailure), gone


def test_keys_in_another_order_teach_no_layout(typist):
    for swapped in ("cb", "CB"):
        text = SQUARE[0].replace(swapped[::-1], swapped)
        scan = typist.scan(text, layout="us(dvorak)", ends=[]).events
        assert learn([scan], SQUARE, LAYOUTS) == NO_LAYOUT


# Scanners that send bytes


def test_a_byte_readers_scan_teaches_prefix_suffix_aim_and_what_is_missing():
    text = SQUARE[0]
    result = learned_from_bytes(f"S1-]d1{text}-E\r\n".encode(), SQUARE)
    assert (result.profile.prefix, result.profile.suffix, result.profile.aim) == ("S1-", "-E", True)
    assert result.profile.control == {"GS": "itself", "RS": "itself", "EOT": "itself"}
    result = learned_from_bytes(text.replace("\x1d", "").replace("\x1e", "|").upper().encode(), SQUARE)
    assert (result.profile.control, result.profile.caps, result.profile.aim) == ({"EOT": "itself"}, "upper", False)
    assert result.evidence == (
        "Its letters: every letter comes as a capital; the case on the label is lost.",
        "GS does not come: the scanner leaves it out.",
        "RS comes as '|'.",
    )
    assert profile_in(text_of(result.profile)) == result.profile


def test_an_incomplete_sheet_in_bytes_is_reported():
    text = SQUARE[0].encode()
    assert learned_from_bytes(text[:80], SQUARE) == HALF
    assert learned_from_bytes(text[40:], SQUARE) == HALF
    assert learned_from_bytes(text + b"\r" + text, SQUARE) == TWICE
    assert learned_from_bytes(b"4006381333931", SQUARE) == NO_SHEET
    assert learned_from_bytes(b"", SQUARE) == NO_SHEET
    assert learned_from_bytes(BARS[1].encode(), BARS) == MORE
    assert learned_from_bytes(BARS[0].encode(), BARS).profile.control == dict.fromkeys(("GS", "RS", "EOT"), "itself")
    rng = random.Random(5)
    for _ in range(200):
        assert isinstance(learned_from_bytes(rng.randbytes(rng.randrange(300)), SQUARE), ProfileFailure)
