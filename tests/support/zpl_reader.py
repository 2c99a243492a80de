"""ZPL reader: what a thermal printer would put on a label, from the commands of the product; any other is an error."""

import re
from dataclasses import dataclass, field

from PIL import Image

_COMMAND = re.compile(r"\^(XA|CI|LH|PW|LL|FO|FT|GF|GB|A0|FH|FD|FS|PQ|XZ)([^^~]*)")
EDGE = 40
"""Dots of white around a label that is looked at."""
_COUNTS = {
    **{letter: n for n, letter in enumerate("GHIJKLMNOPQRSTUVWXY", 1)},
    **{c: 20 * n for n, c in enumerate("ghijklmnopqrstuvwxyz", 1)},
}


@dataclass
class PrintedLabel:
    """One label: its picture in dots, and its texts in the printer's font."""

    picture: Image.Image
    texts: list[str] = field(default_factory=list)


def labels(zpl: bytes) -> list[PrintedLabel]:
    """The labels of a ZPL file. Raises AssertionError for a command that is not known, or that stands outside a label."""
    printed: list[PrintedLabel] = []
    text = zpl.decode("ascii")
    assert _COMMAND.sub("", text).strip() == ""
    assert text.count("^XA") == text.count("^XZ")
    label, at, hexadecimal = PrintedLabel(Image.new("1", (1, 1), 1)), (0, 0), False
    size = [0, 0]
    for name, data in _COMMAND.findall(text):
        rest = data.rstrip("\n")
        if name == "PW":
            size[0] = int(rest)
        elif name == "LL":
            size[1] = int(rest)
            label = PrintedLabel(Image.new("1", (size[0], size[1]), 1))
        elif name in ("FO", "FT"):
            x, y = map(int, rest.split(","))
            assert 0 <= x < size[0]
            assert 0 <= y < size[1]
            at = x, y
        elif name == "GF":
            label.picture.paste(0, at, mask(rest))
        elif name == "FH":
            assert rest == "_"
            hexadecimal = True
        elif name == "FD":
            assert hexadecimal
            label.texts.append(unescaped(rest))
        elif name == "FS":
            hexadecimal = False
        elif name == "XZ":
            printed.append(label)
    return printed


def unescaped(data: str) -> str:
    """The text of `^FD` behind `^FH_`, in UTF-8."""
    parts = re.split(r"_([0-9A-F]{2})", data)
    return b"".join(bytes.fromhex(p) if n % 2 else p.encode() for n, p in enumerate(parts)).decode()


def mask(graphic: str) -> Image.Image:
    """The black dots of `^GFA`."""
    kind, total, again, across, data = graphic.split(",", 4)
    assert kind == "A"
    assert total == again
    digits = int(across) * 2
    rows: list[str] = []
    row, count = "", 0
    for letter in data:
        if letter == ":":
            assert row == ""
            rows.append(rows[-1])
        elif letter == ",":
            rows.append(row.ljust(digits, "0"))
            row = ""
        elif letter in _COUNTS and letter not in "ABCDEF":
            count += _COUNTS[letter]
        else:
            row += letter * (count or 1)
            count = 0
        if len(row) == digits:
            rows.append(row)
            row = ""
    assert row == ""
    assert len(rows) * int(across) == int(total)
    return Image.frombytes("1", (int(across) * 8, len(rows)), bytes.fromhex("".join(rows)))


def on_white(picture: Image.Image) -> Image.Image:
    """A label on white paper, so that each symbol has its quiet zone."""
    white = Image.new("L", (picture.width + 2 * EDGE, picture.height + 2 * EDGE), 255)
    white.paste(picture.convert("L"), (EDGE, EDGE))
    return white
