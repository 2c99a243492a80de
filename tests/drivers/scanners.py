"""The typist in its own process, and the sheets that it scans."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from drivers import xkb
from drivers.decode.keys import KeyEvent
from drivers.decode.learning import Layouts, Learned, NotLearned, learn
from drivers.decode.profile import Profile, profile_in, text_of

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
SQUARE = ("WIP:SETUP:2D:" + PRINTABLE + "\x1dGS\x1eRS\x04EOT",)
BARS = ("WIP:SETUP:1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym", "WIP:SETUP:1B:-/+_.$%#@0123456789")
SHEETS = (SQUARE, BARS)
FIRST_BARS = ("WIP:SETUP:1A:\x1dAQWZYMaqwzym", "WIP:SETUP:1B:0123456789-/+_.$%#@")  # a sheet may ask for less
NAMES = ("us", "gb", "de", "fr", "be", "ch", "ch(fr)", "es", "it", "se", "tr")
LAYOUTS = xkb.layouts((*NAMES, "at"))
MS = 1_000_000
# What Caps Lock may do: what the typist does, whether the lamp is on, and the word for it.
CAPS = {
    "off": ({}, False, "obeyed"),
    "on, and the scanner knows": ({"turned": True}, True, "obeyed"),
    "on, and the scanner does not know": ({}, True, "ignored"),
    "struck before and after each scan": ({"turned": True, "caps_keys": True}, False, "obeyed"),
    "struck to turn it off for each scan": ({"caps_keys": True}, True, "obeyed"),
    "thought to be on": ({"turned": True}, False, "inverted"),
    "no matter: capitals": ({"case": "upper"}, False, "upper"),
    "no matter: small letters": ({"case": "lower"}, False, "lower"),
}
CONTROLS = {
    "ctrl": {"GS": "Ctrl+]", "RS": "Ctrl+6", "EOT": "Ctrl+D"},
    "alt": {"GS": "Alt+029", "RS": "Alt+030", "EOT": "Alt+004"},
    "keys": {"GS": "F8", "RS": "F7", "EOT": "F6"},
    "arrows": {"GS": "Down", "RS": "Left", "EOT": "Up"},
    "keypad": {"GS": "Keypad."},
    "missing": {},
}
PYTHON = "/usr/bin/python3"  # any Python will do: the typist shares nothing with the product


class Typed(NamedTuple):
    """One scan: its key events, the text it says, and what of it the scanner could not type."""

    events: list[KeyEvent]
    said: str
    cannot: str


class Typist:
    """`tests/drivers/typist.py`, running."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [PYTHON, str(Path(__file__).parent / "typist.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def scan(self, text: str, **how: Any) -> Typed:
        """Type this text with these settings."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"text": text, **how}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Typed([KeyEvent(*event) for event in answer["events"]], answer["said"], answer["cannot"])

    def end(self) -> None:
        """Close its door and see it go."""
        self._process.communicate()
        assert self._process.returncode == 0


def all_pairs(options: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Rows of settings in which every two values of two settings meet at least once."""
    names = list(options)
    left = {
        (a, i, b, j)
        for place, a in enumerate(names)
        for b in names[place + 1 :]
        for i in range(len(options[a]))
        for j in range(len(options[b]))
    }
    while left:
        row: dict[str, int] = {}
        first = min(left)
        row.update({first[0]: first[1], first[2]: first[3]})
        for name in names:
            if name not in row:
                row[name] = max(range(len(options[name])), key=lambda value, name=name: _met(row | {name: value}, left))
        left -= {pair for pair in left if row[pair[0]] == pair[1] and row[pair[2]] == pair[3]}
        yield {name: options[name][value] for name, value in row.items()}


def _met(row: dict[str, int], left: set[tuple[str, int, str, int]]) -> int:
    return sum(row.get(a) == i and row.get(b) == j for a, i, b, j in left)


def taught(
    typist: Typist, sheet: tuple[str, ...] = SQUARE, *, lamp: bool = False, layouts: Layouts = LAYOUTS, **how: Any
) -> Learned | NotLearned:
    """What a scanner set so teaches with a sheet."""
    return learn([typist.scan(text, **how).events for text in sheet], sheet, layouts, caps_lock=lamp)


def profile_of(said: Learned | NotLearned) -> Profile:
    """The profile that was learned, as a file keeps it."""
    assert isinstance(said, Learned), said
    return profile_in(text_of(said.profile))
