"""Paper from a real browser: what it prints of the hub's pages is what the drawing says, in its true size, and is read."""

from pathlib import Path
from typing import Any

import pytest
import zint
from browser import a_page
from live_hub import LiveHub
from PIL import Image
from read_back import DPI, expected, pdf_pictures, scanned, svg_picture

from station.core.printing import PAPERS, encoder, setup_page

pytestmark = pytest.mark.browser

SCREEN_DOTS_MM = 96 / 25.4  # what a browser takes a millimetre for
SHARP = 2.0
QUIET = 30  # dots around the square that are surely white


def printed(chromium: Any, hub: LiveHub, address: str, folder: Path) -> list[Image.Image]:
    """What comes out of the printer where a person prints this page."""
    with a_page(chromium, hub.url) as page:
        page.goto(address)
        return pdf_pictures(page.pdf(prefer_css_page_size=True), folder)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_setup_page_prints_the_sheet_alone_and_in_its_true_size(chromium, hub, paper, tmp_path):
    drawn = setup_page(PAPERS[paper], encoder(zint))
    pictures = printed(chromium, hub, f"/sheet?paper={paper}", tmp_path)
    assert [scanned(picture) for picture in pictures] == expected([drawn])
    size = PAPERS[paper].width_mm / 25.4 * DPI, PAPERS[paper].height_mm / 25.4 * DPI
    assert pictures[0].size == pytest.approx(size, abs=3)
    square, dots = drawn.symbols[0], DPI / 25.4
    corner = round(square.x_mm * dots) - QUIET, round(square.y_mm * dots) - QUIET
    beyond = (round(start + square.width_mm * dots) + 2 * QUIET for start in corner)
    first = pictures[0].convert("L").crop((*corner, *beyond))
    ink = first.point(lambda shade: 255 * (shade < 128)).getbbox()
    end = QUIET + square.width_mm * dots
    assert ink == pytest.approx((QUIET, QUIET, end, end), abs=3)


@pytest.mark.parametrize("address", ["/sheet", "/cards", "/print/traveller/WO-1001"])
def test_what_the_hub_says_above_a_page_is_not_on_the_paper(chromium, hub, address, tmp_path):
    before = [scanned(picture) for picture in printed(chromium, hub, address, tmp_path)]
    with hub.at_long_work("Rebuild") as sentence:
        with a_page(chromium, hub.url) as page:
            page.goto(address)
            assert sentence in page.inner_text("#works")
        assert [scanned(picture) for picture in printed(chromium, hub, address, tmp_path)] == before
    assert before[0]


@pytest.mark.parametrize("paper", PAPERS)
def test_the_cards_page_prints_every_page_of_cards(chromium, hub, paper, tmp_path):
    pictures = printed(chromium, hub, f"/cards?paper={paper}", tmp_path)
    drawings = [hub.get(f"/cards.svg?paper={paper}&page={number + 1}") for number in range(len(pictures))]
    assert [scanned(picture) for picture in pictures] == [scanned(svg_picture(each)) for each in drawings]
    assert len(pictures) == 3


@pytest.mark.parametrize("address", ["/sheet.svg", "/sheet.svg?paper=letter", "/cards.svg", "/cards.svg?page=3"])
def test_a_drawing_opened_by_itself_is_read_from_the_screen(chromium, hub, address, tmp_path):
    paper = PAPERS["letter" if "letter" in address else "a4"]
    size = {"width": int(paper.width_mm * SCREEN_DOTS_MM), "height": int(paper.height_mm * SCREEN_DOTS_MM)}
    before = hub.csp_reports()
    # A browser asks for /favicon.ico where a document names no mark of its own.
    with a_page(chromium, hub.url, expected="404", viewport=size, device_scale_factor=SHARP) as page:
        page.goto(address)
        page.screenshot(path=tmp_path / "screen.png")
    seen = scanned(Image.open(tmp_path / "screen.png"))
    assert seen == scanned(svg_picture(hub.get(address)))
    assert seen
    assert hub.csp_reports() == before


@pytest.mark.parametrize("paper", PAPERS)
def test_the_preview_of_a_traveller_prints_it_as_it_was_drawn(chromium, hub, paper, tmp_path):
    address = "/print/traveller/WO-1001"
    drawings = [hub.get(f"/api/v1{address}?format=svg&paper={paper}")]
    before = hub.csp_reports()
    pictures = printed(chromium, hub, f"{address}?paper={paper}", tmp_path)
    assert [scanned(picture) for picture in pictures] == [scanned(svg_picture(each)) for each in drawings]
    assert scanned(pictures[0]) == [("]C0", b"WO-1001")] * 2
    assert hub.csp_reports() == before


def test_the_list_prints_the_chosen_orders(chromium, hub, tmp_path):
    with a_page(chromium, hub.url) as page:
        page.goto("/orders")
        page.check("input[name=order] >> nth=0")
        chosen = page.get_attribute("input[name=order] >> nth=0", "value")
        with page.expect_download() as download:
            page.click("button[formaction='/orders/travellers']")
        download.value.save_as(tmp_path / "travellers.pdf")
    content = (tmp_path / "travellers.pdf").read_bytes()
    assert [raw.decode() for picture in pdf_pictures(content, tmp_path) for _, raw in scanned(picture)] == [chosen] * 2
