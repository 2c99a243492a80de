"""Travellers of the hub: over HTTP, from the pages and from the command; each code is read back as its item."""

import html
import re

import pytest
from click.testing import CliRunner
from read_back import pdf_pictures, scanned, svg_picture
from shop_writer import ShopWriter
from sqlalchemy import select

from server.cli.commands import main
from server.db import schema
from server.ops.control_server import ControlServer
from station.core.event import decode

ADDRESS = "/api/v1/print/traveller"
JAPANESE = "注文"


@pytest.fixture
def shop(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.say("pattern.define", 0, name="badges", regex="B[0-9]+", as_="badge")
    writer.release("WO-1", qty=40, customer="Müller & Söhne", reference="PO 4711", due="2026-12-24", priority=2)
    writer.release("WO-2", qty=3, items=["SN-10", {"item": "SN-2"}, "SN-7"])
    writer.release("B7", qty=1)
    writer.say("note", item="WO-1", text="Ask A. Kim\nbefore packing.")
    writer.settle()
    return writer


@pytest.fixture
def running(store):
    """A running hub's end of the local socket, which records the prints of commands."""
    control = ControlServer(store)
    control.start()
    yield store
    control.close()


def words_of(drawing):
    return [html.unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", drawing)]


def drawing_of(hub_app, order, query=""):
    answer = hub_app.anonymous().get(f"{ADDRESS}/{order}?format=svg{query}")
    assert answer.status_code == 200, answer.json
    assert answer.mimetype == "image/svg+xml"
    return answer.get_data(as_text=True)


def test_a_traveller_has_the_order_its_route_its_materials_and_its_notes(hub_app, shop):
    drawing = drawing_of(hub_app, "WO-1")
    assert scanned(svg_picture(drawing)) == [("]C0", b"WO-1"), ("]C0", b"WO-1")]
    words = words_of(drawing)
    assert {
        "Work order", "WO-1", "Bracket (bracket)", "40 pcs", "Müller & Söhne", "PO 4711", "2026-12-24", "Priority", "2",
        "10", "Saw", "this sheet on arrival", "bar: 40 (1 each)", "40", "Pack", "this sheet when done",
        "Ask A. Kim before packing.",
    } <= set(words)  # fmt: skip
    assert [text for text in words if text.startswith("Printed 20")]


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_a_traveller_is_a_pdf_file(hub_app, shop, tmp_path, paper):
    answer = hub_app.anonymous().get(f"{ADDRESS}/WO-1?paper={paper}")
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="wipline-traveller-{paper}.pdf"'
    (picture,) = pdf_pictures(answer.data, tmp_path)
    assert scanned(picture) == [("]C0", b"WO-1"), ("]C0", b"WO-1")]


def test_an_order_with_named_items_has_a_traveller_for_each_in_the_order_of_the_release(hub_app, shop):
    pages = [drawing_of(hub_app, "WO-2", f"&page={number}") for number in (1, 2, 3)]
    assert [scanned(svg_picture(page))[0] for page in pages] == [("]C0", b"SN-10"), ("]C0", b"SN-2"), ("]C0", b"SN-7")]
    assert [next(text for text in words_of(page) if " of 3" in text) for page in pages] == [
        "Work order · 1 of 3", "Work order · 2 of 3", "Work order · 3 of 3",
    ]  # fmt: skip
    one = words_of(drawing_of(hub_app, "SN-2"))
    assert {"Work order · 2 of 3", "WO-2", "SN-2", "3 pcs in all"} <= set(one)


def test_an_order_keeps_the_route_that_it_was_released_with(hub_app, shop):
    shop.say("routing.define", None, routing="line", operations=[{"op": 10, "stage": "test"}])
    shop.settle()
    assert {"Saw", "Deburr", "Test", "Pack"} <= set(words_of(drawing_of(hub_app, "WO-1")))


@pytest.mark.parametrize(
    ("address", "status", "came"),
    [
        ("nope", 404, "the order 'nope'"),
        ("B7", 409, "The code 'B7' scans as the badge 'B7'"),
        ("WO-1?format=png", 400, "format 'png'"),
        ("WO-1?paper=a5", 400, "the paper 'a5'"),
        ("WO-1?format=svg&page=2", 404, "page '2'"),
        ("WO-1?colour=red", 400, "the query word 'colour'"),
    ],
)
def test_what_cannot_be_printed_is_refused_with_the_reason(hub_app, shop, address, status, came):
    answer = hub_app.anonymous().get(f"{ADDRESS}/{address}")
    assert (answer.status_code, answer.json["error"]["came"]) == (status, came)


def test_a_code_that_the_shop_has_bound_to_another_item_is_refused(hub_app, shop):
    shop.say("code.bind", 0, code="TOTE-1", to="WO-1")
    shop.settle()
    answer = hub_app.anonymous().get("/api/v1/print/label/item/TOTE-1")
    assert answer.status_code == 409
    assert answer.json["error"]["came"] == "The code 'TOTE-1' scans as the item 'WO-1'"


def test_the_address_is_described_with_its_files(hub_app):
    described = hub_app.anonymous().get("/openapi.json").json["paths"]["/api/v1/print/traveller/{order}"]["get"]
    assert set(described["responses"]["200"]["content"]) == {"application/pdf", "image/svg+xml"}
    assert {each["name"] for each in described["parameters"]} >= {"format", "paper", "page"}


def test_arabic_is_joined_and_a_letter_that_no_font_has_is_named(hub_app, shop, tmp_path):
    shop.release("WO-5", qty=1, customer="شركة الاختبار", reference="Größe")
    shop.release("WO-6", qty=1, customer="\U000f0000x")
    shop.settle()
    answer = hub_app.anonymous().get(f"{ADDRESS}/WO-5")
    assert [scanned(picture) for picture in pdf_pictures(answer.data, tmp_path)] == [[("]C0", b"WO-5")] * 2]
    assert b"/Image" in answer.data
    shop.release("WO-8", qty=1, customer="ꗬ")
    shop.settle()
    refused = hub_app.anonymous().get(f"{ADDRESS}/WO-8")
    assert refused.status_code == 503
    assert refused.json["error"]["came"] == "No font of this machine has 'ꗬ' (U+A5EC) of 'ꗬ'"
    assert "ꗬ" in words_of(drawing_of(hub_app, "WO-8"))


def test_the_item_page_leads_to_the_preview(hub_app, shop):
    page = hub_app.anonymous().get("/items/WO-1").get_data(as_text=True)
    assert '<a href="/print/traveller/WO-1">Print</a>' in page
    preview = hub_app.anonymous().get("/print/traveller/WO-2?paper=letter").get_data(as_text=True)
    assert preview.count('<img class="sheet letter" src="/api/v1/print/traveller/WO-2?format=svg&amp;paper=letter') == 3
    assert '<a href="/api/v1/print/traveller/WO-2?paper=letter">PDF for US Letter</a>' in preview
    assert hub_app.anonymous().get("/print/traveller/B7").status_code == 409


def test_an_order_with_a_slash_and_letters_beyond_ascii_has_its_own_address(hub_app, shop):
    shop.release(f"{JAPANESE}/1", qty=1)
    shop.settle()
    page = hub_app.anonymous().get("/items/%E6%B3%A8%E6%96%87%2F1").get_data(as_text=True)
    (address,) = re.findall(r'href="(/print/traveller/[^"]*)"', page)
    preview = hub_app.anonymous().get(address).get_data(as_text=True)
    (drawing,) = re.findall(r'src="([^"]*)"', preview.partition("sheet-row")[2])
    seen = scanned(svg_picture(hub_app.anonymous().get(html.unescape(drawing)).get_data(as_text=True)))
    assert seen == [("]d1", f"{JAPANESE}/1".encode())] * 2


def ticked(browser, csrf_of, **form):
    return browser.post("/orders/travellers", data={"csrf_token": csrf_of(browser, "/orders"), **form})


@pytest.mark.parametrize("role", ["view", "supervise"])
def test_the_chosen_orders_are_printed_in_one_file(hub_app, shop, csrf_of, tmp_path, role):
    browser = hub_app.person(role)
    listed = browser.get("/orders").get_data(as_text=True)
    assert 'name="order" value="WO-1"' in listed
    assert 'formaction="/orders/travellers"' in listed
    answer = ticked(browser, csrf_of, order=["WO-1", "WO-2"], paper="letter")
    assert answer.mimetype == "application/pdf"
    assert [scanned(picture)[0][1] for picture in pdf_pictures(answer.data, tmp_path)] == [
        b"WO-1", b"SN-10", b"SN-2", b"SN-7",
    ]  # fmt: skip


def test_the_page_lists_what_cannot_be_printed_and_offers_the_others(hub_app, shop, csrf_of):
    browser = hub_app.person("view")
    answer = ticked(browser, csrf_of, all="1")
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 409
    assert "The code 'B7' scans as the badge 'B7'. Expected the item 'B7'. Give it another code." in page
    assert "Print the other 2" in page
    assert re.findall(r'name="order" value="([^"]*)"', page) == ["WO-1", "WO-2"]


@pytest.mark.parametrize(
    ("form", "came"),
    [({}, "0\u00a0work orders"), ({"order": [f"W-{n}" for n in range(501)]}, "more than 500 work orders"),
     ({"order": "WO-1", "paper": "a5"}, "the paper 'a5'")],
)  # fmt: skip
def test_a_choice_that_cannot_be_printed_at_once_is_refused(hub_app, shop, csrf_of, form, came):
    answer = ticked(hub_app.person("view"), csrf_of, **form)
    assert (answer.status_code, answer.json["error"]["came"]) == (400, came)


def test_a_print_by_a_supervisor_is_on_record_and_the_next_is_a_copy(hub_app, shop, csrf_of, rows):
    browser = hub_app.person("supervise", name="kim")
    preview = browser.get("/print/traveller/WO-2").get_data(as_text=True)
    assert "Print and record" in preview
    assert ticked(browser, csrf_of, order=["WO-1", "WO-2"]).mimetype == "application/pdf"
    shop.settle()
    recorded = [event.data for event in events(rows) if event.what == "traveller.print"]
    assert recorded == [{"item": "WO-1"}, {"item": "SN-10"}, {"item": "SN-2"}, {"item": "SN-7"}]
    assert {event.by for event in events(rows) if event.what == "traveller.print"} == {"kim"}
    assert "Work order · copy 1" in words_of(drawing_of(hub_app, "WO-1"))
    assert "Work order · 2 of 3 · copy 1" in words_of(drawing_of(hub_app, "SN-2"))
    assert "traveller printed" in browser.get("/items/WO-1").get_data(as_text=True)
    ticked(browser, csrf_of, order=["WO-1"])
    # The projection does not have the newest print yet; the ledger has.
    assert "Work order · copy 2" in words_of(drawing_of(hub_app, "WO-1"))


def events(rows):
    return [decode(encoded) for (encoded,) in rows(select(schema.ledger.c.bytes).order_by(schema.ledger.c.pos))]


def test_a_print_by_a_reader_and_a_preview_are_not_recorded(hub_app, shop, csrf_of, rows):
    before = len(events(rows))
    reader = hub_app.person("view")
    assert "Print and record" not in reader.get("/print/traveller/WO-1").get_data(as_text=True)
    assert ticked(reader, csrf_of, order=["WO-1"]).mimetype == "application/pdf"
    drawing_of(hub_app, "WO-1")
    hub_app.person("supervise").get("/print/traveller/WO-1")
    assert len(events(rows)) == before


def test_only_the_orders_that_are_not_printed_yet(hub_app, shop, csrf_of, tmp_path, rows):
    browser = hub_app.person("supervise")
    ticked(browser, csrf_of, order=["WO-1"])
    shop.settle()
    answer = ticked(browser, csrf_of, order=["WO-1", "WO-2"], new="1")
    assert [scanned(picture)[0][1] for picture in pdf_pictures(answer.data, tmp_path)] == [b"SN-10", b"SN-2", b"SN-7"]
    shop.settle()
    answer = ticked(browser, csrf_of, order=["WO-1", "WO-2"], new="1")
    assert (answer.status_code, answer.json["error"]["came"]) == (400, "no order whose traveller is not printed")


def test_a_print_moves_nothing(hub_app, shop, csrf_of):
    before = hub_app.anonymous().get("/api/v1/items/WO-1").json
    ticked(hub_app.person("supervise"), csrf_of, order=["WO-1"])
    shop.settle()
    after = hub_app.anonymous().get("/api/v1/items/WO-1").json
    assert [after[name] for name in ("accounts", "status", "parcels")] == [
        before[name] for name in ("accounts", "status", "parcels")
    ]


def run(*arguments):
    done = CliRunner().invoke(main, ["print", *map(str, arguments)])
    return done.exit_code, done.stdout_bytes, done.stderr


def test_the_command_writes_the_orders_and_lists_those_that_it_cannot_print(running, shop, tmp_path):
    path = tmp_path / "travellers.pdf"
    code, _, said = run("traveller", "WO-1", "B7", "nope", "WO-2", "--output", path, "--db", running.path)
    assert code == 1
    assert said == (
        "Not printed: B7: The code 'B7' scans as the badge 'B7'. Expected the item 'B7'. Give it another code.\n"
        "Not printed: nope: There is no order 'nope'. Expected an order that was released, or one of its items."
        " Check its number.\n"
        f"4 pages in {path}.\n"
    )
    assert [scanned(picture)[0][1] for picture in pdf_pictures(path.read_bytes(), tmp_path)] == [
        b"WO-1", b"SN-10", b"SN-2", b"SN-7",
    ]  # fmt: skip


def test_the_command_numbers_drawings_and_takes_standard_output(running, shop, tmp_path):
    where = ("--db", running.path, "--format", "svg")
    code, _, said = run("traveller", "WO-2", "--output", tmp_path / "t.svg", *where)
    assert (code, said) == (0, f"3 pages in {tmp_path / 't.svg'}.\n")
    names = ["t-1.svg", "t-2.svg", "t-3.svg"]
    assert [scanned(svg_picture((tmp_path / name).read_text()))[0][1] for name in names] == [b"SN-10", b"SN-2", b"SN-7"]
    code, out, said = run("traveller", "WO-1", "--output", "-", *where)
    assert (code, said) == (0, "1 page.\n")
    assert scanned(svg_picture(out.decode()))[0][1] == b"WO-1"
    code, out, said = run("traveller", "WO-2", "--output", "-", *where)
    assert (code, out) == (1, b"")
    assert "standard output takes one drawing" in said


def test_nothing_is_written_where_nothing_can_be_printed(running, shop, tmp_path):
    code, _, said = run("traveller", "B7", "-o", tmp_path / "none.pdf", "--db", running.path)
    assert code == 1
    assert said.endswith(f"0 pages in {tmp_path / 'none.pdf'}.\n")
    assert not (tmp_path / "none.pdf").exists()
    code, _, said = run("traveller", "WO-1", "-o", tmp_path / "gone" / "none.pdf", "--db", running.path)
    assert code == 1
    assert "cannot be written: No such file or directory" in said


def test_the_command_prints_the_new_orders_once_and_a_copy_on_request(store, shop, tmp_path, rows):
    path = tmp_path / "new.pdf"
    shop.say("order.close", None, order="B7", how="cancelled")
    shop.settle()
    store.close()  # the command takes the lock of the database, as without a running hub
    code, _, said = run("traveller", "--new", "-o", path, "--db", store.path)
    assert (code, said) == (0, f"4 pages in {path}.\n")
    code, _, said = run("traveller", "--new", "-o", tmp_path / "again.pdf", "--db", store.path)
    assert code == 0
    assert "0 pages" in said
    assert "4 events are not included yet" in said
    assert not (tmp_path / "again.pdf").exists()
    code, out, _ = run("traveller", "SN-2", "-o", "-", "--format", "svg", "--unrecorded", "--db", store.path)
    assert "Work order · 2 of 3 · copy 1" in words_of(out.decode())
    code, out, _ = run("traveller", "SN-2", "-o", "-", "--format", "svg", "--db", store.path)
    assert "Work order · 2 of 3 · copy 1" in words_of(out.decode())
    code, out, _ = run("traveller", "SN-2", "-o", "-", "--format", "svg", "--db", store.path)
    assert "Work order · 2 of 3 · copy 2" in words_of(out.decode())
    code, _, said = run("traveller", "-o", path, "--db", store.path)
    assert (code, said) == (1, "Error: No order is named. Expected some, or --new. Name one.\n")


def test_many_travellers_are_printed_with_progress(store, shop, tmp_path):
    shop.release_all([(f"M-{number:03}", "bracket", 5, {}) for number in range(60)])
    shop.settle()
    path = tmp_path / "many.pdf"
    names = [f"M-{number:03}" for number in range(60)]
    code, _, said = run("traveller", *names, "-o", path, "--unrecorded", "--db", store.path)
    assert (code, said) == (0, f"50 of 60\n60 pages in {path}.\n")
