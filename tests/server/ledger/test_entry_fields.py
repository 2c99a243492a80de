"""Entry fields: a check-in, an order, an adjustment has known fields, with values that the shop has."""

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.ledger.entries import Entry, EntryRefused, record_all
from server.ledger.hub_log import append_own, event_of
from server.projection.tables import item


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.say("order.release", 0, order="WO-2", product="tube", qty_milli=10_500)
    return shop_writer


@pytest.fixture
def refused(store, shop_writer):
    """Send entries in one request; (what came, what was expected, what to do) of the refusal, None for accepted entries."""

    def sent(*entries):
        try:
            record_all(store, [Entry(what, data, "Kim") for what, data in entries])
        except EntryRefused as error:
            return error.came, error.expected, error.do
        return None

    return sent


def checkin(**fields):
    return "checkin", {"item": "WO-1", "stage": "saw", **fields}


@pytest.mark.parametrize(
    ("fields", "came", "expected"),
    [
        (
            {"qty_milli": "3000"},
            "checkin, of which: Expected `int | null`, got `str` - at `$.qty_milli`",
            "the fields item,",
        ),
        ({"qty_milli": -1}, "checkin, of which: Expected `int` >= 1 - at `$.qty_milli`", "the fields item,"),
        ({"qty_milli": 0}, "checkin, of which: Expected `int` >= 1 - at `$.qty_milli`", "the fields item,"),
        ({"qty_milli": 1500}, "checkin of WO-1 with the quantity 1.5", "whole numbers, as bracket is counted in pcs"),
        ({"item": "WO-2", "qty_milli": 150}, "checkin of WO-2 with the quantity 0.15", "at most 1 decimals"),
        ({"action": "scrapp"}, "checkin, of which: Invalid enum value 'scrapp' - at `$.action`", "the fields item,"),
        ({"stage": "weld"}, "checkin with the stage 'weld'", "a stage of the shop: deburr, pack, saw, test"),
        ({"caused_at": "weld"}, "checkin with the stage 'weld'", "a stage of the shop: deburr, pack, saw, test"),
        (
            {"action": "rework", "to": "weld"},
            "checkin with the stage 'weld'",
            "a stage of the shop: deburr, pack, saw, test",
        ),
        ({"operator": "nobody"}, "checkin of WO-1 with the person 'nobody'", "a person of the shop: kim"),
        ({"reason": "rust"}, "checkin of WO-1 with the reason 'rust'", "a reason of the shop: burr"),
        ({"item": None}, "checkin without an item", "`item`, or the scanned `code`"),
        ({"item": " "}, "checkin, of which: Expected `str` matching regex '\\\\S' - at `$.item`", "the fields item,"),
        ({"stage": None}, "checkin without a stage", "the stage of the scan"),
    ],
)
def test_a_check_in_has_values_that_a_scan_of_the_shop_could_have(refused, fields, came, expected):
    said = refused(checkin(**fields))
    assert said[0] == came
    assert said[1].startswith(expected)


def test_a_right_check_in_is_accepted(refused):
    full = checkin(qty_milli=2000, action="scrap", operator="K7", reason="burr", caused_at="saw", why="forgotten")
    assert (
        refused(full, ("checkin", {"code": "WO-1", "action": "finish"}), checkin(operator="kim", item="WO-2")) is None
    )


@pytest.mark.parametrize("what", ["order.release", "order.change"])
@pytest.mark.parametrize(
    "due", ["30.11.2026", "2026-13-45", "2026-02-30", "tomorrow", "20261130", "2026-11-20T00:00", ""]
)
def test_a_due_day_is_a_day_of_the_calendar(refused, what, due):
    said = (
        f"{what} with the due day {due!r}",
        "a day of the calendar such as 2026-11-30",
        "Write year, month and day.",
    )
    assert refused((what, {"order": "WO-1", "due": due})) == said
    assert refused((what, {"order": "WO-1", "due": "2028-02-29"})) is None


@pytest.mark.parametrize("what", ["order.release", "order.change"])
def test_an_order_has_a_product_of_the_shop_in_its_unit(refused, what):
    assert refused((what, {"order": "WO-1", "due": 20261201}))[0].endswith(
        "Expected `str | null`, got `int` - at `$.due`"
    )
    expected = (f"{what} of WO-1 with the product 'braket'", "a product of the shop: bracket, tube")
    assert refused((what, {"order": "WO-1", "product": "braket"})) == (
        *expected,
        "Did you mean bracket? Or define it first.",
    )
    quantity = f"{what} of WO-1 with the quantity 20.5", "whole numbers, as bracket is counted in pcs"
    assert refused((what, {"order": "WO-1", "qty_milli": 20_500}))[:2] == quantity
    assert refused((what, {"order": "WO-2", "qty_milli": 20_500})) is None


def test_an_adjustment_is_at_a_stage_of_the_routing_in_the_unit_and_bounds(refused, shop_writer):
    beyond = "adjust, of which: Expected `int` <= 1000000000000 - at `$.qty_milli`"
    assert refused(("adjust", {"item": "WO-1", "qty_milli": 10**13, "stage": "saw"}))[0] == beyond
    assert refused(("adjust", {"item": "WO-1", "qty_milli": -(10**13), "stage": "saw"}))[0] == beyond.replace(
        "<= ", ">= -"
    )
    part = ("adjust of WO-1 with the quantity 0.5", "whole numbers, as bracket is counted in pcs")
    assert refused(("adjust", {"item": "WO-1", "qty_milli": 500, "stage": "saw"}))[:2] == part
    elsewhere = ("adjust", {"item": "WO-1", "qty_milli": 5000, "stage": "weld"})
    shop_writer.say("stage.define", stage="weld")
    for _ in range(2):  # before the projection, then after it
        assert refused(elsewhere)[:2] == ("adjust of WO-1 at weld", "a stage of its routing: saw, deburr, test, pack")
        shop_writer.settle()
    assert refused(("adjust", {"item": "WO-1", "qty_milli": 5000, "stage": "test"})) is None


@pytest.mark.parametrize(
    ("what", "data", "came", "do"),
    [
        (
            "order.release",
            {"order": "WO-3", "qty_mili": 5},
            "Object contains unknown field `qty_mili`",
            "Did you mean qty_milli?",
        ),
        (
            "order.change",
            {"order": "WO-1", "costumer": "Ito"},
            "Object contains unknown field `costumer`",
            "Did you mean customer?",
        ),
        (
            "checkin",
            {"item": "WO-1", "stage": "saw", "holds_from_us": 5},
            "Object contains unknown field `holds_from_us`",
            "",
        ),
        (
            "stage.define",
            {"stage": "weld", "limits": 5},
            "Object contains unknown field `limits`",
            "Did you mean limit?",
        ),
        (
            "routing.define",
            {"routing": "r", "operations": [{"op": 10, "stage": "saw", "scanmeans": "done"}]},
            "Object contains unknown field `scanmeans` - at `$.operations[0]`",
            "Did you mean scan_means?",
        ),
    ],
)
def test_an_unknown_field_is_refused_by_its_name(refused, what, data, came, do):
    said = refused((what, data))
    assert said[0] == f"{what}, of which: {came}"
    assert said[1].startswith("the fields ")
    assert said[2].startswith(do)


def test_unknown_words_of_a_request_are_refused_by_their_names(hub_app, shop_writer):
    headers, entry = hub_app.token("supervise"), {"what": "note", "data": {"item": "WO-1", "text": "x"}}
    for body in ({**entry, "holds_from": 5}, {"entries": [{**entry, "holds_from": 5}]}):
        answer = hub_app.anonymous().post("/api/v1/entries", json=body, headers=headers)
        assert answer.status_code == 400
        assert "unknown field `holds_from`" in answer.json["error"]["came"]
        assert "with the fields entries, what, data, holds_from_us, by" in answer.json["error"]["expected"]


def test_a_recorded_entry_with_an_unknown_field_is_folded_as_before(store, shop_writer, rows):
    with store.write() as connection:
        now, data = store.clock.read(), {"order": "WO-8", "qty_milli": 5000, "colour": "red", "due": "soon"}
        append_own(
            connection, [event_of("entry", store.clock, now, what="order.release", data=data, by="Kim")], now.utc_us
        )
    shop_writer.settle()
    assert rows(select(item.c.ordered_milli, item.c.due).where(item.c.item == "WO-8")) == [(5000, "soon")]
