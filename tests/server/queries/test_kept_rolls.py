"""Kept sums are those of the rows, whatever was recorded since; after scans of the present they are not read again."""

import random
from contextlib import suppress

import pytest
from eventful_shop import eventful
from rolled_shop import period, rolled

from server.ledger.entries import EntryRefused
from server.queries import roll_forward
from server.queries.kept_rolls import HOUR_US, MOST_KEYS, first_difference, kept_rolls
from server.queries.roll_forward import RollBy
from station.core.master_data import Definition, MasterData

STAGES = ("saw", "deburr", "test", "pack")


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


def sums(shop_writer, from_us, to_us, by, known=None, *, kept):
    """The exact sums of a period, without what is zero."""
    with shop_writer.store.read() as connection:
        of = period(shop_writer, connection, from_us, to_us, known)
        found = (
            kept_rolls(connection).sums(connection, of, by, lambda part: roll_forward._sums_of(connection, part, by))
            if kept
            else roll_forward._sums_of(connection, of, by)
        )
    flows = {key: {line: amount for line, amount in lines.items() if amount} for key, lines in found.flows.items()}
    ends = [{key: amount for key, amount in end.items() if amount} for end in (found.opening, found.closing)]
    return ends[0], {key: lines for key, lines in flows.items() if lines}, ends[1]


class Periods:
    """How often the sums of a part of a period were computed from the rows."""

    def __init__(self, monkeypatch):
        self.parts = []
        compute = roll_forward._sums_of

        def counted(connection, part, by):
            self.parts.append((part.from_us, part.to_us))
            return compute(connection, part, by)

        monkeypatch.setattr(roll_forward, "_sums_of", counted)

    def read(self):
        """The parts since the last call."""
        parts, self.parts = self.parts, []
        return parts


def something(shop_writer, chance, places, number):
    """Record one thing, of the present or about the past; its kind."""
    order = f"WO-{chance.randrange(26)}" if chance.random() < 0.7 else f"GOOD-{chance.randrange(6)}"
    then = shop_writer.ago(hours=chance.choice([0.2, 2, 20, 60, 90]))
    then -= chance.choice([0, then % HOUR_US])  # also at the end of kept sums
    kind = chance.choice(["scan", "scan", "price", "void", "correct", "release", "change", "close", "count", "routing"])
    log, seq = chance.choice(places)
    with suppress(EntryRefused):
        if kind == "scan":
            more = chance.choice([{}, {"action": "scrap", "qty_milli": 1_000}, {"qty_milli": 2_000}])
            places.append(shop_writer.scan(order, chance.choice(STAGES), then, station=f"more-{number}", **more))
        elif kind == "price":
            shop_writer.say("cost.set", then, component="bar", basis="unit", micros=chance.randint(1, 9_999_999))
        elif kind == "void":
            shop_writer.say("void", log=log, seq=seq)
        elif kind == "correct":
            shop_writer.say("correct", log=log, from_seq=seq, to_seq=seq, set={"stage": chance.choice(STAGES)})
        elif kind == "release":
            shop_writer.say("order.release", then, order=f"NEW-{number}", product="bracket", qty_milli=3_000)
            places.append(shop_writer.scan(f"NEW-{number}", "saw", shop_writer.ago(hours=40), station=f"more-{number}"))
        elif kind == "change":
            shop_writer.say("order.change", then, order=order, qty_milli=chance.randint(2, 40) * 1000, customer="Z")
        elif kind == "close":
            shop_writer.say("order.close", then, order=order, how="short")
        elif kind == "count":
            shop_writer.say("adjust", then, item=order, qty_milli=1_000, stage=chance.choice(STAGES))
        else:
            operations = [{"op": 10 * (n + 1), "stage": stage} for n, stage in enumerate(chance.sample(STAGES, 3))]
            shop_writer.say("routing.define", then, routing="line", operations=operations)
    shop_writer.settle()
    return kind


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(4, 16))])
def test_they_are_those_of_the_rows_whatever_is_recorded_since(shop_writer, seed):
    known = eventful(shop_writer, seed)
    chance = random.Random(seed)
    places = [shop_writer.scan(f"WO-{n}", "saw", shop_writer.ago(hours=70 - n), station="known-1") for n in range(9)]
    shop_writer.settle()
    for number in range(7):
        kind = something(shop_writer, chance, places, number)
        for by in (RollBy.COMPONENT, RollBy.ORDER):
            for hours, until in [(90, 50), (90, 3), (50, 0)]:
                asked = (shop_writer.ago(hours=hours), shop_writer.ago(hours=until), by, known if until else None)
                fresh = sums(shop_writer, *asked, kept=False)
                assert sums(shop_writer, *asked, kept=True) == fresh, (number, kind, asked)


def test_after_scans_of_the_present_only_the_last_hours_are_read(small, monkeypatch):
    for n in range(4):
        small.release(f"WO-{n}", qty=10)
        small.scan(f"WO-{n}", "saw", small.ago(hours=30 + n))
    small.settle()
    from_us, periods = small.ago(days=5), Periods(monkeypatch)
    rolled(small, from_us, small.now_us)
    periods.read()
    small.scan("WO-1", "deburr", small.ago(minutes=2))
    small.release("WO-9", at_us=small.ago(minutes=3))
    small.scan("WO-9", "saw", small.ago(minutes=1))
    small.settle()
    small.say("cost.set", small.ago(minutes=1), component="bar", basis="unit", micros=5_000_000)
    small.settle()
    assert rolled(small, from_us, small.now_us).gap == 0
    (last,) = periods.read()
    assert small.now_us - 2 * 3_600_000_000 < last[0] < last[1] == small.now_us
    rolled(small, from_us, small.ago(hours=10))
    assert periods.read() == [(from_us, small.ago(hours=10))]
    rolled(small, from_us, small.ago(hours=10))
    assert periods.read() == []


@pytest.mark.parametrize("what", ["late scan", "void", "price", "first price", "delete"])
def test_what_concerns_the_time_before_is_read_again(small, monkeypatch, what):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=30))
    place = small.scan("WO-1", "deburr", small.ago(hours=20))
    alone = small.scan("FOUND", "saw", small.ago(hours=20))
    small.settle()
    from_us, to_us, periods = small.ago(days=5), small.ago(hours=10), Periods(monkeypatch)
    rolled(small, from_us, to_us)
    assert periods.read() == [(from_us, to_us)]
    if what == "late scan":
        small.scan("WO-1", "test", small.ago(hours=11))
    elif what == "void":
        small.say("void", log=place[0], seq=place[1])
    elif what == "price":
        small.say("cost.set", small.ago(hours=15), component="bar", basis="unit", micros=5_000_000)
    elif what == "first price":
        small.say(
            "cost.set", small.ago(hours=1), product="bracket", op=20, component="overhead", micros=7, basis="unit"
        )
    else:
        small.say("void", log=alone[0], seq=alone[1])
    small.settle()
    rolled(small, from_us, to_us)
    assert periods.read() == [(from_us, to_us)]


def test_an_item_that_had_ended_and_begins_later_now_is_read_again(small, monkeypatch):
    """Its rows of the time before are gone, and it was not in the shop at the end: nothing of it is compared."""
    release = small.say("order.release", small.ago(hours=30), order="WO-1", product="bracket", qty_milli=10_000)
    places = [small.scan("WO-1", stage, small.ago(hours=20), action=action)
              for stage in STAGES for action in ("in", "out")]  # fmt: skip
    small.settle()
    asked, periods = (small.ago(days=5), small.ago(hours=10), RollBy.COMPONENT), Periods(monkeypatch)
    before = sums(small, *asked, kept=True)
    assert before[1]
    assert not before[2]
    periods.read()
    for log, seq in [release, *places]:
        small.say("void", log=log, seq=seq)
    small.say("order.release", small.ago(hours=5), order="WO-1", product="bracket", qty_milli=10_000)
    small.settle()
    assert sums(small, *asked, kept=True) == ({}, {}, {})
    assert periods.read() == [asked[:2]]


def test_the_sums_of_a_shop_with_many_items_are_not_kept(small, monkeypatch):
    monkeypatch.setattr("server.queries.kept_rolls.MOST_ROWS", 3)
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=30))
    small.settle()
    asked, periods = (small.ago(days=5), small.ago(hours=10)), Periods(monkeypatch)
    for _ in range(2):
        rolled(small, *asked)
    assert periods.read() == [asked]
    for n in range(2, 5):
        small.release(f"WO-{n}", qty=10)
        small.scan(f"WO-{n}", "saw", small.ago(hours=30))
    small.settle()
    for _ in range(2):
        rolled(small, *asked)
        assert periods.read() == [asked]


def test_a_roll_forward_of_many_rows_is_not_kept(small, monkeypatch):
    monkeypatch.setattr("server.queries.kept_rolls.MOST_KEYS", 3)
    assert MOST_KEYS > 3
    for n in range(4):
        small.release(f"WO-{n}", qty=10)
        small.scan(f"WO-{n}", "saw", small.ago(hours=30 + n))
    small.settle()
    asked, periods = (small.ago(days=5), small.ago(hours=10)), Periods(monkeypatch)
    for _ in range(2):
        rolled(small, *asked, RollBy.ORDER)
        assert periods.read() == [asked]
    for expected in ([asked], []):
        rolled(small, *asked, RollBy.COMPONENT)
        assert periods.read() == expected


def test_the_first_difference_of_two_shops():
    def price(at_us, component="bar", micros=1):
        return Definition("cost.set", at_us, (at_us, "hub", at_us), {"component": component, "micros": micros})

    before = MasterData([price(10), price(20)])
    assert first_difference(before, MasterData([price(10), price(20)])) is None
    assert first_difference(before, MasterData([price(10), price(20), price(30)])) == 30
    assert first_difference(before, MasterData([price(10), price(20, micros=2), price(30)])) == 20
    assert first_difference(before, MasterData([price(10)])) == 20
    assert first_difference(before, MasterData([price(10), price(20), price(50, "tube")])) < 0
