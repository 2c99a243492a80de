"""The pages of people and of carriers, and the labels of those that are chosen there."""

import html
import re

import pytest
from read_back import pdf_pictures, scanned, svg_picture
from shop_writer import ShopWriter


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("person.define", 0, person="lee", name="B. Lee", badge="C0001", roles=["supervise"])
    writer.say("person.define", 0, person="new", name="N. Ew")
    writer.say("pattern.define", 0, name="totes", regex="T-[0-9]+", as_="carrier")
    writer.say("pattern.define", 0, name="racks", regex="RACK(?P<id>[0-9]+)", as_="carrier")
    writer.say("code.bind", 0, code="PAL-A", as_="carrier", to="pallet A")
    writer.release("WO-1", qty=40)
    writer.release("WO-2", qty=7)
    writer.scan("WO-1", "saw", writer.ago(hours=5))
    writer.scan("T-7", "deburr", writer.ago(hours=4))
    writer.scan("T-7", "saw", writer.ago(hours=3))
    writer.scan("RACK12", "test", writer.ago(hours=2))
    writer.scan("T-8", "test", writer.ago(hours=1))
    writer.say("code.bind", writer.ago(minutes=30), code="T-8", to="WO-1")
    writer.settle()
    return writer


def text_of(answer):
    body = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return re.sub(r"\s+", " ", html.unescape(body).replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", ""))


def sent(browser, csrf_of, page, **fields):
    return browser.post("/print/labels", data={"csrf_token": csrf_of(browser, page), **fields})


def labels_in(answer):
    """The codes on each page of a preview, sorted."""
    drawings = re.findall(r"(?s)<svg xmlns.*?</svg>", answer.get_data(as_text=True))
    return [[text for _, text in scanned(svg_picture(drawing))] for drawing in drawings]


def row_of(answer, name):
    (row,) = (row for row in text_of_rows(answer) if row.startswith(name))
    return row


def text_of_rows(answer):
    rows = re.findall(r"(?s)<tr[ >](.*?)</tr>", answer.get_data(as_text=True))
    return [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", f"<tr {row}"))).strip() for row in rows[1:]]


def test_people_are_listed_with_their_role_and_their_badge(hub_app, shop):
    answer = hub_app.person("supervise").get("/people")
    assert "2 of 3 people have a badge" in text_of(answer)
    assert [row.replace("\u2068", "").replace("\u2069", "") for row in text_of_rows(answer)] == [
        "A. Kim kim scans K7", "B. Lee lee supervise C0001", "N. Ew new scans none",
    ]  # fmt: skip
    body = answer.get_data(as_text=True)
    assert re.findall(r'name="name" value="([^"]*)"', body) == ["kim", "lee"]
    assert "column <code>badge</code> of <code>people.csv</code>" in body


def test_the_chosen_badges_are_previewed_and_printed(hub_app, shop, csrf_of, tmp_path):
    browser = hub_app.person("supervise")
    chosen = {"kind": "badge", "name": ["kim", "lee"], "sheet": "letter-3x10", "start": "29", "copies": "2"}
    preview = sent(browser, csrf_of, "/people", **chosen, print="preview")
    assert preview.status_code == 200
    assert labels_in(preview) == [[b"WIP:BADGE:K7", b"WIP:BADGE:K7"], [b"WIP:BADGE:C0001", b"WIP:BADGE:C0001"]]
    assert "4 labels of 2 people, on 2 pages" in text_of(preview)
    filed = sent(browser, csrf_of, "/people", **chosen, print="file")
    assert filed.headers["Content-Disposition"] == 'attachment; filename="wipline-labels-badge.pdf"'
    assert [[text for _, text in scanned(picture)] for picture in pdf_pictures(filed.data, tmp_path)] == labels_in(
        preview
    )
    every = sent(browser, csrf_of, "/people", kind="badge", all="1", print="preview")
    assert labels_in(every) == [[b"WIP:BADGE:C0001", b"WIP:BADGE:K7"]]


@pytest.mark.parametrize("roles", ["view", "account"])
def test_badges_are_printed_for_supervisors_alone(hub_app, shop, csrf_of, roles):
    browser = hub_app.person(roles)
    page = browser.get("/people")
    assert "Badges are printed only for a supervisor" in text_of(page)
    assert 'type="checkbox"' not in page.get_data(as_text=True)
    refused = sent(browser, csrf_of, "/carriers", kind="badge", name="kim", print="file")
    assert (refused.status_code, "a badge lets its holder scan in a name" in text_of(refused)) == (403, True)


def test_a_person_without_a_badge_has_none_printed(hub_app, shop, csrf_of):
    browser = hub_app.person("supervise")
    answer = sent(browser, csrf_of, "/people", kind="badge", name=["kim", "new"], print="file")
    assert answer.status_code == 409
    assert "The person 'new' has no badge. Expected a badge in people.csv." in text_of(answer)
    assert "Print the other 1" in text_of(answer)
    others = sent(browser, csrf_of, "/people", kind="badge", name=["kim", "new"], print="others")
    assert others.mimetype == "application/pdf"
    assert browser.get("/api/v1/print/label/badge/new").status_code == 409


def test_an_empty_shop_is_led_on(hub_app):
    browser = hub_app.anonymous()
    assert "List them in people.csv with a badge each" in text_of(browser.get("/people")).replace("  ", " ")
    assert "No carrier yet. Describe their numbers in patterns.csv" in text_of(browser.get("/carriers"))
    for path in ("/people", "/carriers"):
        assert f'<a href="{path}">' in browser.get("/stations").get_data(as_text=True)


def test_many_people_are_on_pages(hub_app, shop):
    for number in range(101):
        shop.say("person.define", 0, person=f"p{number:03}", name=f"P {number:03}", badge=f"B{number:03}")
    shop.settle()
    browser = hub_app.person("supervise")
    first = browser.get("/people")
    assert "1 to 100 of 104 people" in text_of(first)
    assert "all 103 with a badge, not only this page" in text_of(first)
    assert "P 100" in text_of(browser.get("/people?page=2"))
    assert "Page 3 of 2 is empty" in text_of(browser.get("/people?page=3"))
    assert browser.get("/people?page=0").status_code == 400


def test_carriers_are_listed_with_what_they_hold_and_where_they_are(hub_app, shop):
    answer = hub_app.anonymous().get("/carriers")
    rows = [row.replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "") for row in text_of_rows(answer)]
    assert rows == [
        "12 code RACK12 nothing Test at its last scan 2 h ago Test",
        "T-7 nothing Saw at its last scan 3 h ago Saw",
        "T-8 WO-1 40 pcs 30 min ago Test 1 h ago Test",
        "pallet A code PAL-A nothing not known never scanned",
    ]  # fmt: skip


def test_a_carrier_that_a_bench_bound_holds_its_item_until_it_is_unbound(hub_app, shop):
    shop.scan("WO-2", "deburr", shop.ago(minutes=20), action="bind", carrier="TOTE 5")
    shop.settle()
    browser = hub_app.anonymous()
    row = row_of(browser.get("/carriers"), "TOTE 5").replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")
    assert row == "TOTE 5 WO-2 7 pcs 20 min ago Deburr at its last scan , not started 20 min ago Deburr"
    shop.scan("WO-2", "deburr", shop.ago(minutes=10), action="unbind", carrier="TOTE 5")
    shop.settle()
    assert "nothing" in row_of(browser.get("/carriers"), "TOTE 5")


def test_the_labels_of_carriers_have_the_code_that_names_them(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    answer = sent(browser, csrf_of, "/carriers", kind="carrier", name=["12", "T-7", "pallet A"], print="preview")
    assert labels_in(answer) == [[b"PAL-A", b"RACK12", b"T-7"]]
    assert "this print is not recorded" in text_of(answer)
    refused = sent(browser, csrf_of, "/carriers", kind="carrier", all="1", print="file")
    assert refused.status_code == 409
    assert "The code 'T-8' scans as the item 'WO-1'" in text_of(refused)


@pytest.mark.parametrize(
    ("fields", "status", "came"),
    [
        ({"kind": "colour", "name": "x"}, 404, "the kind 'colour'"),
        ({"kind": "carrier"}, 400, "nothing to print"),
        ({"kind": "carrier", "name": "T-7", "sheet": "a3"}, 400, "There is no label sheet 'a3'"),
        ({"kind": "carrier", "name": "T-7", "start": "22"}, 400, "The first free label is 22"),
        ({"kind": "carrier", "name": "T-7", "copies": "0"}, 400, "copies '0'"),
        ({"kind": "carrier", "name": "T-7", "format": "png"}, 400, "format 'png'"),
        ({"kind": "carrier", "name": "T-7", "format": "zpl-203"}, 400, "The sheet a4-3x7 has 21 labels"),
        ({"kind": "carrier", "name": [f"T-{n}" for n in range(501)]}, 400, "more than 500 things"),
        ({"kind": "carrier", "name": ["T-7", "T-9"], "copies": "1001"}, 400, "2 things with 1001 copies"),
        (
            {"kind": "carrier", "name": ["T-7", "T-9"], "format": "svg", "sheet": "roll-50x30", "print": "file"},
            400,
            "There are 2 pages",
        ),
    ],
)
def test_a_form_that_is_wrong_is_refused(hub_app, shop, csrf_of, fields, status, came):
    answer = sent(hub_app.person("view"), csrf_of, "/carriers", **fields)
    assert (answer.status_code, came in text_of(answer)) == (status, True), text_of(answer)


def test_labels_are_printed_as_zpl_and_as_a_drawing(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    chosen = {"kind": "carrier", "name": ["T-7", "T-9"], "sheet": "roll-50x30", "print": "file"}
    zpl = sent(browser, csrf_of, "/carriers", **chosen, format="zpl-300")
    assert (zpl.mimetype, zpl.data.count(b"^XA")) == ("application/zpl", 2)
    drawing = sent(browser, csrf_of, "/carriers", **{**chosen, "name": "T-7"}, format="svg")
    assert [text for _, text in scanned(svg_picture(drawing.get_data(as_text=True)))] == [b"T-7"]
