r"""Setup sheet: the texts of its symbols and the purpose of each.

An unknown scanner may type for another keyboard layout, add a prefix and a suffix to each scan, or drop control characters.
The station knows the setup texts, so it learns the scanner's profile from what arrives. A scanner that reads squares needs
one scan, one that reads only bars needs two.

>>> [(symbol.name, symbol.symbology.value, len(symbol.text)) for symbol in setup_texts()]
[('2D', 'square', 118), ('1A', 'bars', 33), ('1B', 'bars', 32)]
>>> setup_texts()[1].text
'WIP:SETUP:1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym'
"""

from dataclasses import dataclass
from enum import StrEnum

from station.core.codes.command_cards import HEAD, Card

SETUP_HEAD = f"{HEAD}{Card.SETUP}:"
"""The beginning of every setup text; most keyboard layouts type it correctly."""

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
"""All printable ASCII characters in order, which a scanner must be able to send."""

SQUARE_TEXT = f"{SETUP_HEAD}2D:{PRINTABLE}\x1dGS\x1eRS\x04EOT"
"""Every printable character, then each separator before its own name, so that a lost or changed one is recognised."""

BARS_A_TEXT = f"{SETUP_HEAD}1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym"
"""The separators, the letters in which the usual keyboards differ (QWERTY, QWERTZ, AZERTY), and signs on dead keys."""

BARS_B_TEXT = f"{SETUP_HEAD}1B:-/+_.$%#@0123456789"
"""The digits, and the signs of work order numbers. Both codes end in characters that every keyboard layout has."""


class Symbology(StrEnum):
    """The symbology of a text: a square (QR Code, AIM identifier ]Q1) or bars (Code 128, ]C0), which every scanner reads.

    A matrix (Data Matrix, ]d1) is smaller than both. GS1-128 (]C1) and GS1 Data Matrix (]d2) hold an element string.
    """

    SQUARE = "square"
    BARS = "bars"
    MATRIX = "matrix"
    GS1_BARS = "gs1-bars"
    GS1_MATRIX = "gs1-matrix"

    @property
    def is_bars(self) -> bool:
        """Whether it has one row of bars, which a laser scanner reads too."""
        return self in (Symbology.BARS, Symbology.GS1_BARS)


@dataclass(frozen=True, slots=True)
class SetupText:
    """One symbol of the setup sheet: `name` follows `WIP:SETUP:`, `text` is its content, `teaches` its purpose.

    `scans`: how many symbols of this kind complete a profile; they may be scanned in any order.
    """

    name: str
    symbology: Symbology
    text: str
    teaches: str
    scans: int


_SETUP = (
    SetupText("2D", Symbology.SQUARE, SQUARE_TEXT, "every printable character, GS, RS, EOT, prefix and suffix", 1),
    SetupText(
        "1A", Symbology.BARS, BARS_A_TEXT, "GS, RS, EOT, and the keys in which keyboards differ, prefix and suffix", 2
    ),
    SetupText("1B", Symbology.BARS, BARS_B_TEXT, "digits and signs, prefix and suffix", 2),
)

_KINDS = (Symbology.SQUARE, Symbology.BARS)


def setup_texts() -> tuple[SetupText, ...]:
    """The texts of the setup sheet, the square first, byte for byte as sheet learning expects them."""
    return _SETUP


def sheets() -> tuple[tuple[str, ...], ...]:
    """The codes that complete a profile together: the square alone, or both bars in any order."""
    symbols = setup_texts()
    return tuple(tuple(symbol.text for symbol in symbols if symbol.symbology is kind) for kind in _KINDS)
