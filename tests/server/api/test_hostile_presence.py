"""Stored scans and ends of presences as no station of ours writes them: nothing stumbles, moves or is lost."""

import base64
import json
from datetime import datetime

import msgspec
import pytest
from shop_writer import ShopWriter
from sqlalchemy import func, select

from server.api.event_feed import ledger_events
from server.db.schema import ledger
from server.db.store import Store
from server.ops.bootstrap import initialise
from server.projection.rebuild import compare, rebuild
from server.projection.tables import event_state
from station.core.event import LogPosition, Reader

UID, AFTER = "3C00CE754C", "04A1B2C3D4E5F6"
READER = Reader("serial_rfid", "usb-1")
PAGES = (
    f"/items/{UID}", f"/items/{AFTER}", "/", "/rules", "/stages/saw", f"/find?q={UID}", "/api/v1/wip",
)  # fmt: skip
COUNTS = [-1, 0, 1, 2**63 - 1, 2**63, 10**30, True, False, None, "5", 1.5, [], {}, "<script>\x00\u202e"]
SINCE = [*COUNTS, 9 * 86_400 * 10**9, 2**62, 253_402_300_799 * 10**9]
CLOCK = ("boot", "mono_ns")
SIGNALS = [-(2**63), -(2**63) - 1, 2**63 - 1, 2**63, "-41", 1.5, True, None, [], "<b>"]
REFS = [
    None, {}, [], "x", {"log": "x", "seq": 1}, {"log": "\x00\u202e", "seq": 1}, {"log": "a" * 9_999, "seq": 1}, {"seq": 1},
    {"log": 5, "seq": 1}, *({"log": "00" * 16, "seq": seq} for seq in (-1, 0, 1, 2**63 - 1, 2**63, "1", None, True)),
]  # fmt: skip
NOT_FOR_ENDS = [
    *({"action": verb} for verb in ("in", "out", "scrap", "hold", "void", "call", "bind", "unbind", "split", "\x00")),
    {"qty_milli": 5_000}, {"qty_milli": -5}, {"all": True}, {"repeat": True}, {"since_ns": 0}, {"since_ns": 2**62},
    {"carrier": AFTER, "action": "bind"}, {"stage": "deburr"}, {"stage": "<script>alert(1)</script>\x00\u202e"},
    {"unread": "<b>"}, {"operator": "K7"}, {"raw": None}, {"raw": ""}, {"reader": None}, {"boot": None}, {"mono_ns": None},
    {"mono_ns": 2**63 - 1}, {"mono_ns": 0}, {"kind": "anchor"}, {"kind": "open"}, {"kind": "entry", "what": "note"},
]  # fmt: skip


@pytest.fixture(scope="module")
def new_hub(tmp_path_factory):
    """The database of a hub with a shop in it, made once."""
    path = tmp_path_factory.mktemp("shop") / "hub.db"
    made = Store(path)
    initialise(made)
    shop_writer = ShopWriter(made)
    shop_writer.small_shop()
    shop_writer.release(UID)
    shop_writer.settle()
    made.close()
    return path


def arrives(shop_writer, uid=UID, minutes=60, **fields):
    return shop_writer.scan(uid, "saw", shop_writer.ago(minutes=minutes), scheme="uid", reader=READER, **fields)


def writes(shop_writer, minutes=30, station="saw-1", **fields):
    """An event with these very fields, as a station with a mind of its own writes it; None: without the field."""
    log = shop_writer.log(station)
    event = {
        "v": 1, "kind": "scan", "station": station, "sw": "t", "boot": shop_writer.boot_of(station),
        "mono_ns": shop_writer.mono_ns(shop_writer.ago(minutes=minutes)), "raw": base64.b64encode(UID.encode()).decode(),
        "reader": {"kind": "serial_rfid", "id": "usb-1"}, "scheme": "uid", "stage": "saw", **fields,
    }  # fmt: skip
    plain = {name: value for name, value in event.items() if value is not None or name == "ref"}
    return log.log_id.hex(), log.add(json.dumps(plain).encode())


def looked_at(hub_app):
    """Every page, and the live events' kinds; no page stumbles, and nothing that was said is obeyed."""
    browser = hub_app.anonymous()
    for path in PAGES:
        answer = browser.get(path)
        assert answer.status_code in (200, 302), path
        assert answer.mimetype == "application/json" or "<script>alert" not in answer.get_data(as_text=True)
    with hub_app.store.read() as connection:
        lines = b"".join(ledger_events(connection, 1, 0, 10**6)).splitlines()
    return [msgspec.json.decode(line[6:])["kind"] for line in lines if line.startswith(b"data: ")]


def item_of(hub_app, uid=UID):
    return msgspec.json.decode(hub_app.anonymous().get(f"/api/v1/items/{uid}").data)


def where(hub_app):
    """What is known of the item, but for its events its time and the position of the ledger."""
    return {**item_of(hub_app), "events": [], "pos": 0, "known": 0, "as_of": ""}


def is_kept(store):
    """Every row of the ledger was looked at, and folded anew it comes to the same."""
    with store.read() as connection:
        counts = [connection.execute(select(func.count()).select_from(each)).scalar() for each in (ledger, event_state)]
    assert counts[0] == counts[1]
    assert compare(store) == []


@pytest.mark.parametrize(
    ("since", "without"), [*((since, "") for since in SINCE), *((since, name) for since in (0, 5) for name in CLOCK)]
)
def test_a_stored_scan_may_say_anything_of_its_beginning(hub_app, shop_writer, since, without):
    arrives(shop_writer)
    writes(shop_writer, since_ns=since, **({without: None} if without else {}))
    arrives(shop_writer, AFTER, minutes=20)
    shop_writer.settle()
    looked_at(hub_app)
    is_kept(shop_writer.store)
    (after,) = item_of(hub_app, AFTER)["events"]
    assert abs(_us(after["at"]) - shop_writer.ago(minutes=20)) < 2_000_000  # the scan behind it has its own time


def _us(text):
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "fields",
    [
        *({"seen": count} for count in COUNTS if count is not None),
        *({"seen": 3, "rssi_dbm": signal} for signal in SIGNALS),
        *({"seen": 3, "ref": ref} for ref in REFS),
        *({"seen": 3, **fields} for fields in NOT_FOR_ENDS),
    ],
    ids=lambda fields: ascii(fields)[:60],
)
def test_an_end_of_a_presence_moves_nothing_whatever_it_says(hub_app, shop_writer, fields):
    arrival = arrives(shop_writer)
    arrives(shop_writer, AFTER, minutes=50)
    shop_writer.settle()
    before = where(hub_app)
    ref = {"log": arrival[0], "seq": arrival[1]}
    for _ in range(2):
        writes(shop_writer, **{"ref": ref, **fields})
    arrives(shop_writer, AFTER, minutes=10)
    shop_writer.settle()
    assert where(hub_app) == before
    assert len(item_of(hub_app, AFTER)["events"]) == 2
    kinds = looked_at(hub_app)
    assert len(kinds) - kinds.index("scan") == 5
    assert kinds[-1] == "scan"
    assert set(kinds[-3:-1]) == {"seen" if fields.get("kind", "scan") == "scan" else fields["kind"]}
    is_kept(shop_writer.store)


def seen_of(hub_app, uid=UID):
    """Of each event of the item, the newest first: how often it was seen, and whether it is an end that stands alone."""
    return [(each["seen"], each["ends"]) for each in item_of(hub_app, uid)["events"] if each["verb"] != "order.release"]


def leaves(shop_writer, arrival, minutes=30, seen=3, uid=UID, **fields):
    return shop_writer.scan(
        uid,
        "saw",
        shop_writer.ago(minutes=minutes),
        scheme="uid",
        reader=READER,
        seen=seen,
        ref=LogPosition(*arrival),
        **fields,
    )


def test_the_first_end_counts_and_a_second_one_stands_beside_it(hub_app, shop_writer):
    arrival = arrives(shop_writer)
    leaves(shop_writer, arrival, minutes=30, seen=5)
    leaves(shop_writer, arrival, minutes=20, seen=7)
    shop_writer.settle()
    assert seen_of(hub_app) == [(7, True), (5, False)]
    is_kept(shop_writer.store)


def test_no_station_ends_what_lies_on_anothers_reader(hub_app, shop_writer):
    leaves(shop_writer, arrives(shop_writer), seen=666, station="saw-2")
    shop_writer.settle()
    assert seen_of(hub_app) == [(666, True), (None, False)]


def test_an_end_in_front_of_its_arrival_stands_alone(hub_app, shop_writer):
    log = shop_writer.log("saw-1").log_id.hex()
    leaves(shop_writer, (log, 3), seen=5, minutes=60)
    arrives(shop_writer, minutes=30)
    shop_writer.settle()
    assert seen_of(hub_app) == [(None, False), (5, True)]


@pytest.mark.parametrize("ref", [2, 3, 9])
def test_an_end_of_itself_of_another_end_or_of_nothing_stands_alone(hub_app, shop_writer, ref):
    log = shop_writer.log("saw-1").log_id.hex()
    leaves(shop_writer, (log, 3), seen=5, minutes=60)
    leaves(shop_writer, (log, ref), seen=6, minutes=50)
    shop_writer.settle()
    assert seen_of(hub_app) == [(6, True), (5, True)]


def test_an_end_of_another_tag_is_told_of_neither(hub_app, shop_writer):
    leaves(shop_writer, arrives(shop_writer), seen=5, uid=AFTER)
    shop_writer.settle()
    assert (seen_of(hub_app), seen_of(hub_app, AFTER)) == ([(None, False)], [(5, True)])


def test_an_end_that_comes_days_later_and_out_of_order_is_told_of_its_arrival(hub_app, shop_writer):
    arrival = arrives(shop_writer, minutes=5 * 24 * 60)
    shop_writer.settle()
    leaves(shop_writer, arrival, minutes=1, seen=9)
    shop_writer.settle()
    assert seen_of(hub_app) == [(9, False)]
    is_kept(shop_writer.store)


WALLS = [None, 0, -1, 2**63 - 1, 946_684_800_000_000]  # a clock that nobody set, that was set back, or far ahead


@pytest.mark.parametrize("wall_us", WALLS)
@pytest.mark.parametrize("killed", [False, True])
def test_a_presence_is_one_check_in_though_the_clock_jumps_or_the_station_is_killed_in_it(
    hub_app, shop_writer, killed, wall_us
) -> None:
    arrives(shop_writer, minutes=70)
    arrival = arrives(shop_writer, minutes=60, action="scrap", wall_us=shop_writer.ago(minutes=60))
    shop_writer.settle()
    if killed:  # the end of the first presence is lost; the tag arrives again and is the repeat of itself
        arrival = arrives(shop_writer, minutes=50, action="scrap", repeat=True, wall_us=wall_us)
    leaves(shop_writer, arrival, minutes=40, wall_us=wall_us)
    shop_writer.settle()
    item = item_of(hub_app)
    assert item["accounts"] == {"ordered": "-40", "here@10": "39", "scrapped@10": "1"}
    assert item["findings"] == []
    assert seen_of(hub_app) == [(3, False), *([(None, False)] if killed else []), (None, False)]
    is_kept(shop_writer.store)
    rebuild(shop_writer.store)
    assert {**item_of(hub_app), "as_of": item["as_of"]} == item
