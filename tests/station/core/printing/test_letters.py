"""Letters in a PDF: Arabic is joined, other scripts are drawn with a font of the machine, and a missing one is named."""

from pathlib import Path

import pytest
from PIL import Image
from read_back import DPI, pdf_pictures

from station.core.printing import PAPERS, Page, PaperError, TextLine
from station.core.printing.libraries import MachineFonts, pdf, pdf_check, pdf_letters
from station.system.fonts import font_file, letters_without_font

FONTS = MachineFonts(font_file, letters_without_font)
DOTS = DPI / 25.4


def a_page(*words: TextLine) -> Page:
    return Page(PAPERS["a4"], "x", 10, words, (), ())


def ink(
    picture: Image.Image, left_mm: float, top_mm: float, right_mm: float, bottom_mm: float
) -> tuple[int, ...] | None:
    """The box of what is dark in a part of a page, in dots from its corner."""
    part = picture.crop(tuple(round(mm * DOTS) for mm in (left_mm, top_mm, right_mm, bottom_mm)))
    return part.point(lambda shade: 255 * (shade < 128)).getbbox()


def test_arabic_letters_are_joined(tmp_path: Path) -> None:
    joined, apart = TextLine("شركة", 20, 30, 10), TextLine(" ".join("شركة"), 20, 60, 10)
    (picture,) = pdf_pictures(pdf([a_page(joined, apart)], "", pdf_letters(FONTS, "")), tmp_path)
    one, four = ink(picture, 15, 20, 100, 36), ink(picture, 15, 50, 100, 66)
    assert one is not None
    assert four is not None
    assert (one[2] - one[0]) < 0.75 * (four[2] - four[0])


def test_a_text_stands_at_its_place_and_in_its_size(tmp_path: Path) -> None:
    words = TextLine("שלום", 50, 40, 8), TextLine("שלום", 105, 80, 8, middle=True)
    (picture,) = pdf_pictures(pdf([a_page(*words)], "", pdf_letters(FONTS, "")), tmp_path)
    left, top, right, bottom = ink(picture, 45, 30, 100, 45) or (0, 0, 0, 0)
    assert left / DOTS == pytest.approx(5.5, abs=0.7)
    assert bottom / DOTS == pytest.approx(10, abs=0.5)
    assert 4 < (bottom - top) / DOTS < 8
    assert (right - left) / DOTS > 12
    left, _, right, _ = ink(picture, 70, 70, 140, 85) or (0, 0, 0, 0)
    assert 70 + (left + right) / 2 / DOTS == pytest.approx(105, abs=0.3)


def test_a_letter_that_no_font_has_is_named_before_anything_is_drawn() -> None:
    check = pdf_check("", pdf_letters(FONTS, ""))
    check([TextLine(text, 0, 0, 5) for text in ("Größe", "Řezání", "شركة", "กำ")[:3]])
    with pytest.raises(PaperError) as refused:
        check([TextLine("A ꗬ", 0, 0, 5)])
    assert refused.value.came == "No font of this machine has 'ꗬ' (U+A5EC) of 'A ꗬ'."
    for text, missing in (("部品 17", "部品"), ("שלום 部", "部")):
        latin = MachineFonts(
            lambda text, **how: font_file(text, **how) if all(ord(each) < 0x3000 for each in text) else None,
            lambda text: [each for each in text if ord(each) >= 0x3000],
        )
        with pytest.raises(PaperError) as refused:
            pdf_check("", pdf_letters(latin, ""))([TextLine(text, 0, 0, 5)])
        named = ", ".join(f"{each!r} (U+{ord(each):04X})" for each in missing)
        assert refused.value.came == f"No font of this machine has {named} of {text!r}."
    mixed = MachineFonts(lambda text, **_: None if len(text) > 1 else font_file("a"), lambda _: [])
    with pytest.raises(PaperError, match="No single font of this machine has every letter of 'שꗬ'"):
        pdf_check("", pdf_letters(mixed, ""))([TextLine("שꗬ", 0, 0, 5)])


def test_a_text_of_two_scripts_is_drawn_with_a_font_for_each(tmp_path: Path) -> None:
    assert font_file("部品ř") is None  # the Japanese font has no Czech letters
    words = TextLine("部品 Řezání", 20, 30, 10), TextLine("部品", 20, 60, 10), TextLine("Řezání", 20, 90, 10)
    (picture,) = pdf_pictures(pdf([a_page(*words)], "", pdf_letters(FONTS, "")), tmp_path)
    both, *single = (ink(picture, 15, top_mm, 150, top_mm + 16) for top_mm in (20, 50, 80))
    assert both is not None
    widths_mm = [(box[2] - box[0]) / DOTS for box in single if box is not None]
    assert len(widths_mm) == 2
    assert sum(widths_mm) < (both[2] - both[0]) / DOTS < sum(widths_mm) + 12
    assert min(widths_mm) > 15
    with pytest.raises(PaperError, match="No single font of this machine has every letter of '部品 שלום'"):
        pdf([a_page(TextLine("部品 שלום", 20, 30, 10))], "", pdf_letters(FONTS, ""))
