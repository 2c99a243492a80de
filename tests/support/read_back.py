"""Reading paper back: a page as a picture, and every symbol on it as a scanner would report it."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import zxingcpp
from missing import not_here
from PIL import Image, ImageDraw, ImageFilter

from station.core.codes.setup_sheet import Symbology
from station.core.printing import Page

DPI = 300
AIM = {
    Symbology.SQUARE: "]Q1", Symbology.BARS: "]C0", Symbology.MATRIX: "]d1", Symbology.GS1_BARS: "]C1",
    Symbology.GS1_MATRIX: "]d2",
}  # fmt: skip
Seen = tuple[str, bytes]
"""What a scanner reports: the AIM identifier and the bytes behind it."""


def scanned(picture: Image.Image) -> list[Seen]:
    """Every symbol of a picture, in order."""
    return sorted((each.symbology_identifier, each.bytes) for each in zxingcpp.read_barcodes(picture))


def worn(picture: Image.Image, blur: float = 1.5) -> Image.Image:
    """A picture of paper that is held badly and worn: turned by 3 degrees, blurred, and with 70 % of its contrast.

    `blur`: in dots; at most half a module.
    """
    turned = picture.convert("L").rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    return turned.filter(ImageFilter.GaussianBlur(blur)).point(lambda shade: round(shade * 0.7 + 255 * 0.15))


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
    return [Image.open(path) for path in sorted(folder.glob("read-*.pgm"))]


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
