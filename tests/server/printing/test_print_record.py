"""The record of prints: travellers, labels and kits, from a page, over HTTP and from the command."""

import getpass
import html
import re
import subprocess

import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter
from sqlalchemy import select

from server.cli.commands import main
from server.db import schema
from server.ops.control_server import ControlServer
from station.core.event import decode

WAYS = ("page", "api", "command")


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.release("WO-1", qty=40)
    writer.release("WO-2", qty=2, items=["SN-1", "SN-2"])
    writer.settle()
    return writer


@pytest.fixture
def printing(hub_app, store, shop, csrf_of, tmp_path):
    """Print in one of the three ways as somebody with these roles; the PDF file."""
    control = ControlServer(store)
    control.start()
    browsers = {roles: hub_app.person(roles, name=roles) for roles in ("supervise", "view")}
    tokens = {roles: hub_app.token(roles) for roles in ("supervise", "view")}
    path = tmp_path / "paper.pdf"

    def by_page(what, names, roles):
        browser = browsers[roles]
        token = {"csrf_token": csrf_of(browser, "/orders")}
        address, fields = {
            "traveller": ("/orders/travellers", {"order": names}),
            "label": ("/print/labels", {"kind": "item", "name": names, "copies": "2", "print": "file"}),
            "kit": (f"/print/kit/{names[0]}", {"paper": "letter"}),
        }[what]
        return browser.post(address, data={**token, **fields})

    def by_api(what, names, roles):
        address, body = {
            "traveller": ("travellers", {"orders": names}),
            "label": ("labels", {"kind": "item", "names": names, "copies": 2}),
            "kit": ("kit", {"stage": names[0], "paper": "letter"}),
        }[what]
        return hub_app.anonymous().post(f"/api/v1/print/{address}", json=body, headers=tokens[roles])

    def by_command(what, names, more):
        kind = ("item",) if what == "label" else ()
        options = ("--copies", "2") if what == "label" else ()
        done = CliRunner().invoke(
            main, ["print", what, *kind, *names, *options, *more, "-o", str(path), "--db", str(store.path)]
        )
        assert done.exit_code == 0, done.output
        return path.read_bytes()

    def printed(way, what, *names, roles="supervise"):
        if way == "command":
            content = by_command(what, names, () if roles == "supervise" else ("--unrecorded",))
        else:
            answer = (by_page if way == "page" else by_api)(what, list(names), roles)
            assert (answer.status_code, answer.mimetype) == (200, "application/pdf"), answer.get_data(as_text=True)
            content = answer.data
        assert content.startswith(b"%PDF")
        return content

    yield printed
    control.close()


@pytest.fixture
def recorded(rows):
    """The recorded prints: (entry, fields, by)."""

    def entries():
        events = map(
            decode, [encoded for (encoded,) in rows(select(schema.ledger.c.bytes).order_by(schema.ledger.c.pos))]
        )
        return [(event.what, event.data, event.by) for event in events if event.what and event.what.endswith(".print")]

    return entries


def text_in(content, folder):
    path = folder / "read.pdf"
    path.write_bytes(content)
    return subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize("way", WAYS)
def test_each_print_is_on_record_with_its_author(printing, recorded, shop, way):
    by = getpass.getuser() if way == "command" else {"page": "supervise", "api": "supervise"}[way]
    printing(way, "traveller", "WO-1", "WO-2")
    printing(way, "label", "WO-1", "new")
    printing(way, "kit", "saw")
    found = recorded()
    assert [(what, data) for what, data, _ in found] == [
        ("traveller.print", {"item": "WO-1"}),
        ("traveller.print", {"item": "SN-1"}),
        ("traveller.print", {"item": "SN-2"}),
        ("label.print", {"kind": "item", "name": "WO-1", "item": "WO-1", "copies": 2}),
        ("label.print", {"kind": "item", "name": "new", "copies": 2}),
        ("kit.print", {"stage": "saw"}),
    ]
    authors = {author for _, _, author in found}
    assert len(authors) == 1
    assert way == "api" or authors == {by}


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_the_second_print_is_a_copy_whichever_way_both_come(printing, tmp_path, first, second):
    assert "copy" not in text_in(printing(first, "traveller", "WO-1"), tmp_path)
    assert "copy 1" in text_in(printing(second, "traveller", "WO-1"), tmp_path)
    assert "copy 2" in text_in(printing(first, "traveller", "WO-1"), tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("what", "name"), [("traveller", "WO-1"), ("label", "WO-1"), ("kit", "saw")])
def test_nothing_is_recorded_of_a_readers_print_or_of_a_draft(printing, recorded, tmp_path, way, what, name):
    first = printing(way, what, name, roles="view")
    again = printing(way, what, name, roles="view")
    assert recorded() == []
    assert "copy" not in text_in(first, tmp_path) + text_in(again, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_a_readers_print_of_a_printed_traveller_is_a_copy(printing, tmp_path, way):
    printing("page", "traveller", "WO-1")
    assert "copy 1" in text_in(printing(way, "traveller", "WO-1", roles="view"), tmp_path)


def test_a_label_is_an_event_of_its_item_and_makes_none_of_an_unknown_name(hub_app, printing, shop):
    printing("page", "label", "WO-1", "new")
    shop.settle()
    assert "label printed" in hub_app.anonymous().get("/items/WO-1").get_data(as_text=True)
    assert hub_app.anonymous().get("/items/new").status_code == 404
    shop.release("new", qty=1)
    shop.settle()
    assert hub_app.anonymous().get("/api/v1/items/new").json["status"] == "open"


@pytest.mark.parametrize(
    ("address", "body", "status", "came"),
    [
        ("travellers", {"orders": ["WO-1", "nope"]}, 404, "1 of 2 orders cannot be printed, the first is 'nope'"),
        ("travellers", {"orders": ["WO-1"], "paper": "a5"}, 400, "Invalid enum value 'a5'"),
        ("travellers", {"orders": []}, 400, "Expected `array` of length >= 1"),
        ("kit", {"stage": "sow"}, 404, "The shop has no stage 'sow'"),
        ("kit", {"stage": "saw", "colour": "red"}, 400, "unknown field `colour`"),
    ],
)
def test_a_program_gets_the_reason_and_nothing_is_recorded(hub_app, shop, recorded, address, body, status, came):
    answer = hub_app.anonymous().post(f"/api/v1/print/{address}", json=body, headers=hub_app.token("supervise"))
    assert answer.status_code == status, answer.json
    assert came in answer.json["error"]["came"]
    assert recorded() == []


@pytest.mark.parametrize("roles", ["view", "supervise"])
def test_the_kit_has_a_preview_with_a_button_that_records_it(hub_app, shop, roles):
    browser = hub_app.person(roles)
    assert '<a href="/print/kit/saw">Kit for the bench</a>' in browser.get("/stages/saw").get_data(as_text=True)
    page = browser.get("/print/kit/saw?paper=letter").get_data(as_text=True)
    assert ("Print and record" in page) == (roles == "supervise")
    (address,) = re.findall(r'<img class="sheet letter" src="([^"]*)"', page)
    drawing = browser.get(html.unescape(address))
    assert (drawing.status_code, drawing.mimetype) == (200, "image/svg+xml")
    assert browser.get("/print/kit/sow").status_code == 404
    label = browser.get("/print/label/stage/saw").get_data(as_text=True)
    assert ("Print and record" in label) == (roles == "supervise")
