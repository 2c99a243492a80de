"""Each rule has one story: what is scanned, the sentence on the board and the item's page, and its figure of last week."""

import re

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.projection.tables import finding
from server.queries.current_master_data import master_data
from server.queries.rule_settings import rules
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


STORIES = {
    unknown_code: "NOBODY, scanned at Saw, is not known.",
    unread: "A scan at Saw could not be read: too long.",
    held: "WO-1 came to Deburr while on hold.",
    closed: "WO-1 was scanned at Deburr after it was closed.",
    skipped: "WO-1 came to Test without Saw and Deburr.",
    passed_unscanned: "WO-1 was finished at Saw without a scan at Deburr, Test and Pack.",
    out_of_order: "WO-1 came back to Saw from Test.",
    overrun: "WO-1 has 10 more at Saw than was there.",
    which_quantity: "WO-1 was scanned at Saw, but its pieces are in several places: say how many.",
    late_change: "WO-1 could not be cut by 10 more: that is already in process.",
    left_behind: "WO-1 was completed with 10 on hold or not started.",
}


def test_every_rule_has_its_story():
    assert [story.__name__ for story in STORIES] == [rule.name for rule in RULES]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_from_the_scan_to_the_sentence(hub_app, shop_writer, rows, story):
    name, sentence = story.__name__, STORIES[story]
    story(shop_writer)
    shop_writer.settle()
    found = rows(select(finding.c.item, finding.c.text).where(finding.c.rule == name))
    assert [text for _, text in found] == [sentence]
    with shop_writer.store.read() as connection:
        figures = {rule.name: rule.last_week for rule in rules(connection, master_data(connection), shop_writer.now_us)}
    # An entry without a time of its own is made a moment after the story's now.
    assert figures[name] == (0 if name in ("late_change", "left_behind") else 1)
    shop_writer.say("rule.define", 0, rule=name, on=True)
    shop_writer.settle()
    board = re.sub(r"<[^>]+>", "", hub_app.anonymous().get("/").get_data(as_text=True))
    page = hub_app.anonymous().get(f"/items/{found[0][0]}").get_data(as_text=True)
    assert sentence.removesuffix(".") in board
    assert sentence in page
    shop_writer.say("rule.define", 0, rule=name, on=False)
    shop_writer.settle()
    assert sentence not in hub_app.anonymous().get(f"/items/{found[0][0]}").get_data(as_text=True)
