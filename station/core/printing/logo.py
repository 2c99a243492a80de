"""Logo: the filled paths of an SVG file, checked, as closed outlines of straight lines and curves.

Only paths are taken: an SVG file may hold scripts, links to other files and entities that grow without end, and a printer
needs none of them. Every path is filled black, by the even-odd rule. Arcs become cubic curves, and the transformations
`matrix`, `translate`, `scale`, `rotate`, `skewX` and `skewY` are applied to the points.

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
from math import acos, ceil, copysign, cos, hypot, pi, radians, sin, sqrt, tan
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from station.core.printing.page import PaperError

MAX_BYTES = 200_000
MAX_STEPS = 20_000  # lines and curves
_ELEMENTS = frozenset({"svg", "g", "path", "title", "desc", "metadata"})
_ATTRIBUTES = {
    "svg": frozenset({"viewBox", "width", "height", "version", "xmlns", "id", "baseProfile", "fill", "role"}),
    "g": frozenset({"id", "fill", "fill-rule", "transform"}),
    "path": frozenset({"d", "id", "fill", "fill-rule", "transform"}),
}
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?"
_FLAG = re.compile(r"[^\s,]")  # of an arc: one digit, which needs no separator behind it
_TRANSFORM = re.compile(r"[\s,]*([A-Za-z]+)\s*\(([^()]*)\)\s*")
_MAX_NUMBER = 1e6
_TOKEN = re.compile(rf"[MmLlHhVvCcSsQqTtAaZz]|{_NUMBER}|[^\s,]")
_COUNT = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}

Step = tuple[str, *tuple[float, ...]]
"""One step of an outline: `M`, `L`, `C` with absolute positions, or `Z`."""


@dataclass(frozen=True, slots=True)
class Logo:
    """Outlines in a box of `width` by `height`, in units of the file; each begins with `M`."""

    width: float
    height: float
    outlines: tuple[tuple[Step, ...], ...]


class Affine(NamedTuple):
    """An affine map of the plane, as the six numbers of `matrix`: x' = a x + c y + e, y' = b x + d y + f.

    >>> turned = Affine().then("translate(10,20) rotate(90)")
    >>> [round(number, 6) for number in turned.at(1, 0)]
    [10.0, 21.0]
    """

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The image of a point."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def of(self, inner: "Affine") -> "Affine":
        """This map after `inner`."""
        (a, b), (c, d) = (self._turned(inner.a, inner.b), self._turned(inner.c, inner.d))
        return Affine(a, b, c, d, *self.at(inner.e, inner.f))

    def then(self, text: str) -> "Affine":
        """This map with the list of a `transform` attribute inside it. Raises `PaperError` for one that cannot be read."""
        whole, at = self, 0
        while at < len(text.rstrip()):
            match = _TRANSFORM.match(text, at)
            if match is None:
                _refuse(f"the transformation {text[at : at + 40]!r}")
            words = _TOKEN.findall(match[2])
            wrong = next((word for word in words if re.fullmatch(_NUMBER, word) is None), None)
            if wrong is not None:
                _refuse(f"the transformation {match[1][:20]!r} with {wrong!r}")
            whole, at = whole.of(_transform(match[1], [float(word) for word in words])), match.end()
        if not abs(whole.a * whole.d - whole.b * whole.c) > 1e-12:
            _refuse(f"the transformation {text[:40]!r}, which leaves no area")
        return whole

    def _turned(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y, self.b * x + self.d * y


def _transform(name: str, numbers: list[float]) -> Affine:
    """One function of a `transform` attribute. Raises `PaperError` for another one, or a wrong count of numbers."""
    if any(abs(number) > _MAX_NUMBER for number in numbers):
        _refuse(f"a number in the transformation {name!r} that is beyond {_MAX_NUMBER:.0f}")
    turn = radians(numbers[0]) if numbers else 0.0
    match name, numbers:
        case "matrix", [a, b, c, d, e, f]:
            found = Affine(a, b, c, d, e, f)
        case "translate", [x, *rest] if len(rest) < 2:
            found = Affine(e=x, f=rest[0] if rest else 0.0)
        case "scale", [x, *rest] if len(rest) < 2:
            found = Affine(a=x, d=rest[0] if rest else x)
        case "rotate", [_]:
            found = Affine(cos(turn), sin(turn), -sin(turn), cos(turn))
        case "rotate", [degrees, x, y]:
            found = Affine(e=x, f=y).of(_transform("rotate", [degrees])).of(Affine(e=-x, f=-y))
        case "skewX", [_]:
            found = Affine(c=tan(turn))
        case "skewY", [_]:
            found = Affine(b=tan(turn))
        case _:
            _refuse(f"the transformation {name[:20]!r} with {len(numbers)} number{'s' * (len(numbers) != 1)}")
    return found


class _Reader:
    """The handlers of the XML parser."""

    def __init__(self) -> None:
        self.box: tuple[float, ...] | None = None
        self.paths: list[tuple[str, Affine]] = []
        self._maps: list[Affine] = []  # of the open elements

    @property
    def _depth(self) -> int:
        return len(self._maps)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Check an element and keep its path."""
        if name not in _ELEMENTS or (name == "svg") != (self._depth == 0):
            _refuse(f"the element {name[:40]!r}")
        allowed = _ATTRIBUTES.get(name)
        for attribute, value in attributes.items():
            if allowed is None or (attribute not in allowed and not attribute.startswith("xmlns:")):
                _refuse(f"the attribute {attribute[:40]!r}")
            if "url" in value.lower():
                _refuse(f"a link in {attribute!r}")
        outer = self._maps[-1] if self._maps else Affine()
        self._maps.append(outer.then(attributes["transform"]) if attributes.get("transform") else outer)
        if name == "svg":
            numbers = re.findall(r"[-+0-9.eE]+", attributes.get("viewBox", ""))
            try:
                self.box = tuple(map(float, numbers))
            except ValueError:
                self.box = None
        if name == "path" and attributes.get("fill", "") not in ("none", "transparent"):
            self.paths.append((attributes.get("d", ""), self._maps[-1]))

    def end(self, _: str) -> None:
        """Leave an element."""
        self._maps.pop()

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
    corner = Affine(e=-box[0], f=-box[1])
    outlines = tuple(outline for path, map_ in reader.paths for outline in _outlines(path, corner.of(map_)))
    if not outlines:
        _refuse("no filled path")
    if sum(map(len, outlines)) > MAX_STEPS:
        _refuse(f"more than {MAX_STEPS} lines and curves")
    return Logo(box[2], box[3], outlines)


def _refuse(came: str) -> NoReturn:
    do = "Convert text, strokes and shapes to paths, remove styles, and save it as plain SVG."
    expected = "Expected an SVG file that has a viewBox and only filled paths."
    raise PaperError(came=f"The logo has {came}.", expected=expected, do=do)


def _outlines(path: str, map_: Affine) -> Iterator[tuple[Step, ...]]:
    """The outlines of a path's data with each point mapped, relative to the corner of the box; each is closed."""
    outline: list[Step] = []
    for letter, *numbers in _absolute(path):
        points = (map_.at(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))
        moved = [number for point in points for number in point]
        if any(abs(number) > 10 * _MAX_NUMBER for number in moved):
            _refuse("a point far outside of it")
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
        elif kind == "A":
            end = (x + numbers[5], y + numbers[6])
            yield from _arc(at, end, numbers)
            at = end
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


def _arc(start: tuple[float, float], end: tuple[float, float], numbers: list[float]) -> Iterator[Step]:
    """An elliptical arc as cubic curves of at most a quarter turn, whose largest error is 0.03 % of the radius.

    `numbers`: the radii, the rotation in degrees, and the flags of the larger arc and of the direction. The centre is found
    as in SVG 1.1, F.6.5; radii that are too small are enlarged (F.6.6).
    """
    rx, ry, turn = abs(numbers[0]), abs(numbers[1]), radians(numbers[2])
    if start == end:
        return
    if not rx or not ry:
        yield ("L", *end)
        return
    half_x, half_y = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    x, y = cos(turn) * half_x + sin(turn) * half_y, cos(turn) * half_y - sin(turn) * half_x
    needed = hypot(x / rx, y / ry)
    rx, ry = rx * max(needed, 1.0), ry * max(needed, 1.0)
    u, v = x / rx, y / ry  # half of the chord on the unit circle
    from_chord = sqrt(max(1 / (u * u + v * v) - 1, 0.0)) * (-1.0 if numbers[3] == numbers[4] else 1.0)
    centre_u, centre_v = from_chord * v, -from_chord * u
    first, last = (u - centre_u, v - centre_v), (-u - centre_u, -v - centre_v)
    swept = acos(max(-1.0, min(1.0, first[0] * last[0] + first[1] * last[1])))
    # Flags decide: the larger arc is the other way round the circle, the sign is the direction.
    swept = copysign(2 * pi - swept if numbers[3] else swept, 1.0 if numbers[4] else -1.0)
    parts = max(1, ceil(abs(swept) / (pi / 2) - 1e-9))
    step = swept / parts
    reach = 4 / 3 * tan(step / 4)
    ellipse = Affine(
        cos(turn) * rx,
        sin(turn) * rx,
        -sin(turn) * ry,
        cos(turn) * ry,
        (start[0] + end[0]) / 2,
        (start[1] + end[1]) / 2,
    )
    at_u, at_v = first
    for part in range(parts):
        to_u, to_v = cos(step) * at_u - sin(step) * at_v, sin(step) * at_u + cos(step) * at_v
        points = [(at_u - reach * at_v, at_v + reach * at_u), (to_u + reach * to_v, to_v - reach * to_u), (to_u, to_v)]
        mapped = [ellipse.at(centre_u + point[0], centre_v + point[1]) for point in points]
        if part == parts - 1:
            mapped[-1] = end
        yield ("C", *(number for point in mapped for number in point))
        at_u, at_v = to_u, to_v


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command of a path's data with its numbers; a letter that is left out is the one before."""
    letter, numbers, at = "", list[float](), 0
    while match := (_FLAG if letter in ("A", "a") and len(numbers) in (3, 4) else _TOKEN).search(path, at):
        token, at = match[0], match.end()
        if token.upper() in _COUNT:
            if numbers or (not letter and token.upper() != "M"):
                _refuse(f"a path with {token!r} at a wrong place")
            letter = token
            if token.upper() == "Z":
                yield token, []
            continue
        if not letter or letter in "Zz" or token.isalpha() or token.strip("+-.0123456789eE"):
            _refuse(f"a path with {token[:20]!r}")
        if match.re is _FLAG and token not in ("0", "1"):
            _refuse(f"a path with the flag {token!r} in an arc")
        number = float(token)
        if abs(number) > _MAX_NUMBER:
            _refuse(f"a path with the number {token[:20]}")
        numbers.append(number)
        if len(numbers) == _COUNT[letter.upper()]:
            yield letter, numbers
            numbers = []
            letter = {"M": "L", "m": "l"}.get(letter, letter)
    if numbers:
        _refuse("a path that ends within a step")
