"""Tags on the hub: the end of a presence moves nothing and counts as no scan; what is printed on a card finds its tag."""

import re
from datetime import datetime

import msgspec
import pytest
from sqlalchemy import event as engine_event
from sqlalchemy import select

from server.api.event_feed import ledger_events
from server.locale_format import NBSP
from server.projection.internal_tables import tag_number
from server.projection.rebuild import compare, rebuild
from server.projection.tag_numbers import numbers_in
from server.queries.current_master_data import master_data
from server.queries.item_events import MOST as MOST_EVENTS
from server.queries.search import MOST, MOST_TAGS, find, people
from station.core.event import Event, LogPosition, Reader
from station.system import clock

UID, OTHER = "3C00CE754C", "04A1B2C3D4E5F6"
READER = Reader("serial_rfid", "usb-1")


def arrives(shop_writer, uid=UID, stage="saw", minutes=60, **fields):
    return shop_writer.scan(uid, stage, shop_writer.ago(minutes=minutes), scheme="uid", reader=READER, **fields)


def leaves(shop_writer, arrival, uid=UID, stage="saw", minutes=30, seen=212, **fields):
    fields = {"rssi_dbm": -41, "ref": LogPosition(*arrival), **fields}
    return shop_writer.scan(
        uid, stage, shop_writer.ago(minutes=minutes), scheme="uid", reader=READER, seen=seen, **fields
    )


def words(page):
    text = re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)).replace(NBSP, " ").replace("&#39;", "'")
    return re.sub(r"\s+", " ", text).strip()


def rows_of(page):
    """The rows of the table of events, as words."""
    table = re.search(r"<table class=\"events\">.*?<tbody>(.*?)</tbody>", page.get_data(as_text=True), re.DOTALL)[1]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).replace(NBSP, " ").strip() for row in rows]


def everything_else(hub_app):
    """All that a supervisor sees beside the item's own page."""
    browser = hub_app.anonymous()
    found = {}
    for page in ("/", "/orders", "/rules", "/stages/saw", "/wall", "/api/v1/wip", "/api/v1/stages", "/api/v1/orders"):
        text = browser.get(page).get_data(as_text=True)
        # Without what only says how late it is and how far the ledger goes, and the keys of forms.
        text = re.sub(r'name="(csrf_token|once)" value="[^"]*"|data-pos="\d+"', "", text)
        found[page] = re.sub(r'[0-9T:.-]+Z|"(pos|known|\w+_s)":\d+|\d+ (s|min)\b|\d\d:\d\d:\d\d', "", text)
    return found


def test_the_end_of_a_presence_is_told_of_its_arrival(hub_app, shop_writer):
    shop_writer.small_shop()
    leaves(shop_writer, arrives(shop_writer, minutes=60), minutes=30)
    shop_writer.settle()
    page = hub_app.anonymous().get(f"/items/{UID}")
    until = shop_writer.ago(minutes=30)
    (row,) = rows_of(page)
    assert re.search(r"scan seen 212 times, until (\d\d \w+ )?\d\d:\d\d , best -41 dBm", row), row
    (event,) = msgspec.json.decode(hub_app.anonymous().get(f"/api/v1/items/{UID}").data)["events"]
    assert (event["seen"], event["rssi_dbm"], event["ends"]) == (212, -41, False)
    assert abs(_us(event["until"]) - until) < 2_000_000


def _us(text):
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def test_one_sighting_without_signal_is_said_so(hub_app, shop_writer):
    leaves(shop_writer, arrives(shop_writer), seen=1, rssi_dbm=None)
    shop_writer.settle()
    (row,) = rows_of(hub_app.anonymous().get(f"/items/{UID}"))
    assert re.search(r"seen once, until (\d\d \w+ )?\d\d:\d\d ", row)
    assert "dBm" not in row


def test_an_end_whose_arrival_is_not_here_stands_alone_and_is_nothing_to_put_right(hub_app, shop_writer):
    arrival = arrives(shop_writer)
    leaves(shop_writer, arrival)
    shop_writer.settle()
    shop_writer.say("void", log=arrival[0], seq=arrival[1], why="wrong tag")
    shop_writer.settle()
    page = hub_app.person("supervise").get(f"/items/{UID}")
    (row,) = rows_of(page)
    assert "tag taken away seen 212 times" in row
    options = re.findall(r"<option value=\"[0-9a-f]{32}:\d+\"", page.get_data(as_text=True))
    assert options == []
    (event,) = msgspec.json.decode(hub_app.anonymous().get(f"/api/v1/items/{UID}").data)["events"]
    assert event["ends"] is True


def _timeless(answer):
    return {**answer, "events": [], "pos": 0, "known": 0, "as_of": ""}


def test_nothing_but_the_items_page_changes_when_a_tag_leaves(hub_app, shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.say("code.bind", 0, code=UID, as_="item", to="WO-1")
    arrivals = [arrives(shop_writer, minutes=90), arrives(shop_writer, OTHER, minutes=80)]
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(minutes=70))
    shop_writer.settle()
    before = everything_else(hub_app)
    item = msgspec.json.decode(hub_app.anonymous().get("/api/v1/items/WO-1").data)
    leaves(shop_writer, arrivals[0], minutes=10)  # when it is elsewhere already
    leaves(shop_writer, arrivals[1], OTHER, minutes=5)
    shop_writer.settle()
    assert everything_else(hub_app) == before
    after = msgspec.json.decode(hub_app.anonymous().get("/api/v1/items/WO-1").data)
    assert _timeless(after) == _timeless(item)
    assert [each["seen"] for each in after["events"] if each["stage"] == "saw"] == [212]


def test_pages_of_events_lose_none_where_ends_are_told_of_their_arrivals(hub_app, shop_writer):
    for minute in range(MOST_EVENTS // 2 + 5):
        leaves(shop_writer, arrives(shop_writer, minutes=1000 - 2 * minute), minutes=999 - 2 * minute, seen=minute + 1)
    shop_writer.settle()
    first = msgspec.json.decode(hub_app.anonymous().get(f"/api/v1/items/{UID}").data)
    assert (len(first["events"]), first["older"] is not None) == (MOST_EVENTS // 2, True)
    rest = msgspec.json.decode(hub_app.anonymous().get(first["older"]).data)
    assert rest["older"] is None
    seen = [each["seen"] for each in first["events"] + rest["events"]]
    assert seen == list(range(MOST_EVENTS // 2 + 5, 0, -1))


def test_an_open_page_hears_of_an_end_and_not_of_a_scan(hub_app, shop_writer):
    arrival = arrives(shop_writer)
    shop_writer.settle()
    leaves(shop_writer, arrival)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        lines = b"".join(ledger_events(connection, 1, 0, 10**6))
    kinds = [msgspec.json.decode(line[6:])["kind"] for line in lines.splitlines() if line.startswith(b"data: ")]
    assert kinds == ["anchor", "scan", "seen"]


def test_a_pattern_that_is_defined_later_reads_the_number_of_a_tag_scanned_before(shop_writer):
    arrives(shop_writer, "E28000000000000000001042")
    shop_writer.settle()
    assert found(shop_writer, "T1042") == []
    shop_writer.say("pattern.define", 0, name="trays", regex="E28(?P<id>0+1042)", as_="item")
    shop_writer.settle()
    assert found(shop_writer, "000000000000000001042") == ["000000000000000001042"]


# -- what is printed finds it


PRINTED = [
    "3C00CE754C",
    "3c:00:ce:75:4c",
    "3C00CE754CCB",
    "4C75CE003C",
    "0013530444",
    "13530444",
    "206,30028",
    " 206/30028 ",
]


def found(shop_writer, text):
    with shop_writer.store.read() as connection:
        return find(connection, master_data(connection), text, clock.utc_us())


@pytest.mark.parametrize("typed", PRINTED)
def test_what_is_printed_on_a_tag_finds_its_item(hub_app, shop_writer, typed):
    shop_writer.small_shop()
    arrives(shop_writer)
    arrives(shop_writer, OTHER)
    shop_writer.settle()
    assert found(shop_writer, typed) == [UID]
    answer = hub_app.anonymous().get("/find", query_string={"q": typed})
    assert (answer.status_code, answer.location) == (302, f"/items/{UID}")


@pytest.mark.parametrize("typed", PRINTED)
def test_what_is_printed_on_a_tag_finds_what_it_is_bound_to(shop_writer, typed):
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.say("code.bind", 0, code=UID, as_="item", to="WO-1")  # never read yet
    shop_writer.settle()
    assert found(shop_writer, typed) == ["WO-1"]


@pytest.mark.parametrize("typed", ["0013530445", "206,30029", "4C75CE", "3C00CE754D", "300,1"])
def test_another_print_finds_nothing(shop_writer, typed):
    arrives(shop_writer)
    shop_writer.settle()
    assert found(shop_writer, typed) == []


def test_an_items_own_name_goes_before_a_tag_that_prints_the_same(shop_writer):
    arrives(shop_writer)
    shop_writer.scan("0013530444", "saw", shop_writer.ago(minutes=3))
    shop_writer.settle()
    assert found(shop_writer, "0013530444") == ["0013530444"]


def test_tags_that_print_the_same_are_all_named_and_not_more_than_are_shown(shop_writer):
    for number in range(MOST_TAGS + 10):
        arrives(shop_writer, f"{number:04X}CE754C", minutes=200 - number)
    shop_writer.settle()
    several = found(shop_writer, "0013530444")
    assert len(several) == MOST
    assert all(each.endswith("CE754C") for each in several)


@pytest.mark.parametrize("typed", PRINTED)
def test_what_is_printed_on_a_badge_finds_its_person(hub_app, shop_writer, typed):
    shop_writer.small_shop()
    shop_writer.say("pattern.define", 0, name="badges", regex="3C00[0-9A-F]{6}", as_="badge")
    shop_writer.say("person.define", 0, person="lee", name="B. Lee", badge=UID)
    shop_writer.scan(UID, "saw", shop_writer.ago(minutes=9), scheme="badge", reader=READER)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        assert people(master_data(connection), typed, clock.utc_us()) == ["lee"]
    answer = hub_app.anonymous().get("/find", query_string={"q": typed})
    assert answer.status_code == 200
    assert "The badge of B. Lee ." in words(answer)
    assert "Nothing found" not in words(answer)


def test_a_badge_as_it_is_typed_finds_its_person_and_another_finds_nobody(shop_writer):
    shop_writer.small_shop()
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        known = master_data(connection)
        assert [people(known, text, clock.utc_us()) for text in ("K7", " K7 ", "K8", "", "0013530444")] == [
            ["kim"], ["kim"], [], [], [],
        ]  # fmt: skip


def test_a_search_looks_a_tag_up_and_does_not_look_at_every_tag(shop_writer):
    for number in range(300):
        arrives(shop_writer, f"3C{number:08X}", minutes=300 - number)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        asked = []

        def heard(_connection, _cursor, statement, parameters, *_more):
            asked.append((statement, parameters))

        engine_event.listen(connection.engine, "before_cursor_execute", heard)
        try:
            assert find(connection, master_data(connection), "0000000007", clock.utc_us()) == ["3C00000007"]
        finally:
            engine_event.remove(connection.engine, "before_cursor_execute", heard)
        of_tags = [each for each in asked if "tag_number" in each[0]]
        assert (len(of_tags), len(asked) < 20) == (1, True)
        statement, parameters = of_tags[0]
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert [row for row in plan if "SCAN" in str(row)] == []


@pytest.mark.parametrize(
    ("event", "numbers"),
    [
        (Event(kind="scan", station="s", sw="t", scheme="uid"), [UID]),
        (Event(kind="scan", station="s", sw="t", scheme="badge", reader=READER), [UID]),
        (Event(kind="scan", station="s", sw="t", scheme="text"), []),  # a label that happens to be hex
        (Event(kind="scan", station="s", sw="t", scheme="uid", seen=3), []),  # its arrival was noted
        (Event(kind="entry", station="s", sw="t", what="code.bind", data={"code": UID}), [UID]),
        (Event(kind="entry", station="s", sw="t", what="code.bind", data={"code": ["x"]}), []),
        (Event(kind="entry", station="s", sw="t", what="code.bind", data={"code": "3C00"}), []),
        (Event(kind="entry", station="s", sw="t", what="note", data={"code": UID}), []),
    ],
)
def test_an_event_names_the_tag_that_it_read_or_bound(event, numbers):
    assert numbers_in(event, UID) == numbers


def test_the_numbers_are_the_same_when_the_projection_is_made_anew(shop_writer, rows):
    shop_writer.small_shop()
    arrival = arrives(shop_writer)
    arrives(shop_writer, OTHER, stage="deburr")
    leaves(shop_writer, arrival)
    shop_writer.say("code.bind", 0, code="0102030405", as_="item", to="WO-1")
    shop_writer.settle()
    shop_writer.say("void", log=arrival[0], seq=arrival[1], why="wrong tag")
    shop_writer.settle()
    assert compare(shop_writer.store) == []
    noted = sorted(tuple(row) for row in rows(select(tag_number)))
    assert noted == [("0102030405", "030405"), (OTHER, "D4E5F6"), (UID, "CE754C")]
    rebuild(shop_writer.store)
    assert sorted(tuple(row) for row in rows(select(tag_number))) == noted
