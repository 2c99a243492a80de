"""Keys and estimates: true times lie in their intervals, and no order of arrival moves a key."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.core.ledger.times import (
    EARLIEST_US,
    LATEST_US,
    BootClock,
    BootRun,
    EventTime,
    Interval,
    LogParent,
    OrderKey,
    TimeAnchor,
    clocks,
    followers,
    log_keys,
    next_key,
    recorded_keys,
    runs,
)

HOUR_NS = 3_600 * 10**9
NOON_US = 1_700_000_000_000_000


def anchor(
    boot: str, mono_ns: int, utc_us: int, *, trip_ns: int = 2_000_000, log: str = "a", seq: int = 1
) -> TimeAnchor:
    return TimeAnchor(boot, mono_ns - trip_ns // 2, mono_ns + trip_ns // 2, utc_us, utc_us, log, seq)


def test_an_anchor_is_as_loose_as_half_its_round_trip() -> None:
    exchange = TimeAnchor("b", t1_ns=0, t4_ns=30_000_000, t2_us=NOON_US, t3_us=NOON_US + 10_000)
    assert (exchange.middle_ns, exchange.middle_us, exchange.error_us) == (15_000_000, NOON_US + 5_000, 10_000)


def test_an_estimate_loosens_by_50_us_a_second_away_from_its_anchor() -> None:
    clock = BootClock([anchor("b", 10**9, NOON_US)])
    at = clock.at(101 * 10**9)
    assert at == Interval(NOON_US + 100_000_000, NOON_US + 100_000_000 - 6_001, NOON_US + 100_000_000 + 6_001)


def test_the_last_anchor_before_an_event_counts_and_a_later_one_moves_nothing() -> None:
    first, second = anchor("b", HOUR_NS, NOON_US), anchor("b", 2 * HOUR_NS, NOON_US + 3_600_000_000 + 70, seq=9)
    alone, both = BootClock([first]), BootClock([second, first])
    between, behind = HOUR_NS + 10**9, 2 * HOUR_NS + 10**9
    assert both.at(between) == alone.at(between)
    assert both.at(behind) != alone.at(behind)
    assert both.at(behind) == BootClock([second]).at(behind)


def test_before_all_anchors_of_its_boot_the_first_one_counts() -> None:
    first, second = anchor("b", HOUR_NS, NOON_US), anchor("b", 2 * HOUR_NS, NOON_US, seq=9)
    assert BootClock([second, first]).at(10**9) == BootClock([first]).at(10**9)


def test_of_two_answers_at_once_the_tight_one_counts() -> None:
    tight = TimeAnchor("b", 9_000, 10_000, NOON_US, NOON_US, "b", 4)
    loose = TimeAnchor("b", 0, 10_000, NOON_US + 40, NOON_US + 40, "a", 4)
    assert BootClock([tight, loose]).at(20_000) == BootClock([tight]).at(20_000)


def test_an_anchor_serves_every_log_of_its_boot() -> None:
    stamps = [EventTime("a", 1, "b", 5 * 10**9), EventTime("z", 1, "b", 6 * 10**9)]
    keys = recorded_keys(stamps, [anchor("b", 5 * 10**9, NOON_US)], {})
    assert [keys[place].us for place in (("a", 1), ("z", 1))] == [NOON_US, NOON_US + 1_000_000]


def test_a_boot_without_anchor_ends_where_the_next_boot_of_its_log_begins() -> None:
    stamps = [
        EventTime("a", 1, "dark", 10 * 10**9),
        EventTime("a", 2, "dark", 40 * 10**9),
        EventTime("a", 3, "lit", 9 * 10**9),
    ]
    keys = recorded_keys(stamps, [anchor("lit", 9 * 10**9, NOON_US)], {})
    began_us = NOON_US - 9_000_000
    assert [keys["a", seq].us for seq in (1, 2, 3)] == [began_us - 30_000_000, began_us, NOON_US]
    assert [keys["a", seq].approx for seq in (1, 2, 3)] == [True, True, False]
    assert keys["a", 2].hi_us == began_us + 1_000 + 450 + 1


def test_dark_boots_hang_on_each_other_through_the_links_of_their_logs() -> None:
    stamps = [
        EventTime("old", 1, "one", 0), EventTime("old", 2, "one", 5 * 10**9),
        EventTime("new", 1, "two", 10**9), EventTime("new", 2, "two", 3 * 10**9), EventTime("new", 3, "lit", 0),
    ]  # fmt: skip
    lit = anchor("lit", 0, NOON_US, trip_ns=0)
    keys = recorded_keys(stamps, [lit], {"new": LogParent("old", 2)})
    offsets = [keys[place].us - NOON_US for place in (("old", 1), ("old", 2), ("new", 1), ("new", 2), ("new", 3))]
    assert offsets == [-8_000_000, -3_000_000, -2_000_000, 0, 0]
    assert recorded_keys(stamps, [lit], {})["old", 1] == OrderKey(0, EARLIEST_US, LATEST_US, approx=True)


def test_a_boot_that_nothing_places_stands_where_its_log_stood() -> None:
    stamps = [EventTime("a", 1, "lit", 10**9), EventTime("a", 2, "dark", 10**9), EventTime("a", 3, "dark", 2 * 10**9)]
    keys = recorded_keys(stamps, [anchor("lit", 10**9, NOON_US)], {})
    assert [keys["a", seq].us for seq in (1, 2, 3)] == [NOON_US] * 3
    assert keys["a", 3] == OrderKey(NOON_US, keys["a", 1].lo_us, LATEST_US, approx=True)


def test_a_key_never_falls_within_a_log() -> None:
    stamps = [
        EventTime("a", 1, "b", HOUR_NS),
        EventTime("a", 2, "b", 2 * HOUR_NS),
        EventTime("a", 3, "b", 2 * HOUR_NS + 1000),
    ]
    wrong, right = anchor("b", HOUR_NS, NOON_US), anchor("b", 2 * HOUR_NS + 500, NOON_US, trip_ns=0, seq=2)
    keys = recorded_keys(stamps, [wrong, right], {})
    assert keys["a", 2].us == keys["a", 3].us == NOON_US + 3_600_000_000
    assert keys["a", 3].lo_us < NOON_US + 1_000 < keys["a", 3].hi_us


def test_a_stored_scan_may_have_been_made_at_any_time_since_its_reader_was_heard() -> None:
    clock_of = {"b": BootClock([anchor("b", 0, NOON_US, trip_ns=0)])}
    stamps = [
        EventTime("a", 1, "b", 9_000_000),
        EventTime("a", 2, "b", 20_000_000, 4_000_000),
        EventTime("a", 3, "b", 21_000_000),
    ]
    keys = [key for _, key, _ in log_keys(stamps, clock_of)]
    assert [key.us - NOON_US for key in keys] == [9_000, 20_000, 21_000]
    assert keys[1].lo_us == next_key(OrderKey(), clock_of["b"].at(4_000_000)).lo_us
    assert keys[1].hi_us == next_key(OrderKey(), clock_of["b"].at(20_000_000)).hi_us
    assert keys[2].lo_us == next_key(OrderKey(), clock_of["b"].at(21_000_000)).lo_us
    never = [key for _, key, _ in log_keys([stamps[0], EventTime("a", 2, "b", 20_000_000, 0)], clock_of)][1]
    assert (never.us - NOON_US, never.lo_us) == (20_000, EARLIEST_US)
    later = next(key for _, key, _ in log_keys([EventTime("a", 1, "b", 9_000_000, 99_000_000)], clock_of))
    assert later == next_key(OrderKey(), clock_of["b"].at(9_000_000))  # a moment to come is none


def test_an_event_without_a_clock_takes_the_key_before_it() -> None:
    keys = recorded_keys([EventTime("a", 1, "b", 0), EventTime("a", 2)], [anchor("b", 0, NOON_US, trip_ns=0)], {})
    assert keys["a", 2] == OrderKey(NOON_US, NOON_US - 1, LATEST_US, approx=True)


def test_two_branches_of_a_fork_stand_beside_each_other() -> None:
    clock_of = {"b": BootClock([anchor("b", 0, NOON_US, trip_ns=0)])}
    stamps = [EventTime("a", 1, "b", 9_000_000), EventTime("a", 1, "b", 5_000_000), EventTime("a", 2, "b", 6_000_000)]
    assert [key.us - NOON_US for _, key, _ in log_keys(stamps, clock_of)] == [9_000, 5_000, 9_000]


def test_a_stored_scan_does_not_loosen_the_bound_of_what_is_recorded_behind_it() -> None:
    lit = BootClock([anchor("lit", 0, NOON_US, trip_ns=0)])
    stamps = [EventTime("a", 1, "lit", 0), EventTime("a", 2, "dark", 0, 0), EventTime("a", 3, "dark", 1)]
    keys = [key for _, key, _ in log_keys(stamps, {"lit": lit})]
    assert [key.lo_us for key in keys] == [NOON_US - 1, EARLIEST_US, NOON_US - 1]
    for cut in (1, 2):
        *_, (_, _, behind) = log_keys(stamps[:cut], {"lit": lit})
        assert [key for _, key, _ in log_keys(stamps[cut:], {"lit": lit}, behind)] == keys[cut:]


def test_boots_in_a_forged_ring_stay_without_time_for_everybody() -> None:
    ring = {"a": {"b"}, "b": {"a"}, "c": {"a"}}
    made = clocks({}, {"c": 5, "b": 5, "a": 5}, ring)
    assert [made[boot].at(0) for boot in "abc"] == [None, None, None]


def test_a_thousand_dark_boots_in_a_row_are_placed() -> None:
    stamps = [EventTime("a", n + 1, f"boot-{n}", 10**9) for n in range(1001)]
    keys = recorded_keys(stamps, [anchor("boot-1000", 10**9, NOON_US, trip_ns=0)], {})
    assert [keys["a", n].us - NOON_US for n in (1, 1000, 1001)] == [-1_000_000_000, -1_000_000, 0]


def test_runs_and_followers_are_read_from_the_log() -> None:
    one = tuple(
        runs([EventTime("a", 1, "x", 0), EventTime("a", 2), EventTime("a", 3, "x", 4), EventTime("a", 4, "y", 0)])
    )
    other = tuple(runs([EventTime("b", 1, "y", 9), EventTime("b", 2, "z", 0)]))
    assert one == (BootRun("a", 1, "x"), BootRun("a", 4, "y"))
    assert followers({"a": one, "b": other}, {"b": LogParent("a", 4)}) == {"x": {"y"}, "y": {"z"}}


@pytest.mark.parametrize("claimed", [0, 2**63 - 1])
def test_no_claimed_clock_leaves_the_calendar(claimed: int) -> None:
    stamps = [EventTime("a", 1, "b", claimed), EventTime("a", 2, "b", 0)]
    keys = recorded_keys(stamps, [TimeAnchor("b", 0, 2**63 - 1, 2**62, 2**62, "a", 1)], {})
    assert all(EARLIEST_US <= us <= LATEST_US for key in keys.values() for us in key[:3])


@dataclass
class Machine:
    """A station simulated with true time: its crystal is wrong by `ppm`, its hub is reached over a slow network."""

    chance: random.Random
    log: str
    ppm: float
    true_us: float = NOON_US
    boot: str = ""
    began_us: float = 0
    stamps: list[EventTime] = field(default_factory=list)
    truth: dict[tuple[str, int], float] = field(default_factory=dict)
    anchors: list[TimeAnchor] = field(default_factory=list)

    def start(self, number: int) -> None:
        self.true_us += self.chance.randint(1, 40_000) * 1_000_000
        self.boot, self.began_us = f"{self.log}-{number}", self.true_us

    def mono_ns(self) -> int:
        return int((self.true_us - self.began_us) * (1 + self.ppm / 1e6) * 1000)

    def scan(self) -> None:
        self.true_us += self.chance.randint(0, 3_000) * 1_000_000 + self.chance.random()
        since_us = self.true_us
        if self.chance.random() < 0.2:  # made without the station, and handed over now
            since_us = self.chance.uniform(self.began_us, self.true_us)
        since_ns = None if since_us == self.true_us else int((since_us - self.began_us) * (1 + self.ppm / 1e6) * 1000)
        self.stamps.append(EventTime(self.log, len(self.stamps) + 1, self.boot, self.mono_ns(), since_ns))
        self.truth[self.log, len(self.stamps)] = self.chance.uniform(since_us, self.true_us)

    def meet_hub(self) -> None:
        t1 = self.mono_ns()
        self.true_us += self.chance.randint(0, 2_000_000)
        t2 = int(self.true_us)
        self.true_us += self.chance.randint(0, 1_000)
        t3 = int(self.true_us)
        self.true_us += self.chance.randint(0, 2_000_000)
        t4 = self.mono_ns()
        self.scan()
        self.anchors.append(TimeAnchor(self.boot, t1, t4, t2, t3, self.log, len(self.stamps)))


def simulated(chance: random.Random) -> list[Machine]:
    machines = []
    for log in ("aa", "bb", "cc"):
        one = Machine(chance, log, chance.uniform(-49, 49))
        for number in range(chance.randint(1, 5)):
            one.start(number)
            for _ in range(chance.randint(1, 8)):
                one.meet_hub() if chance.random() < 0.25 else one.scan()
        machines.append(one)
    return machines


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_true_time_lies_in_the_interval(chance: random.Random) -> None:
    for one in simulated(chance):
        keys = recorded_keys(one.stamps, one.anchors, {})
        for place, true_us in one.truth.items():
            key = keys[place]
            assert key.lo_us - 1 <= true_us <= key.hi_us + 1, (place, key, true_us)
            assert key.lo_us <= key.us <= key.hi_us


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_the_order_of_arrival(chance: random.Random) -> None:
    machines = simulated(chance)
    stamps = [stamp for one in machines for stamp in one.stamps]
    anchors = [each for one in machines for each in one.anchors]
    parents = {"bb": LogParent("aa", len(machines[0].stamps)), "cc": LogParent("bb", 1)}
    keys = recorded_keys(stamps, anchors, parents)
    chance.shuffle(stamps)
    chance.shuffle(anchors)
    assert recorded_keys(stamps, anchors, dict(reversed(parents.items()))) == keys
    for one in machines:
        in_log = [keys[one.log, stamp.seq].us for stamp in one.stamps]
        assert in_log == sorted(in_log)
