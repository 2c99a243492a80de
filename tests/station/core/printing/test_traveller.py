"""The traveller of an order: its layout, its pages, and its symbols as a scanner reads them."""

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
    PAPERS,
    Page,
    ShopCodes,
    Thing,
    Traveller,
    TravellerStep,
    encoder,
    printed_code,
    traveller_pages,
    typefaces,
    write_pdf,
    write_svg,
)

encode = encoder(zint)
FIELDS = (
    ("Product", "Bracket, angled 90°, Größe 20 (BRK-20)"), ("Quantity", "40 pcs"), ("Customer", "Müller & Söhne GmbH"),
    ("Due", "2026-12-24"), ("Reference", "PO 4711/2026"), ("Priority", "2"),
)  # fmt: skip
STEPS = tuple(
    TravellerStep(str(10 * n), f"Stage {n}", "this sheet on arrival", ("bar: 60 m (1.5 m each)",) if n == 1 else ())
    for n in range(1, 7)
)


def code(name: str):
    return printed_code(Thing(CodeType.ITEM, name), ShopCodes())


SHORT = Traveller(
    "Work order", "WO-1042", code("WO-1042"), FIELDS, steps=STEPS, materials=("oil: 0.4 l",), notes=("Ask A. Kim.",),
    printed="Printed 2026-11-30 10:05",
)  # fmt: skip
TRAVELLERS = {
    "short": SHORT,
    "bare": Traveller("Job", "7", code("7")),
    "a long code": replace(SHORT, order="W" * 64, code=code("W" * 64)),
    "a part": replace(SHORT, part="2 of 3", code=code("SN-2"), mark="copy"),
    "a part with a long code": replace(SHORT, order="Größe " * 10, part="2 of 3", code=code("Größe-" * 10)),
    "long texts": replace(
        SHORT,
        fields=tuple((label, "Wxyz" * 40) for label, _ in FIELDS),
        steps=tuple(replace(step, stage="Oberflächenbehandlung " * 4, materials=("W" * 200,) * 3) for step in STEPS),
        notes=("W" * 600, "word " * 120),
    ),
    "a long route": replace(SHORT, steps=STEPS * 8),
    "a lot of 64": replace(SHORT, code=code("010950600013435210ABCDEFGH")),
}


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", TRAVELLERS)
def test_nothing_overlaps_and_a_scanner_reads_each_symbol(name: str, paper: str, tmp_path: Path) -> None:
    pages = traveller_pages(PAPERS[paper], TRAVELLERS[name], encode)
    assert [fault for page in pages for fault in layout_faults(page)] == []
    assert [scanned(svg_picture(write_svg(page))) for page in pages] == expected(pages)
    pdf = write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, registerFont))
    pictures = pdf_pictures(pdf, tmp_path)
    assert [scanned(picture) for picture in pictures] == expected(pages)
    assert scanned(worn(pictures[0])) == expected(pages)[0]


def texts(page: Page) -> list[str]:
    return [words.text for words in page.words]


def test_one_page_where_it_fits_with_the_symbol_again_at_the_foot() -> None:
    (page,) = traveller_pages(PAPERS["letter"], SHORT, encode)
    assert [symbol.text for symbol in page.symbols] == ["WO-1042", "WO-1042"]
    head, foot = page.symbols
    assert foot.y_mm - head.y_mm > 150
    assert {"bar: 60 m (1.5 m each)", "oil: 0.4 l", "Ask A. Kim.", "Stage 6", "60", "Müller & Söhne GmbH"} < set(
        texts(page)
    )
    assert page.title == "Work order WO-1042"
    assert min(symbol.module_mm for symbol in page.symbols) >= 0.38


def test_a_long_route_repeats_the_head_and_numbers_the_pages() -> None:
    pages = traveller_pages(PAPERS["a4"], TRAVELLERS["a long route"], encode)
    assert len(pages) == 3
    assert [len(page.symbols) for page in pages] == [1, 1, 2]
    for number, page in enumerate(pages, 1):
        assert {"WO-1042", "Op", "Initials", f"Printed 2026-11-30 10:05 · page {number} of 3"} < set(texts(page))
    numbers = [text for page in pages for text in texts(page) if text.isdecimal() and len(text) == 2]
    assert numbers == [step.number for step in STEPS * 8 if len(step.number) == 2]


def test_a_part_shows_its_number_its_own_code_and_that_it_is_a_copy() -> None:
    (page,) = traveller_pages(PAPERS["a4"], TRAVELLERS["a part"], encode)
    assert {symbol.text for symbol in page.symbols} == {"SN-2"}
    assert {"Work order · 2 of 3 · copy", "WO-1042", "SN-2", "2 of 3 · copy"} < set(texts(page))


@pytest.mark.parametrize("name", ["a long code", "a part with a long code"])
def test_a_code_is_never_cut(name: str) -> None:
    traveller = TRAVELLERS[name]
    (page,) = traveller_pages(PAPERS["a4"], traveller, encode)
    joined = "".join(texts(page)).replace(" ", "")
    assert traveller.order.replace(" ", "") in joined
    assert traveller.code.text in joined
