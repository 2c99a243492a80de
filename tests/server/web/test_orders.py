"""The list of orders: paged, sorted, filtered and counted in SQL; the actions on the chosen orders and their outcome."""

import csv
import io
import re

import pytest
from shop_writer import ShopWriter
from sqlalchemy import event, func, select

from server.context import HubLimits
from server.db import schema
from server.projection.tables import item, parcel
from server.queries.current_master_data import master_data
from server.queries.order_list import OrderFilter, order_page
from server.queries.valuation import Valuation

MANY = 3_000


@pytest.fixture
def limits():
    return HubLimits(shown_within_s=0)


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


@pytest.fixture
def send(hub_app, shop_writer, csrf_of):
    """Send a form of the list as somebody who supervises; the answer."""
    browser = hub_app.person("supervise", "Mara Weiss")

    def sent(path="/orders/change", **fields):
        form = {"csrf_token": csrf_of(browser, "/orders"), **fields}
        answer = browser.post(path, data=form, headers={"Accept": "text/html"})
        shop_writer.settle()
        return answer

    sent.browser = browser
    return sent


@pytest.fixture
def told(send):
    """The message on the page after the newest action."""

    def message():
        body = send.browser.get("/orders").get_data(as_text=True)
        return re.search(r'<div class="said" role="status"><p>(.*?)</p>', body)[1]

    return message


def accounts(rows, name):
    """The quantity of an item at each stage in each state."""
    total = select(parcel.c.stage, parcel.c.state, func.sum(parcel.c.qty_milli)).where(parcel.c.item == name)
    found = rows(total.where(parcel.c.qty_milli > 0).group_by(parcel.c.stage, parcel.c.state))
    return {(stage, state): int(quantity) for stage, state, quantity in found}


def five(shop_writer):
    shop_writer.release("WO-1", qty=10, customer="Ito", reference="PO-77", due="2026-03-01", priority=2)
    shop_writer.release("WO-2", qty=10, customer="Sato", due="2026-02-01")
    shop_writer.release("WO-3", "tube", qty=10, customer="Ito & Sons", due="2026-01-01")
    shop_writer.release("WO-4", qty=10, reference="po-78")
    shop_writer.release("WO-5", qty=10, customer="100%", due="2026-01-15")
    shop_writer.scan("WO-2", "saw", shop_writer.ago(days=1))
    shop_writer.scan("WO-3", "saw", shop_writer.ago(days=1))
    shop_writer.scan("WO-3", "saw", shop_writer.ago(hours=2), action="hold")
    shop_writer.settle()


def listed(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return re.findall(r'<tr data-key="([^"]+)"', answer.get_data(as_text=True))


@pytest.mark.parametrize(
    ("query", "orders"),
    [
        ("", "3 5 2 1 4"),
        ("sort=-due", "1 2 5 3 4"),
        ("sort=order", "1 2 3 4 5"),
        ("sort=-order", "5 4 3 2 1"),
        ("sort=customer", "5 1 3 2 4"),
        ("sort=product", "1 2 4 5 3"),
        ("sort=reference", "1 4 2 3 5"),
        ("sort=priority", "1 3 5 2 4"),
        ("sort=stage", "2 3 1 4 5"),
        ("sort=state", "3 2 1 4 5"),
        ("q=ito", "3 1"),
        ("q=PO-7", "1 4"),
        ("q=tube", "3"),
        ("q=wo-4", "4"),
        ("q=%25", "5"),
        ("customer=Ito&product=Bracket", "1"),
        ("reference=78", "4"),
        ("number=5", "5"),
        ("stage=saw", "3 2"),
        ("state=held", "3"),
        ("state=released", "5 1 4"),
        ("stage=saw&state=here", "2"),
        ("q=nobody", ""),
    ],
)
def test_orders_are_searched_filtered_and_sorted(hub_app, shop_writer, query, orders):
    five(shop_writer)
    assert listed(hub_app.anonymous().get(f"/orders?{query}")) == [f"WO-{n}" for n in orders.split()]


@pytest.mark.parametrize("query", ["sort=colour", "state=lost", "status=all", "page=0", "page=x", "page=" + "9" * 20])
def test_a_word_that_the_list_does_not_have_is_refused(hub_app, query):
    assert hub_app.anonymous().get(f"/orders?{query}").status_code == 400


def test_the_figures_are_of_all_orders_that_match_and_every_page_leads_on(hub_app, shop_writer):
    shop_writer.release_all([(f"WO-{n:04}", "bracket", 10, {"due": "2026-01-01"}) for n in range(250)])
    shop_writer.settle()
    pages = [hub_app.anonymous().get(f"/orders?page={n}") for n in (1, 2, 3)]
    assert [len(listed(page)) for page in pages] == [100, 100, 50]
    assert [name for page in pages for name in listed(page)] == [f"WO-{n:04}" for n in range(250)]
    first, last = (page.get_data(as_text=True) for page in (pages[0], pages[2]))
    assert '<b class="bad">250</b> late · <b>0</b> due today · <b>250</b> open' in first
    assert "1 to 100 of 250\xa0work orders" in first
    assert 'rel="next" href="/orders?page=2"' in first
    assert 'rel="next"' not in last
    assert 'rel="prev" href="/orders?page=2"' in last
    beyond = hub_app.anonymous().get("/orders?page=4").get_data(as_text=True)
    assert 'Page 4 of 3 is empty. <a href="/orders?page=3">' in beyond
    some = hub_app.anonymous().get("/orders?q=WO-001").get_data(as_text=True)
    assert "<b>10</b> of 250 open" in some


def test_the_file_has_all_orders_of_the_filter_as_text_that_no_spreadsheet_calculates(hub_app, shop_writer):
    five(shop_writer)
    shop_writer.release("WO-6", qty=10, customer="=1+1", reference="PO-79")
    shop_writer.settle()
    answer = hub_app.anonymous().get("/orders.csv?q=po-7&sort=order")
    assert (answer.mimetype, answer.headers["Content-Disposition"]) == (
        "text/csv",
        'attachment; filename="orders-open.csv"',
    )
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    assert [(row["order"], row["customer"], row["ordered"], row["where"]) for row in rows] == [
        ("WO-1", "Ito", "10", "not started 10"),
        ("WO-4", "", "10", "not started 10"),
        ("WO-6", "'=1+1", "10", "not started 10"),
    ]


def test_a_page_of_thousands_of_orders_reads_its_own_rows_only(store, shop_writer):
    shop_writer.release_all([(f"WO-{n:05}", "bracket", 10, {"due": f"2026-01-{n % 28 + 1:02}"}) for n in range(MANY)])
    shop_writer.settle()
    statements, rows = [], []

    def count(conn, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    with store.read() as connection:
        valuation = Valuation(master_data(connection), shop_writer.now_us)
        event.listen(connection.engine, "after_cursor_execute", count)
        try:
            page = order_page(connection, valuation, OrderFilter(), "due", 1_000)
        finally:
            event.remove(connection.engine, "after_cursor_execute", count)
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            rows += [row.detail for row in plan if re.match(r"(SCAN|SEARCH) item\b", row.detail)]
    assert (len(page.orders), page.total) == (100, MANY)
    # Every statement reads rows of `item` by their names, or nothing but the covering index.
    assert rows
    assert [
        plan for plan in rows if "item=?" not in plan and "order_=?" not in plan and "COVERING INDEX" not in plan
    ] == []
    assert any("COVERING INDEX item_listed (status=?)" in plan for plan in rows)


def test_all_that_match_are_changed_not_only_the_page(send, shop_writer, rows):
    shop_writer.release_all([(f"WO-{n:04}", "bracket", 10, {"customer": "Ito"}) for n in range(120)])
    shop_writer.release("OTHER")
    shop_writer.settle()
    answer = send(do="priority", priority="3", all="1", q="ito", status="open")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/orders?status=open&q=ito")
    assert rows(
        select(item.c.priority, func.count()).group_by(item.c.priority).order_by(item.c.priority.nulls_first())
    ) == [
        (None, 1),
        (3, 120),
    ]


def test_the_outcome_names_what_was_not_changed_and_why(send, shop_writer, rows):
    five(shop_writer)
    answer = send(do="due", due="2026-02-01", order=["WO-1", "WO-2"])
    body = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "<h1>1\xa0work order given the due day 2026-02-01.</h1>" in body
    assert "order.change of WO-2 without effect" in body
    assert rows(select(item.c.due).where(item.c.item == "WO-1")) == [("2026-02-01",)]
    for wrong in ({"do": "due", "due": "soon"}, {"do": "priority", "priority": "-1"}, {"do": "burn"}):
        assert send(order=["WO-1"], **wrong).status_code == 400
    assert send(do="hold").status_code == 400


def test_a_hold_reaches_the_pieces_at_their_stages(send, shop_writer, rows):
    five(shop_writer)
    body = send(do="hold", reason="burr", order=["WO-1", "WO-2"]).get_data(as_text=True)
    assert "1\xa0work order put on hold: 10\xa0pcs." in body
    assert "nothing at a stage that is not on hold" in body
    held = select(parcel.c.item, parcel.c.stage, parcel.c.state, parcel.c.reason).where(parcel.c.item == "WO-2")
    assert rows(held) == [("WO-2", "saw", "held", "burr")]


def test_a_hold_takes_the_queue_of_a_stage_and_names_what_is_not_started(send, shop_writer, rows, told):
    shop_writer.release("WO-1", qty=50)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=5), qty_milli=40_000, action="out")
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=4), qty_milli=10_000)
    shop_writer.settle()
    assert send(do="hold", order="WO-1").status_code == 302
    assert told() == "1\xa0work order put on hold: 40\xa0pcs. 10\xa0pcs not started are not held."
    assert accounts(rows, "WO-1") == {("deburr", "held"): 40_000, (None, "released"): 10_000}
    assert "nothing at a stage that is not on hold" in send(do="hold", order="WO-1").get_data(as_text=True)


def test_a_hold_reaches_each_visit_of_a_stage_and_the_queue_between_stages(send, shop_writer, rows, told):
    operations = [{"op": 10 * n, "stage": stage} for n, stage in enumerate(("saw", "deburr", "saw", "pack"), 1)]
    shop_writer.say("routing.define", 0, routing="twice", operations=operations)
    shop_writer.say("product.define", 0, product="twice", routing="twice")
    shop_writer.release("WO-1", product="twice", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=6), qty_milli=30_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=5), qty_milli=20_000, action="out")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=4), qty_milli=5_000, station="saw-2")
    shop_writer.say("product.define", 0, product="unrouted")
    shop_writer.release("WO-2", product="unrouted", qty=8)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=3), qty_milli=8_000)
    shop_writer.scan("WO-2", "test", shop_writer.ago(hours=2), qty_milli=5_000, action="out")
    shop_writer.settle()
    send(do="hold", order=["WO-1", "WO-2"])
    assert told() == "2\xa0work orders put on hold: 38\xa0pcs. 10\xa0pcs not started are not held."
    assert accounts(rows, "WO-1") == {("saw", "held"): 30_000, (None, "released"): 10_000}
    assert accounts(rows, "WO-2") == {("saw", "held"): 3_000, ("test", "held"): 5_000}


def test_a_hold_takes_the_lots_and_serials_of_an_order(send, shop_writer, rows, told):
    shop_writer.release("WO-1", qty=2, items=["SN-1", "SN-2"])
    shop_writer.scan("SN-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    assert send(do="hold", order="WO-1").status_code == 302
    assert rows(select(parcel.c.state).where(parcel.c.item == "SN-1")) == [("held",)]
    assert told() == "1\xa0work order put on hold: an unknown quantity. 1\xa0pcs not started are not held."


def test_the_outcome_states_what_a_closing_finishes_and_adjusts_away(send, shop_writer, told):
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2), qty_milli=7_000)
    shop_writer.release("WO-2", qty=1, items=["SN-1"])
    shop_writer.scan("SN-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    send(do="close", how="complete", leave="adjust", order="WO-1")
    assert told() == "1\xa0work order closed as complete: 7\xa0pcs finished, 3\xa0pcs adjusted away."
    send(do="priority", priority="3", order="WO-2")
    assert told() == "1\xa0work order given priority 3. 1\xa0lot or serial keeps its own: SN-1."
    send(do="close", how="short", order="WO-2")
    assert told().endswith(" 1\xa0lot or serial stays open: SN-1.")


def test_the_page_asks_before_pieces_are_adjusted_away(send, shop_writer, rows):
    five(shop_writer)
    before = rows(select(func.max(schema.ledger.c.pos)))
    answer = send(do="close", how="complete", order=["WO-1", "WO-2", "WO-3"])
    body = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "10 not started" in body
    assert "10 on hold" in body
    assert rows(select(func.max(schema.ledger.c.pos))) == before
    status = select(item.c.item, item.c.status).where(item.c.item < "WO-4").order_by(item.c.item)
    skipped = send(do="close", how="complete", leave="skip", order=["WO-1", "WO-2", "WO-3"])
    assert "10 not started: left open" in skipped.get_data(as_text=True)
    assert rows(status) == [("WO-1", "open"), ("WO-2", "closed"), ("WO-3", "open")]
    assert send(do="close", how="complete", leave="adjust", order=["WO-1", "WO-3"]).status_code == 302
    assert rows(status) == [("WO-1", "closed"), ("WO-2", "closed"), ("WO-3", "closed")]


def test_the_lists_of_a_stage_have_pages_and_a_file(hub_app, shop_writer):
    shop_writer.release_all([(f"WO-{n:04}", "bracket", 10, {}) for n in range(130)])
    shop_writer.release("WO-9999")
    shop_writer.scan("WO-9999", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    first = hub_app.anonymous().get("/stages/saw").get_data(as_text=True)
    second = hub_app.anonymous().get("/stages/saw?coming=2").get_data(as_text=True)
    assert [len(re.findall(r'<tr data-key="WO-0', page)) for page in (first, second)] == [100, 30]
    assert "1 to 100 of 130\xa0items" in first
    assert 'rel="next" href="/stages/saw?coming=2"' in first
    assert "1 of 1\xa0item " in first
    answer = hub_app.anonymous().get("/stage.csv?stage=saw&list=coming").get_data(as_text=True)
    assert len(list(csv.reader(io.StringIO(answer)))) == 131
    assert hub_app.anonymous().get("/stage.csv?list=all").status_code == 400
    missing = hub_app.anonymous().get("/stage.csv?stage=nope")
    assert (missing.status_code, hub_app.anonymous().get("/stages/nope").status_code) == (404, 404)
    assert hub_app.anonymous().get("/stage.csv?stage=test&list=held").status_code == 200
    assert "The first 20; there may be more." in hub_app.anonymous().get("/find?q=WO-0").get_data(as_text=True)
