"""The profile of a scanner that types: what must be known of it to read what it types.

It holds plain values only, so that a file can keep it as JSON.

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
"""What Caps Lock and case may do to its letters."""

DEAD: Mapping[str, str] = {
    "composes": "a dead key waits for the next key: ^ and e are ê, ^ and the space bar are ^",
    "alone": "the scanner strikes a dead key for its sign, and no space bar after it",
}
CONTROLS: Mapping[str, str] = {"GS": "\x1d", "RS": "\x1e", "EOT": "\x04"}
"""The control characters that structured codes need (ISO/IEC 15434, GS1)."""

ANY, NONE = "any", "none"
"""Terminators without a key: any of Enter, keypad Enter and Tab; none of them, but silence."""
LEARNED = "learned"
"""The layout that `keys` makes alone."""
ITSELF = "itself"
"""How a control character comes from a scanner that sends bytes."""

AFFIX_MAX_CHARS = 64
"""Characters of a prefix and of a suffix."""
GAP_MAX_MS = 500
"""The slowest pause between two keys of one scan that is believed."""
PROFILE_MAX_CHARS = 65_536
NAMES_MAX = 512
"""Entries of a list or table in a profile."""
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can write one by itself, and it can be sent to nobody


@dataclass(frozen=True, slots=True)
class ScannerProfile:
    """How a scanner types.

    `layout` is a name of xkb, or "learned" where only `keys` says what its keys type. `keys`: chords that type otherwise
    than the layout says, each with its character. `dead` and `caps` are words of `DEAD` and `CAPS`. `control` has for GS,
    RS, EOT the chord that stands for it ("itself" where bytes come); what is missing the scanner does not send (or
    sends as on any keyboard, where nothing was learned). `prefix` and `suffix` are stripped where they are there.
    `terminator` is a chord, "any" or "none". `aim`: an AIM identifier comes along. `gap_ms` is the slowest pause between
    its keys, 0 where unknown. `alike` are the other layouts that what was learned fits as well.
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
    """The profile as a dict of builtins, for JSON; what says nothing is left out."""
    plain = ScannerProfile()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(profile).items()
        if value != getattr(plain, name)
    }


def profile_of(found: object) -> ScannerProfile:
    """The profile in what JSON gave; `ValueError` says what is wrong in one sentence."""
    if not isinstance(found, dict):
        msg = f"The profile is {type(found).__name__}: expected an object of names and values."
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for all that a file may hold
    known = {each.name: getattr(ScannerProfile(), each.name) for each in fields(ScannerProfile)}
    values: dict[str, object] = {}
    for name, value in found.items():
        if name not in known:
            raise _wrong(name="key", came=name, expected=f"one of {', '.join(known)}")
        values[name] = _checked(name, value, known[name])
    return ScannerProfile(**values)  # type: ignore[arg-type]  # each was checked against the default of its field


def _checked(name: str, value: object, like: object) -> object:
    """The value, where it is of the kind of the field's default."""
    if isinstance(like, dict):
        pairs = value.items() if isinstance(value, dict) else [(None, None)]
        if len(pairs) > NAMES_MAX or not all(isinstance(each, str) for pair in pairs for each in pair):
            raise _wrong(name, came=value, expected=f"a table of at most {NAMES_MAX} texts")
        return value
    if isinstance(like, tuple):
        if not isinstance(value, list) or len(value) > NAMES_MAX or not all(isinstance(each, str) for each in value):
            raise _wrong(name, came=value, expected=f"a list of at most {NAMES_MAX} texts")
        return tuple(value)
    if type(value) is not type(like):
        expected = {str: "a text", int: "a whole number", bool: "true or false"}[type(like)]
        raise _wrong(name, came=value, expected=expected)
    return value


def profile_in(text: str) -> ScannerProfile:
    """The profile in a JSON text."""
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
