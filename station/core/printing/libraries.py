"""Load the libraries for symbols (zint), PDF files (reportlab) and pictures of texts (Pillow)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

from station.core.printing import (
    Encode,
    Page,
    PaperError,
    TextLine,
    encoder,
    not_installed,
    typefaces,
    write_pdf,
)
from station.core.printing.page import Outline, Shape
from station.core.printing.pdf import LetterPicture, Letters, check_letters, is_simple
from station.core.printing.zpl import Bitmap, write_zpl

CURVE_PARTS = 16
_DARK = 128  # below this shade of 255 a dot is black
PICTURE_DOTS_MM = 400 / 25.4
_MOST_LETTERS = 8  # in a message


class FoundFont(Protocol):
    """A font file, and the number of the font in it."""

    @property
    def path(self) -> str:
        """The path of the file."""

    @property
    def number(self) -> int:
        """The number of the font in the file."""


class MachineFonts(NamedTuple):
    """The fonts of a machine. `find`: a font with every letter of a text; `missing`: the letters that no font has."""

    find: Callable[..., FoundFont | None]
    missing: Callable[[str], Sequence[str]]


def symbols(install: str) -> Encode:
    """The symbol encoder. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=install) from error
    return encoder(zint)


def refused_names(names: Iterable[str], install: str, letters: Letters) -> dict[str, PaperError]:
    """The names that no font of this machine can set in a PDF, each with its error, which has the missing letters.

    Raises `PaperError` where the library is missing.
    """
    check = pdf_check(install, letters)
    refused = {}
    for name in names:
        try:
            check([TextLine(name, 0, 0, 1, bold=True)])
        except PaperError as error:
            refused[name] = error
    return refused


def pdf(pages: Iterable[Page], install: str, letters: Letters | None = None) -> bytes:
    """These pages as a PDF file. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont), letters)


def pdf_check(install: str, letters: Letters | None) -> Callable[[Iterable[TextLine]], None]:
    """A function that raises `PaperError` for the first text that `pdf` cannot set."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return partial(check_letters, typeface=typefaces(ttfonts, pdfmetrics.registerFont), letters=letters)


def pdf_letters(fonts: MachineFonts, install: str) -> Letters:
    """Draws texts for a PDF as pictures. Raises `PaperError` where Pillow, which reportlab needs too, is not installed."""
    draw = drawn_letters(fonts, install)
    try:
        from reportlab.lib.utils import ImageReader
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error

    @lru_cache(maxsize=200)
    def letters(text: str, size_mm: float, bold: bool) -> LetterPicture:
        picture, left, top = draw(text, size_mm * PICTURE_DOTS_MM, bold)
        right, bottom = left + picture.width, top + picture.height
        edges = (dots / PICTURE_DOTS_MM for dots in (left, top, right, bottom))
        return LetterPicture(ImageReader(picture), *edges)

    return lambda words: letters(words.text, words.size_mm, words.bold)


def drawn_letters(fonts: MachineFonts, install: str) -> Callable[[str, float, bool], tuple[Any, int, int]]:
    """Draws a text with a font of this machine: (picture, left, top), in dots from the beginning of the baseline.

    The function takes the text, its size in dots, and whether it is bold. It raises `PaperError` with the letters that no
    font has, and where Pillow cannot join the letters of the text.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont, features
    except ImportError as error:
        raise not_installed(package="pillow", do=install) from error
    joins = features.check("raqm")

    def draw(text: str, size: float, bold: bool) -> tuple[Any, int, int]:
        if not joins and not is_simple(text):
            came = f"The text {text!r} has letters that are joined or reordered, and the library raqm is missing."
            raise PaperError(came, "Expected Pillow with raqm.", "Print the drawing (SVG) from a browser.")
        placed: list[tuple[str, Any, float]] = []
        boxes: list[tuple[float, float, float, float]] = []
        x = 0.0
        for run, file in _runs_by_font(text, fonts, bold=bold):
            font = ImageFont.truetype(file.path, max(1, round(size)), index=file.number)
            placed.append((run, font, x))
            left, top, right, bottom = font.getbbox(run, anchor="ls")
            boxes.append((left + x, top, right + x, bottom))
            x += font.getlength(run)
        first_x, first_y = (round(min(box[axis] for box in boxes)) for axis in (0, 1))
        last_x, last_y = (round(max(box[axis] for box in boxes)) for axis in (2, 3))
        picture = Image.new("L", (max(1, last_x - first_x), max(1, last_y - first_y)), 255)
        for run, font, at in placed:
            ImageDraw.Draw(picture).text((at - first_x, -first_y), run, font=font, fill=0, anchor="ls")
        return picture, first_x, first_y

    return draw


def _runs_by_font(text: str, fonts: MachineFonts, *, bold: bool) -> list[tuple[str, FoundFont]]:
    """A text in parts, each with a font that has all of its letters: one where there is one for all of them.

    A text whose letters are joined or reordered is not divided, because its parts have another order on paper.
    Raises `PaperError` with the letters that no font has.
    """
    whole = fonts.find(text, bold=bold)
    if whole is not None:
        return [(text, whole)]
    missing = fonts.missing(text)
    if missing or not is_simple(text):
        raise _no_font(text, missing)
    runs: list[tuple[str, FoundFont]] = []
    for letter in text:
        longer = runs[-1][0] + letter if runs else letter
        file = fonts.find(longer, bold=bold)
        if file is not None:
            runs[-1:] = [(longer, file)]
        elif (own := fonts.find(letter, bold=bold)) is not None:
            runs.append((letter, own))
    return runs


def _no_font(text: str, letters: Sequence[str]) -> PaperError:
    if letters:
        named = ", ".join(f"{letter!r} (U+{ord(letter):04X})" for letter in letters[:_MOST_LETTERS])
        came = f"No font of this machine has {named} of {text!r}."
    else:
        came = f"No single font of this machine has every letter of {text!r}."
    do = "Install one, such as fonts-dejavu-core, or fonts-noto-cjk for Chinese, Japanese and Korean."
    return PaperError(came, "Expected a font that fontconfig finds (fc-list).", do)


def zpl(pages: Iterable[Page], dpi: int, fonts: MachineFonts, install: str) -> Iterator[bytes]:
    """Each page as a ZPL label. Raises `PaperError` where Pillow is not installed, and for a letter that no font has."""
    draw = drawn_letters(fonts, install)
    from PIL import Image, ImageChops, ImageDraw

    def text(words: TextLine, dots_mm: float) -> Bitmap:
        picture, left, top = draw(words.text, words.size_mm * dots_mm, words.bold)
        left = -(picture.width // 2) if words.middle else left
        return Bitmap(left, top, picture.width, _rows_of(picture.point(lambda shade: 255 * (shade < _DARK))))

    def shape(drawn: Shape, dots_mm: float) -> Bitmap:
        outlines = [list(flattened(outline, dots_mm)) for outline in drawn.outlines]
        xs, ys = ([point[axis] for outline in outlines for point in outline] for axis in (0, 1))
        left, top = int(min(xs)), int(min(ys))
        size = int(max(xs)) - left + 1, int(max(ys)) - top + 1
        picture = Image.new("1", size)
        for outline in outlines:
            one = Image.new("1", size)
            if len(outline) > 1:
                ImageDraw.Draw(one).polygon([(x - left, y - top) for x, y in outline], fill=1)
            picture = ImageChops.logical_xor(picture, one)  # the even-odd rule
        return Bitmap(left, top, size[0], _rows_of(picture))

    return (write_zpl(page, dpi, text, shape) for page in pages)


def flattened(outline: Outline, dots_mm: float) -> Iterator[tuple[float, float]]:
    """The corners of an outline in dots; a curve becomes CURVE_PARTS lines."""
    at = (0.0, 0.0)
    for letter, *numbers in outline:
        points = [(x * dots_mm, y * dots_mm) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if letter == "C":
            ends = (at, *points)
            for part in range(1, CURVE_PARTS):
                t = part / CURVE_PARTS
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                x, y = (sum(weight * end[axis] for weight, end in zip(weights, ends, strict=True)) for axis in (0, 1))
                yield x, y
        if points:
            at = points[-1]
            yield at


def _rows_of(picture: Any) -> list[bytes]:
    """The rows of a picture, packed to bits; a pixel above 0 is black."""
    data, across = picture.convert("1").tobytes(), (picture.width + 7) // 8
    return [data[start : start + across] for start in range(0, len(data), across)]
