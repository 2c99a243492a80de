"""Paper: what stands on the setup sheet and the cards, how large it is, and that a scanner reads all of it."""

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import zint
from page_layout import box, layout_faults, overlap
from PIL import ImageFont
from read_back import expected, pdf_pictures, scanned, svg_picture, worn
from reportlab.pdfbase import ttfonts
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfgen.canvas import Canvas

from station.core.codes.card_labels import MAX_TEXT_BYTES, CardLabel, CardVocabulary, card_labels
from station.core.codes.setup_sheet import Symbology, setup_texts
from station.core.printing import (
    APART_A_PAGE,
    CARDS_A_PAGE,
    NOTES,
    PAPERS,
    STEPS,
    Modules,
    Page,
    PaperError,
    TextLine,
    cards_page,
    encoder,
    page_count,
    setup_page,
    typefaces,
    write_pdf,
    write_svg,
)
from station.core.printing.card_pages import APART, GAP_MM, MARK
from station.core.printing.libraries import MachineFonts, pdf_letters, refused_names
from station.core.printing.page import DOT_MM, MIN_MODULE_MM, QUIET_MODULES
from station.core.printing.text_width import fitted, width_mm
from station.system.fonts import font_file, letters_without_font

encode = encoder(zint)
SHOP = CardVocabulary(
    quantities=("1", "5", "10", "2.5"),
    stages=(("saw", "Saw"), ("plating", "Plating (Nordgalvan)"), ("řezání", "Řezání")),
    reasons=(("burr", "Burr left on an edge"), ("wrong-material-of-supplier", "W" * 64), ("x" * 120, "Longest")),
    people=(("K7", "A. Kim"), ("Größe<&>\"'", "Ümläut & <Sons>"), ("Łódź", "Łukasz")),
    own={"WIP:REWORK:assembly": "Back to Assembly"},
)
LABELS = card_labels(SHOP).labels


typeface = typefaces(ttfonts, registerFont)


def all_cards(paper: str, labels: tuple[CardLabel, ...] = LABELS) -> list[Page]:
    return [cards_page(PAPERS[paper], labels, number + 1, encode) for number in range(page_count(labels))]


def pages(paper: str) -> list[Page]:
    return [setup_page(PAPERS[paper], encode), *all_cards(paper)]


def test_the_setup_sheet_says_each_text_once_and_what_to_do() -> None:
    page = setup_page(PAPERS["a4"], encode)
    assert [(each.text, each.symbology) for each in page.symbols] == [
        (each.text, each.symbology) for each in setup_texts()
    ]
    said = " ".join(each.text for each in page.words)
    assert all(text in said for text in (*STEPS, *NOTES))
    assert "its own beep is not our green" in said
    assert len(STEPS) == 4


@pytest.mark.parametrize("paper", PAPERS)
def test_modules_and_bars_are_large_enough_and_whole_printers_dots(paper: str) -> None:
    for page in pages(paper):
        for symbol in page.symbols:
            assert symbol.module_mm >= MIN_MODULE_MM[symbol.symbology], symbol.text
            assert symbol.module_mm / DOT_MM == pytest.approx(round(symbol.module_mm / DOT_MM))
            if symbol.symbology is Symbology.BARS:
                assert symbol.height_mm >= max(0.15 * symbol.width_mm, 6.35), symbol.text
    assert MIN_MODULE_MM == {
        Symbology.BARS: 0.25, Symbology.SQUARE: 0.5, Symbology.GS1_BARS: 0.25, Symbology.MATRIX: 0.33,
        Symbology.GS1_MATRIX: 0.33,
    }  # fmt: skip
    assert QUIET_MODULES == {
        Symbology.BARS: 10, Symbology.SQUARE: 4, Symbology.GS1_BARS: 10, Symbology.MATRIX: 2, Symbology.GS1_MATRIX: 2,
    }  # fmt: skip


@pytest.mark.parametrize("paper", PAPERS)
def test_everything_lies_inside_the_margins_and_the_quiet_zones_are_quiet(paper: str) -> None:
    for page in pages(paper):
        assert layout_faults(page) == []


@pytest.mark.parametrize("paper", PAPERS)
def test_a_scanner_reads_every_symbol_of_the_pdf_byte_for_byte(paper: str, tmp_path: Path) -> None:
    drawn = pages(paper)
    pictures = pdf_pictures(write_pdf(drawn, Canvas("", invariant=1), typeface), tmp_path)
    assert [scanned(picture) for picture in pictures] == expected(drawn)
    assert scanned(worn(pictures[-1], blur=1.0)) == expected(drawn)[-1]
    sheet = drawn[0].paper
    size = sheet.width_mm / 25.4 * 300, sheet.height_mm / 25.4 * 300
    assert pictures[0].size == pytest.approx(size, abs=1)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_scanner_reads_every_symbol_of_the_drawing_byte_for_byte(paper: str) -> None:
    drawn = pages(paper)
    assert [scanned(svg_picture(write_svg(page))) for page in drawn] == expected(drawn)


def test_a_badge_in_letters_that_no_font_here_has_is_still_read_from_its_square() -> None:
    drawn = all_cards("a4", (CardLabel("WIP:BADGE:李小龙", "李小龙", "badge"),))
    assert scanned(svg_picture(write_svg(drawn[0]))) == [("]Q1", "WIP:BADGE:李小龙".encode())]


def test_the_setup_sheet_is_read_back_with_its_control_characters() -> None:
    read = dict(scanned(svg_picture(write_svg(setup_page(PAPERS["a4"], encode)))))
    assert read["]Q1"].endswith(b"\x1dGS\x1eRS\x04EOT")


def test_the_same_page_is_the_same_file() -> None:
    page = [setup_page(PAPERS["letter"], encode)]
    assert write_pdf(page, Canvas("", invariant=1), typeface) == write_pdf(page, Canvas("", invariant=1), typeface)


def test_a_drawing_is_well_formed_and_has_neither_style_nor_script() -> None:
    for page in pages("a4"):
        tree = ET.fromstring(write_svg(page))  # noqa: S314 - our own document
        tags = {each.tag.rpartition("}")[2] for each in tree.iter()}
        assert tags == {"svg", "title", "rect", "g", "line", "path", "text"}
        attributes = {name for each in tree.iter() for name in each.attrib}
        assert not {name for name in attributes if name == "style" or name.startswith("on") or "href" in name}
        words = [each.text for each in tree.iter("{http://www.w3.org/2000/svg}text")]
        assert words == [each.text for each in page.words]


def test_a_card_is_bars_where_they_fit_and_else_a_square_that_says_so() -> None:
    drawn = {symbol.text: symbol.symbology for page in all_cards("a4") for symbol in page.symbols}
    assert {text for text, symbology in drawn.items() if symbology is Symbology.SQUARE} == {
        "WIP:REASON:wrong-material-of-supplier", "WIP:REASON:" + "x" * 120, "WIP:STAGE:řezání",
        "WIP:BADGE:Größe<&>\"'", "WIP:BADGE:Łódź",
    }  # fmt: skip
    said = [each.text for page in all_cards("a4") for each in page.words]
    assert "".join(said).count("needs a scanner") == 5
    fits = [CardLabel(f"WIP:REASON:{'x' * length}", "x", "y") for length in range(1, 30)]
    bars = [each.symbology is Symbology.BARS for page in all_cards("a4", tuple(fits)) for each in page.symbols]
    assert bars == [True] * 12 + [False] * 17


def test_the_longest_text_of_a_card_has_a_square_that_fits_and_a_longer_one_is_no_card() -> None:
    head = len(b"WIP:BADGE:")
    longest = "\U0001f600" * ((MAX_TEXT_BYTES - head) // 4)
    (label,) = (each for each in card_labels(CardVocabulary(people=((longest, "Li"),))).labels if each.name == "Li")
    drawn = all_cards("letter", (label,))
    assert drawn[0].symbols[0].module_mm >= MIN_MODULE_MM[Symbology.SQUARE]
    assert scanned(svg_picture(write_svg(drawn[0]))) == [("]Q1", label.text.encode())]
    refused = card_labels(CardVocabulary(people=((longest + "\U0001f600", "Li"),))).refused
    assert [each.why for each in refused] == ["a card holds 450 bytes, and it has 454"]


def test_what_every_shops_cards_say_is_not_cut_short() -> None:
    standard = card_labels(CardVocabulary(people=(("K7", "A. Kim"),))).labels
    said = [each.text for page in all_cards("a4", standard) for each in page.words]
    assert [text for text in said if text.endswith("…")] == []
    assert {each.meaning for each in standard} < set(said)


def test_a_long_name_above_bars_has_two_lines_before_it_is_cut() -> None:
    name = "Surface scratched at the outer edge of the flange"
    (page,) = all_cards("a4", (CardLabel("WIP:REASON:s", name, "the reason"),))
    lines = [each for each in page.words if each.bold]
    assert " ".join(line.text for line in lines) == name
    assert len(lines) == 2
    boxes = [box(words) for words in page.words]
    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []


def test_ten_cards_fill_a_page_and_the_eleventh_begins_the_next() -> None:
    card = CardLabel("WIP:IN", "In", "has arrived here")
    assert [page_count([card] * cards) for cards in (0, 1, CARDS_A_PAGE, CARDS_A_PAGE + 1)] == [0, 1, 1, 2]
    drawn = all_cards("letter", tuple(label for label in LABELS if not label.hard_to_take_back)[:11])
    assert [len(page.symbols) for page in drawn] == [10, 1]
    assert drawn[1].words[0].text == "Operator's cards, page 2 of 2. Print at 100 %, cut along the dashes."


def test_a_long_name_is_set_smaller_and_then_cut() -> None:
    assert fitted("Saw", (9, 5), 40, 1, bold=True) == (9, ["Saw"])
    assert fitted("Surface scratched", (9, 5), 60, 1, bold=True) == (5, ["Surface scratched"])
    assert fitted("Surface scratched", (9, 5), 55, 2, bold=True) == (9, ["Surface", "scratched"])
    size, lines = fitted("W" * 64, (9, 5), 60, 2, bold=True)
    assert (size, lines[0][-1]) == (5, "…")
    assert all(width_mm(line, size, bold=True) <= 60 for line in lines)
    assert fitted("", (9, 5), 60, 1) == (9, [""])


def test_words_come_out_no_wider_than_they_were_measured() -> None:
    folder = Path("/usr/share/fonts/truetype/dejavu")
    for bold, helvetica, dejavu in ((False, "Helvetica", "DejaVuSans"), (True, "Helvetica-Bold", "DejaVuSans-Bold")):
        font = ImageFont.truetype(folder / f"{dejavu}.ttf", 1000)
        for text in (*map(chr, range(0x20, 0x7F)), *STEPS, *NOTES, "Burr left on an edge", "Řezání", "Größe", "李小龙"):
            measured = width_mm(text, 10, bold=bold)
            assert font.getlength(text) / 100 <= measured + 0.01, text
            assert stringWidth(text, helvetica, 10) <= measured, text


def a_page(text: str) -> Page:
    return Page(PAPERS["a4"], "x", 10, (TextLine(text, 20, 20, 5),), (), ())


def test_words_beyond_helvetica_are_set_in_another_typeface_or_refused() -> None:
    pdf = write_pdf([a_page("Řezání")], Canvas("", invariant=1, pageCompression=0), typeface)
    assert b"DejaVuSans" in pdf
    assert b"DejaVuSans" not in write_pdf([a_page("Größe")], Canvas("", invariant=1, pageCompression=0), typeface)
    assert typeface("NoSuchTypeface") == ()
    for text, installed in (("Řezání", lambda _name: ()), ("李", typeface)):
        with pytest.raises(PaperError) as refused:
            write_pdf([a_page(text)], Canvas("", invariant=1), installed)
        assert str(refused.value) == (
            f"No typeface here has every letter of {text!r}. Expected letters that Helvetica or DejaVu Sans has. "
            "Install it: sudo apt-get install fonts-dejavu-core. Or print the drawing (SVG) from a browser."
        )


def test_a_symbol_is_drawn_in_whole_modules_from_its_first_dark_one() -> None:
    for each in setup_texts():
        modules = encode(each.text.encode(), each.symbology)
        assert min(x for x, *_ in modules.dark) == 0
        assert max(x + width for x, _, width, _ in modules.dark) == modules.width
    widths = [
        int(each) for each in "211232 212222 222221 2331112".replace(" ", "")
    ]  # ISO/IEC 15417: start C, 00, 2, stop
    bars = tuple((sum(widths[:n]), 0, widths[n], 1) for n in range(0, len(widths), 2))
    assert encode(b"00", Symbology.BARS) == Modules(46, 1, bars)


@pytest.mark.parametrize("paper", PAPERS)
def test_cards_that_are_hard_to_take_back_are_apart_with_gaps_and_marked(paper: str) -> None:
    drawn = all_cards(paper)
    apart = [page for page in drawn if page.words[0].text.startswith(APART)]
    assert drawn[-len(apart) :] == apart
    texts = [symbol.text for page in apart for symbol in page.symbols]
    assert texts == ["WIP:SCRAP", "WIP:REWORK", "WIP:REWORK:assembly", "WIP:FINISH", "WIP:ALL", "WIP:UNDO"]
    others = [symbol.text for page in drawn if page not in apart for symbol in page.symbols]
    assert sorted(texts + others) == sorted(label.text for label in LABELS)
    for page in apart:
        assert [words.text for words in page.words].count(MARK) == len(page.symbols)
        tops = sorted({line.y_mm for line in page.lines if line.dashed and line.y_mm == line.to_y_mm})
        assert all(below - above >= GAP_MM for above, below in zip(tops[1::2], tops[2::2], strict=False))
        lefts = sorted({line.x_mm for line in page.lines if line.dashed and line.x_mm == line.to_x_mm})
        assert lefts[2] - lefts[1] == pytest.approx(GAP_MM)
    assert not any(words.text == MARK for page in drawn if page not in apart for words in page.words)


def test_more_than_a_page_of_them_goes_on_the_next_page_apart() -> None:
    own = tuple(
        CardLabel(f"WIP:REWORK:{number}", f"Back to {number}", "goes back") for number in range(APART_A_PAGE + 1)
    )
    drawn = all_cards("letter", (CardLabel("WIP:IN", "In", "has arrived here"), *own))
    assert [len(page.symbols) for page in drawn] == [1, APART_A_PAGE, 1]
    assert drawn[2].words[0].text == f"{APART}, page 3 of 3. Print at 100 %, cut along the dashes."


def test_a_name_is_refused_in_a_pdf_for_a_letter_that_no_font_has() -> None:
    names = ["Saw", "Řezání", "\u05d3\u05e0\u05d4", "\u0645\u0646\u0634\u0627\u0631", "ꗬ 1"]
    refused = refused_names(names, "", pdf_letters(MachineFonts(font_file, letters_without_font), ""))
    assert {name: error.came for name, error in refused.items()} == {
        "ꗬ 1": "No font of this machine has 'ꗬ' (U+A5EC) of 'ꗬ 1'."
    }
