"""The pages as the hub writes them: what stands on each, for whom, and that a label can say nothing but text."""

import html
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from floor_full import HOSTILE
from sqlalchemy import event

from server.config import HubConfig, WebConfig
from server.locale_format import NBSP
from server.queries.escape import visible, visible_bytes
from server.urls import item_url
from station.core.codes.canonical import canonical, plain_braces

PAGES = (
    "/",
    "/orders",
    "/orders?status=finished",
    "/orders?status=closed",
    "/stations",
    "/rules",
    "/wall",
    "/find",
    "/sheet",
    "/cards",
)


class Inline(HTMLParser):
    """What a strict content policy would not let run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = {name for name, _ in attrs}
        if (
            tag == "style"
            or "style" in names
            or any(n.startswith("on") for n in names)
            or (tag == "script" and "src" not in names)
        ):
            self.found.append((tag, attrs))


def text_of(answer):
    """A page's words as a person reads them."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)).replace(NBSP, " ")).strip()


def heading(answer):
    return text_of_part(answer, r"<h1[^>]*>(.*?)</h1>")


def text_of_part(answer, pattern):
    found = re.search(pattern, answer.get_data(as_text=True), re.DOTALL)
    assert found, pattern
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", found[1])).replace(NBSP, " ")).strip()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_hub_answers_with_what_to_do_next(hub_app, page):
    answer = hub_app.anonymous().get(page)
    assert answer.status_code == 200
    words = text_of(answer)
    assert "not encrypted" in words
    expected = {
        "/": "wipline-hub import FOLDER",
        "/orders": "No open work orders. Release some: import orders.csv with wipline-hub import FOLDER",
        "/orders?status=finished": "Nothing waits to be closed.",
        "/orders?status=closed": "No closed work orders yet.",
        "/stations": "No station yet. On the hub: wipline-hub station add saw-1 prints its token once.",
        "/rules": "A rule checks every scan and refuses none.",
        "/wall": "No stages yet.",
        "/find": "Scan or type a code into the box above.",
        "/sheet": "The station answers green: it knows this scanner now.",
        "/cards": "with this shop's own stages and reasons: 20 cards on 3 pages.",
    }[page]
    assert expected in words


def test_no_page_has_a_style_or_a_script_of_its_own(hub_app, full):
    for page in (*PAGES, "/stages/saw", "/items/WO-1009", "/sign-in"):
        found = Inline()
        found.feed(hub_app.anonymous().get(page).get_data(as_text=True))
        assert found.found == [], page


def test_over_an_encrypted_connection_nothing_is_said_of_it(hub_app):
    assert "not encrypted" not in hub_app.anonymous().get("/", base_url="https://hub.lan").get_data(as_text=True)


def test_the_sites_word_for_an_order_stands_everywhere(open_hub_app, full):
    hub_app = open_hub_app(HubConfig(order_word="batch"))
    assert heading(hub_app.anonymous().get("/orders")) == "Batches"
    assert "Batches" in text_of(hub_app.anonymous().get("/"))
    assert "work order" not in text_of(hub_app.anonymous().get("/orders")).lower()


def test_the_board_says_the_shop_in_three_figures(hub_app, shop_writer):
    shop_writer.small_shop(saw={"limit": 6})
    shop_writer.release("WO-1", qty=40)
    shop_writer.release("WO-2", "tube", qty=12)
    shop_writer.release("WO-3", qty=5)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    answer = hub_app.anonymous().get("/")
    sums = text_of_part(answer, r'id="sums"[^>]*>(.*?)</section>')
    assert sums.startswith("2 items in process 12.0 m + 40 pcs € 80 in process + 1 without cost 0 finished today")
    line = text_of_part(answer, r'id="line"[^>]*>(.*?)</section>')
    assert "Not started 1 5 pcs" in line
    assert "Saw 2 of 6" in line
    assert "oldest 2 h median 1 h" in line


def test_the_board_shows_a_past_minute_without_what_is_only_now(hub_app, shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "pack", shop_writer.ago(days=1))
    shop_writer.settle()
    then = shop_writer.ago(days=1, hours=12) // 1_000_000
    answer = hub_app.anonymous().get(f"/?as_of={datetime.fromtimestamp(then, UTC):%Y-%m-%dT%H:%M}")
    assert "1 item in process 40 pcs" in text_of(answer)
    assert "Back to now" in text_of(answer)
    assert "Needs someone now" not in text_of(answer)
    assert "data-live" not in answer.get_data(as_text=True)
    assert "0 items in process" in text_of(hub_app.anonymous().get("/"))
    assert hub_app.anonymous().get("/?as_of=yesterday").status_code == 400


def test_a_board_request_reads_no_table_from_end_to_end(hub_app, full, store):
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    with store.read() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    hub_app.anonymous().get("/")
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) < 55
    big = re.compile(r"SCAN (parcel|move|head|event_item|event_state|ledger|finding|open_at)\b(?! USING)")
    with store.read() as connection:
        for statement, parameters in asked:
            if statement.startswith(("SELECT", "WITH")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                assert not [row[3] for row in plan if big.search(row[3])], statement


def test_the_stage_page_lists_in_the_order_in_which_people_run(hub_app, shop_writer):
    shop_writer.small_shop(saw={"target_s": 3600})
    for order, priority, due, hours in (("A", 2, "2099-01-02", 5), ("B", 2, "2099-01-01", 4), ("C", 1, None, 3)):
        shop_writer.release(order, qty=10, priority=priority, **({"due": due} if due else {}))
        shop_writer.scan(order, "saw", shop_writer.ago(hours=hours))
    shop_writer.release("D", qty=10)
    shop_writer.scan("D", "saw", shop_writer.ago(hours=2))
    shop_writer.scan("D", "saw", shop_writer.ago(hours=1), action="hold", reason="burr", operator="K7")
    shop_writer.release("E", qty=7)
    shop_writer.settle()
    answer = hub_app.anonymous().get("/stages/saw")
    assert heading(answer) == "Saw"
    run, held, coming = (
        text_of_part(answer, rf'id="{name}"[^>]*>(.*?)</section>') for name in ("run", "held", "coming")
    )
    keys = re.findall(r'data-key="([A-E]) saw', answer.get_data(as_text=True))
    assert keys == ["C", "B", "A", "D"]
    assert "5 h, target 1 h" in run
    assert "Burr left by A. Kim" in held
    assert coming.endswith("not started 10 d")
    assert hub_app.anonymous().get("/stages/nowhere").status_code == 404


def test_orders_stand_late_first_with_what_is_done_and_where_the_rest_is(hub_app, full):
    answer = hub_app.anonymous().get("/orders")
    dues = re.findall(
        r">(due today|due tomorrow|due yesterday|\d+ d late|due in \d+ d)<", answer.get_data(as_text=True)
    )
    days = {"due today": 0, "due tomorrow": 1, "due yesterday": -1}
    order = [days[d] if d in days else -int(d.split()[0]) if "late" in d else int(d.split()[2]) for d in dues]
    assert order == sorted(order)
    assert order[0] < 0
    row = text_of_part(answer, r'data-key="WO-1003".*?<td(.*?)</tr>')
    assert "Customer 2 & Sons" in row
    assert "0 of 22 pcs" in row
    assert "2 Deburr" in row


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_label_is_shown_with_every_character_and_as_text_only(hub_app, full, raw):
    page = hub_app.anonymous().get(item_url(canonical(raw)))
    assert page.status_code == 200
    body = page.get_data(as_text=True)
    assert heading(page) == re.sub(r"\s+", " ", visible(plain_braces(canonical(raw))))
    assert f'<bdi class="code">{html.escape(visible_bytes(raw), quote=False)[:40]}' in body.replace("&#34;", '"')
    for unsafe in ("<script>window", "<img src=x", "\u202e", "\x1b"):
        assert unsafe not in body
    for other in ("/stages/saw", "/", f"/find?q={item_url(canonical(raw))[7:]}"):
        body = hub_app.anonymous().get(other).get_data(as_text=True)
        assert not any(unsafe in body for unsafe in ("<script>window", "<img src=x", "\u202e", "\x1b")), other


def test_a_search_leads_to_the_one_thing_that_is_meant(hub_app, full):
    full.say("code.bind", code="TOTE-9", to="WO-1005", as_="item")
    full.settle()
    browser = hub_app.anonymous()
    for asked in ("WO-1005", "wo-1005", " ]C1WO-1005", "TOTE-9"):
        answer = browser.get("/find", query_string={"q": asked})
        assert (answer.status_code, answer.headers.get("Location")) == (302, "/items/WO-1005"), asked
    several = browser.get("/find?q=wo-10")
    assert several.status_code == 200
    assert heading(several) == "20 possible items"
    assert heading(browser.get("/find?q=zzz")) == "Nothing found"
    assert browser.get("/find?q=zzz").status_code == 404
    assert browser.get("/items/zzz", headers={"Accept": "text/html"}).status_code == 404


def test_the_item_page_says_where_it_was_for_how_long_and_who(hub_app, shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40, customer="Halvorsen Lifts", reference="PO 77")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=30), operator="K7")
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=3), operator="K7")
    shop_writer.settle()
    answer = hub_app.anonymous().get("/items/WO-1")
    head = text_of_part(answer, r'id="head"[^>]*>(.*?)</header>')
    assert head == "WO-1 Bracket · Halvorsen Lifts · PO 77 · open ordered 40 pcs · in process € 120.00"
    where = text_of_part(answer, r'id="where".*?<tbody>(.*?)</tbody>')
    assert where.startswith("Deburr in work 40 pcs 3 h")
    assert where.endswith("A. Kim deburr-1")
    assert "Saw in work 1 d 3 h" in text_of_part(answer, r'id="visits".*?<tbody>(.*?)</tbody>')


def test_a_visitor_sees_no_form_that_he_may_not_use(hub_app, full):
    visitor, viewer, supervisor = hub_app.anonymous(), hub_app.person("view"), hub_app.person("supervise")
    for page in ("/items/WO-1009", "/orders", "/rules"):
        for browser in (visitor, viewer):
            body = browser.get(page).get_data(as_text=True)
            forms = [form for form in re.findall(r'<form method="post" action="([^"]*)"', body) if form != "/sign-out"]
            assert forms == (["/orders/travellers"] if page == "/orders" else []), page
    forms = re.findall(r'<form method="post" action="([^"]*)"', supervisor.get("/items/WO-1009").get_data(as_text=True))
    assert forms == ["/sign-out", *["/items/WO-1009"] * 4]  # wrong, not scanned, take back, note
    assert "Turn on" not in supervisor.get("/rules").get_data(as_text=True)
    assert "Turn on" in hub_app.person("administer").get("/rules").get_data(as_text=True)


def test_who_may_read_only_after_signing_in_is_led_there(open_hub_app, full):
    hub_app = open_hub_app(HubConfig(web=WebConfig(read="signed-in")))
    for page in (*PAGES, "/stages/saw", "/items/WO-1009"):
        answer = hub_app.anonymous().get(page)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/sign-in?next=")


def test_late_and_due_today_are_counted_by_order_on_the_board_as_on_the_orders_page(hub_app, shop_writer):
    shop_writer.small_shop()
    today = datetime.fromtimestamp(shop_writer.now_us / 1e6, UTC).date().isoformat()
    shop_writer.release("WO-1", qty=10, due="2026-01-01", items=["WO-1-A", "WO-1-B"])
    shop_writer.release("WO-2", qty=10, due=today)
    shop_writer.release("WO-3", qty=10)
    shop_writer.settle()
    for answer in (hub_app.anonymous().get("/"), hub_app.anonymous().get("/orders")):
        assert "1 late" in text_of(answer)
        assert "1 due today" in text_of(answer)
