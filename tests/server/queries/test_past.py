"""Past answers: a recorded answer of the present is given again for its time and position, whatever comes in later."""

import random
from contextlib import suppress
from typing import Any

import engines
import pytest
from fold_oracle import drawn
from shop_writer import STAGES, ShopWriter

from server.ledger.entries import EntryRefused
from server.queries.as_known_at import past_stock
from server.queries.wip import GroupBy, WipReport, wip
from station.system import clock

engine = engines.both_at_night

ORDERS = [f"WO-{n}" for n in range(6)]


def answer(connection: Any, known: int | None, at_us: int | None, now_us: int) -> dict[GroupBy, WipReport]:
    valuation, stock = past_stock(connection, known, at_us, now_us)
    return {by: wip(stock, by, valuation) for by in GroupBy}


def changed(chance: random.Random, shop: ShopWriter, scanned: list[tuple[str, int]]) -> None:
    """Something that happens in the shop, now or back-dated."""
    order, at_us = chance.choice(ORDERS), shop.ago(hours=chance.randint(1, 120))
    log, seq = chance.choice(scanned) if scanned else ("", 0)
    steps = [
        lambda: shop.release(order, chance.choice(["bracket", "tube"]), chance.randint(1, 40), at_us),
        lambda: shop.say(
            "cost.set", chance.choice([0, None]), component="bar", basis="unit", micros=chance.randint(1, 9) * 10**6
        ),
        lambda: shop.say("checkin", at_us, code=order, stage=chance.choice(STAGES), qty_milli=1_000),
        lambda: shop.say("order.change", None, order=order, priority=chance.randint(1, 9)),
        lambda: shop.say("code.bind", None, code="TAG-1", to=order, as_="item"),
        lambda: shop.say("order.close", None, order=order, how="short"),
        lambda: shop.say("stage.define", chance.choice([0, None]), stage="test", name=f"Test {seq}", type="test"),
    ]
    if log:
        steps += [
            lambda: shop.say("void", log=log, seq=seq, why="not there"),
            lambda: shop.say(
                "correct", log=log, from_seq=seq, to_seq=seq, set={"stage": chance.choice(STAGES)}, why="no"
            ),
        ]
    if chance.random() < 0.5:
        with suppress(EntryRefused):  # such as the closing of an order that was never released
            chance.choice(steps)()
        return
    code, quantity = chance.choice([*ORDERS, "TAG-1"]), chance.choice([None, 2_000])
    scanned.append(shop.scan(code, chance.choice(STAGES), at_us, qty_milli=quantity))


@pytest.mark.parametrize("times", [30, pytest.param(200, marks=pytest.mark.nightly)])
def test_a_recorded_answer_is_given_again_later(store: Any, times: int) -> None:
    """Between the answers prices change, entries and scans come in late, events are voided and corrected, codes bound."""
    chance = random.Random(drawn("new"))
    shop = ShopWriter(store)
    shop.small_shop()
    scanned: list[tuple[str, int]] = []
    recorded = []
    for _ in range(times):
        changed(chance, shop, scanned)
        shop.settle()
        now_us = clock.utc_us()
        with store.read() as connection:
            recorded.append((shop.projector.pos, now_us, answer(connection, None, None, now_us)))
    later_us = clock.utc_us() + 1
    with store.read() as connection:
        assert any(report[GroupBy.ITEM].rows for _, _, report in recorded)
        for pos, at_us, report in recorded:
            assert answer(connection, pos, at_us, later_us) == report, (pos, at_us)


def test_an_answer_of_a_time_after_which_nothing_came_in_late_needs_no_position(store: Any) -> None:
    shop = ShopWriter(store)
    shop.small_shop()
    shop.release("WO-1", at_us=shop.ago(hours=20))
    recorded = []
    for hours, stage in ((9, "saw"), (7, "deburr"), (4, "test")):
        shop.scan("WO-1", stage, shop.ago(hours=hours), qty_milli=hours * 1_000)
        shop.settle()
        at_us = shop.ago(hours=hours)
        with store.read() as connection:
            recorded.append((at_us, answer(connection, None, None, at_us)))
        shop.say("cost.set", None, component="bar", basis="unit", micros=hours * 10**6)
    shop.settle()
    with store.read() as connection:
        for at_us, report in recorded:
            assert answer(connection, None, at_us, clock.utc_us()) == report
