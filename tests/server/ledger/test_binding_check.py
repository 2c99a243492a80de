"""Binding check: a binding, a pattern or a release leaves the scans of released orders with their orders."""

import pytest

from server.ledger.entries import Entry, EntryRefused, record_all

UPC, EAN = "012345678905", "0012345678905"


@pytest.fixture
def refused(store):
    """Send entries in one request; (what came, what was expected) of the refusal, None for accepted entries."""

    def sent(*entries):
        try:
            record_all(store, [Entry(what, data, "Kim") for what, data in entries])
        except EntryRefused as error:
            return error.came, error.expected
        return None

    return sent


def bind(code, as_="item", to="WO-1"):
    return "code.bind", {"code": code, "as": as_, "to": to}


def release(order):
    return "order.release", {"order": order, "product": "bracket", "qty_milli": 40_000}


def pattern(regex, as_="item"):
    return "pattern.define", {"name": "p", "regex": regex, "as": as_}


@pytest.mark.parametrize("as_", ["product", "carrier", "badge", "command"])
def test_the_number_of_a_released_order_is_not_bound_to_another_thing(refused, shop_writer, settle, as_):
    shop_writer.release("WO-2")
    settle()
    to = {"command": "WIP:SCRAP", "product": "bracket"}.get(as_, "kim")
    came = f"code.bind of WO-2 as {as_} to {to}"
    assert refused(bind("WO-2", as_, to)) == (
        came,
        "a code that is not the number of a released order: it is that of WO-2",
    )


@pytest.mark.parametrize("code", [UPC, EAN, "00012345678905", "]C10100012345678905", "(01)00012345678905"])
def test_no_spelling_of_an_order_number_is_bound_to_another_thing(refused, shop_writer, code):
    shop_writer.release(UPC, qty=40)
    shop_writer.scan(UPC, "saw", shop_writer.ago(hours=5))
    shop_writer.settle()
    expected = f"a code that is not the number of a released order: it is that of {UPC}"
    assert refused(bind(code, "product", "bracket"))[1] == expected
    assert refused(bind(code, "item", "WO-1"))[1] == expected
    assert refused(bind(code, "item", UPC)) is None


def test_a_code_whose_scans_a_pattern_reads_as_an_order_is_not_bound_to_another_thing(refused, shop_writer):
    shop_writer.say("pattern.define", 0, name="p", regex="JOB:(?P<id>WO-[0-9]+)", as_="item")
    shop_writer.release("WO-2")
    shop_writer.scan("JOB:WO-2", "saw", shop_writer.ago(hours=5))
    shop_writer.settle()
    assert refused(bind("JOB:WO-2", "carrier", "TOTE-1"))[0] == "code.bind of JOB:WO-2 as carrier to TOTE-1"
    assert refused(bind("JOB:WO-2", "item", "WO-2")) is None


def test_a_scanned_code_that_nothing_defines_is_bound(refused, shop_writer):
    shop_writer.release("WO-1")
    for code in ("TAG-1", "TAG-2", "TAG-3", "TAG-4"):
        shop_writer.scan(code, "saw", shop_writer.ago(hours=5))
    shop_writer.settle()
    assert refused(bind("TAG-1"), bind("TAG-2", "badge", "kim"), bind("TAG-3", "product", "bracket")) is None
    shop_writer.settle()
    assert refused(bind("TAG-1", to="WO-5")) is None, "its scans keep the item of the binding before"


def test_a_scanned_code_with_quantities_is_bound_to_a_released_order_alone(refused, shop_writer):
    """In a shop without releases and patterns every scanned code is in process; with one, an unknown code is not."""
    shop_writer.scan("BIN-1", "saw", shop_writer.ago(hours=5), qty_milli=5_000)
    shop_writer.settle()
    shop_writer.release("WO-1")
    expected = "a code without quantities of its own, or a released order as its target: BIN-1 has some"
    assert refused(bind("BIN-1", "carrier", "TOTE-1")) == ("code.bind of BIN-1 as carrier to TOTE-1", expected)
    assert refused(bind("BIN-1", to="WO-7"))[1] == expected
    assert refused(bind("BIN-1")) is None


def test_a_number_that_is_bound_to_another_thing_is_not_released(refused, shop_writer, settle):
    shop_writer.say("code.bind", 0, code=EAN, as_="product", to="bracket")
    settle()
    came = f"order.release of {UPC}, a code that is bound as product to bracket"
    assert refused(release(UPC)) == (came, "a number that is not bound to something else")
    assert refused(bind("WO-9", "carrier", "TOTE-1"), release("WO-9"))[0].startswith("order.release of WO-9")
    assert refused(("code.bind", {"code": EAN}), release(UPC)) is None


def test_a_pattern_leaves_the_numbers_of_open_orders(refused, shop_writer, settle):
    shop_writer.release("WO-2")
    settle()
    expected = "a pattern that matches no number of a released order"
    assert refused(pattern("WO-[0-9]+", "carrier")) == (
        "pattern.define of p as carrier, which matches the order WO-2",
        expected,
    )
    assert refused(pattern("WO-(?P<id>[0-9]+)"))[0] == "pattern.define of p as item, which matches the order WO-2"
    assert refused(pattern("WO-[0-9]+"), pattern("JOB:(?P<id>WO-[0-9]+)"), pattern("TOTE-[0-9]+", "carrier")) is None
