"""Logo: the filled paths of an SVG file, checked, as closed outlines of straight lines and curves.

Only paths are taken: an SVG file may hold scripts, links to other files and entities that grow without end, and a printer
needs none of them. Every path is filled black, by the even-odd rule.

>>> logo = read_logo(b'<svg viewBox="0 0 20 10"><path d="M0 0H20V10z"/></svg>')
>>> logo.width, logo.height, logo.outlines
(20.0, 10.0, ((('M', 0.0, 0.0), ('L', 20.0, 0.0), ('L', 20.0, 10.0), ('Z',)),))
>>> try:
...     read_logo(b'<svg viewBox="0 0 9 9"><script>x</script></svg>')
... except PaperError as error:
...     print(error.came)
The logo has the element 'script'.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from station.core.printing.page import PaperError

MAX_BYTES = 200_000
MAX_STEPS = 20_000  # lines and curves
_ELEMENTS = frozenset({"svg", "g", "path", "title", "desc", "metadata"})
_ATTRIBUTES = {
    "svg": frozenset({"viewBox", "width", "height", "version", "xmlns", "id", "baseProfile", "fill", "role"}),
    "g": frozenset({"id", "fill", "fill-rule"}),
    "path": frozenset({"d", "id", "fill", "fill-rule"}),
}
_TOKEN = re.compile(r"[MmLlHhVvCcSsQqTtZz]|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?|[^\s,]")
_COUNT = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}

Step = tuple[str, *tuple[float, ...]]
"""One step of an outline: `M`, `L`, `C` with absolute positions, or `Z`."""


@dataclass(frozen=True, slots=True)
class Logo:
    """Outlines in a box of `width` by `height`, in units of the file; each begins with `M`."""

    width: float
    height: float
    outlines: tuple[tuple[Step, ...], ...]


class _Reader:
    """The handlers of the XML parser."""

    def __init__(self) -> None:
        self.box: tuple[float, ...] | None = None
        self.paths: list[str] = []
        self._depth = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Check an element and keep its path."""
        if name not in _ELEMENTS or (name == "svg") != (self._depth == 0):
            _refuse(f"the element {name[:40]!r}")
        self._depth += 1
        allowed = _ATTRIBUTES.get(name)
        for attribute, value in attributes.items():
            if allowed is None or (attribute not in allowed and not attribute.startswith("xmlns:")):
                _refuse(f"the attribute {attribute[:40]!r}")
            if "url" in value.lower():
                _refuse(f"a link in {attribute!r}")
        if name == "svg":
            numbers = re.findall(r"[-+0-9.eE]+", attributes.get("viewBox", ""))
            try:
                self.box = tuple(map(float, numbers))
            except ValueError:
                self.box = None
        if name == "path" and attributes.get("fill", "") not in ("none", "transparent"):
            self.paths.append(attributes.get("d", ""))

    def end(self, _: str) -> None:
        """Leave an element."""
        self._depth -= 1

    def refuse(self, *_: object) -> NoReturn:
        """Refuse a document type, an entity or a processing instruction."""
        _refuse("a document type, an entity or an instruction")


def read_logo(content: bytes) -> Logo:
    """The logo of an SVG file with a viewBox. Raises `PaperError` where it has anything but paths."""
    if len(content) > MAX_BYTES:
        _refuse(f"{len(content)} bytes")
    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.StartDoctypeDeclHandler = reader.refuse  # without a document type there are no entities
    parser.ProcessingInstructionHandler = reader.refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        _refuse(f"no valid XML: {error}")
    box = reader.box
    if box is None or len(box) != 4 or not (0 < box[2] < 1e6 and 0 < box[3] < 1e6):
        _refuse("no viewBox of four numbers")
    outlines = tuple(outline for path in reader.paths for outline in _outlines(path, box[0], box[1]))
    if not outlines:
        _refuse("no filled path")
    if sum(map(len, outlines)) > MAX_STEPS:
        _refuse(f"more than {MAX_STEPS} lines and curves")
    return Logo(box[2], box[3], outlines)


def _refuse(came: str) -> NoReturn:
    do = "Convert text, strokes, arcs and shapes to paths, remove transformations and styles, and save it as plain SVG."
    expected = "Expected an SVG file that has a viewBox and only filled paths."
    raise PaperError(came=f"The logo has {came}.", expected=expected, do=do)


def _outlines(path: str, left: float, top: float) -> Iterator[tuple[Step, ...]]:
    """The outlines of a path's data, relative to the corner of the box; each is closed."""
    outline: list[Step] = []
    for letter, *numbers in _absolute(path):
        moved = [number - (left, top)[index % 2] for index, number in enumerate(numbers)]
        if letter == "M" and outline:
            yield (*outline, ("Z",)) if outline[-1][0] != "Z" else tuple(outline)
            outline = []
        outline.append((letter, *moved))
    if outline:
        yield (*outline, ("Z",)) if outline[-1][0] != "Z" else tuple(outline)


def _absolute(path: str) -> Iterator[Step]:
    """The steps of a path's data as `M`, `L`, `C` and `Z` with absolute positions."""
    at = start = control = (0.0, 0.0)
    before = ""
    for letter, numbers in _commands(path):
        kind = letter.upper()
        x, y = at if letter.islower() else (0.0, 0.0)
        points = [(x + numbers[n], y + numbers[n + 1]) for n in range(0, len(numbers) - 1, 2)]
        if kind == "Z":
            yield ("Z",)
            at = start
        elif kind in ("H", "V"):
            at = (x + numbers[0], at[1]) if kind == "H" else (at[0], y + numbers[0])
            yield ("L", *at)
        elif kind in ("M", "L"):
            at = points[-1]
            start = at if kind == "M" else start
            yield (kind, *at)
        else:
            mirrored = (2 * at[0] - control[0], 2 * at[1] - control[1])
            if kind in ("S", "T"):
                points.insert(0, mirrored if before in ({"C", "S"} if kind == "S" else {"Q", "T"}) else at)
            control = points[-2]
            if kind in ("Q", "T"):  # a quadratic curve as a cubic one
                ends = (at, points[-1])
                points = [
                    *((end[0] / 3 + 2 * control[0] / 3, end[1] / 3 + 2 * control[1] / 3) for end in ends),
                    points[-1],
                ]
            yield ("C", *(number for point in points for number in point))
            at = points[-1]
        before = kind


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command of a path's data with its numbers; a letter that is left out is the one before."""
    letter, numbers = "", list[float]()
    for token in _TOKEN.findall(path):
        if token.upper() in _COUNT:
            if numbers or (not letter and token.upper() != "M"):
                _refuse(f"a path with {token!r} at a wrong place")
            letter = token
            if token.upper() == "Z":
                yield token, []
            continue
        if not letter or letter in "Zz" or token.isalpha() or token.strip("+-.0123456789eE"):
            _refuse(f"a path with {token[:20]!r}")
        number = float(token)
        if abs(number) > 1e6:
            _refuse(f"a path with the number {token[:20]}")
        numbers.append(number)
        if len(numbers) == _COUNT[letter.upper()]:
            yield letter, numbers
            numbers = []
            letter = {"M": "L", "m": "l"}.get(letter, letter)
    if numbers:
        _refuse("a path that ends within a step")
