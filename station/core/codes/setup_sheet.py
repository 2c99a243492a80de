r"""The setup sheet, as texts: what its symbols say, and what each is for.

A scanner that was never seen here may type with a keyboard of another country, put words before and behind each scan, or
swallow control characters. The setup texts are known to both sides: a station that knows what a symbol says learns from what
arrives how the scanner says it. One scan teaches a scanner that reads squares, two one that reads only bars.

>>> [(each.name, each.symbology.value, len(each.text)) for each in setup_texts()]
[('2D', 'square', 118), ('1A', 'bars', 33), ('1B', 'bars', 32)]
>>> setup_texts()[1].text
'WIP:SETUP:1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym'
"""

from dataclasses import dataclass
from enum import StrEnum

from station.core.codes.command_cards import HEAD, Card

SETUP_HEAD = f"{HEAD}{Card.SETUP}:"
"""What every setup text begins with: a head that comes through most keyboards."""

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
"""All printable characters of ASCII, in order: what a scanner must be able to say."""

SQUARE_TEXT = f"{SETUP_HEAD}2D:{PRINTABLE}\x1dGS\x1eRS\x04EOT"
"""Every printable character, then each separator before its own name, so that one that is lost or changed can be told."""

BARS_A_TEXT = f"{SETUP_HEAD}1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym"
"""The separators, the letters in which the usual keyboards differ (QWERTY, QWERTZ, AZERTY), and signs on dead keys."""

BARS_B_TEXT = f"{SETUP_HEAD}1B:-/+_.$%#@0123456789"
"""The digits, and the signs that work order numbers are made of. Both codes end in what every keyboard has."""


class Symbology(StrEnum):
    """How a text is drawn: a square (QR Code, AIM identifier ]Q1) or bars (Code 128, ]C0), which every scanner reads."""

    SQUARE = "square"
    BARS = "bars"


@dataclass(frozen=True, slots=True)
class SetupText:
    """One symbol of the setup sheet: `name` stands behind `WIP:SETUP:`, `text` is what it says, `teaches` what for.

    `scans`: how many symbols of this kind teach a scanner; they may come in any order.
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


def setup_texts() -> tuple[SetupText, ...]:
    """The texts of the setup sheet, the square first: what a learner expects, byte for byte."""
    return _SETUP


def sheets() -> tuple[tuple[str, ...], ...]:
    """The codes that teach a scanner together: the square by itself, the bars one after the other, in any order."""
    texts = setup_texts()
    return tuple(tuple(each.text for each in texts if each.symbology is kind) for kind in Symbology)
