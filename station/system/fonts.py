"""Fonts of this machine: the font file that has every letter of a text, found by fontconfig (`fc-list`)."""

import subprocess
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

_FORMAT = "%{file}\t%{index}\t%{weight}\t%{slant}\t%{spacing}\t%{family[0]}\n"
_REGULAR, _BOLD = 80, 200  # weights of fontconfig
_TIMEOUT_S = 30
Run = Callable[[list[str]], str]


class FontFile(NamedTuple):
    """A font file, and the number of the font in it."""

    path: str
    number: int = 0


def run_command(command: list[str]) -> str:
    """The standard output of a command; empty where it is not installed or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def font_file(text: str, run: Run = run_command, *, bold: bool = False) -> FontFile | None:
    """An upright font that has every letter of the text, without serifs where there is one; None where none has."""
    return _font_file(frozenset(text) - {" "}, run, bold)


def letters_without_font(text: str, run: Run = run_command) -> list[str]:
    """The letters of a text that no font has."""
    return [letter for letter in dict.fromkeys(text) if font_file(letter, run) is None]


@lru_cache(maxsize=2_000)
def _font_file(letters: frozenset[str], run: Run, bold: bool) -> FontFile | None:
    points = " ".join(f"{ord(letter):x}" for letter in sorted(letters))
    found = run(["fc-list", "--format", _FORMAT, f":charset={points}" if points else ":"])
    ranked = sorted(_ranked(found.splitlines(), _BOLD if bold else _REGULAR))
    return ranked[0][1] if ranked else None


def _ranked(lines: Iterable[str], weight: int) -> Iterable[tuple[tuple[bool, bool, bool, float, str], FontFile]]:
    """Each font with its rank, the lowest first: upright, of variable width, without serifs, of this weight."""
    for line in lines:
        parts = line.split("\t")
        if len(parts) != len(_FORMAT.split("\t")):
            continue
        path, index, heavy, slant, spacing, family = parts
        sans = "sans" in family.lower()
        rank = (slant not in ("0", ""), spacing not in ("0", ""), not sans)
        # A variable font has a range of weights, such as [0 205].
        yield (*rank, abs(_number(heavy) - weight), path), FontFile(path, int(_number(index)) & 0xFFFF)


def _number(text: str) -> float:
    try:
        return float(text.strip("[]").split(" ")[0])
    except ValueError:
        return 0.0
