"""The pages for paper: the setup sheet and the operator's cards as the hub shows, draws and files them."""

import html
import re
import sys

import pytest
from read_back import pdf_pictures, scanned, svg_picture

from server.ledger.entries import Entry, record_all
from station.core.codes.card_labels import MAX_CARDS
from station.core.codes.setup_sheet import setup_texts
from station.core.printing import NOTES, PAPERS, STEPS

SETUP = sorted(("]Q1" if each.name == "2D" else "]C0", each.text.encode()) for each in setup_texts())
ADDRESSES = ("/sheet", "/sheet.svg", "/sheet.pdf", "/cards", "/cards.svg", "/cards.pdf")


@pytest.fixture
def shop(shop_writer):
    shop_writer.demo_shop()
    shop_writer.settle()
    return shop_writer


def text_of(answer):
    body = re.sub(r"<[^>]+>", "", answer.get_data(as_text=True))
    return re.sub(r"\s+", " ", html.unescape(body).replace("\u00a0", " "))


def trouble(answer):
    return answer.status_code, *(answer.json["error"][part] for part in ("came", "expected", "do"))


def cards_read(browser, number=1, paper="a4"):
    answer = browser.get(f"/cards.svg?page={number}&paper={paper}")
    assert answer.status_code == 200
    return [text.decode() for _, text in scanned(svg_picture(answer.get_data(as_text=True)))]


def test_the_setup_page_says_what_to_do_and_shows_the_sheet(hub_app):
    answer = hub_app.anonymous().get("/sheet")
    words = text_of(answer)
    assert all(sentence in words for sentence in (*STEPS, *NOTES))
    assert 'src="/sheet.svg?paper=a4"' in answer.get_data(as_text=True)
    letter = hub_app.anonymous().get("/sheet?paper=letter").get_data(as_text=True)
    assert 'src="/sheet.svg?paper=letter"' in letter
    assert 'href="/sheet.pdf?paper=letter"' in letter


@pytest.mark.parametrize("paper", PAPERS)
def test_the_sheet_is_read_from_its_drawing_and_from_its_file(hub_app, tmp_path, paper):
    drawn = hub_app.anonymous().get(f"/sheet.svg?paper={paper}")
    assert drawn.mimetype == "image/svg+xml"
    assert drawn.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert scanned(svg_picture(drawn.get_data(as_text=True))) == SETUP
    filed = hub_app.anonymous().get(f"/sheet.pdf?paper={paper}")
    assert filed.mimetype == "application/pdf"
    assert filed.headers["Content-Disposition"] == f'attachment; filename="wipline-setup-{paper}.pdf"'
    assert [scanned(picture) for picture in pdf_pictures(filed.data, tmp_path)] == [SETUP]


def test_the_stations_page_leads_to_the_sheet(hub_app):
    words = hub_app.anonymous().get("/stations").get_data(as_text=True)
    assert '<a href="/sheet">Set up a scanner: print this sheet</a>' in words
    assert '<a href="/cards">Operator\'s cards</a>' in words


@pytest.mark.parametrize("paper", PAPERS)
def test_cards_are_those_of_the_shop(hub_app, shop, tmp_path, paper):
    browser = hub_app.person("supervise")
    page = browser.get(f"/cards?paper={paper}")
    assert "47 cards on 5 pages" in text_of(page)
    assert page.get_data(as_text=True).count("<img ") == 5
    drawn = [cards_read(browser, number, paper) for number in range(1, 6)]
    filed = browser.get(f"/cards.pdf?paper={paper}")
    assert filed.headers["Content-Disposition"] == f'attachment; filename="wipline-cards-{paper}.pdf"'
    printed = [[text.decode() for _, text in scanned(picture)] for picture in pdf_pictures(filed.data, tmp_path)]
    assert printed == drawn
    texts = [text for each in drawn for text in each]
    assert len(texts) == len(set(texts)) == 47
    assert {
        "WIP:SCRAP", "WIP:QTY:25", "WIP:REWORK:deburr", "WIP:REASON:scratch", "WIP:STAGE:plating", "WIP:CALL:supervisor",
        "WIP:BADGE:K7", "WIP:BADGE:W1",
    } < set(texts)  # fmt: skip


@pytest.mark.parametrize("who", ["nobody", "view", "account", "station"])
def test_badges_are_printed_for_those_who_supervise_alone(hub_app, shop, who):
    browser = hub_app.anonymous() if who in ("nobody", "station") else hub_app.person(who)
    asked = {"headers": hub_app.station()} if who == "station" else {}
    assert "Badges are printed only for a supervisor" in text_of(browser.get("/cards", **asked))
    pages = (browser.get(f"/cards.svg?page={number}", **asked) for number in range(1, 5))
    texts = [text.decode() for page in pages for _, text in scanned(svg_picture(page.get_data(as_text=True)))]
    assert "WIP:REASON:scratch" in texts
    assert [text for text in texts if "BADGE" in text] == []


def test_a_definition_that_changed_changes_its_card(hub_app, shop_writer):
    shop_writer.say("stage.define", shop_writer.ago(days=2), stage="saw", name="Saw")
    shop_writer.say("stage.define", shop_writer.ago(days=1), stage="saw", name="Cold saw")
    shop_writer.settle()
    drawn = hub_app.anonymous().get("/cards.svg?page=2").get_data(as_text=True)
    assert ">Cold saw</text>" in drawn
    assert ">Saw</text>" not in drawn


def test_a_word_that_makes_no_card_is_named_and_a_hostile_one_is_only_a_word(hub_app, shop_writer):
    shop_writer.say("stage.define", 0, stage="a{b", name="Odd")
    shop_writer.say("stage.define", 0, stage="s1", name="<script>\x01&")
    shop_writer.say("reason.define", 0, reason="r" * 4000, name="Long")
    shop_writer.say("card.define", 0, card='"><img src=x onerror=y>', name="x")
    shop_writer.settle()
    page = hub_app.anonymous().get("/cards")
    assert "WIP:STAGE:a{b: a scanner would bring it back in another spelling" in text_of(page)
    assert "what stands behind REASON has 4000 characters, not 1 to 120" in text_of(page)
    assert '"><img src=x onerror=y>: it does not begin with WIP:' in text_of(page)
    assert "<img src=x" not in page.get_data(as_text=True)
    drawn = hub_app.anonymous().get("/cards.svg?page=2").get_data(as_text=True)
    assert ">&lt;script&gt;{01}&amp;</text>" in drawn


def test_cards_that_are_hard_to_take_back_are_apart_on_the_page_and_in_the_pdf(hub_app, shop, tmp_path):
    browser = hub_app.anonymous()
    page = browser.get("/cards")
    before, _, behind = page.get_data(as_text=True).partition('id="apart-title"')
    assert "Keep these cards apart from the others" in text_of(page)
    count = before.count("<img ") + 1
    assert f"/cards.svg?paper=a4&amp;page={count}" in behind
    assert behind.count("<img ") == 1
    drawn = scanned(svg_picture(browser.get(f"/cards.svg?page={count}").get_data(as_text=True)))
    filed = [scanned(picture) for picture in pdf_pictures(browser.get("/cards.pdf").data, tmp_path)]
    assert filed[-1] == drawn
    assert [text for _, text in drawn] == [
        b"WIP:ALL", b"WIP:FINISH", b"WIP:REWORK", b"WIP:REWORK:assembly", b"WIP:REWORK:deburr", b"WIP:SCRAP", b"WIP:UNDO",
    ]  # fmt: skip
    assert len(filed) == count


def test_a_shop_of_many_people_prints_so_many_and_names_the_rest(hub_app, shop_writer, tmp_path):
    room = MAX_CARDS - 20
    people = [
        Entry("person.define", {"person": f"p{n:03}", "name": f"P {n}", "badge": f"B{n:03}"}, "Kim")
        for n in range(room + 1)
    ]
    record_all(shop_writer.store, people)
    shop_writer.settle()
    browser = hub_app.person("supervise")
    words = text_of(browser.get("/cards"))
    assert "500 cards on 51 pages" in words
    assert f"WIP:BADGE:B{room:03}: one print holds 500 cards" in words
    assert f"WIP:BADGE:B{room - 1:03}" in cards_read(browser, 50)
    assert browser.get("/cards.svg?page=52").status_code == 404


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_paper_that_is_not_known_is_refused(hub_app, address):
    assert trouble(hub_app.anonymous().get(f"{address}?paper=a5")) == (
        400, "the paper 'a5'", "one of a4, letter", "Choose one on the page.",
    )  # fmt: skip


@pytest.mark.parametrize("page", ["0", "4", "-1", "x", "", "1" * 5000, "\u0661"])
def test_a_page_of_cards_that_is_not_there_is_refused(hub_app, page):
    assert trouble(hub_app.anonymous().get("/cards.svg", query_string={"page": page})) == (
        404, f"page {page[:40]!r} of the cards", "one from 1 to 3", "Open /cards to see them all.",
    )  # fmt: skip


@pytest.mark.parametrize(("module", "package"), [("zint", "zint-bindings"), ("reportlab.pdfgen.canvas", "reportlab")])
def test_where_a_library_is_missing_the_answer_says_what_to_install(hub_app, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    pip = f"{sys.prefix}/bin/pip install '.[print]'"
    do = f"Install it where the hub runs, in wipline's source folder: {pip}. Then restart the hub."
    came = f"The Python package {package!r} is not installed here"
    for address in ("/sheet.pdf", "/cards.pdf"):
        assert trouble(hub_app.anonymous().get(address)) == (503, came, "Sheets and cards are drawn with it", do)
    for address in ("/sheet", "/cards"):
        answer = hub_app.anonymous().get(address)
        assert answer.status_code == 200
        assert (do in text_of(answer)) == (module == "zint")
        assert ("<img " in answer.get_data(as_text=True)) == (module != "zint")
    for address in ("/sheet.svg", "/cards.svg"):
        assert hub_app.anonymous().get(address).status_code == (503 if module == "zint" else 200)


def test_a_name_without_a_font_is_left_out_of_the_pdf_alone(hub_app, shop_writer, tmp_path):
    shop_writer.say("person.define", 0, person="li", name="ꗬ Li", badge="L1")
    shop_writer.say("person.define", 0, person="wu", name="Wu", badge="ꗬ")
    shop_writer.say("person.define", 0, person="dana", name="דנה", badge="D1")
    shop_writer.settle()
    browser = hub_app.person("supervise")
    filed = browser.get("/cards.pdf")
    assert filed.status_code == 200
    printed = [text.decode() for each in pdf_pictures(filed.data, tmp_path) for _, text in scanned(each)]
    assert len(printed) == 21
    assert [text for text in printed if "BADGE" in text] == ["WIP:BADGE:D1"]
    words = text_of(browser.get("/cards"))
    assert "Not in the PDF The hub has no font for these names." in words
    assert "WIP:BADGE:L1: No font of this machine has 'ꗬ' (U+A5EC) of 'ꗬ Li'." in words
    assert "WIP:BADGE:L1" in cards_read(browser, 2)
