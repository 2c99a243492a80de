"""Worn symbols: each symbology with its smallest modules is read after blur, a turn, less contrast, and a scratch.

A scratch along the bars of a linear code can remove a bar from top to bottom. What was there is lost for every scanner; the
check character must then keep the rest from being read as another code.
"""

import random

import pytest
import zint
from read_back import AIM, imaged, scanned, scratched, svg_picture, worn

from station.core.codes.setup_sheet import SQUARE_TEXT, Symbology
from station.core.printing import Page, Paper, Symbol, encoder, write_svg
from station.core.printing.page import DOT_MM, MIN_MODULE_MM

encode = encoder(zint)
ANGLES = range(0, 180, 30)
ALONG_BARS = 90
OFFSETS = (-0.3, 0.0, 0.5)
RANDOM = 10
MOST_UNREAD = 3  # of the random ones: one in some hundred lies along the bars
CODES = (
    (Symbology.BARS, b"WO-1042", 5.0),
    (Symbology.BARS, b"WIP:REASON:burr", 11.0),
    (Symbology.GS1_BARS, b"010950600013435210AB", 9.0),
    (Symbology.GS1_BARS, b"8006095060001343520102\x1d21A/7", 10.0),
    (Symbology.MATRIX, "ř".encode(), 0.0),
    (Symbology.MATRIX, "Größe-17".encode(), 0.0),
    (Symbology.MATRIX, b"ABCDEFGH" * 8, 0.0),
    (Symbology.GS1_MATRIX, b"8006095060001343520102\x1d21A/7", 0.0),
    (Symbology.SQUARE, "WIP:BADGE:Größe".encode(), 0.0),
    (Symbology.SQUARE, b"https://id.example.com/01/09506000134352/10/AB", 0.0),
    (Symbology.SQUARE, SQUARE_TEXT.encode(), 0.0),
)
by_code = pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code[0]}-{code[1][:12].decode()}")


def a_page(symbology: Symbology, content: bytes, bar_mm: float) -> Page:
    """A page with one symbol, its modules as narrow as they are ever printed."""
    dots = next(dots for dots in range(1, 20) if dots * DOT_MM >= MIN_MODULE_MM[symbology])
    modules = encode(content, symbology)
    symbol = Symbol("x", symbology, modules, 8, 8, dots * DOT_MM, bar_mm, content)
    paper = Paper("x", "x", symbol.width_mm + 16, symbol.height_mm + 16)
    return Page(paper, "x", 0, (), (), (symbol,))


@by_code
def test_a_worn_symbol_is_read(code):
    symbology, content, _ = code
    picture = svg_picture(write_svg(a_page(*code)))
    blur = MIN_MODULE_MM[symbology] / DOT_MM / 3
    assert scanned(worn(picture, blur)) == [(AIM[symbology], content)]


@by_code
def test_a_scratched_symbol_is_read(code):
    symbology, content, _ = code
    page = a_page(*code)
    picture, right = svg_picture(write_svg(page)), [(AIM[symbology], content)]
    for angle in ANGLES:
        for off in OFFSETS:
            damaged = scratched(picture, page.symbols, angle, off)
            seen = scanned(damaged) or imaged(damaged)
            unreadable = symbology.is_bars and angle == ALONG_BARS and seen == []
            assert seen == right or unreadable, (angle, off, seen)


@by_code
def test_a_random_scratch_on_a_turned_and_pale_symbol_never_makes_another_code(code):
    symbology, content, _ = code
    page = a_page(*code)
    picture, right = svg_picture(write_svg(page)), [(AIM[symbology], content)]
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, unread = random.Random(seed), 0
    for _ in range(RANDOM):
        damaged = worn(scratched(picture, page.symbols, chance.uniform(0, 180), chance.uniform(-0.9, 0.9)), blur=0.4)
        seen = scanned(damaged) or imaged(damaged)
        assert set(seen) <= set(right)
        unread += seen == []
    assert unread <= MOST_UNREAD
