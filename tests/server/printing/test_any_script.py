"""Names in German, Japanese, Arabic and Hebrew on each kind of paper: their glyphs are drawn, or the missing one is named.

What is on paper is compared with the same text drawn by Pillow with a font file that the test names.
"""

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from read_back import DPI, pdf_pictures
from shop_writer import ShopWriter
from zpl_reader import labels

from server.db.store import Store
from server.locale_format import LocaleFormat
from server.printing.kit import kit_of
from server.printing.labels import LabelKind, LabelWriter
from server.printing.target import Target
from server.printing.travellers import TravellerWriter
from server.queries.current_master_data import master_data
from station.core.codes.card_labels import WORD_OF, card_labels, words_of
from station.core.printing import (
    PAPERS,
    SHEETS,
    Page,
    Placement,
    TextLine,
    cards_page,
    kit_pages,
    label_pages,
    page_count,
    traveller_pages,
)
from station.core.printing.libraries import symbols
from station.core.printing.zpl import DOTS_MM

encode = symbols("")
FONTS = Path("/usr/share/fonts/truetype")
HOSTILE = ("^XZ~JA", "{GS}", "<b>&amp;</b>", r"\) Tj (_5E", "]C1", "%PDF")
JAPANESE = FONTS / "motoya-l-cedar" / "MTLc3m.ttf"
NAMES = {"de": "Größe Übermaß", "ja": "部品の工程", "ar": "شركة الاختبار", "he": "דנה כהן"}
DRAWN = ("ja", "ar", "he")  # as pictures; Latin-1 is in the fonts of every PDF viewer and printer
LIKE = 0.9  # of the ink, within a dot


def font_of(words: TextLine, size: float) -> ImageFont.FreeTypeFont:
    if any(ord(letter) > 0x3000 for letter in words.text):
        return ImageFont.truetype(JAPANESE, size)
    return ImageFont.truetype(FONTS / "dejavu" / ("DejaVuSans-Bold.ttf" if words.bold else "DejaVuSans.ttf"), size)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, new_hub: Path) -> Iterator[ShopWriter]:
    """A shop whose names are in four scripts. Nothing is written to it after its making."""
    path = tmp_path_factory.mktemp("shop") / "hub.db"
    path.write_bytes(new_hub.read_bytes())
    store = Store(path)
    writer = ShopWriter(store)
    writer.say("pattern.define", 0, name="totes", regex="T-.+", as_="carrier")
    for number, (key, name) in enumerate(NAMES.items(), 30):
        writer.say("stage.define", 0, stage=f"s-{key}", name=name)
        writer.say("routing.define", 0, routing=key, operations=[{"op": 10, "stage": f"s-{key}"}])
        writer.say("product.define", 0, product=f"p-{key}", name=name, routing=key)
        writer.say("code.bind", 0, code=f"P{number}", as_="product", to=f"p-{key}")
        writer.say("person.define", 0, person=key, name=name, badge=f"K{number}")
        writer.say("reason.define", 0, reason=f"r-{key}", name=name)
        writer.say("card.define", 0, card=f"WIP:QTY:{number}", name=name)
        writer.release(f"WO-{key}", f"p-{key}", customer=name)
        writer.say("note", item=f"WO-{key}", text=name)
    writer.settle()
    yield writer
    store.close()


def labels_of_each_kind(shop: ShopWriter, sheet: str, dot_mm: float) -> list[Page]:
    named = [
        each
        for number, (key, name) in enumerate(NAMES.items(), 30)
        for each in (
            (LabelKind.ITEM, f"WO-{key}"), (LabelKind.ITEM, name), (LabelKind.PRODUCT, f"p-{key}"),
            (LabelKind.CARRIER, f"T-{name}"), (LabelKind.BADGE, key), (LabelKind.STAGE, f"s-{key}"),
            (LabelKind.REASON, f"r-{key}"), (LabelKind.CARD, f"QTY:{number}"),
        )
    ]  # fmt: skip
    with shop.store.read() as connection:
        writer = LabelWriter(connection, master_data(connection), shop.now_us)
        made = [writer.label(kind, name) for kind, name in named]
    return list(label_pages(made, Placement(SHEETS[sheet], dot_mm=dot_mm), encode))


def other_papers(shop: ShopWriter) -> list[Page]:
    """The travellers, the kit of a bench and the operator's cards."""
    with shop.store.read() as connection:
        master = master_data(connection)
        sheets = list(
            TravellerWriter(connection, master, LocaleFormat(), shop.now_us).travellers(f"WO-{key}" for key in NAMES)
        )
        kit = kit_of(LabelWriter(connection, master, shop.now_us), master, "s-ja")
    known = ((what, master.at(what, name, shop.now_us)) for what in WORD_OF for name in master.names(what))
    cards = card_labels(words_of((what, entry.data) for what, entry in known if entry)).labels
    return [
        *(page for sheet in sheets for page in traveller_pages(PAPERS["a4"], sheet, encode)),
        *kit_pages(PAPERS["a4"], kit, encode),
        *(cards_page(PAPERS["a4"], cards, number + 1, encode) for number in range(page_count(cards))),
    ]


def unlike(pages: Sequence[Page], pictures: Sequence[Image.Image], dots_mm: float) -> list[str]:
    """The drawn names that do not look like themselves on paper. Fails where a name is on no page."""
    checked: set[str] = set()
    faults = []
    for page, picture in zip(pages, pictures, strict=True):
        for words in page.words:
            keys = [key for key in DRAWN if NAMES[key] in words.text]
            if not keys:
                continue
            checked.update(keys)
            if not alike(picture, words, dots_mm):
                faults.append(f"{page.title}: {words}")
    assert checked == set(DRAWN)
    return faults


def alike(picture: Image.Image, words: TextLine, dots_mm: float) -> bool:
    """Whether the ink of a text is where this text has it, and nowhere else around it."""
    font = font_of(words, max(1, round(words.size_mm * dots_mm)))
    left, top, right, bottom = font.getbbox(words.text, anchor="ls")
    x = words.x_mm * dots_mm - ((right - left) / 2 + left if words.middle else 0)
    y = words.y_mm * dots_mm
    box = tuple(round(edge) for edge in (x + left - 2, y + top - 2, x + right + 2, y + bottom + 2))
    printed = picture.crop(box).convert("L")
    drawn = Image.new("L", printed.size, 255)
    ImageDraw.Draw(drawn).text((x - box[0], y - box[1]), words.text, font=font, fill=0, anchor="ls")
    one, other = (each.point(lambda shade: 255 * (shade < 160)) for each in (printed, drawn))
    return covered(one, other) > LIKE and covered(other, one) > LIKE


def covered(ink: Image.Image, by: Image.Image) -> float:
    """The share of the ink that the other picture has within two dots."""
    near = ImageChops.multiply(ink, by.filter(ImageFilter.MaxFilter(5)))
    return near.histogram()[255] / max(1, ink.histogram()[255])


def test_names_of_every_script_are_drawn_on_each_paper_of_a_pdf(shop: ShopWriter, tmp_path: Path) -> None:
    pages = [*labels_of_each_kind(shop, "a4-3x7", 25.4 / 300), *other_papers(shop)]
    Target("pdf", 300, str(tmp_path / "papers.pdf"), None).write(pages)
    pictures = pdf_pictures((tmp_path / "papers.pdf").read_bytes(), tmp_path)
    assert unlike(pages, pictures, DPI / 25.4) == []


@pytest.mark.parametrize("dpi", [203, 600])
def test_names_of_every_script_are_drawn_on_labels_of_a_thermal_printer(
    shop: ShopWriter, tmp_path: Path, dpi: int
) -> None:
    pages = labels_of_each_kind(shop, "roll-100x50", 1 / DOTS_MM[dpi])
    Target("zpl", dpi, str(tmp_path / "papers.zpl"), None).write(pages)
    printed = labels((tmp_path / "papers.zpl").read_bytes())
    assert unlike(pages, [label.picture for label in printed], DOTS_MM[dpi]) == []
    assert NAMES["de"] in {text for label in printed for text in label.texts}


def test_names_of_every_script_are_the_text_of_a_drawing(shop: ShopWriter, tmp_path: Path) -> None:
    pages = [*labels_of_each_kind(shop, "a4-3x7", 25.4 / 300), *other_papers(shop)]
    Target("svg", 300, str(tmp_path / "papers.svg"), None).write(pages)
    for number, page in enumerate(pages, 1):
        drawing = (tmp_path / f"papers-{number}.svg").read_text()
        names = [words.text for words in page.words if not words.text.isascii()]
        assert [name for name in names if f">{name}</text>" not in drawing] == []


def test_hostile_names_are_printed_as_text_in_every_format(store: Store, tmp_path: Path) -> None:
    writer = ShopWriter(store)
    for number, name in enumerate(HOSTILE):
        writer.say("stage.define", 0, stage=f"s{number}", name=name)
        writer.say("person.define", 0, person=f"p{number}", name=name, badge=f"K{number}")
        writer.say("reason.define", 0, reason=f"r{number}", name=name)
    writer.settle()
    kinds = ((LabelKind.STAGE, "s"), (LabelKind.BADGE, "p"), (LabelKind.REASON, "r"))
    with store.read() as connection:
        made = LabelWriter(connection, master_data(connection), writer.now_us)
        named = [made.label(kind, f"{letter}{number}") for number in range(len(HOSTILE)) for kind, letter in kinds]
    for form, dot_mm in (("pdf", 25.4 / 300), ("svg", 25.4 / 300), ("zpl", 1 / 8)):
        pages = list(label_pages(named, Placement(SHEETS["roll-100x50"], dot_mm=dot_mm), encode))
        Target(form, 203, str(tmp_path / f"names.{form}"), None).write(pages)
    assert [label.texts[0] for label in labels((tmp_path / "names.zpl").read_bytes())] == [
        name for name in HOSTILE for _ in kinds
    ]
    drawings = [ET.parse(tmp_path / f"names-{number}.svg") for number in range(1, len(named) + 1)]  # noqa: S314 - our own
    texts = [next(drawing.iter("{http://www.w3.org/2000/svg}text")).text for drawing in drawings]
    assert texts == [name for name in HOSTILE for _ in kinds]
    subprocess.run(["pdftotext", "-layout", tmp_path / "names.pdf", tmp_path / "names.txt"], check=True)
    pages_of_text = (tmp_path / "names.txt").read_text().split("\f")[:-1]
    assert [page.split("\n")[0].strip() for page in pages_of_text] == [name for name in HOSTILE for _ in kinds]
