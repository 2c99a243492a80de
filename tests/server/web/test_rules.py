"""Each rule has one story: what is scanned, the sentence on the board and the item's page, and its figure of last week."""

import re

import pytest
from sqlalchemy import select
from told import Told

from server.projection.tables import finding
from server.queries.current_master_data import catalogue
from server.queries.rule_settings import rules
from station.core.ledger.rules import RULES


@pytest.fixture
def told(store):
    told = Told(store)
    told.small_shop()
    told.release("WO-1", qty=40)
    return told


def unknown_code(told):
    told.scan("NOBODY", "saw", told.now_us)


def unread(told):
    told.scan(b"WO-1 torn", "saw", told.now_us, unread="too long")


def held(told):
    told.scan("WO-1", "saw", told.ago(days=2))
    told.scan("WO-1", "saw", told.ago(days=1), action="hold")
    told.scan("WO-1", "deburr", told.now_us)


def closed(told):
    told.scan("WO-1", "saw", told.ago(days=2))
    told.say("order.close", told.ago(days=1), order="WO-1", how="complete")
    told.scan("WO-1", "deburr", told.now_us)


def skipped(told):
    told.scan("WO-1", "test", told.now_us)


def passed_unscanned(told):
    told.scan("WO-1", "saw", told.ago(days=2))
    told.scan("WO-1", "saw", told.now_us, action="finish")


def out_of_order(told):
    for stage, days in (("saw", 3), ("deburr", 2), ("test", 1)):
        told.scan("WO-1", stage, told.ago(days=days))
    told.scan("WO-1", "saw", told.now_us)


def overrun(told):
    told.scan("WO-1", "saw", told.now_us, qty_milli=50_000)


def which_quantity(told):
    told.scan("WO-1", "saw", told.ago(days=3))
    told.scan("WO-1", "deburr", told.ago(days=2))
    told.scan("WO-1", "test", told.ago(days=1), qty_milli=15_000)
    told.scan("WO-1", "saw", told.now_us)


def late_change(told):
    told.scan("WO-1", "saw", told.ago(days=1))
    told.say("order.change", None, order="WO-1", qty_milli=30_000)


def left_behind(told):
    told.scan("WO-1", "saw", told.ago(days=1), qty_milli=30_000)
    told.say("order.close", None, order="WO-1", how="complete")


STORIES = {
    unknown_code: "Nobody knows NOBODY, scanned at Saw.",
    unread: "A scan at Saw could not be read: too long.",
    held: "WO-1 came to Deburr while on hold.",
    closed: "WO-1 was scanned at Deburr after it was closed.",
    skipped: "WO-1 came to Test without Saw and Deburr.",
    passed_unscanned: "WO-1 was finished at Saw without a scan at Deburr, Test and Pack.",
    out_of_order: "WO-1 came back to Saw from Test.",
    overrun: "WO-1 has 10 more at Saw than was there.",
    which_quantity: "WO-1 was scanned at Saw, but stands in several places: say how many.",
    late_change: "WO-1 could not be cut by 10 more: that is already in process.",
    left_behind: "WO-1 was completed with 10 on hold or not started.",
}


def test_every_rule_has_its_story():
    assert [story.__name__ for story in STORIES] == [rule.name for rule in RULES]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_from_the_scan_to_the_sentence(desk, told, rows, story):
    name, sentence = story.__name__, STORIES[story]
    story(told)
    told.settle()
    found = rows(select(finding.c.item, finding.c.text).where(finding.c.rule == name))
    assert [text for _, text in found] == [sentence]
    with told.store.read() as connection:
        figures = {rule.name: rule.last_week for rule in rules(connection, catalogue(connection), told.now_us)}
    # An entry without a time of its own is made a moment after the story's now.
    assert figures[name] == (0 if name in ("late_change", "left_behind") else 1)
    told.say("rule.define", 0, rule=name, on=True)
    told.settle()
    board = re.sub(r"<[^>]+>", "", desk.nobody().get("/").get_data(as_text=True))
    page = desk.nobody().get(f"/items/{found[0][0]}").get_data(as_text=True)
    assert sentence.removesuffix(".") in board
    assert sentence in page
    told.say("rule.define", 0, rule=name, on=False)
    told.settle()
    assert sentence not in desk.nobody().get(f"/items/{found[0][0]}").get_data(as_text=True)
