"""Definition check: a definition, a cost, a binding or a void has a subject that the shop has."""

import pytest
from shop_writer import ShopWriter

from server.ledger.entries import Entry, EntryRefused, record_all


@pytest.fixture(params=["projected", "not projected"])
def shop_writer(request, store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    if request.param == "projected":
        shop_writer.settle()
    return shop_writer


@pytest.fixture
def refused(store, shop_writer):
    """Send entries in one request; (what came, what was expected) of the refusal, None for accepted entries."""

    def sent(*entries):
        try:
            record_all(store, [Entry(what, data, "Kim") for what, data in entries])
        except EntryRefused as error:
            return error.came, error.expected
        return None

    return sent


PEOPLE = "a person of the shop: kim"
PRODUCTS = "a product of the shop: bracket, tube"


@pytest.mark.parametrize(
    ("what", "data", "came", "expected"),
    [
        ("rule.define", {"rule": "skiped", "on": True}, "rule.define of 'skiped'", "one of "),
        ("rule.define", {"rule": "skipped"}, "rule.define, of which: Object missing required field `on`", "the fields"),
        (
            "rule.define",
            {"rule": "skipped", "on": "yes"},
            "rule.define, of which: Expected `bool`, got `str`",
            "the fields",
        ),
        ("note", {"text": "x"}, "note, of which: Object missing required field `item`", "the fields item, text"),
        (
            "note",
            {"item": "WO-1", "text": " "},
            "note, of which: Expected `str` matching regex",
            "the fields item, text",
        ),
        ("reread", {}, "reread without a subject", "`code`, `item`, or `log`"),
        ("cost.set", {"micros": 5}, "cost.set without a subject", "`component`, with"),
        ("cost.set", {"micros": 5, "product": "lid"}, "cost.set with the product 'lid'", PRODUCTS),
        ("code.bind", {"code": "ZZ", "as": "badge", "to": "kimm"}, "code.bind of ZZ with the person 'kimm'", PEOPLE),
        ("code.bind", {"code": "ZZ", "as": "product", "to": "lid"}, "code.bind of ZZ with the product 'lid'", PRODUCTS),
        ("code.bind", {"code": "ZZ"}, "code.bind of ZZ to nothing", "a code that is bound"),
        (
            "product.define",
            {"product": "lid", "routing": "lin"},
            "product.define of lid with the routing 'lin'",
            "a routing ",
        ),
        (
            "reason.define",
            {"name": "Rust"},
            "reason.define, of which: Object missing required field `reason`",
            "the fields",
        ),
        ("card.define", {"name": "Rust"}, "card.define, of which: Object missing required field `card`", "the fields"),
        ("stage.define", {"stage": " "}, "stage.define, of which: Expected `str` matching regex", "the fields"),
        (
            "person.define",
            {"person": "lee", "name": ""},
            "person.define, of which: Expected `str` of length >= 1",
            "the f",
        ),
        (
            "person.define",
            {"person": "lee", "roles": ["boss"]},
            "person.define, of which: Invalid enum value 'boss'",
            "the f",
        ),
        (
            "person.define",
            {"person": "lee", "badge": "K7"},
            "person.define of lee with the badge K7, which kim has",
            "a badge that no other person has",
        ),
    ],
)
def test_an_entry_without_a_subject_of_the_shop_is_refused(refused, what, data, came, expected):
    said = refused((what, data))
    assert said[0].startswith(came)
    assert said[1].startswith(expected)


def test_the_right_ones_are_accepted(refused):
    assert refused(("rule.define", {"rule": "skipped", "on": False}), ("reread", {"code": "ZZ"})) is None
    assert refused(("code.bind", {"code": "ZZ", "as": "badge", "to": "kim"}), ("code.bind", {"code": "ZZ"})) is None
    assert refused(("code.bind", {"code": "ZZ"})) == ("code.bind of ZZ to nothing", "a code that is bound")


def test_two_persons_exchange_their_badges_in_one_request(refused, shop_writer):
    shop_writer.say("person.define", person="lee", name="B. Lee", badge="L1")
    kim, lee = {"person": "kim", "name": "A. Kim"}, {"person": "lee", "name": "B. Lee"}
    assert refused(("person.define", {**kim, "badge": "L1"}))[1] == "a badge that no other person has"
    assert refused(("person.define", {**kim, "badge": "L1"}), ("person.define", {**lee, "badge": "K7"})) is None


def test_a_tag_that_was_bound_at_a_bench_is_unbound(refused, shop_writer):
    shop_writer.release("WO-1")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1), action="bind", carrier="TAG-1")
    shop_writer.settle()
    assert refused(("code.bind", {"code": "TAG-1"})) is None


def replaced(product, by=None):
    return "product.define", {"product": product} | ({"replaced_by": by} if by else {})


def test_a_product_is_replaced_by_one_of_the_shop_and_not_by_itself(refused, shop_writer):
    assert refused(replaced("tube", "lid")) == (
        "product.define of tube that is replaced with the product 'lid'",
        PRODUCTS,
    )
    circle = "a replacement that does not lead back to it"
    assert refused(replaced("tube", "tube")) == ("product.define of tube replaced by tube", circle)
    assert refused(replaced("tube", "bracket")) is None
    assert refused(replaced("bracket", "tube")) == (
        "product.define of bracket replaced by tube, then by bracket",
        circle,
    )
    assert refused(replaced("lid", "frame"), replaced("frame", "lid"))[1] == circle
    assert refused(replaced("lid", "frame"), replaced("frame", "tube")) is None
    assert refused(replaced("bracket", "lid"))[0].endswith(
        "replaced by lid, then by frame, then by tube, then by bracket"
    )
    # After both entries of the request the replacement has the other direction.
    assert refused(replaced("bracket", "tube"), ("product.define", {"product": "tube", "withdrawn": True})) is None
