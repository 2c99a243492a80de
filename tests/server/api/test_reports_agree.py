"""Reports agree: what ended without output is in none, rows are apart, what runs has a value, a date is its journal's."""

import csv
import io
from collections import Counter
from fractions import Fraction

import engines
import pytest
from drawn_shop import drawn_shop

from server.ledger.account_check import Line
from server.queries.value_slices import ValueBy

engine = engines.both
CENT = 10_000
STAGE_ACCOUNTS = {"saw": "1301", "deburr": "1302", "test": "1303", "pack": "1304"}
PAGES = (
    "/", "/value", "/value?by=operation", "/value?by=item&across=component", "/value/history", "/rollforward",
    "/rollforward?by=operation", "/rollforward/expense", "/month-end", "/journal", "/without-cost", "/orders",
    "/stages/saw", "/items/WO-1", "/wall",
)  # fmt: skip


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


@pytest.fixture
def get(hub_app):
    """The JSON of an address."""
    reader = hub_app.anonymous()

    def answer(address, **words):
        got = reader.get(f"/api/v1/{address}", query_string=words)
        assert got.status_code == 200, got.get_json()
        return got.get_json()

    return answer


def ended(small, how):
    """WO-1 ends without any output between two orders that go on."""
    for number, order in enumerate(("WO-0", "WO-1", "WO-2")):
        small.release(order, qty=10)
        small.scan(order, "saw", small.ago(hours=9, minutes=-number))
        small.scan(order, "deburr", small.ago(hours=8, minutes=-number))
    if how == "scrapped":
        small.scan("WO-1", "deburr", small.ago(hours=7), action="scrap", all=True)
    elif how == "scrapped in parts":
        small.scan("WO-1", "deburr", small.ago(hours=7), action="scrap", qty_milli=4_000)
        small.scan("WO-1", "test", small.ago(hours=6))
        small.scan("WO-1", "test", small.ago(hours=5), action="scrap", qty_milli=6_000)
    small.settle()
    if how in ("short", "cancelled"):
        small.say("order.close", small.ago(hours=7), order="WO-1", how=how)
        small.settle()


@pytest.mark.parametrize(
    ("how", "line", "micros"),
    [
        ("scrapped", "abnormal_scrap", 30_000_000),
        ("scrapped in parts", "abnormal_scrap", 30_000_000),
        ("short", "closes", 30_000_000),
        ("cancelled", "closes", 30_000_000),
    ],
)
def test_an_order_that_ended_without_output_is_in_no_report_of_work_in_process(small, hub_app, get, how, line, micros):
    ended(small, how)
    for as_of in ("", str(small.ago(hours=1))):
        for by in ValueBy:
            answer = get("value", by=by, as_of=as_of)
            assert (answer["totals"]["value_micros"], answer["totals"]["items"]) == (60_000_000, 2), by
            assert "WO-1" not in {row["key"] for row in answer["rows"]}
            assert sum(row["value_micros"] for row in answer["rows"]) == 60_000_000
        for by in ("stage", "product", "item", "order"):
            answer = get("wip", by=by, as_of=as_of)
            assert sum(row["value_micros"] for row in answer["rows"]) == 60_000_000
            assert {row["qty"] for row in answer["rows"]} <= {"10", "20"}
            assert "WO-1" not in {row["key"] for row in answer["rows"]}
        assert "WO-1" not in {order["order"] for order in get("orders", status="open", as_of=as_of)["orders"]}
    for address in ("/value.csv?by=item", "/stage.csv?stage=saw", "/stage.csv?stage=deburr", "/stage.csv?stage=test"):
        assert "WO-1" not in hub_app.anonymous().get(address).get_data(as_text=True)
    words = {"from": str(small.ago(hours=10)), "to": str(small.now_us)}
    row = next(row for row in get("rollforward", by="order", **words)["rows"] if row["key"] == "WO-1")
    assert row == {
        "key": "WO-1", "opening_micros": 0, "lines": {"material": 20_000_000, "labour": 10_000_000, line: -micros},
        "closing_micros": 0,
    }  # fmt: skip


@pytest.mark.parametrize("how", ["scrapped", "short"])
def test_nothing_of_one_order_is_in_the_row_of_the_next_one(small, get, how):
    """Also where a page of the list ends between the two, and where one order alone is asked for."""
    ended(small, how)
    small.release("WO-3", "tube", qty=7)  # without any cost
    small.scan("WO-3", "saw", small.ago(hours=4))
    small.release("WO-4", qty=3)
    small.scan("WO-4", "saw", small.ago(hours=3))
    small.settle()
    expected = {"WO-0": 30_000_000, "WO-2": 30_000_000, "WO-3": 0, "WO-4": 6_000_000}
    words = {"from": str(small.ago(hours=10)), "to": str(small.now_us), "by": "order"}
    rolls = {row["key"]: row["closing_micros"] for row in get("rollforward", **words)["rows"]}
    assert rolls == {order: micros for order, micros in expected.items() if micros} | {"WO-1": 0}
    for address, more in (("value", {"by": "order"}), ("wip", {"by": "order"}), ("rollforward", words)):
        whole = get(address, **more)["rows"]
        single, cursor = [], ""
        while cursor is not None:
            page = get(address, limit=1, cursor=cursor, **more)
            single += page["rows"]
            cursor = page["cursor"]
        assert single == whole
    for row in get("value", by="order")["rows"]:
        assert row["value_micros"] == expected.pop(row["key"])
        assert get("value", by="order", order=row["key"])["rows"] == [row]
    assert expected == {}


def test_an_operation_that_still_runs_has_a_value_in_each_report(small, hub_app, get):
    """Begun and not ended, at a rate for a minute of which the run time lacks, too."""
    small.say("cost.set", 0, stage="deburr", component="labour", basis="minute", micros=500_000)
    for number, stage in enumerate(("saw", "deburr")):
        small.release(f"WO-{number + 1}", qty=10)
        small.scan(f"WO-{number + 1}", "saw", small.ago(hours=9))
        small.scan(f"WO-{number + 1}", stage, small.ago(hours=5), action="start")
    small.settle()
    stages = {row["key"]: row["value_micros"] for row in get("value", by="stage")["rows"]}
    assert stages == {"saw": 20_000_000, "deburr": 30_000_000}
    words = {"from": str(small.ago(hours=4)), "to": str(small.now_us), "known": str(get("value")["pos"])}
    roll = get("rollforward", **words)["totals"]
    assert (roll["opening_micros"], roll["lines"], roll["closing_micros"]) == (50_000_000, {}, 50_000_000)
    assert get("items/WO-2")["parcels"][0]["run_since_us"] is not None
    statuses = {page: hub_app.anonymous().get(page).status_code for page in PAGES}
    assert statuses == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize("seed", [2, 11])
def test_a_report_as_of_a_date_and_the_journal_of_that_date_agree(shop_writer, hub_app, get, seed):
    drawn_shop(shop_writer, seed)
    for number, line in enumerate(Line.__args__, 4000):
        shop_writer.say("account.map", 0, line=line, account="1300" if line == "wip" else str(number))
    for stage, account in STAGE_ACCOUNTS.items():
        shop_writer.say("account.map", 0, line="wip", stage=stage, account=account)
    shop_writer.settle()
    for hours in (70, 40, 9):
        shop_writer.say("period.close", shop_writer.ago(hours=hours), why="month end")
        shop_writer.settle()
    begin = str(shop_writer.ago(days=12))
    for closed in reversed(get("periods")["periods"]):
        until = closed["until"]
        made = get("journal", period=closed["id"])
        roll = get("rollforward", **{"from": begin, "to": until})["totals"]
        answer = get("value", by="stage", as_of=until)
        closing = {one["account"]: one["closing_micros"] for one in made["balances"]}
        assert answer["totals"]["value_micros"] == closed["value_micros"] == roll["closing_micros"]
        assert abs(sum(closing.values()) - closed["value_micros"]) <= CENT / 2
        of_stages = Counter()  # a stage has a row for each unit
        for row in answer["rows"]:
            of_stages[STAGE_ACCOUNTS.get(row["key"], "1300")] += row["value_micros"]
        assert {account: abs(closing.get(account, 0) - micros) <= CENT for account, micros in of_stages.items()} == (
            dict.fromkeys(of_stages, True)
        )
        posted = sum(
            line["debit_micros"] - line["credit_micros"] for line in made["lines"] if line["account"] in closing
        )
        assert posted == sum(closing.values()) - sum(one["opening_micros"] for one in made["balances"])
        listing = hub_app.anonymous().get(f"/month-end/listing.csv?period={closed['id']}").get_data(as_text=True)
        values = [row["value"] for row in csv.DictReader(io.StringIO(listing.lstrip("\ufeff"))) if row["value"]]
        assert abs(sum(map(Fraction, values)) * 1_000_000 - closed["value_micros"]) <= Fraction(1, 2)
        begin = until
