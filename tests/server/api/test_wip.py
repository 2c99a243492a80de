"""The read model over HTTP: whole answers, and what is said to who asks for something else."""

import base64

import pytest
from jsonschema import Draft202012Validator
from shop_writer import ShopWriter

from server.api.format import iso


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40, due="2026-12-01", customer="Halvorsen", at_us=shop_writer.ago(days=2))
    shop_writer.release("WO-2", "tube", qty=3, at_us=shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=5), operator="K7")
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=2), qty_milli=15_000)
    shop_writer.settle()
    return shop_writer


def get(hub_app, path, expected=200, **query):
    answer = hub_app.anonymous().get(path, query_string=query)
    assert answer.status_code == expected, answer.get_data(as_text=True)
    return answer.json


def test_wip_by_stage_is_answered_whole(hub_app, shop_writer):
    found = get(hub_app, "/api/v1/wip")
    assert found["pos"] == found["known"] == shop_writer.projector.pos
    since = {hours: found_since(shop_writer, hours) for hours in (2, 5)}
    assert found["rows"] == [
        {
            "key": "deburr",
            "unit": "pcs",
            "items": 1,
            "qty": "15",
            "held": "0",
            "value_micros": 45_000_000,
            "components": {"bar": 30_000_000, "labour": 15_000_000},
            "unvalued_items": 0,
            "unvalued_qty": "0",
            "at_stage_oldest_since": since[2],
            "at_stage_p50_s": 7200,
            "at_stage_max_s": 7200,
            "in_production_oldest_since": since[5],
            "in_production_p50_s": 18_000,
        },
        {
            "key": "saw",
            "unit": "pcs",
            "items": 1,
            "qty": "25",
            "held": "0",
            "value_micros": 50_000_000,
            "components": {"bar": 50_000_000},
            "unvalued_items": 0,
            "unvalued_qty": "0",
            "at_stage_oldest_since": since[5],
            "at_stage_p50_s": 18_000,
            "at_stage_max_s": 18_000,
            "in_production_oldest_since": since[5],
            "in_production_p50_s": 18_000,
        },
    ]
    assert found["totals"] == [
        {
            "unit": "pcs",
            "items": 1,
            "qty": "40",
            "held": "0",
            "value_micros": 95_000_000,
            "components": {"bar": 80_000_000, "labour": 15_000_000},
            "unvalued_items": 0,
            "unvalued_qty": "0",
            "overrun_value_micros": 0,
        }
    ]
    assert found["not_started"] == [{"unit": "m", "items": 1, "qty": "3"}]


def found_since(shop_writer, hours):
    """The scan's time as the anchor gives it."""
    return iso(shop_writer.ago(hours=hours))


@pytest.mark.parametrize(("by", "keys"), [("product", ["bracket"]), ("item", ["WO-1"]), ("order", ["WO-1"])])
def test_wip_by_something_else(hub_app, shop_writer, by, keys):
    assert [row["key"] for row in get(hub_app, "/api/v1/wip", by=by)["rows"]] == keys


def test_wip_as_of_a_past_time(hub_app, shop_writer):
    for asked in (iso(shop_writer.ago(hours=3)), str(shop_writer.ago(hours=3))):
        found = get(hub_app, "/api/v1/wip", as_of=asked)
        assert [(row["key"], row["qty"], row["at_stage_p50_s"]) for row in found["rows"]] == [("saw", "40", 7200)]
        assert found["as_of"] == iso(shop_writer.ago(hours=3))
    assert get(hub_app, "/api/v1/wip", as_of=iso(shop_writer.ago(days=90)))["not_started"] == []


@pytest.mark.parametrize(
    ("query", "came"),
    [
        ({"by": "colour"}, "by 'colour'"),
        ({"as_of": "yesterday"}, "as_of 'yesterday'"),
        ({"known": "period"}, "known 'period'"),
        ({"known": "1000000"}, "known '1000000'"),
        ({"known": "-1"}, "known '-1'"),
    ],
)
def test_a_question_that_cannot_be_answered_is_said_so(hub_app, shop_writer, query, came):
    assert get(hub_app, "/api/v1/wip", 400, **query)["error"]["came"] == came


def test_what_is_known_now_may_be_asked_for_by_its_position(hub_app, shop_writer):
    pos = get(hub_app, "/api/v1/wip")["pos"]
    assert get(hub_app, "/api/v1/wip", known=str(pos))["known"] == pos


def test_what_was_known_then_is_answered_from_what_was_there_then(hub_app, shop_writer):
    then = get(hub_app, "/api/v1/wip")
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    shop_writer.say("void", log=shop_writer.log("deburr-1").log_id.hex(), seq=2, why="not there")
    shop_writer.say("cost.set", 0, component="bar", basis="unit", micros=9_000_000)
    shop_writer.settle()
    now = get(hub_app, "/api/v1/wip")
    assert [(row["key"], row["unit"], row["qty"]) for row in now["rows"]] == [("saw", "m", "3"), ("saw", "pcs", "40")]
    assert now["totals"][1]["value_micros"] == 360_000_000
    again = get(hub_app, "/api/v1/wip", known=str(then["pos"]))
    assert (again["known"], again["pos"]) == (then["pos"], now["pos"])
    for name in ("rows", "totals", "not_started"):
        assert ageless(again[name]) == ageless(then[name])
    assert get(hub_app, "/api/v1/wip", known="0")["rows"] == []
    hours_3 = get(hub_app, "/api/v1/wip", known=str(then["pos"]), as_of=iso(shop_writer.ago(hours=3)))
    assert [(row["key"], row["qty"]) for row in hours_3["rows"]] == [("saw", "40")]


def ageless(rows):
    """Without the ages, which go on while a test runs."""
    return [{name: value for name, value in row.items() if not name.endswith("_s")} for row in rows]


def test_one_item_is_answered_with_all_it_is_made_of(hub_app, shop_writer):
    found = get(hub_app, "/api/v1/items/WO-1")
    assert set(found) >= {"item", "product", "order", "parcels", "visits", "accounts", "findings", "events"}
    assert (found["item"], found["product"], found["order"], found["due"]) == ("WO-1", "bracket", "WO-1", "2026-12-01")
    assert found["accounts"] == {"ordered": "-40", "here@10": "25", "here@20": "15"}
    assert [(each["stage"], each["state"], each["qty"], each["operation"]) for each in found["parcels"]] == [
        ("deburr", "here", "15", 20),
        ("saw", "here", "25", 10),
    ]
    assert [(each["state"], each["qty"], each["went_to_stage"]) for each in found["visits"]] == [
        ("here", "15", "deburr"),
        ("released", "40", "saw"),
    ]
    assert [(each["verb"], each["stage"], each["by"]) for each in found["events"]] == [
        ("", "deburr", None),
        ("", "saw", "K7"),
        ("order.release", None, "Kim"),
    ]
    assert base64.b64decode(found["events"][0]["raw"]) == b"WO-1"
    assert found["older"] is None
    assert get(hub_app, "/api/v1/items/WO-9", 404)["error"]["came"] == "the item 'WO-9'"


@pytest.mark.parametrize("name", ["WO/1", "/lead//ing/", "a?b#c%2Fd", "ü\u202e", "x" * 4_000])
def test_any_text_is_one_segment_of_an_address(hub_app, shop_writer, name):
    from urllib.parse import quote

    shop_writer.release(name)
    shop_writer.settle()
    assert get(hub_app, f"/api/v1/items/{quote(name, safe='')}")["item"] == name


def test_more_events_than_one_page_holds_are_behind_a_link(hub_app, shop_writer):
    for n in range(260):
        shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=1) + n * 1_000_000, repeat=True)
    shop_writer.settle()
    first = get(hub_app, "/api/v1/items/WO-1")
    assert len(first["events"]) == 200
    second = hub_app.anonymous().get(first["older"]).json
    assert [each["pos"] for each in first["events"] + second["events"]] == sorted(
        {each["pos"] for each in first["events"] + second["events"]}, reverse=True
    )
    assert len(second["events"]) == 63


def test_orders_are_read_piece_by_piece(hub_app, shop_writer):
    for n in range(3, 8):
        shop_writer.release(f"WO-{n}")
    shop_writer.settle()
    names, cursor = [], ""
    while cursor is not None:
        found = get(hub_app, "/api/v1/orders", limit="3", cursor=cursor)
        names += [each["order"] for each in found["orders"]]
        cursor = found["cursor"]
    assert names == [f"WO-{n}" for n in range(1, 8)]
    first = get(hub_app, "/api/v1/orders")["orders"][0]
    assert (first["ordered"], first["finished"], first["customer"], first["status"]) == ("40", "0", "Halvorsen", "open")
    assert first["where"] == [
        {"stage": "deburr", "state": "here", "qty": "15"},
        {"stage": "saw", "state": "here", "qty": "25"},
    ]
    assert get(hub_app, "/api/v1/orders", status="closed")["orders"] == []
    assert get(hub_app, "/api/v1/orders", 400, status="lost")["error"]["came"] == "status 'lost'"
    assert get(hub_app, "/api/v1/orders", 400, limit="1001")["error"]["expected"] == "1 to 1000"


def order_of(hub_app, name):
    (row,) = [row for row in get(hub_app, "/api/v1/orders")["orders"] if row["order"] == name]
    where = [(place["stage"], place["state"], place["qty"]) for place in row["where"]]
    return row["finished"], where


def not_started(hub_app, **query):
    totals = get(hub_app, "/api/v1/wip", **query)["not_started"]
    return {total["unit"]: (total["items"], total["qty"]) for total in totals}.get("pcs")


def test_an_order_of_serials_counts_each_piece_once(hub_app, shop_writer):
    shop_writer.release("WO-9", qty=3, items=["SN-1", "SN-2", "SN-3"])
    shop_writer.settle()
    assert order_of(hub_app, "WO-9") == ("0", [(None, "released", "3")])
    before = iso(shop_writer.ago(hours=3))
    for hours, stage in ((2, "saw"), (1, "pack")):
        shop_writer.scan("SN-1", stage, shop_writer.ago(hours=hours))
    shop_writer.scan("SN-2", "deburr", shop_writer.ago(hours=1))
    shop_writer.settle()
    assert order_of(hub_app, "WO-9") == ("1", [("deburr", "here", "1"), (None, "released", "1")])
    assert not_started(hub_app) == (1, "1")
    assert not_started(hub_app, as_of=before) == (1, "3")
    assert not_started(hub_app, as_of=iso(shop_writer.ago(hours=1.5))) == (1, "2")
    for stage in ("deburr", "pack"):
        for name in ("SN-2", "SN-3"):
            shop_writer.scan(name, stage, shop_writer.now_us - 1)
    shop_writer.settle()
    assert order_of(hub_app, "WO-9") == ("3", [])
    assert not_started(hub_app) is None


def test_an_order_of_lots_counts_what_its_lots_have_and_knows_no_more(hub_app, shop_writer):
    shop_writer.release("WO-9", qty=100, items=["L-1", "L-2"])
    shop_writer.scan("L-1", "saw", shop_writer.ago(hours=2), qty_milli=60_000)
    shop_writer.settle()
    assert order_of(hub_app, "WO-9") == ("0", [("saw", "here", "60"), (None, "released", "40")])
    shop_writer.scan("L-2", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    assert order_of(hub_app, "WO-9") == ("0", [("saw", "here", None), (None, "released", None)])


def test_stages_are_answered_in_the_order_of_the_line(hub_app, shop_writer):
    found = get(hub_app, "/api/v1/stages")["stages"]
    assert [(each["stage"], each["items"]) for each in found] == [("saw", 1), ("deburr", 1), ("test", 0), ("pack", 0)]


def test_every_answer_is_as_the_description_says(hub_app, shop_writer):
    described = get(hub_app, "/openapi.json")
    for path, query in (
        ("/api/v1/wip", {"by": "item"}),
        ("/api/v1/items/WO-1", {}),
        ("/api/v1/orders", {}),
        ("/api/v1/stages", {}),
    ):
        name = path.replace("WO-1", "{item}")
        answer = described["paths"][name]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = {**answer, "components": described["components"]}
        assert list(Draft202012Validator(schema).iter_errors(get(hub_app, path, **query))) == []


def test_work_in_process_comes_in_pages_with_totals_of_all(hub_app, shop_writer):
    for name in ("WO-1", "WO-2", "WO-3"):
        shop_writer.release(name, qty=10)
        shop_writer.scan(name, "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    first = get(hub_app, "/api/v1/wip", by="item", limit="2")
    rest = get(hub_app, "/api/v1/wip", by="item", limit="2", cursor=first["cursor"])
    assert [row["key"] for row in (*first["rows"], *rest["rows"])] == ["WO-1", "WO-2", "WO-3"]
    assert rest["cursor"] is None
    assert first["totals"] == rest["totals"]
    assert sum(total["items"] for total in first["totals"]) == 3
    assert get(hub_app, "/api/v1/wip", 400, cursor="x")["error"]["came"] == "cursor 'x'"


def test_a_page_of_work_in_process_begins_behind_the_last_row_whatever_comes_and_goes(hub_app, shop_writer):
    shop_writer.release_all([(f"C-{n}", "bracket", 10, {}) for n in range(6)])
    for number in range(6):
        shop_writer.scan(f"C-{number}", "deburr", shop_writer.ago(hours=3))
    shop_writer.settle()
    first = get(hub_app, "/api/v1/wip", by="item", limit="3")
    for gone in ("C-0", "C-2"):  # C-2 is the row of the cursor
        shop_writer.scan(gone, "pack", shop_writer.ago(hours=1))
    shop_writer.scan("A-0", "saw", shop_writer.ago(hours=1), qty_milli=1_000)
    shop_writer.settle()
    rest = get(hub_app, "/api/v1/wip", by="item", limit="3", cursor=first["cursor"])
    assert [row["key"] for row in first["rows"]] == ["C-0", "C-1", "C-2"]
    assert [row["key"] for row in rest["rows"]] == ["C-3", "C-4", "C-5"]
    assert rest["cursor"] is not None


def test_a_cursor_of_other_rows_and_the_number_of_a_row_are_refused(hub_app, shop_writer):
    number = get(hub_app, "/api/v1/wip", 400, cursor="3")["error"]
    reason = "the number of a row is none, because rows come and go"
    assert (number["came"], number["expected"]) == ("cursor '3'", f"the `cursor` of an answer; {reason}")
    shop_writer.release("WO-4", qty=5)
    shop_writer.scan("WO-4", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    of_items = get(hub_app, "/api/v1/wip", by="item", limit="1")["cursor"]
    refused = get(hub_app, "/api/v1/wip", 400, by="stage", cursor=of_items)["error"]
    assert refused["came"].endswith(" of rows by 'item'")
    assert refused["expected"] == "the `cursor` of an answer by stage"
    for cursor in ("3" * 4, "W10", "bnVsbA", "\u00e9", "=" * 9):
        assert get(hub_app, "/api/v1/wip", 400, cursor=cursor)["error"]["came"] == f"cursor {cursor!r}"
