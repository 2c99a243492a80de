"""Printed papers at a station: each symbol is read back from each form and size, and its scan lands on the right thing.

A symbol is scanned as scanners send it: with its AIM identifier, and as a keyboard types it, without one.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from paper_station import PaperStation
from read_back import Seen, expected, pdf_pictures, scanned, svg_picture, worn
from shop_writer import ShopWriter
from zpl_reader import labels, on_white

from server.db.store import Store
from server.locale_format import LocaleFormat
from server.printing.kit import kit_of
from server.printing.labels import LabelKind, LabelWriter
from server.printing.target import Target
from server.printing.travellers import TravellerWriter
from server.queries.current_master_data import master_data
from station.core.codes import CodeType, identity_of_written
from station.core.codes.card_labels import WORD_OF, card_labels, words_of
from station.core.codes.setup_sheet import setup_texts
from station.core.printing import (
    PAPERS,
    SHEETS,
    Page,
    Placement,
    cards_page,
    kit_pages,
    label_pages,
    page_count,
    setup_page,
    traveller_pages,
)
from station.core.printing.libraries import symbols

encode = symbols("")
GS1 = (
    "010950600013435210AB", "010950600013435210AB{GS}21S1", "00106141412345678908", "8006095060001343520102{GS}21A/7",
)  # fmt: skip
"""A lot; a serial with its lot, printed without it; a logistic unit; a piece of a trade item with its serial behind FNC1."""
ORDERS = ("WO-1", "Größe-17", "注文-17", "طلب-17", "W" * 64, *GS1)
ITEMS = (*ORDERS, "SN-10", "SN-2")
TRAVELLERS = ("WO-1", "Größe-17", GS1[-1], "SN-2")
SHEET = b"WO-1"
SAW = {"stage": "saw", "items": ["WO-1"]}
LABELS = [
    *((LabelKind.ITEM, item) for item in ITEMS), (LabelKind.PRODUCT, "bracket"), (LabelKind.CARRIER, "T-7"),
    (LabelKind.BADGE, "kim"), (LabelKind.BADGE, "lee"), (LabelKind.STAGE, "deburr"), (LabelKind.STAGE, "řezání"),
    (LabelKind.REASON, "burr"), (LabelKind.CARD, "SCRAP"), (LabelKind.CARD, "QTY:25"),
]  # fmt: skip


class Case(NamedTuple):
    """What a content must be read as, the scans around it, and the effect on the last one of them."""

    as_: CodeType
    names: str
    effect: dict[str, Any]
    before: Sequence[bytes] = ()
    behind: Sequence[bytes] = ()


def content_of(name: str) -> bytes:
    """What the symbol of an item contains."""
    return identity_of_written(name).replace("{GS}", "\x1d").encode()


def card(text: str, *, before: Sequence[bytes] = (), **effect: Any) -> tuple[bytes, Case]:
    return text.encode(), Case(CodeType.COMMAND, text, SAW | effect, before, (SHEET,))


VERBS = ("IN", "OUT", "START", "DONE", "HOLD", "RELEASE", "COUNT", "SCRAP", "REWORK", "FINISH")
CASES: dict[bytes, Case] = {
    **{content_of(item): Case(CodeType.ITEM, item, SAW | {"items": [identity_of_written(item)]}) for item in ITEMS},
    b"9506000134352": Case(CodeType.PRODUCT, "bracket", {"stage": "saw", "items": []}),
    b"T-7": Case(CodeType.CARRIER, "T-7", {"stage": "saw", "items": []}),
    b"WIP:BADGE:K7": Case(CodeType.BADGE, "K7", SAW | {"operator": "K7"}, behind=(SHEET,)),
    **dict.fromkeys(
        (b"C0001", b"WIP:BADGE:C0001"), Case(CodeType.BADGE, "C0001", SAW | {"operator": "C0001"}, behind=(SHEET,))
    ),
    **dict(card(f"WIP:{verb}", action=verb.lower()) for verb in VERBS),
    **dict(card(f"WIP:QTY:{number}", qty_milli=number * 1000) for number in (1, 5, 10, 25)),
    **dict(card(f"WIP:STAGE:{stage}", stage=stage) for stage in ("saw", "deburr", "test", "pack", "řezání")),
    **dict(card(f"WIP:REASON:{reason}", before=(b"WIP:SCRAP",), action="scrap", reason=reason) for reason in ("burr", "ř")),
    **dict([
        card("WIP:ALL", all=True), card("WIP:MORE"), card("WIP:LOAD"),
        card("WIP:CANCEL", before=(b"WIP:SCRAP",)), card("WIP:REWORK:saw", action="rework"),
    ]),
    b"WIP:UNDO": Case(CodeType.COMMAND, "WIP:UNDO", {"stage": "saw", "action": "void", "items": []}, (SHEET,)),
    b"WIP:ANSWER": Case(CodeType.COMMAND, "WIP:ANSWER", {"stage": "saw", "action": "answer", "items": []}),
    b"WIP:CALL:supervisor": Case(
        CodeType.COMMAND, "WIP:CALL:supervisor",
        {"stage": "saw", "action": "call", "reason": "supervisor", "items": []},
    ),
}  # fmt: skip
SETUP = {setup.text.encode() for setup in setup_texts()}


@pytest.fixture(scope="module")
def shop_db(tmp_path_factory: pytest.TempPathFactory, new_hub: Path) -> Path:
    """The database of the shop, made once: each test has a copy."""
    path = tmp_path_factory.mktemp("shop") / "hub.db"
    path.write_bytes(new_hub.read_bytes())
    store = Store(path)
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("pattern.define", 0, name="totes", regex="T-[0-9]+", as_="carrier")
    writer.say("pattern.define", 0, name="cards", regex="C[0-9]{4}", as_="badge")
    writer.say("person.define", 0, person="lee", name="B. Lee", badge="C0001")
    writer.say("stage.define", 0, stage="řezání", name="Řezání")
    writer.say("reason.define", 0, reason="ř", name="Řezání")
    writer.say("code.bind", 0, code="9506000134352", as_="product", to="bracket")
    writer.say("card.define", 0, card="WIP:QTY:25", name="A box")
    writer.say("card.define", 0, card="WIP:REWORK:saw", name="Back to the saw")
    for order in ORDERS:
        writer.release(order)
    writer.release("WO-2", qty=3, items=["SN-10", "SN-2"])
    writer.settle()
    store.close()
    return path


@pytest.fixture
def shop(shop_db: Path, tmp_path: Path) -> Iterator[ShopWriter]:
    path = tmp_path / "hub.db"
    path.write_bytes(shop_db.read_bytes())
    store = Store(path)
    yield ShopWriter(store)
    store.close()


def travellers(shop: ShopWriter, paper: str) -> list[Page]:
    with shop.store.read() as connection:
        writer = TravellerWriter(connection, master_data(connection), LocaleFormat(), shop.now_us)
        sheets = list(writer.travellers(TRAVELLERS))
    return [page for sheet in sheets for page in traveller_pages(PAPERS[paper], sheet, encode)]


def label_sheets(shop: ShopWriter, sheet: str, dot_mm: float) -> list[Page]:
    with shop.store.read() as connection:
        writer = LabelWriter(connection, master_data(connection), shop.now_us)
        made = [writer.label(kind, name) for kind, name in LABELS]
    return list(label_pages(made, Placement(SHEETS[sheet], dot_mm=dot_mm), encode))


def hung_at_a_bench(shop: ShopWriter, paper: str) -> list[Page]:
    """The kit of Deburr, the operator's cards and the setup sheet."""
    with shop.store.read() as connection:
        master = master_data(connection)
        kit = kit_of(LabelWriter(connection, master, shop.now_us), master, "deburr")
    known = ((what, master.at(what, name, shop.now_us)) for what in WORD_OF for name in master.names(what))
    cards = card_labels(words_of((what, entry.data) for what, entry in known if entry)).labels
    sheets = (cards_page(PAPERS[paper], cards, number + 1, encode) for number in range(page_count(cards)))
    return [*kit_pages(PAPERS[paper], kit, encode), *sheets, setup_page(PAPERS[paper], encode)]


def read_from(pages: Sequence[Page], target: Target, folder: Path) -> set[Seen]:
    """Print these pages into files, and read back each of their symbols; the first page of a PDF also when it is worn."""
    target.write(pages)
    if target.form == "pdf":
        pictures = pdf_pictures((folder / "paper.pdf").read_bytes(), folder)
    elif target.form == "svg":
        numbered = [folder / f"paper-{number}.svg" for number in range(1, len(pages) + 1)]
        files = numbered if len(pages) > 1 else [folder / "paper.svg"]
        pictures = [svg_picture(path.read_text()) for path in files]
    else:
        pictures = [on_white(label.picture) for label in labels((folder / "paper.zpl").read_bytes())]
    seen = [scanned(picture) for picture in pictures]
    assert seen == expected(pages)
    if target.form == "pdf":
        assert scanned(worn(pictures[0], blur=1.0)) == expected(pages)[0]
    return {each for page in seen for each in page}


def land(shop: ShopWriter, folder: Path, seen: Iterable[Seen]) -> set[bytes]:
    """Scan each of these symbols, with and without its AIM identifier, and compare what it did; returns their contents."""
    station = PaperStation(shop, folder)
    turns = [
        (content, len(case.before), station.scan(*case.before, raw, *case.behind))
        for aim, content in sorted(seen)
        if content not in SETUP
        for raw in (content, aim.encode() + content)
        for case in (CASES[content],)
    ]
    landed = station.landed()
    for content, position, numbers in turns:
        case, scan, last = CASES[content], landed[numbers[position]], landed[numbers[-1]]
        code = scan.code
        named = code.badge or (code.item if code.card is None else f"WIP:{code.card}")
        named = f"{named}:{code.argument}" if code.argument else named
        assert (code.as_, named) == (case.as_, identity_of_written(case.names)), scan
        assert (last.effect, last.status) == (case.effect, "ok"), content
    return {content for _, content in seen}


def target_of(folder: Path, form: str, dpi: int = 300) -> Target:
    return Target(form, dpi, str(folder / f"paper.{form}"), None)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_the_symbol_of_a_traveller_is_the_item_of_its_order(shop, tmp_path, form, paper):
    seen = read_from(travellers(shop, paper), target_of(tmp_path, form), tmp_path)
    assert land(shop, tmp_path, seen) == {content_of(item) for item in TRAVELLERS}


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_each_card_at_a_bench_does_what_it_says(shop, tmp_path, form, paper):
    seen = read_from(hung_at_a_bench(shop, paper), target_of(tmp_path, form), tmp_path)
    assert land(shop, tmp_path, seen) == {content for content in CASES if content.startswith(b"WIP:")} | SETUP


@pytest.mark.parametrize(
    ("form", "dpi", "sheet"),
    [
        *((form, 300, sheet) for form in ("pdf", "svg") for sheet in ("a4-3x7", "letter-3x10", "roll-50x25")),
        ("pdf", 300, "a4-5x13"), ("zpl", 203, "roll-50x30"), ("zpl", 203, "roll-100x50"), ("zpl", 300, "roll-76x51"),
        ("zpl", 600, "roll-50x30"),
    ],
)  # fmt: skip
def test_a_label_of_each_kind_is_the_thing_that_it_is_of(shop, tmp_path, form, dpi, sheet):
    target = target_of(tmp_path, form, dpi)
    seen = read_from(label_sheets(shop, sheet, target.dot_mm), target, tmp_path)
    badges = {b"WIP:BADGE:K7", b"C0001"}
    cards = {b"WIP:STAGE:deburr", "WIP:STAGE:řezání".encode(), b"WIP:REASON:burr", b"WIP:SCRAP", b"WIP:QTY:25"}
    others = {b"9506000134352", b"T-7"}
    assert land(shop, tmp_path, seen) == {content_of(item) for item in ITEMS} | badges | cards | others
