"""Layouts of xkb-data, compared with another program's reading of its files; and without the library."""

import ctypes
import importlib.util
import string
import unicodedata
from pathlib import Path

import pytest

from drivers import DriverError
from drivers.decode.keyboard import dead_keys
from drivers.decode.keyboard.keymap import ALTGR_LEVEL, LETTERS, SHIFT_LEVEL, US
from drivers.platform import xkb

NAMES = [
    "gb",
    "de",
    "fr",
    "be",
    "ch",
    "ch(fr)",
    "es",
    "it",
    "se",
    "tr",
    "dk",
    "no",
    "pl",
    "pt",
    "us(intl)",
    "us(dvorak)",
]
DATA = Path("/usr/share/X11/xkb")
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@pytest.fixture(scope="module")
def typist():
    """The typist's tables from the same files, independent of the product."""
    spec = importlib.util.spec_from_file_location(
        "typist", Path(__file__).parents[1] / "fixtures" / "typing_process.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locked", [False, True])
def test_a_layout_types_as_its_file_defines(typist, name, locked):
    layout, table = xkb.layout(name), typist.layout(name)[locked]
    assert len(table) > 90
    for char, (code, shift, altgr) in table.items():
        if not char.startswith("dead "):
            assert layout.text(code, shift * SHIFT_LEVEL + altgr * ALTGR_LEVEL, locked=locked) == char


@pytest.mark.parametrize("name", NAMES)
def test_dead_keys_are_known_with_what_they_make(typist, name):
    layout, table = xkb.layout(name), typist.layout(name)[0]
    for accent, (mark, sign, _word) in typist.ACCENTS.items():
        if f"dead {accent}" in table:
            code, shift, altgr = table[f"dead {accent}"]
            dead = layout.text(code, shift * SHIFT_LEVEL + altgr * ALTGR_LEVEL)
            assert dead == dead_keys.name_of(mark)
            assert not sign or layout.dead[dead][" "] == sign
            if accent != "cedilla":
                assert layout.dead[dead]["a"] == unicodedata.normalize("NFC", "a" + mark)


def test_the_built_in_layout_is_xkbs_own():
    own = xkb.INSTALLED.read("us")
    for level in range(4):
        for locked in (False, True):
            typed = {code: own.text(code, level, locked=locked) for code in US.plain}
            assert typed == {code: US.text(code, level, locked=locked) for code in US.plain}
    assert xkb.layout("us") is US


def test_caps_lock_shifts_letters_outside_ascii_and_no_digits():
    german, french, turkish = xkb.layout("de"), xkb.layout("fr"), xkb.layout("tr")
    assert [german.text(26, 0, locked=True), german.text(26, 1, locked=True)] == ["Ü", "ü"]
    assert [french.text(2, 0, locked=True), french.text(2, 1, locked=True)] == ["&", "1"]
    assert [turkish.text(23, 0, locked=True), turkish.text(40, 0, locked=True)] == ["I", "İ"]
    assert german.text(12, 0, locked=True) == "ß"


def test_every_usual_layout_is_there_and_types_all_of_ascii():
    layouts = xkb.layouts()
    assert tuple(layouts) == xkb.USUAL
    for name, layout in layouts.items():
        assert set(PRINTABLE) <= layout.typed(), name
        assert {layout.plain[code] for code in LETTERS} & set(string.ascii_lowercase), name


def test_the_layouts_of_the_data_are_listed():
    known = xkb.known()
    assert {"us", "de", "ch", "ch(fr)", "us(intl)"} <= set(known)
    assert set(xkb.USUAL) <= set(known)
    assert len(known) == len(set(known)) > 300


def test_without_its_list_the_usual_layouts_are_tried(monkeypatch, tmp_path):
    for folder in ("compat", "keycodes", "symbols", "types"):
        (tmp_path / folder).symlink_to(DATA / folder)
    (tmp_path / "rules").mkdir()
    for rules in (DATA / "rules").iterdir():
        if rules.name != "evdev.lst":
            (tmp_path / "rules" / rules.name).symlink_to(rules)
    monkeypatch.setenv("XKB_CONFIG_ROOT", str(tmp_path))
    assert xkb.XkbLayouts().known() == xkb.USUAL


@pytest.mark.parametrize("name", ["", "zz", "de(zz)", "us,de", "de(", "../us", "d" * 49, "us\0", "pc+us", "de (mac)"])
def test_an_unknown_name_is_refused(name, capfd):
    with pytest.raises(DriverError) as refused:
        xkb.layout(name)
    assert str(refused.value) == (
        f"There is no keyboard layout {name!r}. "
        'Expected a name as xkb-data has it: "de", "fr", or with a variant "ch(fr)". '
        "Correct the reader's layout, or have the station learn it from the setup sheet."
    )
    assert capfd.readouterr() == ("", "")
    assert xkb.layouts(["us", name, "de"]).keys() == {"us", "de"}


def test_without_the_library_the_packages_are_named_and_the_built_in_layout_stays(monkeypatch):
    def fail(_name):
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", fail)
    without = xkb.XkbLayouts()
    with pytest.raises(DriverError) as refused:
        without.layout("de")
    assert str(refused.value) == (
        "The library libxkbcommon is not installed here. "
        "Scanners that type for another keyboard than the American one need it. "
        "Install it: sudo apt-get install libxkbcommon0 xkb-data"
    )
    assert without.layout("us") is US
    assert without.layouts() == {"us": US}


def test_without_the_data_the_packages_are_named(monkeypatch, tmp_path):
    for name in ("XKB_CONFIG_ROOT", "XKB_CONFIG_EXTRA_PATH", "HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    without = xkb.XkbLayouts()
    with pytest.raises(DriverError) as refused:
        without.layout("de")
    assert str(refused.value).startswith("The data of keyboard layouts (xkb-data) is not installed here.")
    assert without.layouts() == {"us": US}


def test_without_x11s_compose_table_unicode_composes(monkeypatch, tmp_path):
    with_table = xkb.layout("de").dead[dead_keys.name_of("\u0302")]
    monkeypatch.setenv("XLOCALEDIR", str(tmp_path))
    without = xkb.XkbLayouts().layout("de").dead[dead_keys.name_of("\u0302")]
    for made in (with_table, without):
        assert [made[char] for char in "aeiou "] == ["â", "ê", "î", "ô", "û", "^"]
    assert with_table["1"] == "¹"  # X11's table has more than letters
    assert "1" not in without
