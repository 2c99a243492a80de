"""Symbols: encode a text to dark modules with a barcode library that is passed in.

The library is zint, through its Python binding. The interface is small, so that it can be replaced: a function of the bytes
of a text and a symbology.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from station.core.codes.gs1.elements import read_elements
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
"""Encodes bytes as a symbol. Raises `TooLongError` where the largest symbol of this kind is too small."""


class TooLongError(ValueError):
    """No symbol of this symbology holds the content."""


def encoder(zint: Any) -> Encode:
    """The function that encodes symbols with this module `zint`; bytes are encoded unchanged, also control characters.

    The content of a GS1 symbol is an element string with its separators (GS), as a scanner returns it.
    """
    zints = {
        Symbology.SQUARE: zint.Symbology.QRCODE,
        Symbology.BARS: zint.Symbology.CODE128,
        Symbology.MATRIX: zint.Symbology.DATAMATRIX,
        Symbology.GS1_BARS: zint.Symbology.GS1_128,
        Symbology.GS1_MATRIX: zint.Symbology.DATAMATRIX,
    }

    def encode(content: bytes, symbology: Symbology) -> Modules:
        symbol = zint.Symbol()
        symbol.symbology = zints[symbology]
        symbol.show_hrt = False
        if symbology is Symbology.SQUARE:
            symbol.option_1 = _LEVEL_M
        if symbology in (Symbology.MATRIX, Symbology.GS1_MATRIX):
            symbol.option_3 = zint.DataMatrixOptions.SQUARE
        if symbology in (Symbology.GS1_BARS, Symbology.GS1_MATRIX):
            symbol.input_mode = zint.InputMode.GS1
            content = _bracketed(content)
        try:
            symbol.encode(content)
        except RuntimeError as error:
            raise TooLongError(str(error)) from error
        symbol.buffer_vector()
        rows = 1 if symbology.is_bars else symbol.rows
        dark = (_on_grid(rectangle, rows) for rectangle in symbol.vector.rectangles)
        return Modules(symbol.width, rows, tuple(dark))

    return encode


def _bracketed(elements: bytes) -> bytes:
    """An element string as zint reads it: each identifier in brackets, without separators."""
    fields = read_elements(elements.decode("ascii"), None).fields
    return "".join(f"[{identifier}]{value}" for identifier, value in fields.items()).encode()


def _on_grid(rectangle: Any, rows: int) -> tuple[int, int, int, int]:
    """A rectangle of zint's in whole modules."""
    x, width = _whole(rectangle.x), _whole(rectangle.width)
    return (x, 0, width, 1) if rows == 1 else (x, _whole(rectangle.y), width, _whole(rectangle.height))


def _whole(pixels: float) -> int:
    modules, rest = divmod(pixels, _PIXELS)
    assert not rest, "zint draws whole modules"
    return int(modules)
