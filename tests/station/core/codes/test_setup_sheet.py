"""The setup sheet's texts: the bytes that a learner and the paper agree on, and how they read where nobody learns."""

import pytest

from station.core.codes import Card, Scheme, read_code
from station.core.codes.setup_sheet import Symbology, setup_texts

SQUARE = bytes((*b"WIP:SETUP:2D:", *range(0x20, 0x7F), 0x1D, *b"GS", 0x1E, *b"RS", 0x04, *b"EOT"))
BARS_A = b"WIP:SETUP:1A:\x1dAQWZ\x1eYM\x04w^a|)~<qzym"
BARS_B = b"WIP:SETUP:1B:-/+_.$%#@0123456789"


def test_the_texts_are_these_bytes_for_ever() -> None:
    """Sheets hang at benches for years: a text that changed would teach a scanner nonsense."""
    assert [(each.text.encode(), each.symbology, each.scans) for each in setup_texts()] == [
        (SQUARE, Symbology.SQUARE, 1),
        (BARS_A, Symbology.BARS, 2),
        (BARS_B, Symbology.BARS, 2),
    ]
    assert all(each.text.startswith(f"WIP:SETUP:{each.name}:") and each.teaches for each in setup_texts())


@pytest.mark.parametrize("raw", [SQUARE, BARS_A, BARS_B], ids=["2D", "1A", "1B"])
@pytest.mark.parametrize("sym", ["", "]Q1", "]C0"])
def test_a_setup_text_is_a_card_of_its_own_and_never_unread(raw: bytes, sym: str) -> None:
    code = read_code(sym.encode() + raw, None, ())
    assert (code.scheme, code.card, code.unread, code.item) == (Scheme.COMMAND, Card.SETUP, None, None)
    assert code.code.startswith("WIP:SETUP:")
    assert code.sym == (sym or None)


@pytest.mark.parametrize(
    ("raw", "text", "argument"),
    [
        (b"wip:setup:1a:aqwzym", "WIP:SETUP:1a:aqwzym", "1a:aqwzym"),
        (b"WIP:SETUP", "WIP:SETUP", None),
        (b"WIP:SETUP:", "WIP:SETUP:", None),
        (b"WIP:SETUP:" + b"x" * 4000, "WIP:SETUP:" + "x" * 4000, "x" * 4000),
    ],
)
def test_however_a_scanner_garbled_what_stands_behind_it_it_is_that_card(
    raw: bytes, text: str, argument: str | None
) -> None:
    code = read_code(raw, None, ())
    assert (code.card, code.code, code.argument) == (Card.SETUP, text, argument)


def test_a_longer_word_is_no_setup() -> None:
    assert read_code(b"WIP:SETUPS:1A:", None, ()).unread == "no such card"
