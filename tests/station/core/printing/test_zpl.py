"""ZPL: symbols in whole dots that a scanner reads, texts that are never commands, letters of any script."""

from dataclasses import replace

import pytest
import zint
from read_back import AIM, imaged, scanned, scratched, worn
from zpl_reader import EDGE, labels, on_white

from station.core.codes import CodeType
from station.core.printing import (
    SHEETS,
    Label,
    Page,
    Paper,
    PaperError,
    Placement,
    RuledLine,
    ShopCodes,
    TextLine,
    Thing,
    encoder,
    label_pages,
    printed_code,
    read_logo,
)
from station.core.printing.libraries import MachineFonts, zpl
from station.core.printing.zpl import DOTS_MM, escaped, packed
from station.system.fonts import font_file, letters_without_font

encode = encoder(zint)
FONTS = MachineFonts(font_file, letters_without_font)
NAMES = ("WO-1042", "010950600013435210AB", "Größe-17", "ABCDEFGH" * 8, "注文-17", "WO^XZ~JA", "A_41\\&")


def made(name: str, title: str | None = None, second: str = "") -> Label:
    return Label(title or name, printed_code(Thing(CodeType.ITEM, name), ShopCodes()), second)


@pytest.mark.parametrize("dpi", DOTS_MM)
@pytest.mark.parametrize("sheet", ["roll-50x30", "roll-100x50"])
@pytest.mark.parametrize("name", NAMES)
def test_a_scanner_reads_the_dots_of_each_resolution(name: str, sheet: str, dpi: int) -> None:
    label = replace(made(name, title="Title"), compact=name == "注文-17")
    placement = Placement(SHEETS[sheet], dot_mm=1 / DOTS_MM[dpi])
    (page,) = label_pages([label], placement, encode)
    (printed,) = labels(b"".join(zpl([page], dpi, FONTS, "")))
    (symbol,) = page.symbols
    assert symbol.module_mm >= (0.25 if symbol.symbology.is_bars else 0.33) - 1e-9
    dots = symbol.module_mm * DOTS_MM[dpi]
    assert dots == pytest.approx(round(dots))
    picture = on_white(printed.picture)
    assert scanned(picture) == [(AIM[symbol.symbology], label.code.content)]
    assert scanned(worn(picture, blur=dots / 3)) == [(AIM[symbol.symbology], label.code.content)]
    there = replace(symbol, x_mm=symbol.x_mm + EDGE / DOTS_MM[dpi], y_mm=symbol.y_mm + EDGE / DOTS_MM[dpi])
    damaged = scratched(picture, [there], 30, dpi=dpi)
    assert (scanned(damaged) or imaged(damaged)) == [(AIM[symbol.symbology], label.code.content)]


@pytest.mark.parametrize("text", ["^XZ", "~JA", "{GS}", "_5E", "^FD^FS", "a\\&b", "100 % ^ ~ _", "Größe ½"])
def test_a_hostile_text_is_printed_as_text(text: str) -> None:
    (page,) = label_pages(
        [made("1042", title=text, second=text)], Placement(SHEETS["roll-100x50"], dot_mm=1 / 8), encode
    )
    (printed,) = labels(b"".join(zpl([page], 203, FONTS, "")))
    assert printed.texts == [text, text, "1042"]
    assert not set(escaped(text)) & set("^~\\")
    assert len(scanned(on_white(printed.picture))) == 1


def a_page(*words: TextLine) -> Page:
    return Page(Paper("x", "x", 50, 30), "x", 1, words, (RuledLine(2, 20, 40, 20, 0.5), RuledLine(2, 20, 2, 25)), ())


def test_letters_that_the_printer_lacks_are_drawn_with_a_font_of_this_machine() -> None:
    (printed,) = labels(
        b"".join(zpl([a_page(TextLine("شركة", 5, 10, 5), TextLine("Řezání", 30, 10, 4, middle=True))], 300, FONTS, ""))
    )
    assert printed.texts == []
    black = printed.picture.point(lambda shade: 255 * (shade == 0)).convert("L")
    assert black.crop((50, 50, 200, 150)).getbbox() is not None
    left, _, right, _ = black.crop((230, 60, 590, 130)).getbbox()
    assert abs(230 + (left + right) / 2 - 30 * DOTS_MM[300]) < 8
    with pytest.raises(PaperError, match=r"No font of this machine has 'ꗬ' \(U\+A5EC\)"):
        b"".join(zpl([a_page(TextLine("ꗬ", 5, 10, 5))], 300, FONTS, ""))


def test_a_logo_is_filled_by_the_even_odd_rule() -> None:
    logo = read_logo(b'<svg viewBox="0 0 10 10"><path d="M0 0H10V10H0zM3 3H7V7H3z"/></svg>')
    label = Label("T", printed_code(Thing(CodeType.ITEM, "1042"), ShopCodes()), logo=logo)
    (page,) = label_pages([label], Placement(SHEETS["roll-100x50"], dot_mm=1 / 8), encode)
    (printed,) = labels(b"".join(zpl([page], 203, FONTS, "")))
    x, y = page.shapes[0].outlines[0][0][1:]
    width = page.shapes[0].outlines[0][1][1] - x
    seen = [
        printed.picture.getpixel((round((x + width * part) * 8), round((y + width * part) * 8)))
        for part in (0.1, 0.5, 0.9)
    ]
    assert [shade == 0 for shade in seen] == [True, False, True]


def test_rows_are_packed_as_the_printer_unpacks_them() -> None:
    assert packed([b"\xff\xff\x00\x00", b"\xff\xff\x00\x00", b"\x00\x00\x00\x00"]) == "JF,:,"
    assert packed([b"\xaa" * 300]) == "zApA"
    assert packed([b"\xff" * 250]) == "zFkF"


def test_another_resolution_is_refused() -> None:
    with pytest.raises(PaperError, match=r"The resolution is 150 dpi. Expected one of 203, 300, 600."):
        b"".join(zpl([a_page()], 150, FONTS, ""))
