"""Keyboard layouts from xkb-data, read through libxkbcommon.

The library is called with ctypes, so no Python package and no compiler is needed. The American layout is built in and needs
neither the library nor the data.

>>> layout("us").plain[30]
'a'
"""

import ctypes
import re
import threading
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType

from drivers import DriverError
from drivers.decode.keyboard import dead_keys
from drivers.decode.keyboard.keymap import EVERYWHERE, SPACE, US, KeyLayout

DEBIAN = "libxkbcommon0 xkb-data"
"""Debian packages of the library and the data; libx11-data adds accents that Unicode does not compose."""
NAME_MAX_CHARS = 48

_COMMON = """
    us gb de fr be ch ch(fr) at es it se tr dk no fi pt br nl pl cz hu latam ca ie is sk si hr rs(latin) ro ee lv lt
    al mt jp us(intl) us(altgr-intl) us(dvorak) us(mac) gb(intl) gb(mac) de(nodeadkeys) de(mac) fr(oss) fr(nodeadkeys)
    fr(azerty) fr(mac) fr(bepo) be(nodeadkeys) ch(de_nodeadkeys) ch(fr_nodeadkeys) ch(de_mac) ch(fr_mac) es(nodeadkeys)
    it(nodeadkeys) it(mac) se(nodeadkeys) se(mac) dk(nodeadkeys) dk(winkeys) no(nodeadkeys) no(winkeys)
    fi(classic) fi(nodeadkeys) pt(nodeadkeys) pt(mac) br(nodeadkeys) pl(legacy) cz(qwerty) sk(qwerty) hu(qwerty)
    hu(nodeadkeys) ro(winkeys) latam(nodeadkeys) ca(multix) ca(eng) ca(fr-legacy) tr(f)
"""
USUAL = tuple(_COMMON.split())
"""Layouts that scanners can be set to, the commonest first."""

_NAME = re.compile(r"([A-Za-z0-9_]+)(?:\(([A-Za-z0-9_+-]+)\))?\Z")
_NO_ENVIRONMENT_NAMES, _CRITICAL, _COMPOSED = 2, 10, 2
# For these letters, Caps Lock differs between versions of xkb: no change, each other, or a Greek capital.
_NO_LETTERS = frozenset("\u00df\u1e9e\u00b5")
_KEYCODE = 8  # an xkb keycode is the Linux key code plus 8
_LAST_KEY = 255  # the last key code of a USB or Bluetooth keyboard; xkb has more
_UP, _DOWN = 0, 1
_SHIFT, _ALT_GR, _CAPS_LOCK, _NUM_LOCK = 42, 100, 58, 69
_DEAD = {
    0xFE50: "\u0300", 0xFE51: "\u0301", 0xFE52: "\u0302", 0xFE53: "\u0303", 0xFE54: "\u0304", 0xFE55: "\u0306",
    0xFE56: "\u0307", 0xFE57: "\u0308", 0xFE58: "\u030a", 0xFE59: "\u030b", 0xFE5A: "\u030c", 0xFE5B: "\u0327",
    0xFE5C: "\u0328", 0xFE60: "\u0323", 0xFE6E: "\u0326",
}  # fmt: skip
_POINTER, _NUMBER, _TEXT = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p
_FUNCTIONS = {
    "xkb_context_new": (_POINTER, [ctypes.c_int]),
    "xkb_context_set_log_level": (None, [_POINTER, ctypes.c_int]),
    "xkb_context_num_include_paths": (ctypes.c_uint, [_POINTER]),
    "xkb_context_include_path_get": (_TEXT, [_POINTER, ctypes.c_uint]),
    "xkb_keymap_new_from_names": (_POINTER, [_POINTER, _POINTER, ctypes.c_int]),
    "xkb_keymap_unref": (None, [_POINTER]),
    "xkb_keymap_min_keycode": (_NUMBER, [_POINTER]),
    "xkb_keymap_max_keycode": (_NUMBER, [_POINTER]),
    "xkb_state_new": (_POINTER, [_POINTER]),
    "xkb_state_unref": (None, [_POINTER]),
    "xkb_state_update_key": (ctypes.c_int, [_POINTER, _NUMBER, ctypes.c_int]),
    "xkb_state_key_get_one_sym": (_NUMBER, [_POINTER, _NUMBER]),
    "xkb_keysym_to_utf32": (_NUMBER, [_NUMBER]),
    "xkb_utf32_to_keysym": (_NUMBER, [_NUMBER]),
    "xkb_compose_table_new_from_locale": (_POINTER, [_POINTER, _TEXT, ctypes.c_int]),
    "xkb_compose_state_new": (_POINTER, [_POINTER, ctypes.c_int]),
    "xkb_compose_state_reset": (None, [_POINTER]),
    "xkb_compose_state_feed": (ctypes.c_int, [_POINTER, _NUMBER]),
    "xkb_compose_state_get_status": (ctypes.c_int, [_POINTER]),
    "xkb_compose_state_get_utf8": (ctypes.c_int, [_POINTER, ctypes.c_char_p, ctypes.c_size_t]),
}


class _Names(ctypes.Structure):
    _fields_ = [(name, _TEXT) for name in ("rules", "model", "layout", "variant", "options")]


def names_in(listed: str) -> tuple[str, ...]:
    """The names of the layouts and variants in a list of xkb-data (`evdev.lst`).

    >>> names_in('! layout\\n  de  German\\n! variant\\n  mac  de: German (Mac)\\n! option\\n  caps  Caps Lock\\n')
    ('de', 'de(mac)')
    """
    variants: dict[str, list[str]] = {}
    part = ""
    for line in listed.splitlines():
        words = line.split()
        if line.startswith("!"):
            part = words[1]
        elif part == "layout" and words and words[0] != "custom":
            variants[words[0]] = []
        elif part == "variant" and len(words) > 1:
            variants.setdefault(words[1].rstrip(":"), []).append(words[0])
    return tuple(
        name for base, more in variants.items() for name in (base, *(f"{base}({variant})" for variant in more))
    )


class _Unknown(DriverError):
    """There is no layout of this name."""


def _missing(*, what: str) -> DriverError:
    return DriverError(
        came=f"{what} is not installed here.",
        expected="Scanners that type for another keyboard than the American one need it.",
        do=f"Install it: sudo apt-get install {DEBIAN}",
    )


class _Library:
    """The opened library with its context. Calls must be serialised: see `XkbLayouts`."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL("libxkbcommon.so.0")
        except OSError as error:
            raise _missing(what="The library libxkbcommon") from error
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.call = library
        self.context = library.xkb_context_new(_NO_ENVIRONMENT_NAMES)
        if not self.context:
            raise _missing(what="The data of keyboard layouts (xkb-data)")
        library.xkb_context_set_log_level(self.context, _CRITICAL)
        # X11's compose table has accented characters that Unicode does not compose; without it Unicode's rules are used.
        table = library.xkb_compose_table_new_from_locale(self.context, b"en_US.UTF-8", 0)
        self._composing = library.xkb_compose_state_new(table, 0) if table else None
        self.char = cache(self._char)
        self.composed = cache(self._composed)

    def folders(self) -> list[Path]:
        """The folders of the data, in the order in which they are searched."""
        count = self.call.xkb_context_num_include_paths(self.context)
        return [Path(self.call.xkb_context_include_path_get(self.context, number).decode()) for number in range(count)]

    def keymap(self, name: str) -> int | None:
        """A compiled keymap, None if the data has no layout of this name."""
        match = _NAME.match(name) if len(name) <= NAME_MAX_CHARS else None
        if not match:
            return None
        base, variant = (part.encode() for part in (match[1], match[2] or ""))
        names = _Names(b"evdev", b"pc105", base, variant, b"")
        keymap: int | None = self.call.xkb_keymap_new_from_names(self.context, ctypes.byref(names), 0)
        return keymap

    def _char(self, keysym: int) -> str:
        """The character of a keysym, the name of a dead key, or "" if it is no text."""
        if keysym in _DEAD:
            return dead_keys.name_of(_DEAD[keysym])
        number = self.call.xkb_keysym_to_utf32(keysym)
        return chr(number) if number >= ord(" ") and number != ord("\x7f") else ""

    def _composed(self, mark: str) -> Mapping[str, str]:
        """What a dead key makes of each following character, by X11's compose table if it is installed."""
        if self._composing is None:
            return dead_keys.composed(mark)
        dead = next(keysym for keysym, its_mark in _DEAD.items() if its_mark == mark)
        keysyms = {char: self.call.xkb_utf32_to_keysym(ord(char)) for char in (" ", *dead_keys.LETTERS)}
        pairs = {char: self._compose(dead, keysym) for char, keysym in keysyms.items() if keysym}
        pairs[dead_keys.name_of(mark)] = self._compose(dead, dead)
        return MappingProxyType({**dead_keys.composed(mark), **{char: whole for char, whole in pairs.items() if whole}})

    def _compose(self, first: int, second: int) -> str:
        call, state = self.call, self._composing
        call.xkb_compose_state_reset(state)
        for keysym in (first, second):
            call.xkb_compose_state_feed(state, keysym)
        if call.xkb_compose_state_get_status(state) != _COMPOSED:
            return ""
        text = ctypes.create_string_buffer(32)
        call.xkb_compose_state_get_utf8(state, text, len(text))
        return text.value.decode()


def _not_there(library: _Library, name: str) -> DriverError:
    american = library.keymap("us")
    if american is None:
        return _missing(what="The data of keyboard layouts (xkb-data)")
    library.call.xkb_keymap_unref(american)
    return _Unknown(
        came=f"There is no keyboard layout {name!r}.",
        expected='Expected a name as xkb-data has it: "de", "fr", or with a variant "ch(fr)".',
        do="Correct the reader's layout, or have the station learn it from the setup sheet.",
    )


def _tables(library: _Library, keymap: int) -> tuple[list[dict[int, str]], list[dict[int, str]]]:
    """The four levels without Caps Lock, and the four with it."""
    tables = [
        _table(library, keymap, [key for key, held in ((_SHIFT, level & 1), (_ALT_GR, level & 2)) if held], locked)
        for locked in (False, True)
        for level in range(4)
    ]
    return tables[:4], tables[4:]


def _table(library: _Library, keymap: int, held: list[int], locked: bool) -> dict[int, str]:
    """What each key types while the `held` keys are down: they are pressed in an xkb state, so every xkb rule applies."""
    call = library.call
    state = call.xkb_state_new(keymap)
    try:
        for key in [_NUM_LOCK, *([_CAPS_LOCK] if locked else [])]:
            call.xkb_state_update_key(state, key + _KEYCODE, _DOWN)
            call.xkb_state_update_key(state, key + _KEYCODE, _UP)
        for key in held:
            call.xkb_state_update_key(state, key + _KEYCODE, _DOWN)
        first = max(call.xkb_keymap_min_keycode(keymap), 1 + _KEYCODE)
        last = min(call.xkb_keymap_max_keycode(keymap), _LAST_KEY + _KEYCODE)
        table = {
            code - _KEYCODE: char
            for code in range(first, last + 1)
            if (char := library.char(call.xkb_state_key_get_one_sym(state, code)))
        }
    finally:
        call.xkb_state_unref(state)
    return {SPACE: " ", **table, **EVERYWHERE}


class XkbLayouts:
    """The layouts of xkb-data. The library is opened at the first use, and one thread at a time calls it."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.RLock()
        self._opened: _Library | None = None
        self._recent = lru_cache(maxsize=8)(self.read)

    def layout(self, name: str) -> KeyLayout:
        """The layout of this name, `de` or with a variant `ch(fr)`.

        Raises `DriverError` if the layout or the library is missing.
        """
        return US if name == "us" else self._recent(name)

    def layouts(self, names: Iterable[str] = USUAL) -> Mapping[str, KeyLayout]:
        """The installed ones of these layouts, in their order; only the American one if the library is missing."""
        installed: dict[str, KeyLayout] = {}
        for name in names:
            try:
                installed[name] = US if name == "us" else self.read(name)
            except _Unknown:
                continue
            except DriverError:
                return {"us": US}
        return installed

    def known(self) -> tuple[str, ...]:
        """The names of all installed layouts, each followed by its variants; without `evdev.lst`, the usual ones."""
        with self._one_at_a_time:
            folders = self._library().folders()
        for folder in folders:
            try:
                listed = (folder / "rules" / "evdev.lst").read_text(encoding="utf-8")
            except OSError:
                continue
            return names_in(listed)
        return tuple(self.layouts())

    def read(self, name: str) -> KeyLayout:
        """The layout of this name as xkb-data defines it, also the American one. Raises `DriverError`."""
        with self._one_at_a_time:
            library = self._library()
            keymap = library.keymap(name)
            if keymap is None:
                raise _not_there(library, name)
            try:
                free, locked = _tables(library, keymap)
            finally:
                library.call.xkb_keymap_unref(keymap)
            marks = {
                mark for mark in _DEAD.values() if any(dead_keys.name_of(mark) in table.values() for table in free)
            }
            dead = {dead_keys.name_of(mark): library.composed(mark) for mark in sorted(marks)}
        differs = [
            {
                code: char
                for code, char in with_caps.items()
                if (without := free[level].get(code)) != char and without not in _NO_LETTERS
            }
            for level, with_caps in enumerate(locked)
        ]
        return KeyLayout(tuple(free), tuple(differs), dead)

    def _library(self) -> _Library:
        with self._one_at_a_time:
            if self._opened is None:
                self._opened = _Library()
            return self._opened


INSTALLED = XkbLayouts()
"""The layouts of this machine."""
layout, layouts, known = INSTALLED.layout, INSTALLED.layouts, INSTALLED.known
