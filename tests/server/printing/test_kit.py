"""The kit of a bench: one page with all that hangs there, the dangerous cards apart in a frame."""

import re

import pytest
from click.testing import CliRunner
from page_layout import layout_faults
from read_back import expected, pdf_pictures, scanned, svg_picture
from shop_writer import ShopWriter

from server.cli.commands import main
from server.printing.kit import kit_of
from server.printing.labels import LabelWriter
from server.queries.current_master_data import master_data
from station.core.codes.setup_sheet import setup_texts
from station.core.printing import PAPERS, kit_pages, write_svg
from station.core.printing.kit_pages import DANGER
from station.core.printing.libraries import symbols

COMMANDS = {
    "WIP:IN", "WIP:OUT", "WIP:START", "WIP:DONE", "WIP:HOLD", "WIP:RELEASE", "WIP:COUNT", "WIP:QTY:1",
    "WIP:QTY:5", "WIP:QTY:10", "WIP:QTY:25", "WIP:MORE", "WIP:LOAD", "WIP:CALL:supervisor", "WIP:ANSWER",
    "WIP:CANCEL", "WIP:STAGE:deburr", "WIP:REASON:burr", "WIP:REASON:ř",
}  # fmt: skip
DANGEROUS = {"WIP:SCRAP", "WIP:FINISH", "WIP:UNDO", "WIP:REWORK", "WIP:ALL", "WIP:REWORK:saw"}


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("reason.define", 0, reason="ř", name="Řezání")
    writer.say("card.define", 0, card="WIP:QTY:25", name="A box")
    writer.say("card.define", 0, card="WIP:SCRAP", name="Scrap it")
    writer.say("card.define", 0, card="WIP:REWORK:saw", name="Back to the saw")
    writer.say("card.define", 0, card="WIP:REASON:burr", name="Burr left")
    writer.settle()
    return writer


def drawn(store, paper, reasons=1):
    with store.read() as connection:
        master = master_data(connection)
        kit = kit_of(LabelWriter(connection, master, 0), master, "deburr")
    return kit_pages(PAPERS[paper], type(kit)(kit.stage, kit.commands, kit.reasons * reasons, kit.danger), symbols(""))


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize(("reasons", "count"), [(1, 1), (3, 1), (20, 2)])
def test_a_kit_has_all_that_hangs_at_a_bench_and_a_scanner_reads_it(store, shop, paper, reasons, count):
    pages = drawn(store, paper, reasons)
    assert len(pages) == count
    assert [fault for page in pages for fault in layout_faults(page)] == []
    assert [scanned(svg_picture(write_svg(page))) for page in pages] == expected(pages)
    seen = {raw.decode() for page in pages for _, raw in scanned(svg_picture(write_svg(page)))}
    assert seen == COMMANDS | DANGEROUS | {setup.text for setup in setup_texts()}


def test_the_dangerous_cards_are_apart_in_a_frame_below_a_cutting_line(store, shop):
    (page,) = drawn(store, "a4")
    (cut,) = (line for line in page.lines if line.dashed)
    below = {symbol.content.decode() for symbol in page.symbols if symbol.content and symbol.y_mm > cut.y_mm}
    assert below == DANGEROUS
    assert DANGER in [words.text for words in page.words]
    frame = [line for line in page.lines if line.width_mm > 0.5]
    assert len(frame) == 4
    others = [symbol.y_mm + symbol.height_mm for symbol in page.symbols if symbol.y_mm < cut.y_mm]
    assert min(line.y_mm for line in frame) - max(others) > 10


def test_the_command_writes_the_kit_of_a_stage(store, shop, tmp_path):
    path = tmp_path / "kit.pdf"
    done = CliRunner().invoke(
        main, ["print", "kit", "deburr", "-o", str(path), "--paper", "letter", "--unrecorded", "--db", str(store.path)]
    )
    assert (done.exit_code, done.stderr) == (0, f"1 page in {path}.\n")
    (picture,) = pdf_pictures(path.read_bytes(), tmp_path)
    assert {raw.decode() for _, raw in scanned(picture)} > DANGEROUS
    done = CliRunner().invoke(main, ["print", "kit", "nowhere", "-o", str(path), "--db", str(store.path)])
    assert done.exit_code == 1
    assert re.match("Error: The shop has no stage 'nowhere'", done.stderr)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_page_of_a_stage_leads_to_its_kit(hub_app, shop, tmp_path, paper):
    page = hub_app.anonymous().get("/stages/deburr").get_data(as_text=True)
    (preview,) = re.findall(r'href="(/print/kit/[^"]*)"', page)
    assert f'src="/api/v1{preview}?format=svg' in hub_app.anonymous().get(preview).get_data(as_text=True)
    address = f"/api/v1{preview}"
    answer = hub_app.anonymous().get(f"{address}?paper={paper}")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    (picture,) = pdf_pictures(answer.data, tmp_path)
    assert {raw.decode() for _, raw in scanned(picture)} > DANGEROUS
    assert hub_app.anonymous().get(f"{address}?format=svg").mimetype == "image/svg+xml"


def test_a_stage_that_the_shop_does_not_have_has_no_kit(hub_app, shop):
    answer = hub_app.anonymous().get("/api/v1/print/kit/nowhere")
    assert (answer.status_code, answer.json["error"]["came"]) == (404, "The shop has no stage 'nowhere'")
