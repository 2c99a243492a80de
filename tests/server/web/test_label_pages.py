"""Labels of what is chosen on a page: a list of orders, a stage, an item, the shop's own things; and by the API."""

import html
import re

import pytest
from read_back import pdf_pictures, scanned, svg_picture
from shop_writer import ShopWriter

ADDRESS = "/api/v1/print/labels"


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("code.bind", 0, code="9506000134352", as_="product", to="bracket")
    writer.say("card.define", 0, card="WIP:QTY:25", name="A box")
    writer.release("WO-1", qty=40, customer="Halvorsen")
    writer.release("WO-2", qty=3, items=["SN-10", {"item": "SN-2"}, "SN-7"])
    writer.release("WO-3", qty=5)
    writer.scan("WO-1", "saw", writer.ago(hours=5))
    writer.scan("SN-2", "saw", writer.ago(hours=4))
    writer.scan("WO-3", "deburr", writer.ago(hours=3))
    writer.settle()
    return writer


def text_of(answer):
    body = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return re.sub(r"\s+", " ", html.unescape(body).replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", ""))


def sent(browser, csrf_of, page, **fields):
    """The preview of the form of a page."""
    return browser.post("/print/labels", data={"csrf_token": csrf_of(browser, page), "print": "preview", **fields})


def labels_in(answer):
    """The codes on all pages of a preview, sorted."""
    drawings = re.findall(r"(?s)<svg xmlns.*?</svg>", answer.get_data(as_text=True))
    return sorted(text.decode() for drawing in drawings for _, text in scanned(svg_picture(drawing)))


def hidden_of(browser, page, form):
    """The fields that a form of a page has without a choice."""
    body = browser.get(page).get_data(as_text=True)
    inside = re.search(rf'(?s)<form [^>]*id="{form}">(.*?)</form>', body)[1]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', inside))
    return {name: html.unescape(value) for name, value in fields.items() if name not in ("csrf_token", "once")}


@pytest.mark.parametrize("roles", ["view", "supervise"])
def test_the_chosen_orders_or_all_that_match_get_labels(hub_app, shop, csrf_of, roles):
    browser = hub_app.person(roles)
    hidden = hidden_of(browser, "/orders?customer=halv", "change")
    assert hidden == {"kind": "item", "status": "open", "customer": "halv"}
    ticked = sent(browser, csrf_of, "/orders", **hidden, order=["WO-1", "WO-3"])
    assert labels_in(ticked) == ["WO-1", "WO-3"]
    assert 'href="/orders?status=open&amp;customer=halv">Print none' in ticked.get_data(as_text=True)
    assert labels_in(sent(browser, csrf_of, "/orders", **hidden, all="1")) == ["WO-1"]
    assert labels_in(sent(browser, csrf_of, "/orders", kind="item", all="1")) == ["WO-1", "WO-2", "WO-3"]


def test_a_stage_prints_the_labels_of_what_is_there(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    body = browser.get("/stages/saw").get_data(as_text=True)
    assert sorted(re.findall(r'form="labels-form" name="name" value="([^"]*)"', body)) == ["SN-2", "WO-1"]
    hidden = hidden_of(browser, "/stages/saw", "labels-form")
    assert hidden == {"kind": "item", "at": "saw"}
    every = sent(browser, csrf_of, "/stages/saw", **hidden, all="1")
    assert labels_in(every) == ["SN-2", "WO-1"]
    assert 'href="/stages/saw">Print none' in every.get_data(as_text=True)
    assert "Print the labels" not in text_of(browser.get("/stages/pack"))


def test_an_order_prints_the_labels_of_its_lots_and_serials(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    assert "Labels of its 3 lots and serials" in text_of(browser.get("/items/WO-2"))
    assert "lots and serials" not in text_of(browser.get("/items/WO-1")).partition("Where it is")[0]
    answer = sent(browser, csrf_of, "/items/WO-2", kind="item", of="WO-2", all="1")
    assert labels_in(answer) == ["SN-10", "SN-2", "SN-7"]
    assert 'href="/items/WO-2">Print none' in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("kind", "names", "codes"),
    [
        ("stage", ["deburr", "pack", "saw", "test"], ["WIP:STAGE:deburr", "WIP:STAGE:saw"]),
        ("reason", ["burr"], ["WIP:REASON:burr"]),
        ("product", ["bracket", "tube"], ["9506000134352"]),
    ],
)
def test_the_shops_own_things_are_listed_and_get_labels(hub_app, shop, csrf_of, kind, names, codes):
    browser = hub_app.person("view")
    page = f"/labels?kind={kind}"
    assert re.findall(r'name="name" value="([^"]*)"', browser.get(page).get_data(as_text=True)) == names
    chosen = [name for name in names if name in ("deburr", "saw", "burr", "bracket")]
    answer = sent(browser, csrf_of, page, kind=kind, name=chosen)
    assert labels_in(answer) == codes
    assert f'href="{page}">Print none' in answer.get_data(as_text=True)


def test_command_cards_are_listed_without_stages_reasons_and_badges(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    answer = browser.get("/labels?kind=card")
    cards = re.findall(r'name="name" value="([^"]*)"', answer.get_data(as_text=True))
    assert {"WIP:SCRAP", "WIP:QTY:25", "WIP:CALL:supervisor"} < set(cards)
    assert not [card for card in cards if card.startswith(("WIP:STAGE", "WIP:REASON", "WIP:BADGE"))]
    assert "A box" in text_of(answer)
    assert labels_in(sent(browser, csrf_of, "/labels?kind=card", kind="card", name="WIP:QTY:25")) == ["WIP:QTY:25"]
    every = sent(browser, csrf_of, "/labels?kind=card", kind="card", all="1", sheet="a4-2x7")
    assert len(labels_in(every)) == len(cards)


def test_the_page_of_labels_leads_on(hub_app):
    browser = hub_app.anonymous()
    assert "No stage yet. List them in stages.csv" in text_of(browser.get("/labels"))
    assert '<a href="/labels">' in browser.get("/stations").get_data(as_text=True)
    answer = browser.get("/labels?kind=badge")
    assert (answer.status_code, answer.json["error"]["came"]) == (400, "the kind 'badge'")


def test_a_program_prints_labels(hub_app, shop, tmp_path):
    program, headers = hub_app.anonymous(), hub_app.token("view")
    body = {"kind": "item", "names": ["WO-1", "WO-3", "WO-1"], "copies": 2, "sheet": "letter-3x10", "start": 29}
    answer = program.post(ADDRESS, json=body, headers=headers)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="wipline-labels-item.pdf"'
    assert [[text for _, text in scanned(picture)] for picture in pdf_pictures(answer.data, tmp_path)] == [
        [b"WO-1", b"WO-1"], [b"WO-3", b"WO-3"],
    ]  # fmt: skip
    zpl = program.post(
        ADDRESS,
        json={"kind": "item", "names": ["WO-1"], "format": "zpl", "dpi": 300, "sheet": "roll-50x30"},
        headers=headers,
    )
    assert (zpl.mimetype, zpl.data.count(b"^XA")) == ("application/zpl", 1)


@pytest.mark.parametrize(
    ("body", "status", "came"),
    [
        ({"kind": "badge", "names": ["kim"]}, 403, "a badge"),
        ({"kind": "item", "names": []}, 400, "a body of 29 bytes: Expected `array` of length >= 1 - at `$.names`"),
        ({"kind": "item", "names": ["x"], "copies": 2001}, 400, "Expected `int` <= 2000"),
        ({"kind": "item", "names": ["x", "y"], "copies": 1500}, 400, "2 things with 1500 copies"),
        ({"kind": "item", "names": ["x"], "sheet": "a3"}, 400, "There is no label sheet 'a3'"),
        (
            {"kind": "stage", "names": ["saw", "sow", "sew"]}, 404,
            "2 of 3 things cannot be printed, the first is 'sow': The shop has no stage 'sow'",
        ),
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_is_refused(hub_app, shop, body, status, came):
    answer = hub_app.anonymous().post(ADDRESS, json=body, headers=hub_app.token("view"))
    assert answer.status_code == status
    assert came in answer.json["error"]["came"]


def test_the_file_is_in_the_description_of_the_api(hub_app):
    described = hub_app.anonymous().get("/openapi.json").json["paths"][ADDRESS]["post"]
    assert sorted(described["responses"]["200"]["content"]) == ["application/pdf", "application/zpl", "image/svg+xml"]
