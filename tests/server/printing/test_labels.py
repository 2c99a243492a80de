"""Labels of the hub: of each kind of thing, over HTTP and from the command."""

import html
import re

import pytest
from click.testing import CliRunner
from read_back import pdf_pictures, scanned, svg_picture
from shop_writer import ShopWriter

from server.cli.commands import main
from server.config import ConfigError, HubConfig, LabelSheetConfig, load
from server.printing.labels import UnknownSheet, label_sheet

ADDRESS = "/api/v1/print/label"


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("pattern.define", 0, name="totes", regex="T-[0-9]+", as_="carrier")
    writer.say("pattern.define", 0, name="cards", regex="C[0-9]{4}", as_="badge")
    writer.say("person.define", 0, person="lee", name="B. Lee", badge="C0001")
    writer.say("code.bind", 0, code="9506000134352", as_="product", to="bracket")
    writer.say("card.define", 0, card="WIP:QTY:25", name="A box")
    writer.release("WO-1", qty=40)
    writer.settle()
    return writer


@pytest.mark.parametrize(
    ("kind", "name", "seen", "words"),
    [
        ("item", "WO-1", b"WO-1", ("WO-1", "Bracket")),
        ("item", "SN-not-yet-known", b"SN-not-yet-known", ("SN-not-yet-known",)),
        ("item", "(01)09506000134352(10)AB", b"010950600013435210AB", ()),
        ("product", "bracket", b"9506000134352", ("Bracket",)),
        ("carrier", "T-7", b"T-7", ("T-7",)),
        ("badge", "kim", b"WIP:BADGE:K7", ("A. Kim", "Badge")),
        ("badge", "lee", b"C0001", ("B. Lee", "Badge")),
        ("stage", "deburr", b"WIP:STAGE:deburr", ("Deburr", "stage")),
        ("reason", "burr", b"WIP:REASON:burr", ("Burr left", "reason")),
        ("card", "SCRAP", b"WIP:SCRAP", ("Scrap",)),
        ("card", "wip:qty:25", b"WIP:QTY:25", ("A box", "the quantity")),
    ],
)
def test_a_label_of_each_kind_is_read_as_its_thing(hub_app, shop, tmp_path, kind, name, seen, words):
    browser = hub_app.person("supervise")
    answer = browser.get(f"{ADDRESS}/{kind}/{name}?format=svg&sheet=roll-100x50")
    assert answer.status_code == 200, answer.json
    drawing = answer.get_data(as_text=True)
    assert [raw for _, raw in scanned(svg_picture(drawing))] == [seen]
    assert [word for word in words if f">{word}</text>" not in drawing] == []
    (picture,) = pdf_pictures(browser.get(f"{ADDRESS}/{kind}/{name}").data, tmp_path)
    assert [raw for _, raw in scanned(picture)] == [seen]


@pytest.mark.parametrize(
    ("address", "status", "came"),
    [
        ("item/C0001", 409, "The code 'C0001' scans as the badge 'C0001'"),
        ("product/tube", 409, "The code 'tube' scans as the item 'tube'"),
        ("carrier/X", 409, "The code 'X' scans as the item 'X'"),
        ("stage/sow", 404, "The shop has no stage 'sow'"),
        ("badge/kim", 403, "a badge"),
        ("colour/red", 404, "the kind 'colour'"),
        ("item/WO-1?sheet=a3", 400, "There is no label sheet 'a3'"),
        ("item/WO-1?start=22", 400, "start 22"),
        ("item/WO-1?start=x", 400, "start 'x'"),
        ("item/WO-1?format=zip", 400, "format 'zip'"),
        ("card/STAGE", 409, "The code 'WIP:STAGE' scans as nothing: the STAGE card lacks a stage"),
    ],
)  # fmt: skip
def test_a_label_that_cannot_be_printed_is_refused(hub_app, shop, address, status, came):
    answer = hub_app.anonymous().get(f"{ADDRESS}/{address}")
    assert (answer.status_code, answer.json["error"]["came"]) == (status, came)


def run(store, *arguments):
    done = CliRunner().invoke(main, ["print", "label", *map(str, arguments), "--unrecorded", "--db", str(store.path)])
    return done.exit_code, done.stdout_bytes, done.stderr


def test_the_command_fills_a_sheet_and_lists_what_it_cannot_print(store, shop, tmp_path):
    path = tmp_path / "labels.pdf"
    code, _, said = run(
        store, "item", "SN-1", "C0001", "SN-2", "--copies", 2, "-o", path, "--sheet", "letter-3x10", "--start", 29
    )
    assert code == 1
    assert said == (
        "Not printed: C0001: The code 'C0001' scans as the badge 'C0001'. Expected the item 'C0001'."
        f" Give it another code.\n2 pages in {path}.\n"
    )
    assert [[raw for _, raw in scanned(picture)] for picture in pdf_pictures(path.read_bytes(), tmp_path)] == [
        [b"SN-1", b"SN-1"], [b"SN-2", b"SN-2"],
    ]  # fmt: skip


def test_a_logo_a_second_line_and_a_digital_link(store, shop, tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_bytes(b'<svg viewBox="0 0 2 1"><path d="M0 0h2v1z"/></svg>')
    where = ("--format", "svg", "--sheet", "roll-76x51", "-o", "-")
    link = ("--link", "https://id.example.com", "--second", "Halvorsen", "--logo", logo)
    code, out, _ = run(store, "item", "010950600013435210AB", *link, *where)
    assert code == 0
    assert scanned(svg_picture(out.decode())) == [("]Q1", b"https://id.example.com/01/09506000134352/10/AB")]
    assert b">Halvorsen</text>" in out
    assert b"evenodd" in out
    logo.write_bytes(b"<svg><script/></svg>")
    code, _, said = run(store, "item", "WO-1", *link, *where)
    assert (code, said.partition(".")[0]) == (1, "Error: The logo has the element 'script'")


def test_a_shop_adds_sheets_in_hub_toml(tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text(
        '[[label_sheet]]\nname = "ours"\npaper_width_mm = 100\npaper_height_mm = 60\nwidth_mm = 48.5\nheight_mm = 28\n'
        "columns = 2\nrows = 2\ncolumn_gap_mm = 2\nrow_gap_mm = 2\nleft_mm = 0.5\ntop_mm = 1\n"
    )
    sheet = label_sheet(load(path), "ours")
    assert (sheet.cells, sheet.corner(3)) == (4, (51.0, 31.0))
    own = LabelSheetConfig("wide", 100, 60, 48.5, 28, columns=3)
    with pytest.raises(UnknownSheet, match=r"3 columns need 145\.5 mm, the paper has 100 mm"):
        label_sheet(HubConfig(label_sheet=(own,)), "wide")
    path.write_text('[[label_sheet]]\nnaem = "ours"\n')
    with pytest.raises(ConfigError, match="naem"):
        load(path)


def test_the_preview_shows_the_label_on_the_chosen_sheet(hub_app, shop):
    assert '<a href="/print/label/item/WO-1">Label</a>' in hub_app.anonymous().get("/items/WO-1").get_data(as_text=True)
    page = (
        hub_app.anonymous().get("/print/label/item/WO-1?sheet=roll-50x30&start=&second=A+%26+B").get_data(as_text=True)
    )
    assert '<option value="roll-50x30" selected>' in page
    (address,) = re.findall(r'<img class="sheet" src="([^"]*)"', page)
    drawing = hub_app.anonymous().get(html.unescape(address)).get_data(as_text=True)
    assert [raw for _, raw in scanned(svg_picture(drawing))] == [b"WO-1"]
    assert ">A &amp; B</text>" in drawing
    (file,) = re.findall(r'<a href="([^"]*)">PDF</a>', page)
    assert hub_app.anonymous().get(html.unescape(file)).mimetype == "application/pdf"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("item/C0001", 409),
        ("stage/sow", 404),
        ("badge/kim", 403),
        ("item/WO-1?sheet=a3", 400),
        ("item/WO-1?format=svg", 400),
    ],
)
def test_a_preview_of_what_cannot_be_printed_gives_the_reason(hub_app, shop, address, status):
    assert hub_app.anonymous().get(f"/print/label/{address}").status_code == status
