"""The demo's past: plausible, the same for a seed, and written as stations write."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from server.demo.days import DAYS, SHIFT_S, after_last_shift, at_us, logs, split
from server.demo.factory import Products, badges, past_orders, sample_factory
from server.demo.live import SLIP_EVERY, Operators
from server.demo.months import earlier_orders
from server.demo.simulated_shop import SimulatedShop
from server.demo.stock_count import COUNTED, CountableItem, walk
from server.importer import read_shop
from station.core.codes.command_cards import read_card
from station.core.event import decode, encode
from station.core.hash_chain import anchor_mac, boot_bytes
from station.core.ledger.fold import fold
from station.core.ledger.item_event import ItemEvent
from station.core.master_data import NAMED_BY, Definition, MasterData

NOW_US = 1_795_348_800_000_000
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = bytes(range(32))


def past(seed):
    factory = sample_factory()
    shop = read_shop(factory.sheets, now_us=NOW_US, zone=UTC)
    chance = random.Random(seed)
    orders = past_orders(shop.entries, Products(shop.entries), end_us=NOW_US, chance=chance)
    scans, rest = split(SimulatedShop(factory.stages, orders, seed=seed).scans(), DAYS * SHIFT_S)
    return factory, shop.entries, scans, rest


@pytest.fixture(scope="module")
def ten_days():
    return past(7)


def test_the_same_seed_gives_the_same_past(ten_days):
    assert past(7)[2] == ten_days[2]
    assert past(8)[2] != ten_days[2]


def test_the_floor_shows_queues_scrap_rework_holds_and_missed_scans(ten_days):
    factory, _, scans, _ = ten_days
    actions = Counter(scan.action for scan in scans)
    assert {"done", "scrap", "rework", "hold", "release", None} == set(actions)
    assert set(factory.stages) == {scan.stage for scan in scans}
    assert [scan.at_s for scan in scans] == sorted(scan.at_s for scan in scans)


@pytest.mark.parametrize("seed", range(1, 21))
def test_no_order_gains_or_loses_a_piece(seed):
    factory, entries, scans, _ = past(seed)
    master_data = MasterData(
        Definition(entry.what, 0, (0, "hub", seq), entry.data)
        for seq, entry in enumerate(entries)
        if entry.what in NAMED_BY
    )
    item_events = {
        entry.data["order"]: [
            ItemEvent(key_us=entry.holds_from_us, log="hub", seq=seq, verb=entry.what, data=entry.data)
        ]
        for seq, entry in enumerate(entries, 1)
        if entry.what == "order.release"
    }
    for seq, scan in enumerate(scans, 1):
        item_event = ItemEvent(
            key_us=at_us(scan.at_s, NOW_US),
            log="floor",
            seq=seq,
            verb=scan.action or "",
            stage=scan.stage,
            qty_milli=scan.qty_milli,
            reason=scan.reason,
            to=scan.to,
            station=factory.benches[scan.stage],
        )
        item_events[scan.order].append(item_event)
    findings = Counter()
    finished = 0
    for order, its_facts in item_events.items():
        step = fold(order, sorted(its_facts, key=lambda item_event: item_event.place), master_data)
        findings += Counter(finding.rule for finding in step.findings)
        ordered = its_facts[0].data["qty_milli"]
        assert step.state.outer == {"ordered": -ordered}, order
        assert sum(parcel.qty_milli for parcel in step.state.parcels) == ordered
        finished += all(parcel.state in ("finished", "scrapped") for parcel in step.state.parcels)
    print(
        f"seed {seed}: {len(scans)} scans, {finished} of {len(item_events)} orders finished, findings {dict(findings)}"
    )
    assert findings["skipped"] > 0
    assert 5 <= finished <= 35


def test_every_text_is_a_card_or_an_order(ten_days):
    _, entries, scans, _ = ten_days
    orders = {entry.data["order"] for entry in entries if entry.what == "order.release"}
    for scan in scans:
        *cards, sheet = scan.texts
        assert sheet in orders
        assert all(card.unread is None for card in map(read_card, cards)), scan.texts


def test_the_logs_are_whole_and_each_day_is_a_boot_with_a_sealed_anchor(ten_days):
    factory, entries, scans, _ = ten_days
    written = logs(scans, factory.benches, badges(entries), end_us=NOW_US, key=KEY, seed=7, readers=factory.readers)
    assert [log.station for log in written] == list(factory.stations)
    seen = Counter()
    for log in written:
        assert len(log.boots) == DAYS == len({boot.boot for boot in log.boots})
        for day, boot in enumerate(log.boots):
            events = [decode(encoded) for encoded in boot.events]
            assert [encode(event) for event in events] == list(boot.events)
            assert events[0].kind == "anchor"
            assert [event.mono_ns for event in events] == sorted(event.mono_ns for event in events)
            assert {(event.station, event.boot) for event in events} == {(log.station, boot.boot)}
            start_us, end_us = at_us(float(day * SHIFT_S), NOW_US), at_us((day + 1) * SHIFT_S - 1e-6, NOW_US)
            anchor = events[0]
            for event in events:
                if event.kind == "anchor":
                    sealed = anchor_mac(KEY, log.log_id, boot_bytes(boot.boot), event.t2, event.t3)
                    assert (event.mac, event.t2) == (sealed, event.t3)
                    # Both clocks of the boot run alike: what the anchor says is when the middle of its round trip was.
                    away_us = (event.t2 - anchor.t2) - (event.t1 - anchor.t1) // 1000
                    assert abs(away_us) <= 1
                else:
                    seen[event.action] += 1
                happened_us = anchor.t2 + (event.mono_ns - (anchor.t1 + anchor.t4) // 2) // 1000
                assert start_us - 2_000_000 <= happened_us <= end_us + 120_000_000
    assert seen["scrap"] == sum(scan.action == "scrap" for scan in scans)


def test_the_floor_goes_on_where_the_past_ended(ten_days):
    _, _, scans, rest = past(7)
    upcoming = [next(rest) for _ in range(50)]
    assert upcoming[0].at_s >= DAYS * SHIFT_S > scans[-1].at_s


def test_new_orders_keep_the_live_floor_busy():
    factory, entries, _, _ = past(7)
    products, chance = Products(entries), random.Random(1)
    taken_in = []

    def further(number, at_s):
        data = products.further_release(number, NOW.date(), chance)
        taken_in.append(data["order"])
        return products.order(data, at_s)

    floor = SimulatedShop(factory.stages, [], seed=1, new_order=further, wanted=6)
    scans = floor.scans()
    assert [order.order for order in floor.top_up()] == taken_in == [f"WO-{2001 + n}" for n in range(6)]
    made = []
    for _ in range(2_000):
        floor.top_up()
        made.append(next(scans))
    assert len(taken_in) > 50
    assert {scan.order for scan in made} <= set(taken_in)


def test_operators_show_a_badge_when_they_take_over_and_slip_now_and_then():
    operators = Operators(("K7", "O4"), random.Random(1))
    read = [operators.before("cutting-1", "saw") for _ in range(2 * SLIP_EVERY)]
    badges_read = [(act, texts[0]) for act, texts in enumerate(read) if texts and texts[0].startswith("WIP:BADGE:")]
    assert [act for act, _ in badges_read] == [0, 91, 182]
    assert all(one[1] != other[1] for one, other in itertools.pairwise(badges_read))  # the same again would sign out
    calls = {
        act: text for act, texts in enumerate(read) for text in texts if text.startswith(("WIP:CALL", "WIP:ANSWER"))
    }
    assert list(calls) == [0, 45, 150, 195]
    assert [calls[45], calls[195]] == ["WIP:ANSWER"] * 2
    slips = [act for act, texts in enumerate(read) if texts[-2:] == ["4006381333931", "WIP:UNDO"]]
    assert slips == [SLIP_EVERY - 1, 2 * SLIP_EVERY - 1]


def test_the_earlier_months_are_one_boot_and_some_of_them_is_always_in_process():
    factory = sample_factory()
    shop = read_shop(factory.sheets, now_us=NOW_US, zone=UTC)
    products, chance = Products(shop.entries), random.Random(7)
    earlier = earlier_orders(products, NOW_US, chance)
    assert max(order.released_us for order in earlier) < at_us(0.0, NOW_US)
    orders = [*past_orders(shop.entries, products, end_us=NOW_US, chance=chance), *(one.simulated for one in earlier)]
    scans, _ = split(SimulatedShop(factory.stages, orders, seed=7).scans(), DAYS * SHIFT_S)
    before = [scan for scan in scans if scan.at_s < 0]
    spans = [[scan.at_s // SHIFT_S for scan in scans if scan.order == one.release["order"]] for one in earlier]
    for day in range(-62, 0):
        assert any(min(span) <= day <= max(span) for span in spans), day
    assert len(before) < len(scans) / 3
    written = logs(
        scans, factory.benches, badges(shop.entries), end_us=NOW_US, key=KEY, seed=7, readers=factory.readers
    )
    for log in written:
        assert len(log.boots) == DAYS + 1
        first = [decode(encoded) for encoded in log.boots[0].events]
        anchor = first[0]
        own = [scan for scan in before if factory.benches[scan.stage] == log.station]
        sheets = [event for event in first if event.kind == "scan" and event.scheme == "own"]
        assert [event.raw.decode() for event in sheets] == [scan.order for scan in own]
        for event, scan in zip(sheets, own, strict=True):
            happened_us = anchor.t2 + (event.mono_ns - (anchor.t1 + anchor.t4) // 2) // 1000
            assert abs(happened_us - at_us(scan.at_s, NOW_US)) < 120_000_000


def test_the_walk_of_the_count_goes_on_in_the_last_boot(ten_days):
    factory, entries, scans, _ = ten_days
    written = logs(scans, factory.benches, badges(entries), end_us=NOW_US, key=KEY, seed=7, readers=factory.readers)
    log = next(log for log in written if log.station == factory.benches[COUNTED])
    items = [CountableItem(f"WO-{number}", 20_000 - number) for number in range(3)]
    walked = list(walk(items, [CountableItem("WO-9", 5_000)]))
    events = after_last_shift(log, walked, "K7", end_us=NOW_US, key=KEY, readers=factory.readers)
    read = [decode(encoded) for encoded in events]
    last = decode(log.boots[-1].events[-1])
    assert {event.boot for event in read} == {last.boot}
    assert [event.mono_ns for event in (last, *read)] == sorted(event.mono_ns for event in (last, *read))
    assert [(event.raw.decode(), event.action, event.qty_milli) for event in read] == [
        ("WIP:COUNT", None, None), ("WIP:QTY:19", None, None), ("WO-0", "count", 19_000), ("WO-1", "count", None),
        ("WO-9", "count", None),
    ]  # fmt: skip
    longest = list(walk(items * 20, items))[-1]
    assert longest.at_s < DAYS * SHIFT_S + 180  # the demo's shift ended three minutes ago
