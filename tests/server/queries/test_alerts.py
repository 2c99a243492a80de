"""What needs somebody: each condition one sentence with subject, fact and target, the most costly first."""

from datetime import UTC, datetime, timedelta

import pytest

from server.locale_format import NBSP, LocaleFormat
from server.queries.alerts import Alert, LinkedWord, ranked, without_repeats
from server.queries.board_state import board_state_now, current_alerts
from server.queries.station_alerts import of_stations

NOON_US = 1_790_000_000_000_000


def said(shop_writer):
    """(sentence, who, grave) of everything on the board."""
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        found = current_alerts(connection, board_state_now(connection, LocaleFormat(), shop_writer.now_us)).alerts
    return [(each.sentence.replace(NBSP, " "), each.detail.replace(NBSP, " "), each.grave) for each in found]


def day(shop_writer, days):
    return (datetime.fromtimestamp(shop_writer.now_us / 1e6, UTC).date() + timedelta(days=days)).isoformat()


def test_a_quiet_shop_needs_nobody(shop_writer):
    shop_writer.small_shop(saw={"limit": 5, "target_s": 86_400})
    shop_writer.release("WO-1", due=day(shop_writer, 3))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1))
    assert said(shop_writer) == []


def test_waiting_past_a_target_says_who_where_how_long_and_what_it_costs(shop_writer):
    shop_writer.small_shop(saw={"target_s": 86_400})
    shop_writer.release("WO-1042", due=day(shop_writer, 1))
    shop_writer.scan("WO-1042", "saw", shop_writer.ago(days=3, hours=4, minutes=1))
    assert said(shop_writer) == [("WO-1042 has waited at Saw for 3 d 4 h, target 1 d", "€ 80 · due tomorrow", True)]


def test_a_full_stage_and_one_over_its_limit(shop_writer):
    shop_writer.small_shop(saw={"limit": 2}, deburr={"limit": 1})
    for n in range(2):
        shop_writer.release(f"WO-{n}", qty=10)
        shop_writer.scan(f"WO-{n}", "saw", shop_writer.ago(hours=1))
    for n in range(2, 4):
        shop_writer.release(f"WO-{n}", qty=1)
        shop_writer.scan(f"WO-{n}", "deburr", shop_writer.ago(hours=1))
    assert said(shop_writer) == [
        ("Deburr is over its limit: 2 of 1", "2 more on the way to it", True),
        ("Saw is full: 2 of 2", "€ 40", False),
    ]


def test_a_late_order_is_told_once_with_all_that_is_to_be_said_of_it(shop_writer):
    shop_writer.small_shop(saw={"target_s": 3600})
    shop_writer.release("WO-1", qty=10, due=day(shop_writer, -2), customer="Halvorsen Lifts")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=3, minutes=1))
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        (one,) = current_alerts(connection, board_state_now(connection, LocaleFormat(), shop_writer.now_us)).alerts
    assert one.sentence == "WO-1 was due 2 d ago and is at Saw"
    assert one.detail.replace(NBSP, " ") == "Halvorsen Lifts · 10 pcs · € 20"
    assert [each.replace(NBSP, " ") for each in one.also] == ["has waited at Saw for 3 h 1 min, target 1 h"]


def test_what_is_held_too_long_says_why(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=5))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=2, hours=3), action="hold", reason="burr")
    assert said(shop_writer) == [("WO-1 has been on hold at Saw for 2 d 3 h: Burr left", "€ 20", False)]


def test_an_order_that_is_late_and_not_started_says_so(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10, due=day(shop_writer, -1))
    assert said(shop_writer) == [("WO-1 was due yesterday and is not started", "10 pcs", True)]


def test_a_finding_of_a_rule_that_is_on_shows_today_and_with_its_station(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-7")
    shop_writer.say("rule.define", 0, rule="skipped", on=True)
    shop_writer.scan("WO-7", "test", shop_writer.now_us - 1_000_000, "test-1")
    clock = datetime.fromtimestamp((shop_writer.now_us - 1_000_000) / 1e6, UTC).strftime("%H:%M")
    assert said(shop_writer) == [
        ("WO-7 came to Test without Saw and Deburr", f"€ 120 charged without a scan · test-1 · {clock}", False)
    ]
    shop_writer.say("rule.define", 0, rule="skipped", on=False)
    assert said(shop_writer) == []


def row(**changes):
    beat = {"seen_us": NOON_US, "waiting": 0, "oldest_waiting_s": None, "clock": "synced", "tip_seq": 5}
    log = {"log": "ab", "accepted_thru": 1204, "forks": 0, "gaps": [], "seen_us": NOON_US}
    return {
        "station": "weld-2",
        "revoked_us": None,
        "clone_us": changes.get("clone_us"),
        "heartbeat": {**beat, **changes.get("beat", {})},
        "logs": [{**log, **changes.get("log", {})}],
    }


@pytest.mark.parametrize(
    ("changes", "sentence", "who", "grave"),
    [
        (
            {"beat": {"log": "l-1", "tip_seq": 1_264, "waiting": 0}, "log": {"log": "l-1"}},
            "Station weld-2 has recorded 60 events that are missing here",
            "this hub was restored from an older state; the station sends them when it is connected",
            True,
        ),
        (
            {"beat": {"aside": 12}},
            "Station weld-2 keeps 12 events of an earlier log that are not known to be here",
            "leave it connected: it sends what is missing",
            True,
        ),
        (
            {"beat": {"seen_us": NOON_US - 18 * 60_000_000}, "log": {"seen_us": NOON_US - 20 * 60_000_000}},
            "Station weld-2 has been silent for 18 min",
            "its 1,204 events up to then are safe here",
            False,
        ),
        (
            {"beat": {"waiting": 212, "oldest_waiting_s": 7200}},
            "Station weld-2 holds 212 scans back, the oldest for 2 h",
            "these pages do not include them yet",
            False,
        ),
        (
            {"log": {"gaps": [{"from_seq": 12, "to_seq": 14}]}},
            "Station weld-2 has a gap: scans 12 to 14 are missing here",
            "check its journal before anything is pruned",
            True,
        ),
        (
            {"log": {"gaps": [{"from_seq": 12, "to_seq": 12}]}},
            "Station weld-2 has a gap: scan 12 is missing here",
            "check its journal before anything is pruned",
            True,
        ),
        (
            {"log": {"forks": 3}},
            "Station weld-2 wrote 3 numbers twice: it was restored or copied",
            "both are kept; weld-2 continues in a new log",
            True,
        ),
        (
            {"clone_us": NOON_US - 5_000_000},
            "Station weld-2 sent under another station's log",
            "a copied memory card? give it its own token",
            True,
        ),
    ],
)
def test_each_trouble_of_a_station_is_one_sentence(changes, sentence, who, grave):
    (found,) = of_stations([row(**changes)], NOON_US)
    assert (found.sentence.replace(NBSP, " "), found.detail, found.grave) == (sentence, who, grave)


def test_a_station_that_is_well_or_revoked_needs_nobody():
    assert of_stations([row()], NOON_US) == []
    assert of_stations([{**row(log={"forks": 3}), "revoked_us": 5}], NOON_US) == []


def test_estimated_times_are_said_of_the_station_that_had_none():
    (found,) = of_stations([row()], NOON_US, {"weld-2": 3})
    assert found.sentence == "Station weld-2 had no time source when it scanned 3 items"


def test_what_costs_already_comes_first_then_the_most_costly():
    cheap, dear, grave = (
        Alert("late", name, (LinkedWord("item", name, name), " is late"), "", grave=name == "c", cost=cost)
        for name, cost in (("a", 1), ("b", 9), ("c", 0))
    )
    assert [each.key for each in ranked([cheap, dear, grave])] == ["c", "b", "a"]
    again = dear._replace(kind="waited", words=(LinkedWord("item", "b", "b"), " waits"))
    assert without_repeats([dear, again]) == [dear._replace(also=("waits",))]


def test_without_any_cost_the_latest_order_comes_first(shop_writer):
    shop_writer.say("stage.define", 0, stage="saw", name="Saw")
    for order, late in (("WO-1", 2), ("WO-2", 9), ("WO-3", 5)):
        shop_writer.release(order, product="unpriced", due=day(shop_writer, -late))
        shop_writer.scan(order, "saw", shop_writer.ago(hours=1))
    assert [sentence.split()[0] for sentence, _, _ in said(shop_writer)] == ["WO-2", "WO-3", "WO-1"]
