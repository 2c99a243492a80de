"""Printed codes: what is printed is read as the same thing, or refused with the reason."""

import pytest
import zint
from PIL import Image, ImageDraw
from read_back import AIM, scanned, worn

from station.core.codes import (
    CodeBinding,
    CodeType,
    Pattern,
    apply_binding,
    bindings_by_key,
    identity_of_written,
    read_code,
)
from station.core.codes.setup_sheet import Symbology
from station.core.printing import CodeRefused, ShopCodes, Symbol, Thing, encoder, printed_code
from station.core.printing.page import DOT_MM, MIN_MODULE_MM
from station.core.printing.printed_code import Room, place

encode = encoder(zint)
ITEM = CodeType.ITEM
SHOP = ShopCodes(
    (
        Pattern("badges", "B[0-9]+", "badge"),
        Pattern("orders", "WO-(?P<id>[0-9]+)", "item"),
        Pattern("totes", "TOTE-(?P<id>[0-9]+)", "carrier"),
        Pattern("twice", "X[0-9]+", "item"),
        Pattern("twice too", "X(?P<id>[0-9]+)", "item"),
        Pattern("parts", "P-(?P<id>[0-9]+)", "product"),
    ),
    bindings_by_key({"BIN-1": CodeBinding(ITEM, "WO-7"), "NEXT-IS-SCRAP": CodeBinding(CodeType.COMMAND, "WIP:SCRAP")}),
)
TRAVELLER = Room(95, 30, 20, 0.38, 0.38)
LABEL = Room(50, 12, 10, 0.25, MIN_MODULE_MM[Symbology.MATRIX])


@pytest.mark.parametrize(
    ("name", "came"),
    [
        ("WIP:SCRAP", "scans as the card WIP:SCRAP"),
        ("wip:nonsense", "scans as nothing: no such card"),
        ("WIP:BADGE:kim", "scans as the badge 'kim'"),
        ("B12", "scans as the badge 'B12'"),
        ("WO-1042", "scans as the item '1042'"),
        ("BIN-1", "scans as the item 'WO-7'"),
        ("NEXT-IS-SCRAP", "scans as the card WIP:SCRAP"),
        ("TOTE-4", "scans as the carrier '4'"),
        ("P-20", "scans as the product '20'"),
        ("X7", "is ambiguous: X7 or 7"),
        ("A{07}B", "has the control character {07}"),
        ("A\x00B", "has the control character {00}"),
        ("010950600013435210A21B", "is ambiguous: (01)09506000134352(10)A21B or (01)09506000134352(10)A(21)B"),
        ("Y" * 1001, "has 1001 bytes"),
    ],
)
def test_a_code_that_is_read_as_another_thing_is_refused(name: str, came: str) -> None:
    with pytest.raises(CodeRefused) as refused:
        printed_code(Thing(ITEM, name), SHOP)
    assert refused.value.came == f"The code {name if len(name) < 61 else name[:60] + '…'!r} {came}."


@pytest.mark.parametrize(
    ("name", "symbology", "content"),
    [
        ("1042", Symbology.BARS, b"1042"),
        ("AUF-2026-000017", Symbology.BARS, b"AUF-2026-000017"),
        ("Auftrag Größe-17", Symbology.MATRIX, "Auftrag Größe-17".encode()),
        ("注文-17", Symbology.MATRIX, "注文-17".encode()),
        ("طلب-17", Symbology.MATRIX, "طلب-17".encode()),
        ("ABCDEFGH" * 8, Symbology.MATRIX, b"ABCDEFGH" * 8),
        ('{"wo": 7}', Symbology.BARS, b'{"wo": 7}'),
        ("^XZ~JA{GS}", None, b""),
        ("010950600013435210AB", Symbology.GS1_BARS, b"010950600013435210AB"),
        ("010950600013435210AB{GS}21S1", Symbology.GS1_MATRIX, b"010950600013435210AB\x1d21S1"),
        ("01095060001343522112345678901234567890", Symbology.GS1_MATRIX, b"01095060001343522112345678901234567890"),
        ("00106141412345678908", Symbology.GS1_BARS, b"00106141412345678908"),
    ],
)
def test_a_scan_of_a_printed_code_names_the_same_item(name: str, symbology: Symbology | None, content: bytes) -> None:
    if symbology is None:
        with pytest.raises(CodeRefused, match=r"control character \{1D\}"):
            printed_code(Thing(ITEM, name), SHOP)
        return
    placed = place(printed_code(Thing(ITEM, name), SHOP), TRAVELLER, encode)
    assert placed.symbology is symbology
    assert placed.module_mm >= 0.38
    picture = picture_of(placed.at(0, 0), placed.width_mm, placed.height_mm)
    for seen in (picture, worn(picture)):
        ((aim, raw),) = scanned(seen)
        assert (aim, raw) == (AIM[symbology], content)
        for sent in (raw, aim.encode() + raw):
            assert apply_binding(read_code(sent, None, SHOP.patterns), SHOP.bound).item == identity_of_written(name)


def picture_of(symbol: Symbol, width_mm: float, height_mm: float) -> Image.Image:
    """The room of a symbol on white paper, at 300 dpi."""
    edge = 60
    picture = Image.new("L", (round(width_mm / DOT_MM) + 2 * edge, round(height_mm / DOT_MM) + 2 * edge), 255)
    draw = ImageDraw.Draw(picture)
    for x, y, width, height in symbol.modules.dark:
        left, top = symbol.x_mm + x * symbol.module_mm, symbol.y_mm + y * symbol.row_mm
        right, bottom = left + width * symbol.module_mm, top + height * symbol.row_mm
        corners = [round(each / DOT_MM) + edge for each in (left, top, right, bottom)]
        draw.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=0)
    return picture


@pytest.mark.parametrize(
    ("thing", "same"),
    [
        (Thing(CodeType.BADGE, "WIP:BADGE:K7"), True),
        (Thing(CodeType.BADGE, "B12"), True),
        (Thing(CodeType.BADGE, "K7"), False),
        (Thing(CodeType.COMMAND, "WIP:STAGE:saw"), True),
        (Thing(CodeType.COMMAND, "WIP:QTY:0"), False),
        (Thing(CodeType.COMMAND, "STAGE:saw"), False),
        (Thing(CodeType.PRODUCT, "0109506000134352"), True),
        (Thing(CodeType.PRODUCT, "bracket"), False),
        (Thing(CodeType.CARRIER, "bracket"), False),
    ],
)
def test_a_code_names_a_thing_of_its_type(thing: Thing, same: bool) -> None:
    try:
        printed_code(thing, SHOP)
    except CodeRefused:
        assert not same
    else:
        assert same


def test_a_digital_link_is_a_square_that_names_the_same_item() -> None:
    code = printed_code(Thing(ITEM, "010950600013435210A%2F1"), SHOP, link="https://id.example.com")
    assert code.symbologies == (Symbology.SQUARE,)
    assert code.content == b"https://id.example.com/01/09506000134352/10/A%252F1"
    with pytest.raises(CodeRefused, match="is no GS1 key"):
        printed_code(Thing(ITEM, "1042"), SHOP, link="https://id.example.com")


def test_a_code_that_does_not_fit_is_refused_with_the_size_that_would_do() -> None:
    code = printed_code(Thing(ITEM, "ABCDEFGH" * 8), SHOP)
    assert place(code, LABEL, encode).symbology is Symbology.MATRIX
    with pytest.raises(CodeRefused) as refused:
        place(code, Room(20, 8, 8, 0.25, 0.33), encode)
    assert refused.value.came == (
        "The code 'ABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCD…' (64 bytes)"
        " does not fit into 20.0 x 8.0 mm: Code 128 needs 192.8 x 8.0 mm, Data Matrix needs 10.2 x 10.2 mm."
    )


@pytest.mark.parametrize(("dpi", "least"), [(203, 2), (300, 3), (600, 6)])
def test_modules_are_whole_dots_of_the_printer(dpi: int, least: int) -> None:
    dot_mm = 25.4 / dpi
    code = printed_code(Thing(ITEM, "1042-17"), SHOP)
    placed = place(code, Room(35, 12, 10, 0.25, 0.33, dot_mm=dot_mm), encode)
    assert placed.symbology is Symbology.BARS
    assert placed.module_mm / dot_mm == pytest.approx(least)
    assert placed.width_mm <= 35
