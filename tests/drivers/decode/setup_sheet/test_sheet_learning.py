"""A scanner with any settings scans the setup sheet; its later scans are then decoded to the text of the label.

The scanner is a separate process (`fixtures/typing_process.py`) with keyboard tables from xkb-data's files, not from the
product.
"""

import random
from dataclasses import replace

import pytest

from drivers.decode.keyboard.keymap import BARE, US
from drivers.decode.keyboard.keys import TypedScan, WedgeDecoder
from drivers.decode.keyboard.profile import LEARNED
from drivers.decode.setup_sheet.layout_search import OMITTED_MAX
from drivers.decode.setup_sheet.sheet_learning import NO_LAYOUT
from drivers.platform import xkb
from tests.drivers.fixtures.typing_scanners import (
    BARS,
    CAPS,
    CONTROLS,
    FIRST_BARS,
    LAYOUTS,
    MS,
    NAMES,
    PRINTABLE,
    SHEETS,
    all_pairs,
    profile_of,
    taught,
)


def decode_scans(events, profile, *, lamp=False):
    """The scans in these events, decoded with a profile."""
    layout = BARE if profile.layout == LEARNED else xkb.layout(profile.layout)
    keys = WedgeDecoder(layout, profile, caps_lock=lamp)
    scans = [outcome for event in events for outcome in keys.feed(event)]
    scans += keys.quiet(events[-1].time_ns + 10**10)
    return [outcome.scan.raw.decode() if isinstance(outcome, TypedScan) else outcome for outcome in scans]


def a_label(seed, controls="\x1d\x1e\x04", letters="äöüÄÖÜéèàçñåêß§"):
    rng = random.Random(seed)
    text = "".join(rng.choice(PRINTABLE + PRINTABLE + controls * 3 + letters) for _ in range(rng.randrange(1, 120)))
    return "WO-" + text + "1"  # its ends differ from every prefix, dead key and control character


def reads_labels(typist, profile, *, lamp=False, controls="\x1d\x1e\x04", **how):
    """Whether labels that this scanner types are decoded to their text; the layout is one of those alike."""
    assert how["layout"] in (profile.layout, *profile.alike) or profile.layout == LEARNED or profile.keys
    if profile.layout != LEARNED and not profile.keys:
        profile = replace(profile, layout=how["layout"])
    for _ in range(3):
        seed = random.SystemRandom().randrange(10**6)
        print(f"seed={seed} {how}")
        typed = typist.scan(a_label(seed, controls), **how)
        assert decode_scans(typed.events, profile, lamp=lamp) == [typed.text]


# Each part of a profile by itself


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("sheet", [*SHEETS, FIRST_BARS])
def test_the_layout_is_learned_among_all_usual_ones(typist, layout, sheet):
    profile = profile_of(taught(typist, sheet, layout=layout, layouts=xkb.layouts()))
    assert layout in (profile.layout, *profile.alike)
    assert (profile.caps, profile.dead, profile.keys, profile.terminator) == ("obeyed", "composes", {}, "Enter")
    controls = (
        "\x1d" if sheet == FIRST_BARS else "\x1d\x1e\x04"
    )  # a character that is not on the sheet cannot be learned
    reads_labels(typist, profile, controls=controls, layout=layout)


@pytest.mark.parametrize("caps", CAPS)
@pytest.mark.parametrize("layout", NAMES)
def test_caps_lock_is_learned(typist, layout, caps):
    how, lamp, word = CAPS[caps]
    for sheet in SHEETS:
        profile = profile_of(taught(typist, sheet, lamp=lamp, layout=layout, **how))
        assert profile.caps == word
    reads_labels(typist, profile, lamp=lamp, layout=layout, **how)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("layout", NAMES)
def test_how_control_characters_come_is_learned(typist, layout, control):
    for sheet in SHEETS:
        profile = profile_of(taught(typist, sheet, layout=layout, control=control))
        assert profile.control == CONTROLS[control]
    if control != "keypad":
        reads_labels(typist, profile, layout=layout, control=control)


def test_one_key_for_all_control_characters_is_the_first_and_reported(typist):
    result = taught(typist, layout="de", control="keypad")
    assert "RS comes as Keypad., like another control character." in result.evidence
    typed = typist.scan("0.1\x1d2", layout="de", control="keypad")
    assert decode_scans(typed.events, result.profile) == ["0.1\x1d2"]


def test_a_sign_used_for_a_control_character_is_reported_and_stays_a_sign(typist):
    for sheet in SHEETS:
        result = taught(typist, sheet, layout="us", control="|")
        assert result.profile.control == {}
        assert "GS comes as Shift+\\, which stands for something else on the sheet as well." in result.evidence


PAIRS = all_pairs({
    "layout": list(NAMES),
    "caps": list(CAPS)[:6],
    "control": [control for control in CONTROLS if control != "keypad"],
    "around": [{}, {"prefix": "S1-"}, {"suffix": "#"}, {"prefix": "{a/", "suffix": "\x1d|~^"}],
    "aim": [{}, {"aim": "]Q1"}, {"aim": "]d1", "aim_first": True}],
    "ends": [["Enter"], ["KeypadEnter"], ["Tab"], [], ["Enter", "Ctrl+J"], ["Tab", "Enter"], ["Enter", "Enter"]],
    "altgr": ["altgr", "ctrl+alt"],
    "lacking": [{}, {"lacks": "`~", "lacking": "alt"}, {"lacks": "`~"}],
})  # fmt: skip


@pytest.mark.parametrize("row", list(PAIRS), ids=lambda row: " ".join(map(str, row.values())))
def test_every_two_settings_together_are_learned(typist, row):
    how, lamp, word = CAPS[row["caps"]]
    how = {**how, **row["around"], **row["aim"], **row["lacking"]}
    how |= {name: row[name] for name in ("layout", "control", "ends", "altgr")}
    if how["control"] == "missing":
        how["suffix"] = how.get("suffix", "").replace("\x1d", "")
    if set("`~") & set(how.get("suffix", "")) and row["lacking"]:
        how["suffix"] = "|^"
    ends = {"Enter Ctrl+J": "Ctrl+J", "Tab Enter": "Enter", "Enter Enter": "Enter", "": "none"}
    for sheet in SHEETS:
        profile = profile_of(taught(typist, sheet, lamp=lamp, **how))
        assert (profile.caps, profile.control) == (word, CONTROLS[how["control"]])
        assert (profile.prefix, profile.aim) == (how.get("prefix", ""), bool(how.get("aim")))
        assert profile.suffix.rstrip("\r\t") == how.get("suffix", "")
        assert profile.terminator == ends.get(" ".join(how["ends"]), how["ends"][0] if how["ends"] else "")
        reads_labels(typist, profile, lamp=lamp, **how)


def test_a_scanner_that_types_alt_and_numbers_needs_no_layout(typist):
    result = taught(typist, layout="de", universal=True, layouts=xkb.layouts())
    assert (result.profile.layout, result.profile.alike) == ("us", ())
    assert result.profile.control == CONTROLS["alt"]
    typed = typist.scan("{WO-1042}\x1d", layout="de", universal=True)
    assert decode_scans(typed.events, result.profile) == ["{WO-1042}\x1d"]


@pytest.mark.parametrize("layout", ["de", "ch", "es", "se"])
@pytest.mark.parametrize("sheet", SHEETS)
def test_dead_keys_struck_without_the_space_bar_are_learned(typist, layout, sheet):
    how = {"layout": layout, "dead_alone": True}
    profile = profile_of(taught(typist, sheet, **how))
    assert profile.dead == "alone"
    typed = typist.scan("^a`e~n'c\"u", **how)
    assert decode_scans(typed.events, replace(profile, layout=layout)) == [typed.text]


def test_layouts_that_the_sheet_cannot_tell_apart_are_named(typist):
    usual = xkb.layouts()
    assert profile_of(taught(typist, layout="ch(fr)", layouts=usual)).alike == ("ch(fr)",)
    result = taught(typist, layout="de", layouts=usual)
    assert (result.profile.layout, result.profile.alike) == ("de", ("at",))
    assert "It types for the layout de; at look the same on this sheet." in result.evidence
    # The layouts differ, so it matters that they are named.
    assert LAYOUTS["ch"].plain[26] == "ü"
    assert LAYOUTS["ch(fr)"].plain[26] == "è"


def test_the_speed_is_learned_and_a_slow_scanner_is_no_person(typist):
    how = {"layout": "us", "ends": [], "step_ms": 40}
    profile = profile_of(taught(typist, **how))
    assert 80 < profile.gap_ms <= 160
    typed = typist.scan("WO-1042", **how)
    keys = WedgeDecoder(US, profile)
    assert [outcome for event in typed.events for outcome in keys.feed(event)] == []
    assert keys.due_ns - typed.events[-1].time_ns < 4 * 160 * MS


@pytest.mark.parametrize("lacking", ["alt", "omit"])
def test_signs_that_a_scanner_cannot_type_are_left_out_or_come_as_numbers(typist, lacking):
    signs = "`~|^"
    assert len(signs) == OMITTED_MAX
    result = taught(typist, layout="it", lacks=signs, lacking=lacking)
    assert ("It leaves out the signs ^ ` | ~ of a code." in result.evidence) == (lacking == "omit")
    reads_labels(typist, profile_of(result), layout="it", lacks=signs, lacking=lacking)
    assert taught(typist, layout="it", lacks=signs + "#", lacking="omit") == NO_LAYOUT


# Unknown layouts


@pytest.mark.parametrize("layout", ["fr(bepo)", "us(dvorak)", "cz", "hu"])
@pytest.mark.parametrize("caps", list(CAPS)[:6])
def test_an_unknown_layout_is_learned_key_by_key(typist, layout, caps):
    how, lamp, word = CAPS[caps]
    how = {**how, "layout": layout, "prefix": "S1-"}
    result = taught(typist, lamp=lamp, **how)
    profile = profile_of(result)
    assert (profile.layout, profile.caps, profile.prefix) == (LEARNED, word, "S1-")
    assert result.evidence[1].startswith("Its keys fit no layout known here")
    typed = typist.scan(a_label(7, letters=""), **how)
    assert decode_scans(typed.events, profile, lamp=lamp) == [typed.text]


def test_a_layout_that_is_nearly_known_is_that_one_with_other_keys(typist):
    profile = profile_of(taught(typist, layout="gb", layouts=xkb.layouts(("us", "fr"))))
    assert profile.layout == "us"
    assert profile.keys == {"\\": "#", "<": "\\", "Shift+2": '"', "Shift+'": "@", "Shift+\\": "~", "Shift+<": "|"}
    reads_labels(typist, profile, layout="us(gb)" if False else "gb", lacks="äöüÄÖÜéèàçñåêß§")


def test_bars_cannot_teach_an_unknown_layout(typist):
    assert taught(typist, BARS, layout="us(dvorak)") == NO_LAYOUT
