"""A pattern is refused where it is defined: at the API and in the shop folder."""

import pytest
from sqlalchemy import select

from server.db import schema
from server.db.position_signal import PositionSignal
from server.importer.errors import ShopFolderError
from server.importer.loader import read_shop
from server.ledger.entries import Entry, EntryRefused, record_all
from server.locale_format import UTC
from server.projection.worker import Projector
from station.core.codes.patterns import MAX_PATTERNS


def a_pattern(number, regex=None):
    return Entry("pattern.define", {"name": f"p{number:03}", "regex": regex or f"P{number}", "as": "item"}, "Kim", 0)


@pytest.mark.parametrize(
    "regex", ["(?:a{,})+b", "(a+)+$", "(?=a)b", r"(a)\1", "x" * 201, "[a", "a{1,9}" * 33 + "(?:a{9}){9}"]
)
def test_the_api_refuses_a_pattern_that_could_take_long(hub_app, regex):
    body = {"what": "pattern.define", "data": {"name": "p", "regex": regex, "as": "item"}}
    answer = hub_app.anonymous().post("/api/v1/entries", json=body, headers=hub_app.token("administer"))
    assert answer.status_code == 400
    assert answer.json["error"]["came"].startswith("a pattern that is not usable. Pattern 'p' ")
    with hub_app.store.read() as connection:
        assert connection.execute(select(schema.ledger.c.pos)).all() == []


def test_a_shop_has_a_bounded_number_of_patterns(store):
    record_all(store, [a_pattern(number) for number in range(MAX_PATTERNS)])
    Projector(store, PositionSignal()).drain()
    with pytest.raises(EntryRefused) as refused:
        record_all(store, [a_pattern(MAX_PATTERNS)])
    assert "100 patterns, 4000 parts in all" in str(refused.value)
    record_all(store, [a_pattern(7, "P7-[0-9]+")])  # one that is there may be changed


def test_a_folder_with_more_patterns_than_that_is_refused():
    rows = "".join(f"p{number:03},P{number},item\n" for number in range(MAX_PATTERNS + 1))
    with pytest.raises(ShopFolderError) as refused:
        read_shop({"patterns.csv": f"name,regex,as\n{rows}".encode()}, now_us=0, zone=UTC)
    assert f"patterns.csv, line {MAX_PATTERNS + 2}, column 1" in str(refused.value)
    assert "100 patterns, 4000 parts in all" in str(refused.value)
