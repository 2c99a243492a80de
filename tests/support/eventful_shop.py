"""A shop by seed, in which everything happens that changes a value: the law of the roll-forward is tested with it."""

import random
from contextlib import suppress
from typing import Any

from counted_shop import known, send
from drawn_shop import STAGES, drawn_shop
from shop_writer import ShopWriter

from server.ledger.entries import EntryRefused
from server.projection.worker import projected_pos
from server.queries.count_lines import LineKind


def eventful(shop_writer: ShopWriter, seed: int) -> int:
    """A drawn shop, then late scans and releases, changes of prices and orders, an accepted count; the position between."""
    drawn_shop(shop_writer, seed)
    with shop_writer.store.read() as connection:
        position = projected_pos(connection)
    chance = random.Random(seed)
    ago = shop_writer.ago

    def say(*what: Any, **data: Any) -> None:
        with suppress(EntryRefused):  # such as a count of more than is there
            shop_writer.say(*what, **data)

    for version, days in enumerate((6, 4)):
        operations = [{"op": 10 * (n + 1), "stage": stage, "scrap_ppm": chance.choice([0, 20_000, 123_456, 700_000])}
                      for n, stage in enumerate(STAGES[version:4])]  # fmt: skip
        say("routing.define", ago(days=days, minutes=-1), routing="line", operations=operations)
    for n in range(6):
        say("cost.set", ago(hours=chance.randint(1, 99)), component="bar", basis="unit", micros=10**6 + n * 333_333)
    say("cost.set", ago(hours=50), product="bracket", op=20, component="overhead", basis="unit", micros=123_457)
    say("cost.set", ago(hours=33), product="bracket", op=20, component="overhead", withdrawn=True)
    say("cost.set", ago(hours=60), product="bracket", op=10, component="labour", basis="order", micros=7_777_777)
    for _ in range(30):
        order, at_us = f"WO-{chance.randrange(26)}", ago(hours=chance.randint(1, 95))
        kind = chance.choice(["count", "count", "change", "close", "scan"])
        if kind == "count":
            quantity = chance.choice([-2, -1, 3]) * 1000
            say("adjust", at_us, item=order, qty_milli=quantity, stage=chance.choice(STAGES))
        elif kind == "change":
            customer = f"C-{at_us % 3}"  # not drawn: the shops stay those of their seeds
            say("order.change", at_us, order=order, qty_milli=chance.randint(2, 40) * 1000, customer=customer)
        elif kind == "close":
            say("order.close", at_us, order=order, how=chance.choice(["complete", "short", "cancelled"]))
        else:
            shop_writer.scan(order, chance.choice(STAGES), at_us, station="late-1", action=chance.choice([None, "out"]))
    for n in range(6):
        order, station = f"GOOD-{n}", f"good-{n}"
        shop_writer.release(
            order, qty=chance.randint(5, 60), at_us=ago(days=chance.randint(4, 9)), customer=f"C-{n % 3}"
        )
        for hours in sorted(chance.sample(range(1, 95), 6), reverse=True):
            more = {"qty_milli": chance.randint(1, 4_000), "action": "scrap"} if chance.random() < 0.5 else {}
            shop_writer.scan(order, chance.choice(["saw", "deburr", "test"]), ago(hours=hours), station=station, **more)
    for n in range(3):
        say("order.release", ago(hours=5), order=f"FOUND-{n}", product=chance.choice(["bracket", "frame"]),
            qty_milli=chance.randint(1, 9) * 1000)  # fmt: skip
    shop_writer.settle()
    accepted_count(shop_writer, random.Random(-seed))  # not drawn: the shops stay those of their seeds
    return position


def accepted_count(shop_writer: ShopWriter, chance: random.Random) -> None:
    """Some items are counted at some stages, and all lines that can be booked are accepted, also above the limit."""
    shop_writer.say("count.open", shop_writer.ago(hours=20), count="DRAWN")
    for n in range(40):
        quantity = {"qty_milli": chance.randint(1, 30) * 1000} if chance.random() < 0.7 else {}
        shop_writer.scan(
            f"GOOD-{n % 6}" if n >= 26 else f"WO-{n}", chance.choice(STAGES), shop_writer.ago(hours=chance.uniform(3, 19)),
            station=f"count-{n}", action="count", **quantity,
        )  # fmt: skip
    shop_writer.say("count.end", shop_writer.ago(hours=2.5), count="DRAWN", how="finished")
    bookings = [one for one in known(shop_writer, "DRAWN").bookings.values() if one.obstacle is None]
    assert {one.line.kind for one in bookings} >= {LineKind.DIFFERS, LineKind.MISSING, LineKind.ELSEWHERE}
    send(shop_writer, [one.etag for one in bookings], by="Olga", name="DRAWN", at_us=shop_writer.ago(hours=1))
