"""The profile of a scanner: its keyboard layout and the other settings that decoding needs.

It has plain values only, so that it can be stored as JSON.

>>> zebra = ScannerProfile(layout="de", control={"GS": "Ctrl+]"}, prefix="S1-")
>>> profile_in(text_of(zebra)) == zebra
True
>>> profile_in('{"layout": 7}')
Traceback (most recent call last):
    ...
ValueError: The profile's 'layout' is 7: expected a text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from drivers.decode.keyboard import chords

CAPS: Mapping[str, str] = {
    "obeyed": "Caps Lock turns its letters, as it does on a keyboard: the lamp counts, and Caps Lock keys it strikes",
    "ignored": "it types as if there were no Caps Lock: neither lamp nor key counts",
    "inverted": "every letter comes in the other case, always",
    "upper": "every letter comes as a capital; the case on the label is lost",
    "lower": "every letter comes as a small one; the case on the label is lost",
}
"""The effect of Caps Lock and of the scanner's case setting on its letters."""

DEAD: Mapping[str, str] = {
    "composes": "a dead key waits for the next key: ^ and e are ê, ^ and the space bar are ^",
    "alone": "the scanner strikes a dead key for its sign, and no space bar after it",
}
CONTROLS: Mapping[str, str] = {"GS": "\x1d", "RS": "\x1e", "EOT": "\x04"}
"""The control characters that structured codes need (ISO/IEC 15434, GS1)."""

ANY, NONE = "any", "none"
"""Terminators that are no chord: any of Enter, keypad Enter and Tab; or silence alone."""
LEARNED = "learned"
"""The layout that consists of `keys` alone."""
ITSELF = "itself"
"""The value of `control` for a scanner that sends bytes: the character itself."""

AFFIX_MAX_CHARS = 64
"""Characters of a prefix and of a suffix."""
GAP_MAX_MS = 500
"""The slowest pause between two keys of one scan that a profile may have."""
PROFILE_MAX_CHARS = 65_536
NAMES_MAX = 512
"""Entries of a list or table in a profile."""
_SURROGATE = re.compile("[\ud800-\udfff]")  # a JSON text can contain a lone surrogate, which UTF-8 cannot encode


@dataclass(frozen=True, slots=True)
class ScannerProfile:
    """The settings of a scanner, as far as they affect decoding.

    `layout` is a name of xkb, or "learned" if `keys` alone defines it. `keys` are the chords that differ from the layout,
    each with its character. `dead` and `caps` are words of `DEAD` and `CAPS`. `control` maps GS, RS and EOT to the chord
    that the scanner sends for it ("itself" for a scanner that sends bytes); a name that is missing is not sent (in the
    default profile: is sent as on any keyboard). `prefix` and `suffix` are removed if present. `terminator` is a chord,
    "any" or "none". `aim`: the scanner sends an AIM identifier. `gap_ms` is the slowest pause between its keys, 0 if
    unknown. `alike` are the other layouts that fit the setup sheet equally well.
    """

    layout: str = "us"
    keys: Mapping[str, str] = field(default_factory=dict)
    dead: str = "composes"
    caps: str = "obeyed"
    control: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    suffix: str = ""
    terminator: str = ANY
    aim: bool = False
    gap_ms: int = 0
    alike: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, words in (("dead", DEAD), ("caps", CAPS)):
            if getattr(self, name) not in words:
                raise _wrong(name, came=getattr(self, name), expected=f"one of {', '.join(words)}")
        for name in self.control:
            if name not in CONTROLS:
                raise _wrong(name="control", came=name, expected=f"names out of {', '.join(CONTROLS)}")
        self._check_chords()
        for text in (self.layout, self.prefix, self.suffix, *self.keys.values()):
            if _SURROGATE.search(text):
                raise _wrong(name="text", came=text, expected="characters that UTF-8 has")
        for name in ("prefix", "suffix"):
            if len(getattr(self, name)) > AFFIX_MAX_CHARS:
                raise _wrong(name, came=f"{len(getattr(self, name))} characters", expected=f"at most {AFFIX_MAX_CHARS}")
        if not 0 <= self.gap_ms <= GAP_MAX_MS:
            raise _wrong(name="gap_ms", came=self.gap_ms, expected=f"0 to {GAP_MAX_MS} milliseconds")

    def _check_chords(self) -> None:
        for written in self.control.values():
            if written != ITSELF:
                chords.chord(written)
        for written in self.keys:
            chord = chords.chord(written)
            if chord.number or chord.mods & ~(chords.SHIFTED | chords.ALTGRED):
                raise _wrong(name="keys", came=written, expected="keys alone, with Shift or with AltGr")
        if self.terminator not in (ANY, NONE):
            chords.chord(self.terminator)


def _wrong(name: str, *, came: object, expected: str) -> ValueError:
    return ValueError(f"The profile's {name!r} is {came!r}: expected {expected}.")


def dict_of(profile: ScannerProfile) -> dict[str, object]:
    """The profile as a dict of builtins, for JSON, without values that are the default."""
    default = ScannerProfile()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(profile).items()
        if value != getattr(default, name)
    }


def profile_of(table: object) -> ScannerProfile:
    """The profile from a decoded JSON value. Raises `ValueError` with one sentence."""
    if not isinstance(table, dict):
        msg = f"The profile is {type(table).__name__}: expected an object of names and values."
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for all that a file may hold
    defaults = {field.name: getattr(ScannerProfile(), field.name) for field in fields(ScannerProfile)}
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in defaults:
            raise _wrong(name="key", came=name, expected=f"one of {', '.join(defaults)}")
        values[name] = _checked(name, value, defaults[name])
    return ScannerProfile(**values)  # type: ignore[arg-type]  # each was checked against the default of its field


def _checked(name: str, value: object, default: object) -> object:
    """The value, if it has the type of the field's default. Raises `ValueError`."""
    if isinstance(default, dict):
        pairs = value.items() if isinstance(value, dict) else [(None, None)]
        if len(pairs) > NAMES_MAX or not all(isinstance(text, str) for pair in pairs for text in pair):
            raise _wrong(name, came=value, expected=f"a table of at most {NAMES_MAX} texts")
        return value
    if isinstance(default, tuple):
        if not isinstance(value, list) or len(value) > NAMES_MAX or not all(isinstance(text, str) for text in value):
            raise _wrong(name, came=value, expected=f"a list of at most {NAMES_MAX} texts")
        return tuple(value)
    if type(value) is not type(default):
        expected = {str: "a text", int: "a whole number", bool: "true or false"}[type(default)]
        raise _wrong(name, came=value, expected=expected)
    return value


def profile_in(text: str) -> ScannerProfile:
    """The profile in a JSON text. Raises `ValueError`."""
    if len(text) > PROFILE_MAX_CHARS:
        msg = f"The profile has {len(text)} characters: expected at most {PROFILE_MAX_CHARS}."
        raise ValueError(msg)
    try:
        return profile_of(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        msg = f"The profile is not JSON: {error}."
        raise ValueError(msg) from error


def text_of(profile: ScannerProfile) -> str:
    """The profile as a JSON text."""
    return json.dumps(dict_of(profile), ensure_ascii=False)
