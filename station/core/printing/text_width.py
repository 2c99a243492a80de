"""Text width without a font: the maximum over the typefaces that a browser or a printer may choose.

A line that fits by this width fits with every typeface. Each letter has the width of DejaVu Sans or Helvetica (Arial),
whichever is wider.

>>> round(width_mm("SCRAP", 10), 1)
34.9
>>> wrapped("A cordless scanner out of sight of the lamp", 4, 50)
['A cordless scanner out', 'of sight of the lamp']
"""

import unicodedata

# Hundredths of the type's size, from blank to tilde.
_PLAIN = (
    32, 41, 46, 84, 64, 95, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84,
    84, 56, 102, 69, 69, 73, 78, 67, 62, 78, 76, 30, 50, 67, 56, 87, 75, 79, 67, 79, 73, 67, 62, 74, 69, 99, 69, 67, 69, 40,
    34, 40, 84, 56, 50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60,
    53, 64, 34, 64, 84,
)  # fmt: skip
_BOLD = (
    35, 46, 53, 84, 70, 101, 88, 31, 46, 46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40, 84, 84,
    84, 62, 100, 78, 77, 74, 84, 69, 69, 83, 84, 38, 56, 78, 64, 100, 84, 86, 74, 86, 78, 73, 69, 82, 78, 111, 78, 73, 73,
    46, 37, 46, 84, 56, 50, 68, 72, 60, 72, 68, 44, 72, 72, 35, 35, 67, 35, 105, 72, 69, 72, 72, 50, 60, 48, 72, 66, 93, 65,
    66, 59, 72, 37, 72, 84,
)  # fmt: skip
_WIDE = 100  # a character of East Asia
_OTHER = 95, 120  # any other beyond ASCII, plain and bold: more than most of them
ELLIPSIS = "…"


def width_mm(text: str, size_mm: float, *, bold: bool = False) -> float:
    """The maximum width of a line."""
    return sum(_hundredths(letter, bold=bold) for letter in text) * size_mm / 100


def wrapped(text: str, size_mm: float, within_mm: float, *, bold: bool = False) -> list[str]:
    """A text in lines of at most this width; a word that is wider is a line of its own, too wide."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_mm(longer, size_mm, bold=bold) <= within_mm:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fitted(
    text: str, sizes_mm: tuple[float, ...], within_mm: float, most: int, *, bold: bool = False
) -> tuple[float, list[str]]:
    """(size, lines): the first of these sizes at which the text fits into `most` lines; at the last one it is cut.

    >>> fitted("Oberflaechenbehandlung", (9, 4), 40, 1)
    (4, ['Oberflaechenbeh…'])
    """
    for size_mm in sizes_mm:
        lines = wrapped(text, size_mm, within_mm, bold=bold)
        if len(lines) <= most and all(width_mm(line, size_mm, bold=bold) <= within_mm for line in lines):
            return size_mm, lines
    size_mm = sizes_mm[-1]
    lines = wrapped(text, size_mm, within_mm, bold=bold)
    whole, rest = lines[: most - 1], lines[most - 1 :]
    kept = [*whole, " ".join(rest)] if rest else whole
    return size_mm, [_cut(line, size_mm, within_mm, bold=bold) for line in kept]


def broken(text: str, size_mm: float, within_mm: float, *, bold: bool = False) -> list[str]:
    """A text in lines of at most this width, all of it: a word that is wider continues on the next line.

    >>> broken("WO-1042 Oberflaechenbehandlung", 4, 40)
    ['WO-1042', 'Oberflaechenbehan', 'dlung']
    """
    lines: list[str] = []
    for line in wrapped(text, size_mm, within_mm, bold=bold):
        rest = line
        while width_mm(rest, size_mm, bold=bold) > within_mm and len(rest) > 1:
            kept = len(rest) - 1
            while kept > 1 and width_mm(rest[:kept], size_mm, bold=bold) > within_mm:
                kept -= 1
            lines.append(rest[:kept])
            rest = rest[kept:]
        lines.append(rest)
    return lines


def _cut(line: str, size_mm: float, within_mm: float, *, bold: bool) -> str:
    if width_mm(line, size_mm, bold=bold) <= within_mm:
        return line
    while line and width_mm(line + ELLIPSIS, size_mm, bold=bold) > within_mm:
        line = line[:-1]
    return line + ELLIPSIS


def _hundredths(character: str, *, bold: bool) -> int:
    point = ord(character) - 0x20
    if 0 <= point < len(_PLAIN):
        return (_BOLD if bold else _PLAIN)[point]
    return _WIDE if unicodedata.east_asian_width(character) in "WF" else _OTHER[bold]
