"""Labels: every common sheet, sizes and margins, logos, and what a scanner reads from them."""

from dataclasses import replace
from pathlib import Path

import pytest
import zint
from page_layout import layout_faults
from read_back import expected, pdf_pictures, scanned, svg_picture, worn
from reportlab.pdfbase import ttfonts
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfgen.canvas import Canvas

from station.core.codes import CodeType
from station.core.printing import (
    SHEETS,
    CodeRefused,
    Label,
    LabelSheet,
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

encode = encoder(zint)
WAVE = b'<svg viewBox="0 0 40 20"><path d="M0 10 C0 0 20 0 20 10 S40 20 40 10 L40 20 H0 z M5 12h5v5h-5z"/></svg>'
LOGO = read_logo(WAVE)


def label(title: str, name: str, as_: CodeType = CodeType.ITEM, second: str = "", *, logo: bool = False) -> Label:
    return Label(title, printed_code(Thing(as_, name), ShopCodes()), second, LOGO if logo else None)


LABELS = (
    label("WO-1042", "WO-1042"),
    label("WO-1042", "WO-1042", second="Bracket, angled"),
    label("A. Kim", "WIP:BADGE:kim", CodeType.BADGE, "Badge", logo=True),
    label("Deburr", "WIP:STAGE:deburr", CodeType.COMMAND, "stage"),
    label("W" * 64, "W" * 64),
    label("Größe-17", "Größe-17", second="ABC"),
    label("010950600013435210AB", "010950600013435210AB"),
    label("Surface scratched at the edge", "WIP:REASON:wrong-material", CodeType.COMMAND, "reason", logo=True),
    label("01095060001343522112345678901234567890", "01095060001343522112345678901234567890", second="x" * 50),
)


@pytest.mark.parametrize("name", SHEETS)
def test_each_common_sheet_has_labels_that_a_scanner_reads(name: str, tmp_path: Path) -> None:
    drawn = list(label_pages(LABELS, Placement(SHEETS[name]), encode))
    assert [fault for page in drawn for fault in layout_faults(page)] == []
    symbols = [symbol for page in drawn for symbol in page.symbols]
    assert [symbol.text for symbol in symbols] == [each.code.text for each in LABELS]
    assert [symbol for symbol in symbols if symbol.module_mm < (0.25 if symbol.symbology.is_bars else 0.33)] == []
    assert [scanned(svg_picture(write_svg(page))) for page in drawn] == expected(drawn)
    pictures = pdf_pictures(write_pdf(drawn, Canvas("", invariant=1), typefaces(ttfonts, registerFont)), tmp_path)
    assert [scanned(picture) for picture in pictures] == expected(drawn)
    assert scanned(worn(pictures[0], blur=1.0)) == expected(drawn)[0]


def test_the_sizes_of_the_common_sheets_are_those_of_their_makers() -> None:
    sizes = {name: (sheet.columns, sheet.rows, sheet.width_mm, sheet.height_mm) for name, sheet in SHEETS.items()}
    assert sizes["a4-3x7"] == (3, 7, 63.5, 38.1)
    assert sizes["a4-3x8"] == (3, 8, 70, 37)
    assert sizes["a4-2x7"] == (2, 7, 99.1, 38.1)
    assert sizes["a4-5x13"] == (5, 13, 38.1, 21.2)
    assert sizes["letter-3x10"] == pytest.approx((3, 10, 66.675, 25.4))
    assert sizes["letter-2x5"] == pytest.approx((2, 5, 101.6, 50.8))
    assert sizes["roll-100x150"] == (1, 1, 100, 150)
    for sheet in SHEETS.values():
        last_x, last_y = sheet.corner(sheet.cells - 1)
        # A sheet is symmetric: the margins at the right and below are those at the left and above.
        assert sheet.paper_width_mm - last_x - sheet.width_mm == pytest.approx(sheet.left_mm, abs=0.5), sheet.name
        assert sheet.paper_height_mm - last_y - sheet.height_mm == pytest.approx(sheet.top_mm, abs=0.5), sheet.name


def test_printing_begins_at_the_first_free_label_and_is_moved_by_the_offset() -> None:
    sheet = SHEETS["a4-3x7"]
    (plain,) = label_pages(LABELS[:1], Placement(sheet), encode)
    (moved,) = label_pages(LABELS[:1], Placement(sheet, start=5, right_mm=1.5, down_mm=-0.5), encode)
    assert moved.symbols[0].x_mm - plain.symbols[0].x_mm == pytest.approx(66 + 1.5)
    assert moved.symbols[0].y_mm - plain.symbols[0].y_mm == pytest.approx(38.1 - 0.5)
    assert [len(page.symbols) for page in label_pages(LABELS, Placement(sheet, start=20), encode)] == [2, 7]
    with pytest.raises(PaperError, match="The start cell is 22"):
        list(label_pages(LABELS, Placement(sheet, start=22), encode))


def test_a_code_that_does_not_fit_on_a_label_says_what_it_needs() -> None:
    tiny = LabelSheet("tiny", 18, 8, 1, 1, 18, 8)
    with pytest.raises(
        CodeRefused, match=r"does not fit into 15\.0 x 5\.0 mm: Code 128 needs .* Data Matrix needs 10\.2 x 10\.2"
    ):
        list(label_pages([LABELS[4]], Placement(tiny), encode))


def test_a_text_that_is_the_code_is_never_cut() -> None:
    for sheet in SHEETS.values():
        (page,) = label_pages([LABELS[4]], Placement(sheet), encode)
        joined = "".join(words.text for words in page.words)
        assert "W" * 64 in joined or sheet.name == "a4-5x13", sheet.name


def test_a_logo_is_drawn_from_its_paths_in_both_forms() -> None:
    (page,) = label_pages([LABELS[2]], Placement(SHEETS["roll-100x50"]), encode)
    (shape,) = page.shapes
    assert [step[0] for step in shape.outlines[0]] == ["M", "C", "C", "L", "L", "Z"]
    assert [step[0] for step in shape.outlines[1]] == ["M", "L", "L", "L", "Z"]
    right = max(number for step in shape.outlines[0] for number in step[1::2])
    assert right == pytest.approx(98.5)
    assert '<path fill-rule="evenodd" d="M' in write_svg(page)
    pdf = write_pdf([page], Canvas("", invariant=1, pageCompression=0), typefaces(ttfonts, registerFont))
    assert b" c\n" in pdf or b" c " in pdf


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b"<svg", "no valid XML"),
        (b"<html/>", "the element 'html'"),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0h1v1z" onclick="x"/></svg>', "the attribute 'onclick'"),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0h1v1z" style="x"/></svg>', "the attribute 'style'"),
        (b'<svg viewBox="0 0 1 1" transform="scale(9)"/>', "the attribute 'transform'"),
        (b'<svg viewBox="0 0 1 1"><image href="http://x"/></svg>', "the element 'image'"),
        (b'<svg viewBox="0 0 1 1"><use/></svg>', "the element 'use'"),
        (b'<svg viewBox="0 0 1 1"><path fill="url(#x)" d="M0 0h1v1z"/></svg>', "a link in 'fill'"),
        (b'<!DOCTYPE svg [<!ENTITY a "aa">]><svg viewBox="0 0 1 1"/>', "a document type, an entity or an instruction"),
        (b'<?xml-stylesheet href="x"?><svg viewBox="0 0 1 1"/>', "a document type, an entity or an instruction"),
        (b'<svg><path d="M0 0h1v1z"/></svg>', "no viewBox of four numbers"),
        (b'<svg viewBox="0 0 0 1"><path d="M0 0h1v1z"/></svg>', "no viewBox of four numbers"),
        (b'<svg viewBox="0 0 1e999 1"><path d="M0 0h1v1z"/></svg>', "no viewBox of four numbers"),
        (b'<svg viewBox="0 0 1 1"/>', "no filled path"),
        (b'<svg viewBox="0 0 1 1"><path fill="none" d="M0 0h1v1z"/></svg>', "no filled path"),
        (b'<svg viewBox="0 0 1 1"><path d="h1"/></svg>', "a path with 'h' at a wrong place"),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0L1"/></svg>', "a path that ends within a step"),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0L1 9e9"/></svg>', "a path with the number 9e9"),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0' + b"h1" * 20_001 + b'"/></svg>', "more than 20000 lines and curves"),
        (b" " * 200_001, "200001 bytes"),
    ],
)  # fmt: skip
def test_a_hostile_logo_is_refused_with_the_reason(content: bytes, came: str) -> None:
    with pytest.raises(PaperError) as refused:
        read_logo(content)
    assert refused.value.came.startswith(f"The logo has {came}")


def test_curves_of_every_kind_become_cubic_ones() -> None:
    logo = read_logo(b'<svg viewBox="10 0 20 20"><g><path d="m10,0q3 0 3 3t3 3 6-3s1 1 2 2H30V20z"/></g></svg>')
    (outline,) = logo.outlines
    assert [step[0] for step in outline] == ["M", "C", "C", "C", "C", "L", "L", "Z"]
    assert outline[1] == ("C", pytest.approx(2), 0, 3, 1, 3, 3)
    assert outline[-2] == ("L", 20, 20)


def test_a_sheet_that_is_larger_than_its_paper_is_known() -> None:
    sheet = SHEETS["a4-3x8"]
    assert replace(sheet, columns=4).fault() == "4 columns need 280.0 mm, the paper has 210 mm"
    assert replace(sheet, rows=9).fault() == "9 rows need 333.5 mm, the paper has 297 mm"
