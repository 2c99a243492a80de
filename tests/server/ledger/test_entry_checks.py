"""Entry checks: an entry without effect, or against the present state, is refused with the reason; nothing is written."""

import pytest

from server.accounting.period_close import close_period
from server.ledger.candidates import Candidate
from server.ledger.entries import Entry, EntryRefused, record_all, record_changes
from server.ledger.entry_checks import EntryChecks

MADE = {"product": "bracket", "name": "Bracket", "routing": "line"}


def close(order, how="short", **more):
    return "order.close", {"order": order, "how": how, **more}


def change(order, **fields):
    return "order.change", {"order": order, **fields}


def release(order, qty=40, product="bracket"):
    return "order.release", {"order": order, "product": product, "qty_milli": qty * 1000}


def adjust(item, qty, **more):
    return "adjust", {"item": item, "qty_milli": qty * 1000, **more}


def test_an_order_that_was_never_released_is_neither_closed_nor_changed_nor_adjusted(refused, shop_writer):
    assert refused(close("WO-9")) == (400, "order.close of WO-9", "an order that was released")
    assert refused(change("WO-9", qty_milli=5000)) == (400, "order.change of WO-9", "an order that was released")
    assert refused(adjust("WO-9", -5)) == (400, "adjust of WO-9", "an item that was scanned or released")
    assert refused(release("WO-9"), change("WO-9", qty_milli=5000), close("WO-9")) is None


def test_a_closed_order_is_not_closed_again_and_keeps_its_quantity(refused, shop_writer, settle):
    shop_writer.release("WO-1")
    assert refused(close("WO-1")) is None
    settle()
    assert refused(close("WO-1", "cancelled")) == (
        400,
        "order.close of WO-1, which is closed as short",
        "an order that is not closed",
    )
    expected = "an order that is not closed"
    assert refused(change("WO-1", qty_milli=50_000)) == (400, "order.change of WO-1 to 50", expected)
    assert refused(adjust("WO-1", 5)) == (400, "adjust of WO-1, which is closed", "an open order")


def test_a_closing_that_is_taken_back_leaves_the_order_open_for_a_change(refused, shop_writer, settle):
    shop_writer.release("WO-1")
    log, seq = shop_writer.say("order.close", order="WO-1", how="short")
    settle()
    shop_writer.say("void", log=log, seq=seq, why="too early")
    settle()
    assert refused(change("WO-1", qty_milli=50_000)) is None


def test_a_void_by_the_hub_is_not_repeated_and_can_be_taken_back(refused, shop_writer):
    shop_writer.release("WO-1")
    log, seq = shop_writer.say("order.close", order="WO-1", how="short")
    void = ("void", {"log": log, "seq": seq, "why": "too early"})
    assert refused(void, void)[1] == f"void of {log}:{seq}, which is taken back already"
    back = shop_writer.say("void", log=log, seq=seq, why="too early")
    shop_writer.settle()
    assert refused(void) == (400, f"void of {log}:{seq}, which is taken back already", "an event with effect")
    shop_writer.say("void", log=back[0], seq=back[1], why="it was right")
    shop_writer.settle()
    assert refused(void) is None


def test_an_order_is_not_cut_below_what_is_started(refused, shop_writer):
    shop_writer.release("WO-1", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), qty_milli=30_000)
    shop_writer.settle()
    expected = "at least 30: that quantity is started"
    assert refused(change("WO-1", qty_milli=20_000)) == (400, "order.change of WO-1 to 20", expected)
    assert refused(release("WO-1", 20)) == (400, "order.release of WO-1 to 20", expected)
    assert refused(change("WO-1", qty_milli=30_000)) is None


def test_an_entry_that_changes_nothing_is_refused(refused, shop_writer, settle):
    shop_writer.release("WO-1", qty=40, customer="Ito")
    settle()
    nothing = (400, "order.change of WO-1 without effect", "a field with a new value")
    assert refused(change("WO-1", qty_milli=40_000, customer="Ito")) == nothing
    assert refused(release("WO-1")) == (400, "order.release of WO-1 without effect", "a field with a new value")
    assert refused(change("WO-1")) == (400, "order.change without a changed field", "a field with a new value")
    assert refused(change("WO-1", qty_milli=0)) == (400, "order.change of quantity 0", "a quantity above 0")
    assert refused(adjust("WO-1", 0))[1] == "adjust of WO-1 by 0 thousandths"
    assert refused(change("WO-1", customer="Sato")) is None


def test_an_adjustment_takes_no_more_than_is_there(refused, shop_writer):
    shop_writer.release("WO-1", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), qty_milli=15_000)
    shop_writer.settle()
    expected = "at most 15 less: no more is there"
    assert refused(adjust("WO-1", -99, stage="saw")) == (400, "adjust of WO-1 by -99 at saw", expected)
    first, second = adjust("WO-1", -10, stage="saw"), adjust("WO-1", -6, stage="saw")
    assert refused(first, second)[2] == "at most 5 less: no more is there"
    assert refused(adjust("WO-1", -15, stage="saw")) is None


def test_a_completed_order_leaves_no_piece_behind_unless_that_is_asked_for(refused, shop_writer, settle):
    shop_writer.release("WO-1", qty=100)
    settle()
    came = "order.close complete of WO-1 with 100 not started"
    assert refused(close("WO-1", "complete")) == (409, came, "all pieces started and none on hold")
    assert refused(close("WO-1", "complete", leave="scrap"))[0] == 400
    assert refused(close("WO-1", "complete", leave="adjust")) is None


def test_held_pieces_are_named_too(refused, shop_writer):
    shop_writer.release("WO-1", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1), action="hold", qty_milli=12_000)
    shop_writer.settle()
    assert refused(close("WO-1", "complete"))[:2] == (409, "order.close complete of WO-1 with 12 on hold")


def test_unit_and_decimals_stay_while_an_order_is_open(refused, shop_writer, settle):
    shop_writer.release("WO-1")
    settle()
    expected = "pcs, as long as an order of it is open: WO-1"
    assert refused(("product.define", {**MADE, "unit": "kg"})) == (
        400,
        "product.define of bracket with unit kg",
        expected,
    )
    assert refused(("product.define", {**MADE, "decimals": 2}))[1] == "product.define of bracket with decimals 2"
    assert refused(("product.define", {**MADE, "name": "Angle bracket", "unit": "pcs"})) is None
    assert refused(close("WO-1"), ("product.define", {**MADE, "unit": "kg"})) is None
    later = release("WO-2"), ("product.define", {**MADE, "unit": "m"})
    assert refused(*later)[2] == "kg, as long as an order of it is open: WO-2"


def test_a_bill_of_material_contains_no_product_that_contains_it(refused, shop_writer, settle):
    def made_of(product, *components):
        return "product.define", {
            "product": product,
            "bom": [{"component": component, "qty_milli": 1000} for component in components],
        }

    assert refused(made_of("lid", "lid")) == (
        400,
        "product.define of lid made of lid",
        "no product that contains itself",
    )
    assert refused(made_of("frame", "bracket")) is None
    settle()
    came = "product.define of bracket made of frame of bracket"
    assert refused(made_of("bracket", "frame")) == (400, came, "no product that contains itself")
    assert (
        refused(made_of("a", "b"), made_of("b", "c"), made_of("c", "a"))[1] == "product.define of c made of a of b of c"
    )


@pytest.mark.parametrize(
    ("entry", "came"),
    [
        (
            ("cost.set", {"component": "labour", "stage": "saw", "micros": 5}),
            "cost.set of the work centre 'saw' with the basis unit",
        ),
        (
            ("cost.set", {"component": "bar", "stage": "saw", "micros": 5, "basis": "minute"}),
            "cost.set of the work centre 'saw' with the component 'bar'",
        ),
        (
            ("cost.set", {"component": "labour", "stage": "saw", "op": 10, "micros": 5, "basis": "minute"}),
            "cost.set of the work centre 'saw' with a product or an operation",
        ),
        (("cost.set", {"component": "bar", "micros": -1}), "cost.set, of which: Expected `int` >= 0 - at `$.micros`"),
        (
            ("routing.define", {"routing": "r", "operations": []}),
            "routing.define, of which: Expected `array` of length >= 1 - at `$.operations`",
        ),
        (
            ("routing.define", {"routing": "r", "operations": [{"op": 10, "stage": "a"}, {"op": 10, "stage": "b"}]}),
            "routing.define with operation 10 twice",
        ),
        (
            ("routing.define", {"routing": "r", "operations": [{"op": 10, "stage": "a", "run_ms": -1}]}),
            "routing.define, of which: Expected `int` >= 0 - at `$.operations[0].run_ms`",
        ),
        (
            ("routing.define", {"routing": "r", "operations": [{"op": 10, "stage": "a", "setup_ms": 1.5}]}),
            "routing.define, of which: Expected `int | null`, got `float` - at `$.operations[0].setup_ms`",
        ),
        (
            ("correct", {"log": "ab" * 16, "from_seq": 4, "to_seq": 3, "set": {"stage": "saw"}}),
            "correct from seq 4 to 3",
        ),
        (("correct", {"log": "ab" * 16, "from_seq": 3, "to_seq": 3, "set": {}}), "correct without a changed field"),
    ],
)
def test_an_entry_that_can_have_no_effect_is_refused(refused, entry, came):
    assert refused(entry)[:2] == (400, came)


def test_what_has_happened_has_no_time_in_the_future(store, shop_writer):
    later_us = shop_writer.now_us + 3_600_000_000
    with pytest.raises(
        EntryRefused, match=r"checkin that holds from .*, in the future; expected a time that has passed"
    ):
        record_all(store, [Entry("checkin", {"item": "WO-1", "stage": "saw"}, "Kim", later_us)])
    record_all(store, [Entry("cost.set", {"component": "bar", "micros": 5}, "Kim", later_us)])


def test_beyond_the_bound_of_unprojected_entries_nothing_is_refused_for_its_state(store, shop_writer):
    for n in range(4):
        shop_writer.release(f"WO-{n}")
    with store.read() as connection:
        few = EntryChecks(connection, [Candidate(*close("WO-9"))], shop_writer.now_us, most_pending=3)
        all_of_them = EntryChecks(connection, [Candidate(*close("WO-9"))], shop_writer.now_us, most_pending=4)
        assert few.refusal(Candidate(*close("WO-9"))) is None
        assert all_of_them.refusal(Candidate(*close("WO-9"))) is not None


DEFINITIONS = {
    "product.define": ({"product": "lid", "name": "Lid"}, {"product": "lid", "name": "Lid", "unit": "pcs", "bom": []},
                       {"product": "lid", "name": "Cover"}),
    "routing.define": (
        {"routing": "r", "operations": [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}]},
        {"routing": "r", "operations": [{"op": 20, "stage": "deburr"}, {"op": 10, "stage": "saw", "optional": False}]},
        {"routing": "r", "operations": [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr", "optional": True}]},
    ),
    "stage.define": ({"stage": "saw", "limit": 4}, {"stage": "saw", "limit": 4, "strict": False}, {"stage": "saw"}),
    "station.define": ({"station": "saw-1", "stage": "saw"}, {"station": "saw-1", "stage": "saw"},
                       {"station": "saw-1", "stage": "deburr"}),
    "person.define": ({"person": "kim", "badge": "K1"}, {"person": "kim", "badge": "K1", "name": None},
                      {"person": "kim", "badge": "K2"}),
    "reason.define": ({"reason": "burr", "name": "Burr"}, {"reason": "burr", "name": "Burr"}, {"reason": "burr"}),
    "pattern.define": ({"name": "wo", "regex": "WO-[0-9]+", "as": "item"},) * 2
    + ({"name": "wo", "regex": "WO-[0-9]{4}", "as": "item"},),
    "card.define": ({"card": "WIP:QTY:5", "name": "Five"}, {"card": "WIP:QTY:5", "name": "Five"}, {"card": "WIP:QTY:5"}),
    "rule.define": ({"rule": "overrun", "on": False}, {"rule": "overrun", "on": False}, {"rule": "overrun", "on": True}),
    "cost.set": ({"component": "bar", "micros": 5}, {"component": "bar", "micros": 5, "basis": "unit"},
                 {"component": "bar", "micros": 6}),
}  # fmt: skip


@pytest.mark.parametrize("what", DEFINITIONS)
def test_a_definition_that_holds_already_is_refused(refused, shop_writer, settle, what):
    first, same, other = DEFINITIONS[what]
    assert refused((what, first)) is None
    settle()
    status, came, expected = refused((what, same))
    assert (status, expected) == (400, "a field with a new value")
    assert came.startswith(f"{what} of ")
    assert came.endswith(" as it is defined")
    assert refused((what, other)) is None
    settle()
    assert refused((what, first), (what, same))[2] == "a field with a new value"
    assert refused((what, first)) is None  # back to what it was


def test_a_definition_is_compared_with_the_one_of_its_own_time(store, shop_writer, settle):
    def price(micros, day, **more):
        fields = {"component": "bar", "micros": micros, **more}
        record_all(store, [Entry("cost.set", fields, "Kim", shop_writer.ago(days=day))])
        settle()

    price(5, 10)
    price(7, 5)
    with pytest.raises(EntryRefused, match=r"cost\.set of component bar as it is defined; expected a field with a new"):
        price(5, 8)
    with pytest.raises(EntryRefused, match="as it is defined"):
        price(7, 2)
    price(5, 2)
    price(5, 12)  # nothing held then
    with pytest.raises(EntryRefused, match=r"cost\.set of component bolt, withdrawn; expected a price that holds"):
        record_all(store, [Entry("cost.set", {"component": "bolt", "withdrawn": True}, "Kim")])


def test_a_voided_definition_does_not_hold(refused, shop_writer):
    log, seq = shop_writer.say("reason.define", reason="burr", name="Burr")
    shop_writer.say("void", log=log, seq=seq, why="typing error")
    shop_writer.settle()
    assert refused(("reason.define", {"reason": "burr", "name": "Burr"})) is None


def bind(code, to, **more):
    return "code.bind", {"code": code, "to": to, **more}


def test_a_code_that_is_bound_so_is_not_bound_again(refused, shop_writer):
    expected = "a code that is not bound so"
    assert refused(bind("TAG-1", "WO-1")) is None
    shop_writer.settle()
    assert refused(bind("TAG-1", "WO-1")) == (400, "code.bind of TAG-1 to WO-1", expected)
    assert refused(bind("TAG-1", "WO-2"), bind("TAG-1", "WO-2")) == (400, "code.bind of TAG-1 to WO-2", expected)
    assert refused(bind("TAG-1", "K7", **{"as": "badge"})) is None
    shop_writer.settle()
    assert refused(bind("TAG-1", "WO-1")) is None
    shop_writer.settle()
    assert refused(bind("TAG-2", None)) == (400, "code.bind of TAG-2 to nothing", "a code that is bound")
    shop_writer.settle()
    assert refused(bind("TAG-1", None)) is None
    shop_writer.settle()
    assert refused(bind("TAG-1", ""))[1] == "code.bind of TAG-1 to nothing"


def test_a_published_code_in_another_spelling_that_was_bound_since_is_compared(refused, shop_writer):
    assert refused(bind("9506000134352", "WO-1")) is None
    shop_writer.settle()
    assert refused(bind("9506000134352", "WO-1"))[1] == "code.bind of 9506000134352 to WO-1"
    assert refused(bind("0109506000134352", "WO-2")) is None
    shop_writer.settle()
    assert refused(bind("9506000134352", "WO-1")) is None


def test_an_item_is_not_named_as_it_is_named(refused, shop_writer, settle):
    def name(text):
        return "item.name", {"item": "WO-1", "name": text}

    shop_writer.release("WO-1")
    shop_writer.settle()
    assert refused(name("")) == (400, "item.name of WO-1 without a name", "an item with a name")
    assert refused(name("First")) is None
    settle()
    assert refused(name("First")) == (400, "item.name of WO-1 'First'", "a new name")
    assert refused(name("Second"), name("Second"))[1] == "item.name of WO-1 'Second'"
    assert refused(name("Second")) is None
    settle()
    assert refused(name(None)) is None


def test_a_period_is_not_closed_where_it_is_closed(store, shop_writer):
    close = Entry("period.close", {"why": "month end"}, "Kim", 1_000_000)
    close_period(store, close)
    with pytest.raises(EntryRefused, match="expected a time after the end of the last closed period"):
        close_period(store, close)
    record_all(store, [Entry("period.reopen", {"why": "a price was missing"}, "Kim")])
    close_period(store, close)


def test_what_holds_already_is_left_out_of_an_import_and_the_rest_is_written(store, shop_writer):
    same = Entry("reason.define", {"reason": "burr", "name": "Burr"}, "Kim")
    record_all(store, [same])
    new = Entry("reason.define", {"reason": "crack", "name": "Crack"}, "Kim")
    first, second = record_changes(store, [same, new])
    assert first is None
    assert second is not None
    with pytest.raises(EntryRefused, match=r"order\.close of WO-9"):
        record_changes(store, [same, Entry(*close("WO-9"), "Kim")])
