"""Logos: arcs and transformations against worked values, and as they are drawn in PDF, SVG and ZPL."""

import re
from math import cos, hypot, pi, sin
from pathlib import Path

import pytest
import zint
from read_back import DPI, pdf_pictures
from reportlab.pdfbase import ttfonts
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfgen.canvas import Canvas
from zpl_reader import labels

from station.core.codes import CodeType
from station.core.printing import (
    SHEETS,
    Label,
    PaperError,
    Placement,
    ShopCodes,
    Thing,
    encoder,
    label_pages,
    printed_code,
    read_logo,
    typefaces,
    write_pdf,
    write_svg,
)
from station.core.printing.libraries import MachineFonts, zpl
from station.system.fonts import font_file, letters_without_font

QUARTER = 0.5522847498  # 4/3 tan(pi/8): the handle of a quarter of the unit circle
HANDLE = 5 * QUARTER  # of a circle with radius 5
# A ring in a turned and scaled group: outside radius 10, inside 5, around (15, 10).
RING = (
    b'<svg viewBox="0 0 30 20"><g transform="translate(15 10) rotate(30)"><path transform="scale(5)" '
    b'd="M-2 0a2 2 0 102 -2 2 2 0 00-2 2zM1 0A1 1 0 1 1-1 0 1 1 0 1 1 1 0z"/></g></svg>'
)


def steps(path: str, transform: str = "", box: str = "0 0 10 10") -> list[tuple[object, ...]]:
    """The steps of the single outline of a path."""
    given = f' transform="{transform}"' if transform else ""
    (outline,) = read_logo(f'<svg viewBox="{box}"><path{given} d="{path}"/></svg>'.encode()).outlines
    return list(outline)


def points(outline: list[tuple[object, ...]], parts: int = 8) -> list[tuple[float, float]]:
    """Points of the curves of an outline."""
    found = [outline[0][1:]]
    for step in outline[1:]:
        if step[0] != "C":
            continue
        ends = [found[-1], step[1:3], step[3:5], step[5:7]]
        for part in range(1, parts + 1):
            t = part / parts
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            found.append(tuple(sum(w * p[axis] for w, p in zip(weights, ends, strict=True)) for axis in (0, 1)))
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("M1 0A1 1 0 0 1 0 1z", [(1, QUARTER, QUARTER, 1, 0, 1)]),
        ("M1 0A1 1 0 0 0 0-1z", [(1, -QUARTER, QUARTER, -1, 0, -1)]),
        # Radii that are too small are enlarged to half of the distance; the two directions mirror one another.
        ("M0 0A1 1 0 0 1 10 0z", [(0, -HANDLE, 5 - HANDLE, -5, 5, -5), (5 + HANDLE, -5, 10, -HANDLE, 10, 0)]),
        ("M0 0A1 1 0 0 0 10 0z", [(0, HANDLE, 5 - HANDLE, 5, 5, 5), (5 + HANDLE, 5, 10, HANDLE, 10, 0)]),
        # An ellipse of 2 by 1 that is turned by 90 degrees: its right end is at (1, 2).
        ("M0 0a2 1 90 0 1 0 4z", [(QUARTER, 0, 1, 2 - 2 * QUARTER, 1, 2), (1, 2 + 2 * QUARTER, QUARTER, 4, 0, 4)]),
        ("M0 0a-2-1 90 01 0 4z", [(QUARTER, 0, 1, 2 - 2 * QUARTER, 1, 2), (1, 2 + 2 * QUARTER, QUARTER, 4, 0, 4)]),
    ],
)  # fmt: skip
def test_an_arc_becomes_cubic_curves(path: str, expected: list[tuple[float, ...]]) -> None:
    curves = steps(path)[1:-1]
    assert [step[0] for step in curves] == ["C"] * len(expected)
    assert [number for step in curves for number in step[1:]] == pytest.approx(
        [number for curve in expected for number in curve], abs=1e-9
    )


@pytest.mark.parametrize(("large", "sweep"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_each_pair_of_flags_is_on_its_circle(large: int, sweep: int) -> None:
    """From (0, 0) to (3, 3) with radius 3: the centre is (3, 0) or (0, 3); a large arc has three quarters."""
    outline = steps(f"M0 0A3 3 0 {large}{sweep} 3 3z")
    centre = (3, 0) if large == sweep else (0, 3)
    curves = [step for step in outline if step[0] == "C"]
    assert len(curves) == (3 if large else 1)
    radii = [hypot(x - centre[0], y - centre[1]) for x, y in points(outline)]
    assert radii == pytest.approx([3] * len(radii), rel=3e-4)


def test_a_turned_ellipse_is_followed_closely() -> None:
    """An ellipse of 6 by 2 at (10, 10), turned by 40 degrees, from its parameter 20 to 300 degrees."""
    turn = 40 * pi / 180

    def at(degrees: float) -> tuple[float, float]:
        u, v = 6 * cos(degrees * pi / 180), 2 * sin(degrees * pi / 180)
        return 10 + cos(turn) * u - sin(turn) * v, 10 + sin(turn) * u + cos(turn) * v

    (x, y), (to_x, to_y) = at(20), at(300)
    outline = steps(f"M{x:.9f} {y:.9f}A6 2 40 1 1 {to_x:.9f} {to_y:.9f}z", box="0 0 20 20")
    for px, py in points(outline):
        along = cos(turn) * (px - 10) + sin(turn) * (py - 10)
        across = cos(turn) * (py - 10) - sin(turn) * (px - 10)
        assert hypot(along / 6, across / 2) == pytest.approx(1, rel=3e-4)


def test_an_arc_without_a_radius_is_a_line_and_one_without_a_way_is_nothing() -> None:
    assert steps("M0 0A0 3 0 0 1 4 4A1 1 0 0 0 4 4L0 4z") == [("M", 0, 0), ("L", 4, 4), ("L", 0, 4), ("Z",)]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("translate(10,20) scale(2)", (12, 24)),
        ("translate(3)", (4, 2)),
        ("scale(2 -3)", (2, -6)),
        ("rotate(90)", (-2, 1)),
        ("rotate(90 5 5)", (8, 1)),
        ("rotate(-90,5,5)", (2, 9)),
        ("matrix(1 2 3 4 5 6)", (12, 16)),
        ("matrix(1,0,0,1-5.5.5)", (-4.5, 2.5)),
        ("skewX(45)", (3, 2)),
        ("skewY(45)", (1, 3)),
        (" rotate( 180 ),\n translate( 1 , 1 ) ", (-2, -3)),
    ],
)
def test_a_transformation_is_applied_to_the_points(transform: str, expected: tuple[float, float]) -> None:
    assert steps("M1 2h1v1z", transform)[0][1:] == pytest.approx(expected)


def test_groups_and_the_corner_of_the_box_come_together() -> None:
    logo = read_logo(
        b'<svg viewBox="100 50 10 10"><g transform="translate(100 50)"><g transform="scale(2)">'
        b'<path transform="translate(1 1)" d="M0 0h1v1z"/></g><path d="M0 0h1v1z"/></g></svg>'
    )
    assert logo.outlines == (
        (("M", 2, 2), ("L", 4, 2), ("L", 4, 4), ("Z",)),
        (("M", 0, 0), ("L", 1, 0), ("L", 1, 1), ("Z",)),
    )


@pytest.mark.parametrize(
    ("inside", "came"),
    [
        ('<g transform="scale(0)"/>', "the transformation 'scale(0)', which leaves no area"),
        ('<g transform="spin(9)"/>', "the transformation 'spin' with 1 number"),
        ('<g transform="rotate(1 2)"/>', "the transformation 'rotate' with 2 numbers"),
        ('<g transform="scale(2"/>', "the transformation 'scale(2'"),
        ('<g transform="scale(2 x)"/>', "the transformation 'scale' with 'x'"),
        ('<g transform="scale(2) x"/>', "the transformation 'x'"),
        ('<g transform="scale(9e9)"/>', "a number in the transformation 'scale' that is beyond 1000000"),
        ('<g transform="scale(9e5)"><path d="M0 0h99v1z"/></g>', "a point far outside of it"),
        ('<path d="M0 0A1 1 0 2 0 1 1z"/>', "a path with the flag '2' in an arc"),
        ('<path d="M0 0A1 1 0 1z"/>', "a path with 'z' at a wrong place"),
        ('<path d="M0 0A1 1 0 0 1 1"/>', "a path that ends within a step"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(inside: str, came: str) -> None:
    with pytest.raises(PaperError) as refused:
        read_logo(f'<svg viewBox="0 0 1 1">{inside}</svg>'.encode())
    assert refused.value.came == f"The logo has {came}."


def test_a_ring_of_arcs_in_a_turned_group_is_drawn_in_all_three_forms(tmp_path: Path) -> None:
    encode = encoder(zint)
    label = Label("T", printed_code(Thing(CodeType.ITEM, "1042"), ShopCodes()), logo=read_logo(RING))
    (page,) = label_pages([label], Placement(SHEETS["roll-100x50"], dot_mm=1 / 8), encode)
    (shape,) = page.shapes
    outer, inner = ([number for step in outline for number in step[1:]] for outline in shape.outlines)
    assert (len(outer), len(inner)) == (26, 26)
    left, right, top, bottom = min(outer[::2]), max(outer[::2]), min(outer[1::2]), max(outer[1::2])
    across_mm, down_mm = (left + right) / 2, (top + bottom) / 2
    radius_mm = hypot(outer[0] - across_mm, outer[1] - down_mm)
    assert hypot(inner[0] - across_mm, inner[1] - down_mm) == pytest.approx(radius_mm / 2, rel=1e-3)

    written = re.search(r'<path fill-rule="evenodd" d="([^"]*)"', write_svg(page))
    assert written is not None
    drawn = [float(number) for number in re.findall(r"-?[\d.]+", written[1])]
    assert drawn == pytest.approx([*outer, *inner], abs=1e-4)

    canvas = Canvas("", invariant=1, pageCompression=0)
    (paper,) = pdf_pictures(write_pdf([page], canvas, typefaces(ttfonts, registerFont)), tmp_path)
    fonts = MachineFonts(font_file, letters_without_font)
    (thermal,) = labels(b"".join(zpl([page], 203, fonts, "")))
    for picture, dots_mm in ((paper, DPI / 25.4), (thermal.picture.convert("L"), 8)):
        for turn in range(0, 360, 30):
            shades = [
                picture.getpixel(
                    (
                        round((across_mm + part * radius_mm * cos(turn * pi / 180)) * dots_mm),
                        round((down_mm + part * radius_mm * sin(turn * pi / 180)) * dots_mm),
                    )
                )
                for part in (0.2, 0.75, 1.2)
            ]
            assert [shade < 128 for shade in shades] == [False, True, False]
