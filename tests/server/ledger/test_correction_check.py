"""Correction check: `correct` is for scans and check-ins and changes something; `void` names an event of the ledger."""

import pytest
from shop_writer import ShopWriter

from server.context import HubLimits
from server.ledger.entries import Entry, EntryRefused, record_all

NOWHERE = "ab" * 16


@pytest.fixture
def limits():
    return HubLimits(shown_within_s=0)


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def scan(shop_writer):
    place = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2), operator="K7")
    shop_writer.settle()
    return place


@pytest.fixture
def refused(store):
    """Send entries in one request; (what came, what was expected, what to do) of the refusal, None for accepted entries."""

    def sent(*entries):
        try:
            record_all(store, [Entry(what, data, "Kim") for what, data in entries])
        except EntryRefused as error:
            return error.came, error.expected, error.do
        return None

    return sent


def correct(place, to_seq=None, **values):
    log, seq = place
    return "correct", {"log": log, "from_seq": seq, "to_seq": to_seq or seq, "set": values, "why": "x"}


@pytest.mark.parametrize(
    ("what", "data", "do"),
    [
        (
            "order.release",
            {"order": "WO-2", "qty_milli": 5000},
            "Use order.change for its quantity, due day or priority",
        ),
        ("order.change", {"order": "WO-1", "qty_milli": 9000}, "Use another order.change."),
        ("order.close", {"order": "WO-1", "how": "short"}, "Void the closing, and close the order again."),
        ("adjust", {"item": "WO-1", "qty_milli": 5000}, "Void it and enter the right one."),
        (
            "stage.define",
            {"stage": "weld"},
            "Enter it again with the right fields: the later definition has precedence.",
        ),
        ("cost.set", {"component": "bar", "micros": 5}, "Use another cost.set with the same `holds_from_us`."),
        ("note", {"item": "WO-1", "text": "x"}, "Void it and enter it again."),
    ],
)
def test_an_entry_that_is_no_check_in_is_not_corrected(refused, shop_writer, what, data, do):
    log, seq = shop_writer.say(what, **data)
    came, expected, says = refused(correct((log, seq), qty_milli=5000))
    article = "an" if what[0] in "aeio" else "a"
    assert (came, expected) == (f"correct of {log}:{seq}, {article} {what}", "a scan or a check-in")
    assert says.startswith(do)


def test_a_range_with_another_entry_or_without_a_scan_is_not_corrected(refused, shop_writer, scan):
    log, first = shop_writer.say("checkin", item="WO-1", stage="saw", qty_milli=1000)
    last = shop_writer.say("note", item="WO-1", text="x")[1]
    assert refused(correct((log, first), last, stage="test"))[0] == f"correct of {log}:{first} to {last}, a note"
    assert refused(correct((log, first), stage="test")) is None
    assert refused(correct((scan[0], 1), stage="test"))[:2] == (
        f"correct of {scan[0]}:1: anchor",
        "a scan or a check-in",
    )
    assert refused(correct((scan[0], 1), scan[1], stage="test")) is None


@pytest.mark.parametrize(
    ("values", "came", "expected"),
    [
        ({"action": "scrapp"}, "correct, of which: Invalid enum value 'scrapp' - at `$.set.action`", "the fields"),
        ({"stage": ""}, "correct, of which: Expected `str` of length >= 1 - at `$.set.stage`", "the fields"),
        ({"qty_milli": -1}, "correct, of which: Expected `int` >= 1 - at `$.set.qty_milli`", "the fields"),
        ({"qty_milli": 0}, "correct, of which: Expected `int` >= 1 - at `$.set.qty_milli`", "the fields"),
        ({"stage": "weld"}, "correct with the stage 'weld'", "a stage of the shop: deburr, pack, saw, test"),
        ({"operator": "nobody"}, "correct with the person 'nobody'", "a person of the shop: kim"),
        ({"qty_milli": 1500}, " with the quantity 1.5", "whole numbers, as bracket is counted in pcs"),
        ({"item": "WO-1", "qty_milli": 1500}, " with the quantity 1.5", "whole numbers, as bracket is counted in pcs"),
        ({"stage": "saw"}, " without effect", "a field with a new value"),
        (
            {"stage": "saw", "operator": "K7", "item": "WO-1", "action": None},
            " without effect",
            "a field with a new value",
        ),
    ],
)
def test_a_value_that_the_shop_does_not_have_or_that_is_there_already_is_refused(refused, scan, values, came, expected):
    if came.startswith(" "):
        came = f"correct of {scan[0]}:{scan[1]}{came}"
    said = refused(correct(scan, **values))
    assert said[0] == came
    assert said[1].startswith(expected)


def test_a_correction_with_one_new_value_is_accepted_and_not_repeated(refused, shop_writer, scan):
    new = correct(scan, stage="saw", operator="kim", qty_milli=4000)
    assert refused(new) is None
    shop_writer.settle()
    assert refused(new)[1] == "a field with a new value"
    assert refused(correct(scan, stage="deburr")) is None
    assert refused(correct(scan, stage="saw")) is None, "whether this changes something is known when that is projected"


def test_a_shop_without_persons_is_not_checked_for_them(store, refused):
    shop_writer = ShopWriter(store)
    place = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    assert refused(correct(place, operator="nobody")) is None


@pytest.mark.parametrize("entry", [correct((NOWHERE, 5), 9, stage="test"), ("void", {"log": NOWHERE, "seq": 5})])
def test_a_place_that_is_not_in_the_ledger_is_refused(refused, shop_writer, entry):
    came, expected, _ = refused(entry)
    assert came == f"{entry[0]} of {NOWHERE}:5, which is not in the ledger"
    assert expected == "the place of an event in the ledger"


def test_the_form_of_the_page_is_refused_for_the_same(hub_app, shop_writer, scan, csrf_of):
    browser = hub_app.person("supervise")

    def sent(place, **fields):
        form = {"csrf_token": csrf_of(browser, "/items/WO-1"), "do": "put-right", "scan": place, "why": "x", **fields}
        answer = browser.post("/items/WO-1", data=form, headers={"Accept": "text/html"})
        return answer.status_code

    here = f"{scan[0]}:{scan[1]}"
    for fields in (
        {"stage": "saw"},
        {"action": "scrapp"},
        {"operator": "nobody"},
        {"quantity": "1.5"},
        {"stage": "weld"},
    ):
        assert sent(here, **fields) == 400, fields
    assert sent(f"{NOWHERE}:5", stage="test") == 403, "only an administrator names what is not there"
    assert sent(here, stage="test") == 302


def test_what_closed_or_reopened_a_period_is_not_voided(shop_writer, refused):
    close = shop_writer.say("period.close", why="month end")
    assert refused(("void", {"log": close[0], "seq": close[1]})) == (
        f"void of {close[0]}:{close[1]}, a period.close", "an event that a void takes back", "Use period.reopen."
    )  # fmt: skip
    reopened = shop_writer.say("period.reopen", why="a price was missing")
    assert refused(("void", {"log": reopened[0], "seq": reopened[1]}))[2] == "Use period.close."
