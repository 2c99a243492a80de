"""Symbols: encode a text to dark modules with a barcode library that is passed in.

The library is zint, through its Python binding. The interface is small, so that it can be replaced: a function of the bytes
of a text and a symbology.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from station.core.codes.setup_sheet import Symbology

_PIXELS = 2  # of zint's vectors in one module
_LEVEL_M = 2  # of QR: a symbol is read with up to 15 % of it damaged


@dataclass(frozen=True, slots=True)
class Modules:
    """The dark parts of a symbol as rectangles (x, y, width, height) on a grid of `width` by `height` modules.

    Bars are one row, however high they are drawn.
    """

    width: int
    height: int
    dark: tuple[tuple[int, int, int, int], ...]


Encode = Callable[[bytes, Symbology], Modules]


def encoder(zint: Any) -> Encode:
    """The function that encodes symbols with this module `zint`; bytes are encoded unchanged, also control characters."""

    def encode(content: bytes, symbology: Symbology) -> Modules:
        symbol = zint.Symbol()
        symbol.symbology = zint.Symbology.QRCODE if symbology is Symbology.SQUARE else zint.Symbology.CODE128
        symbol.show_hrt = False
        if symbology is Symbology.SQUARE:
            symbol.option_1 = _LEVEL_M
        symbol.encode(content)
        symbol.buffer_vector()
        rows = symbol.rows if symbology is Symbology.SQUARE else 1
        dark = (_on_grid(rectangle, rows) for rectangle in symbol.vector.rectangles)
        return Modules(symbol.width, rows, tuple(dark))

    return encode


def _on_grid(rectangle: Any, rows: int) -> tuple[int, int, int, int]:
    """A rectangle of zint's in whole modules."""
    x, width = _whole(rectangle.x), _whole(rectangle.width)
    return (x, 0, width, 1) if rows == 1 else (x, _whole(rectangle.y), width, _whole(rectangle.height))


def _whole(pixels: float) -> int:
    modules, rest = divmod(pixels, _PIXELS)
    assert not rest, "zint draws whole modules"
    return int(modules)
