"""Whatever happens before, at and after a close: the journals that stand add up to the value at the end of the last one.

Each shop is drawn by its seed, which is the name of its test.
"""

import random
from collections import Counter
from contextlib import suppress

import pytest
from journal_shop import LINES, enter, journals
from rolled_shop import rolled

from server.ledger.entries import EntryRefused
from server.ledger.journal_check import standing
from server.queries.as_known_at import past_stock
from server.queries.closed_periods import closed_periods, stored_lines
from server.queries.restatement import restatement
from server.queries.roll_forward import RollBy

STAGES = ("saw", "deburr", "test", "pack")
STEPS = 80
CENT = 10_000
EPOCHS = (96, 84, 72, 60, 48, 36, 24, 12, 6)  # hours ago, at which periods end, prices begin and scans are made


class RandomShop:
    """A shop in which anything happens at any time, often at the same microsecond as the end of a period."""

    def __init__(self, shop, seed):
        self.shop, self.chance, self.places = shop, random.Random(seed), []
        self.orders = [f"WO-{number}" for number in range(8)]
        for number, order in enumerate(self.orders):
            product = "tube" if number == 7 else "bracket"  # a tube has no costs
            shop.release(order, product=product, qty=self.chance.randint(1, 30), at_us=shop.ago(hours=120))

    def at(self):
        if self.chance.random() < 0.3:
            return self.shop.ago(hours=self.chance.choice(EPOCHS)) + self.chance.choice([-1, 0, 0, 1])
        return self.shop.ago(hours=self.chance.uniform(1, 110))

    def step(self):
        kinds = ["scan"] * 8 + ["scrap", "void", "adjust", "price", "rate", "change", "cancel", "account", "account"]
        kinds += ["close"] * 4 + ["export"] * 5 + ["reopen", "reverse"]
        with suppress(EntryRefused):
            getattr(self, self.chance.choice(kinds))()
        self.shop.settle()

    def scan(self, **more):
        stage = self.chance.choice(STAGES)
        station = f"{stage}-{len(self.places)}"  # a station each: scans may be late by days
        place = self.shop.scan(self.chance.choice(self.orders), stage, self.at(), station=station, **more)
        self.places.append(place)
        return place

    def scrap(self):
        self.scan(action="scrap", qty_milli=self.chance.randint(1, 3_000), reason="burr")

    def void(self):
        log, seq = self.chance.choice(self.places or [self.scan()])
        enter(self.shop, "void", log=log, seq=seq, why="x")

    def adjust(self):
        quantity = self.chance.choice([-30_000, -1, 1, 500, 2_000])
        item, stage = self.chance.choice(self.orders), self.chance.choice(STAGES)
        enter(self.shop, "adjust", self.at(), item=item, stage=stage, qty_milli=quantity)

    def price(self):
        micros = self.chance.choice([0, 1, 333_333, 2_000_001, 10**12])
        enter(self.shop, "cost.set", self.at(), component="bar", basis="unit", micros=micros)

    def rate(self):
        fields = self.chance.choice([{"withdrawn": True}, {"basis": "order", "micros": 7_777_777}])
        enter(self.shop, "cost.set", self.at(), product="bracket", op=20, component="labour", **fields)

    def change(self):
        quantity = self.chance.randint(1, 40) * 1000
        enter(self.shop, "order.change", self.at(), order=self.chance.choice(self.orders), qty_milli=quantity)

    def cancel(self):
        how = self.chance.choice(["complete", "short", "cancelled"])
        enter(self.shop, "order.close", self.at(), order=self.chance.choice(self.orders), how=how)

    def account(self):
        place = self.chance.choice(
            [{"component": "bar"}, {"stage": "saw"}, {"component": "labour", "stage": "deburr"}, {}]
        )
        account = self.chance.choice(["1300", "1310", "1320"])
        enter(self.shop, "account.map", self.at(), line="wip", account=account, **place)

    def close(self):
        last_us = max((closed.closed_us for closed in self.closes() if closed.holds), default=0)
        ends = [end_us for hours in EPOCHS if (end_us := self.shop.ago(hours=hours)) >= last_us]
        enter(self.shop, "period.close", self.chance.choice(ends[:3]), why="x")

    def reopen(self):
        enter(self.shop, "period.reopen", why="x")

    def export(self):
        held = [closed.pos for closed in reversed(self.closes()) if closed.holds]
        enter(self.shop, "journal.export", period=self.chance.choice(held or [1]))

    def reverse(self):
        numbers = [made["number"] for made in journals(self.shop)] or [1]
        enter(self.shop, "journal.reverse", journal=self.chance.choice(numbers), why="x")

    def closes(self):
        with self.shop.store.read() as connection:
            return closed_periods(connection)


def value_of(connection, at_us, known=None):
    valuation, stock = past_stock(connection, known, at_us, at_us + 1)
    return sum(valuation.total([row for row in stock if row.in_process]).value.leaves.values())


@pytest.mark.parametrize("seed", range(3))
def test_journals_that_stand_add_up_to_the_value_at_the_end_of_the_last_one(shop_writer, seed):
    for number, line in enumerate(LINES, 4000):
        enter(shop_writer, "account.map", line=line, account=str(number))
    enter(shop_writer, "account.map", line="wip", account="1300")
    shop = RandomShop(shop_writer, seed)
    exports = 0
    for _ in range(STEPS):
        shop.step()
        exports = check_journals(shop_writer)
    check_value(shop_writer)
    assert exports


def check_journals(shop):
    made = journals(shop)
    assert [one["number"] for one in made] == list(range(1, len(made) + 1))
    posted = Counter()
    for one in made:
        assert sum(micros for _, _, micros in one["lines"]) == 0
        for _, account, micros in one["lines"]:
            posted[account] += micros
    stand = sorted(standing(made), key=lambda one: one["to_us"])
    wip, values = {}, value_by_close(shop)
    for one in stand:
        lines = Counter()
        for _, account, micros in one["lines"]:
            lines[account] += micros
        for account, opening, closing in one["balances"]:
            assert lines[account] == closing - opening
            if one is not stand[0]:
                assert opening == wip.get(account, 0)
        wip = {account: closing for account, _, closing in one["balances"]}
        assert sum(wip.values()) == pytest.approx(values[one["period"]], abs=CENT / 2)
    if stand:
        first = {account: opening for account, opening, _ in stand[0]["balances"]}
        for account in ("1300", "1310", "1320"):  # what reversed journals posted is zero
            assert posted[account] + first.get(account, 0) == wip.get(account, 0)
    return len(made)


def value_by_close(shop):
    with shop.store.read() as connection:
        return {closed.pos: closed.value_micros for closed in closed_periods(connection)}


def check_value(shop):
    with shop.store.read() as connection:
        for closed in closed_periods(connection):
            assert value_of(connection, closed.closed_us, closed.known) == pytest.approx(
                closed.value_micros * 1000, abs=500
            )
            lines = stored_lines(connection, closed)
            found = restatement(connection, closed, lines)
            assert found.stored == closed.value_micros
            assert found.now == pytest.approx(value_of(connection, closed.closed_us) / 1000, abs=1)
            assert found.stored + sum(found.causes.values()) == found.now
    for begin, end in ((110, 96), (96, 48), (96, 0), (48.5, 12), (12, 0), (300, 0)):
        for by in RollBy:
            roll = rolled(shop, shop.ago(hours=begin), shop.ago(hours=end), by)
            assert roll.gap == 0
            assert roll.total.opening + sum(roll.total.lines.values()) == roll.total.closing
