"""Stored scans and ends of presences as no station of ours writes them: nothing stumbles, moves or is lost."""

import base64
import json
from datetime import datetime

import msgspec
import pytest
from sqlalchemy import func, select
from told import Told

from server.api.stream import ledger_events
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
    told = Told(made)
    told.small_shop()
    told.release(UID)
    told.settle()
    made.close()
    return path


@pytest.fixture
def told(store):
    return Told(store)


def arrives(told, uid=UID, minutes=60, **fields):
    return told.scan(uid, "saw", told.ago(minutes=minutes), scheme="uid", reader=READER, **fields)


def writes(told, minutes=30, station="saw-1", **fields):
    """An event with these very fields, as a station with a mind of its own writes it; None: without the field."""
    log = told.log(station)
    event = {
        "v": 1, "kind": "scan", "station": station, "sw": "t", "boot": told.boot_of(station),
        "mono_ns": told.mono_ns(told.ago(minutes=minutes)), "raw": base64.b64encode(UID.encode()).decode(),
        "reader": {"kind": "serial_rfid", "id": "usb-1"}, "scheme": "uid", "stage": "saw", **fields,
    }  # fmt: skip
    plain = {name: value for name, value in event.items() if value is not None or name == "ref"}
    return log.log_id.hex(), log.add(json.dumps(plain).encode())


def looked_at(desk):
    """Every page, and the live events' kinds; no page stumbles, and nothing that was said is obeyed."""
    browser = desk.nobody()
    for path in PAGES:
        answer = browser.get(path)
        assert answer.status_code in (200, 302), path
        assert answer.mimetype == "application/json" or "<script>alert" not in answer.get_data(as_text=True)
    with desk.store.read() as connection:
        lines = b"".join(ledger_events(connection, 1, 0, 10**6)).splitlines()
    return [msgspec.json.decode(line[6:])["kind"] for line in lines if line.startswith(b"data: ")]


def item_of(desk, uid=UID):
    return msgspec.json.decode(desk.nobody().get(f"/api/v1/items/{uid}").data)


def where(desk):
    """What is known of the item, but for its events."""
    return {**item_of(desk), "events": []}


def is_kept(store):
    """Every row of the ledger was looked at, and folded anew it comes to the same."""
    with store.read() as connection:
        counts = [connection.execute(select(func.count()).select_from(each)).scalar() for each in (ledger, event_state)]
    assert counts[0] == counts[1]
    assert compare(store) == []


@pytest.mark.parametrize(
    ("since", "without"), [*((since, "") for since in SINCE), *((since, name) for since in (0, 5) for name in CLOCK)]
)
def test_a_stored_scan_may_say_anything_of_its_beginning(desk, told, since, without):
    arrives(told)
    writes(told, since_ns=since, **({without: None} if without else {}))
    arrives(told, AFTER, minutes=20)
    told.settle()
    looked_at(desk)
    is_kept(told.store)
    (after,) = item_of(desk, AFTER)["events"]
    assert abs(_us(after["at"]) - told.ago(minutes=20)) < 2_000_000  # the scan behind it has its own time


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
def test_an_end_of_a_presence_moves_nothing_whatever_it_says(desk, told, fields):
    arrival = arrives(told)
    arrives(told, AFTER, minutes=50)
    told.settle()
    before = where(desk)
    ref = {"log": arrival[0], "seq": arrival[1]}
    for _ in range(2):
        writes(told, **{"ref": ref, **fields})
    arrives(told, AFTER, minutes=10)
    told.settle()
    assert where(desk) == before
    assert len(item_of(desk, AFTER)["events"]) == 2
    kinds = looked_at(desk)
    assert len(kinds) - kinds.index("scan") == 5
    assert kinds[-1] == "scan"
    assert set(kinds[-3:-1]) == {"seen" if fields.get("kind", "scan") == "scan" else fields["kind"]}
    is_kept(told.store)


def seen_of(desk, uid=UID):
    """Of each event of the item, the newest first: how often it was seen, and whether it is an end that stands alone."""
    return [(each["seen"], each["ends"]) for each in item_of(desk, uid)["events"] if each["verb"] != "order.release"]


def leaves(told, arrival, minutes=30, seen=3, uid=UID, **fields):
    return told.scan(
        uid,
        "saw",
        told.ago(minutes=minutes),
        scheme="uid",
        reader=READER,
        seen=seen,
        ref=LogPosition(*arrival),
        **fields,
    )


def test_the_first_end_counts_and_a_second_one_stands_beside_it(desk, told):
    arrival = arrives(told)
    leaves(told, arrival, minutes=30, seen=5)
    leaves(told, arrival, minutes=20, seen=7)
    told.settle()
    assert seen_of(desk) == [(7, True), (5, False)]
    is_kept(told.store)


def test_no_station_ends_what_lies_on_anothers_reader(desk, told):
    leaves(told, arrives(told), seen=666, station="saw-2")
    told.settle()
    assert seen_of(desk) == [(666, True), (None, False)]


def test_an_end_in_front_of_its_arrival_stands_alone(desk, told):
    log = told.log("saw-1").log_id.hex()
    leaves(told, (log, 3), seen=5, minutes=60)
    arrives(told, minutes=30)
    told.settle()
    assert seen_of(desk) == [(None, False), (5, True)]


@pytest.mark.parametrize("ref", [2, 3, 9])
def test_an_end_of_itself_of_another_end_or_of_nothing_stands_alone(desk, told, ref):
    log = told.log("saw-1").log_id.hex()
    leaves(told, (log, 3), seen=5, minutes=60)
    leaves(told, (log, ref), seen=6, minutes=50)
    told.settle()
    assert seen_of(desk) == [(6, True), (5, True)]


def test_an_end_of_another_tag_is_told_of_neither(desk, told):
    leaves(told, arrives(told), seen=5, uid=AFTER)
    told.settle()
    assert (seen_of(desk), seen_of(desk, AFTER)) == ([(None, False)], [(5, True)])


def test_an_end_that_comes_days_later_and_out_of_order_is_told_of_its_arrival(desk, told):
    arrival = arrives(told, minutes=5 * 24 * 60)
    told.settle()
    leaves(told, arrival, minutes=1, seen=9)
    told.settle()
    assert seen_of(desk) == [(9, False)]
    is_kept(told.store)


WALLS = [None, 0, -1, 2**63 - 1, 946_684_800_000_000]  # a clock that nobody set, that was set back, or far ahead


@pytest.mark.parametrize("wall_us", WALLS)
@pytest.mark.parametrize("killed", [False, True])
def test_a_presence_is_one_check_in_though_the_clock_jumps_or_the_station_is_killed_in_it(
    desk, told, killed, wall_us
) -> None:
    arrives(told, minutes=70)
    arrival = arrives(told, minutes=60, action="scrap", wall_us=told.ago(minutes=60))
    told.settle()
    if killed:  # the end of the first presence is lost; the tag arrives again and is the repeat of itself
        arrival = arrives(told, minutes=50, action="scrap", repeat=True, wall_us=wall_us)
    leaves(told, arrival, minutes=40, wall_us=wall_us)
    told.settle()
    item = item_of(desk)
    assert item["accounts"] == {"ordered": "-40", "here@10": "39", "scrapped@10": "1"}
    assert item["findings"] == []
    assert seen_of(desk) == [(3, False), *([(None, False)] if killed else []), (None, False)]
    is_kept(told.store)
    rebuild(told.store)
    assert item_of(desk) == item
