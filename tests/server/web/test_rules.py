"""Each rule has one story: what is scanned, the sentence on the board and the item's page, and its figure of last week."""

import re

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.locale_format import NBSP
from server.projection.tables import finding
from server.queries.current_master_data import master_data
from server.queries.findings import finding_sentence
from server.queries.rule_settings import rules
from server.queries.valuation import Valuation
from station.core.ledger.rules import RULES


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    return shop_writer


def unknown_code(shop_writer):
    shop_writer.scan("NOBODY", "saw", shop_writer.now_us)


def unread(shop_writer):
    shop_writer.scan(b"WO-1 torn", "saw", shop_writer.now_us, unread="too long")


def held(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), action="hold")
    shop_writer.scan("WO-1", "deburr", shop_writer.now_us)


def closed(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2))
    shop_writer.say("order.close", shop_writer.ago(days=1), order="WO-1", how="complete", leave="adjust")
    shop_writer.scan("WO-1", "deburr", shop_writer.now_us)


def skipped(shop_writer):
    shop_writer.scan("WO-1", "test", shop_writer.now_us)


def passed_unscanned(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "saw", shop_writer.now_us, action="finish")


def out_of_order(shop_writer):
    for stage, days in (("saw", 3), ("deburr", 2), ("test", 1)):
        shop_writer.scan("WO-1", stage, shop_writer.ago(days=days))
    shop_writer.scan("WO-1", "saw", shop_writer.now_us)


def overrun(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.now_us, qty_milli=50_000)


def which_quantity(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=3))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "test", shop_writer.ago(days=1), qty_milli=15_000)
    shop_writer.scan("WO-1", "saw", shop_writer.now_us)


def late_change(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1))
    shop_writer.say("order.change", None, order="WO-1", qty_milli=30_000)


def left_behind(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), qty_milli=30_000)
    shop_writer.say("order.close", None, order="WO-1", how="complete", leave="adjust")


def ended(shop_writer):
    shop_writer.scan("WO-1", "pack", shop_writer.ago(days=1))
    shop_writer.scan("WO-1", "deburr", shop_writer.now_us)


def changed_after_close(shop_writer):
    shop_writer.say("order.change", None, order="WO-1", qty_milli=50_000)
    shop_writer.say("order.close", shop_writer.ago(days=1), order="WO-1", how="short")


def no_stage(shop_writer):
    shop_writer.scan("WO-1", None, shop_writer.now_us, station="cart-1")


def not_in_routing(shop_writer):
    shop_writer.scan("WO-1", "oven", shop_writer.now_us)


def missing(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1))
    shop_writer.say("adjust", None, item="WO-1", qty_milli=-10_000)


def more_than_ordered(shop_writer):
    shop_writer.scan("WO-3", "saw", shop_writer.ago(hours=2), qty_milli=50_000)
    shop_writer.settle()
    shop_writer.release("WO-3", qty=40, at_us=shop_writer.ago(hours=1))


def not_held(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=20), action="hold", qty_milli=5_000)
    shop_writer.scan("WO-1", "saw", shop_writer.now_us, action="release", qty_milli=30_000)


def part_unit(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.now_us, qty_milli=2_500)


def no_effect(shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=20), action="hold")
    shop_writer.scan("WO-1", "saw", shop_writer.now_us, action="hold")


AT_THE_STATION = "undefined_stage"  # the hub lists the station and the stage instead
BY_ENTRIES = {"changed_after_close", "missing", "late_change", "left_behind"}
STORIES = {
    unread: "A scan at Saw could not be read: too long.",
    held: "WO-1 came to Deburr while on hold.",
    closed: "WO-1 was scanned at Deburr after it was closed: nothing was moved.",
    ended: "WO-1 was scanned at Deburr after its end: nothing was moved.",
    changed_after_close: "WO-1 was changed by the office after it was closed.",
    no_stage: "WO-1 was scanned at cart-1, which has no stage: nothing was moved.",
    not_in_routing: "WO-1 came to oven, which its routing does not have.",
    skipped: "WO-1 came to Test without Saw and Deburr.",
    passed_unscanned: "WO-1 was finished at Saw without a scan at Deburr, Test and Pack.",
    out_of_order: "WO-1 came back to Saw from Test.",
    which_quantity: "WO-1 was scanned at Saw, but its pieces are in several places: say how many.",
    overrun: "WO-1 has 10 pcs more at Saw than was there.",
    more_than_ordered: "WO-3 was released after scans of 10 pcs more than it orders.",
    not_held: "WO-1 was released at Saw with 25 pcs more than was on hold.",
    missing: "An adjustment would take 10 pcs more of WO-1 from the office than is there.",
    part_unit: "WO-1 was counted 2.5 pcs at Saw, but its unit has no such fraction.",
    late_change: "WO-1 could not be cut by 10 pcs more: that is already in process.",
    left_behind: "WO-1 was completed with 10 pcs on hold or not started.",
    unknown_code: "NOBODY, scanned at Saw, is not known.",
    no_effect: "WO-1 was scanned at Saw, but nothing was moved: it is on hold already.",
}


def test_every_rule_has_its_story():
    assert [story.__name__ for story in STORIES] == [rule.name for rule in RULES if rule.name != AT_THE_STATION]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_from_the_scan_to_the_sentence(hub_app, shop_writer, story):
    name, sentence = story.__name__, STORIES[story]
    story(shop_writer)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        found = connection.execute(select(finding).where(finding.c.rule == name)).all()
        shop = master_data(connection)
        valuation = Valuation(shop, shop_writer.now_us)
        assert [finding_sentence(row, "bracket", valuation) for row in found] == [sentence]
        figures = {rule.name: rule.last_week for rule in rules(connection, shop, shop_writer.now_us)}
    # An entry without a time of its own is made a moment after the story's now.
    assert figures[name] == (0 if name in BY_ENTRIES else 1)
    shop_writer.say("rule.define", 0, rule=name, on=True)
    shop_writer.settle()
    board = re.sub(r"<[^>]+>", "", hub_app.anonymous().get("/").get_data(as_text=True)).replace(NBSP, " ")
    page = hub_app.anonymous().get(f"/items/{found[0].item}").get_data(as_text=True).replace(NBSP, " ")
    assert sentence.removesuffix(".") in board
    assert sentence in page
    shop_writer.say("rule.define", 0, rule=name, on=False)
    shop_writer.settle()
    assert sentence not in hub_app.anonymous().get(f"/items/{found[0].item}").get_data(as_text=True)


def text_of(hub_app, address):
    return " ".join(re.sub(r"<[^>]+>", " ", hub_app.anonymous().get(address).get_data(as_text=True)).split())


def test_a_forgotten_scan_with_a_quantity_ends_the_finding_and_makes_no_pieces(hub_app, shop_writer):
    shop_writer.say("rule.define", 0, rule="skipped", on=True)
    shop_writer.scan("WO-1", "test", shop_writer.now_us - 3)
    shop_writer.settle()
    assert "without Saw and Deburr" in text_of(hub_app, "/")
    assert "without Saw and Deburr. its value has € 120.00 for that" in text_of(hub_app, "/items/WO-1")
    shop_writer.scan("WO-1", "saw", shop_writer.now_us - 2, qty_milli=40_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.now_us - 1, qty_milli=40_000)
    shop_writer.settle()
    assert "without Saw and Deburr" not in text_of(hub_app, "/")
    assert "without Saw and Deburr. ended by itself" in text_of(hub_app, "/items/WO-1")
    for address in ("/", "/items/WO-1"):
        assert "more than" not in text_of(hub_app, address)


def test_more_than_ordered_is_beside_the_headline_and_needs_someone_with_its_money(hub_app, shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.now_us - 1, qty_milli=45_000)
    shop_writer.settle()
    board = text_of(hub_app, "/").replace(NBSP, " ")
    assert re.search(r"5\W+pcs more than ordered, € ?10\b", board), board
    assert "WO-1 has 5 pcs more at Saw than was there" in board


def test_orders_are_named_by_how_they_ended_and_never_finished_where_they_are_not(hub_app, shop_writer):
    shop_writer.release("WO-2", qty=10)
    shop_writer.release("WO-3", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.now_us - 2, action="scrap", all=True)
    shop_writer.scan("WO-3", "saw", shop_writer.now_us - 1, action="finish")
    shop_writer.say("order.close", None, order="WO-2", how="cancelled")
    shop_writer.settle()
    orders = {order["order"]: order for order in hub_app.anonymous().get("/api/v1/orders").json["orders"]}
    assert [(orders[name]["status"], orders[name]["how"]) for name in ("WO-1", "WO-2", "WO-3")] == [
        ("scrapped", None), ("closed", "cancelled"), ("finished", None)
    ]  # fmt: skip
    assert all(order["ended"] for order in orders.values())
    assert "scrapped" in text_of(hub_app, "/items/WO-1")
    for status, name in (("scrapped", "WO-1"), ("closed", "WO-2")):
        row = text_of(hub_app, f"/orders?status={status}").partition(name)[2].partition("Close")[0]
        assert "finished" not in row.partition("WO-")[0].lower(), row
    assert "10 pcs" in text_of(hub_app, "/").replace("\xa0", " ")  # finished today, without having been in process


def test_finished_items_without_a_quantity_are_counted_beside_the_quantities(hub_app, shop_writer):
    shop_writer.settle()
    for path in ("/", "/wall"):
        assert "nothing yet" in text_of(hub_app, path)
    for name in ("SN-1", "SN-2"):
        shop_writer.say("order.release", shop_writer.ago(days=1), order=name, product="bracket")
        shop_writer.scan(name, "pack", shop_writer.now_us - 1, action="finish")
    shop_writer.settle()
    for path in ("/", "/wall"):
        text = text_of(hub_app, path).replace("\xa0", " ")
        assert "2 items without quantity" in text
        assert "nothing yet" not in text
    shop_writer.scan("WO-1", "pack", shop_writer.now_us - 1, action="finish", qty_milli=10_000)
    shop_writer.settle()
    for path in ("/", "/wall"):
        assert "10 pcs + 2 items without quantity" in text_of(hub_app, path).replace("\xa0", " ")


def test_the_page_of_changes_by_updates_is_empty_without_any(hub_app):
    assert "No update has changed the state of an item." in text_of(hub_app, "/changes")


def test_the_wall_counts_the_lines_that_need_someone(hub_app, shop_writer):
    for number in range(5):
        shop_writer.scan(f"NOBODY-{number}", "saw", shop_writer.now_us - 1)
    shop_writer.settle()
    wall = text_of(hub_app, "/wall")
    assert "Needs someone now 6 No verified backup" in wall
    assert "and 3 more" in wall


def test_an_item_at_several_stages_is_said_beside_the_number_of_items(hub_app, shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.now_us - 2)
    shop_writer.scan("WO-1", "deburr", shop_writer.now_us - 1, qty_milli=10_000)
    shop_writer.settle()
    assert "1 item in process 40 pcs · some at several stages" in text_of(hub_app, "/").replace("\xa0", " ")
