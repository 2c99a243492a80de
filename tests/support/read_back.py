"""Reading paper back: a page as a picture, and every symbol on it as a scanner would report it."""

import math
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import zxingcpp
from missing import not_here
from PIL import Image, ImageDraw, ImageFilter

from station.core.codes.setup_sheet import Symbology
from station.core.printing import Page, Symbol

DPI = 300
SCRATCH_MM = 0.2
"""What a fingernail or the edge of a part takes off a label: less than the narrowest module (0.25 mm)."""
AIM = {
    Symbology.SQUARE: "]Q1", Symbology.BARS: "]C0", Symbology.MATRIX: "]d1", Symbology.GS1_BARS: "]C1",
    Symbology.GS1_MATRIX: "]d2",
}  # fmt: skip
FORMATS = (zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.QRCode)
Seen = tuple[str, bytes]
"""What a scanner reports: the AIM identifier and the bytes behind it."""


def scanned(picture: Image.Image) -> list[Seen]:
    """Every symbol of a picture in order, by a scanner that reads the symbologies which are printed.

    A Micro QR Code is none of them. zxing-cpp sees one in a few QR Codes with a scratch through two of their corners.
    """
    seen = zxingcpp.read_barcodes(picture, formats=FORMATS)
    printed = (each for each in seen if each.format != zxingcpp.BarcodeFormat.MicroQRCode)
    return sorted((each.symbology_identifier, each.bytes) for each in printed)


def worn(picture: Image.Image, blur: float = 1.5) -> Image.Image:
    """A picture of paper that is held badly and worn: turned by 3 degrees, blurred, and with 70 % of its contrast.

    `blur`: in dots; at most half a module.
    """
    turned = picture.convert("L").rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    return turned.filter(ImageFilter.GaussianBlur(blur)).point(lambda shade: round(shade * 0.7 + 255 * 0.15))


def imaged(picture: Image.Image) -> list[Seen]:
    """Every symbol of a picture, read as an imager does that closes white lines of up to three dots.

    zxing-cpp alone finds no Data Matrix whose border is interrupted, however thin the line is.
    """
    fine = picture.convert("L").resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC)
    return scanned(fine.filter(ImageFilter.MinFilter(7)).filter(ImageFilter.MaxFilter(7)))


def scratched(
    picture: Image.Image, symbols: Sequence[Symbol], angle: float, off: float = 0.0, *, dpi: int = DPI
) -> Image.Image:
    """A picture of a page with a white line of SCRATCH_MM through each of these symbols, from edge to edge.

    `angle`: in degrees from the direction of a line of text; `off`: how far the line is beside the middle of the symbol,
    from -1 to 1 (at its edge).
    """
    dots, fine = dpi / 25.4, 4  # drawn finer than the picture: a scratch does not keep to dots
    damaged = picture.convert("L")
    for symbol in symbols:
        left, top = (math.floor(mm * dots) for mm in (symbol.x_mm, symbol.y_mm))
        width, height = (math.ceil(mm * dots) + 1 for mm in (symbol.width_mm, symbol.height_mm))
        box = left, top, left + width, top + height
        part = damaged.crop(box).resize((width * fine, height * fine), Image.Resampling.NEAREST)
        across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        reach = (width * abs(down) + height * abs(across)) * fine / 2
        x, y = width * fine / 2 - off * reach * down, height * fine / 2 + off * reach * across
        long = part.width + part.height
        ends = (x - long * across, y - long * down, x + long * across, y + long * down)
        ImageDraw.Draw(part).line(ends, fill=255, width=round(SCRATCH_MM * dots * fine))
        damaged.paste(part.resize((width, height), Image.Resampling.BOX), box)
    return damaged


def expected(pages: Sequence[Page]) -> list[list[Seen]]:
    """What should be read from each of these pages."""
    return [
        sorted((AIM[each.symbology], each.content or each.text.encode()) for each in page.symbols) for page in pages
    ]


def pdf_pictures(pdf: bytes, folder: Path, pdftoppm: str = "pdftoppm") -> list[Image.Image]:
    """The pages of a PDF as a printer would put them on paper. `pdftoppm`: the program's name or path."""
    if not shutil.which(pdftoppm):
        not_here(f"{pdftoppm} is missing: sudo apt-get install poppler-utils")
    (folder / "read.pdf").write_bytes(pdf)
    subprocess.run([pdftoppm, "-r", str(DPI), "-gray", folder / "read.pdf", folder / "read"], check=True)
    return [_loaded(path) for path in sorted(folder.glob("read-*.pgm"))]


def _loaded(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.copy()


_SIZE = re.compile(r'<svg [^>]*width="([\d.]+)mm" height="([\d.]+)mm"')
_PATH = re.compile(r'<path transform="translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+) ([\d.]+)\)" d="([^"]*)"/>')
_BOX = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-\3z")


def svg_picture(svg: str) -> Image.Image:
    """The symbols of a drawing, rasterised from nothing but what stands in it."""
    size = _SIZE.search(svg)
    assert size, "the drawing has a size in mm"
    dots = DPI / 25.4
    picture = Image.new("L", (round(float(size[1]) * dots), round(float(size[2]) * dots)), "white")
    draw = ImageDraw.Draw(picture)
    for path in _PATH.finditer(svg):
        x, y, across, down = (float(path[number]) * dots for number in (1, 2, 3, 4))
        boxes = _BOX.findall(path[5])
        assert "".join(f"M{a} {b}h{c}v{d}h-{c}z" for a, b, c, d in boxes) == path[5]
        for left, top, width, height in (map(int, box) for box in boxes):
            upper = round(x + left * across), round(y + top * down)
            lower = round(x + (left + width) * across) - 1, round(y + (top + height) * down) - 1
            draw.rectangle((upper, lower), fill="black")
    return picture
