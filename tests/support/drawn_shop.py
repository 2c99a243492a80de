"""A shop by seed: orders of three products whose routing and bill changed, with what makes their sums differ."""

import random

from shop_writer import ShopWriter

STAGES = ["saw", "deburr", "test", "pack", "gate"]


def drawn_shop(shop_writer: ShopWriter, seed: int, orders: int = 26) -> None:
    """Orders of three products, whose routing and bill changed; lots, unknown quantities, holds, an undefined stage."""
    chance = random.Random(seed)
    say, ago = shop_writer.say, shop_writer.ago
    shop_writer.small_shop(saw={"limit": 3, "target_s": 30_000}, test={"target_s": 400_000})
    say("product.define", 0, product="frame", name="Frame", unit="kg", decimals=2, routing="line",
        bom=[{"component": "bar", "qty_milli": 700, "operation": 20},
             {"component": "glue", "qty_milli": 5, "operation": 30}])  # fmt: skip
    say("cost.set", 0, product="frame", op=20, component="labour", basis="order", micros=9_999_999)
    steps = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr", "optional": True}, {"op": 30, "stage": "pack"}]
    say("routing.define", ago(days=6), routing="line", operations=steps)
    say("product.define", ago(days=4), product="bracket", name="Bracket", routing="line",
        bom=[{"component": "bar", "qty_milli": 333, "operation": 10}])  # fmt: skip
    scans = []
    for n in range(orders):
        due = (f"2026-{chance.randint(10, 12)}-{chance.randint(1, 28)}", None)[chance.random() < 0.2]
        fields = {"due": due} if due and len(due) == 10 else {}
        if chance.random() < 0.2:
            fields["items"] = [f"WO-{n}-{lot}" for lot in range(3)]
        product = chance.choice(["bracket", "bracket", "tube", "frame"])
        shop_writer.release(f"WO-{n}", product, chance.randint(3, 30), ago(days=chance.randint(3, 9)), **fields)
        names = [f"WO-{n}", *fields.get("items", [])]
        for _ in range(chance.randint(0, 5)):
            more = {"qty_milli": 1000 * chance.randint(1, 9)} if chance.random() < 0.5 else {}
            action = chance.choice([None, None, None, "hold", "scrap", "out", "release"])
            more |= {"action": action} if action else {}
            scans.append((ago(hours=chance.randint(1, 90)), chance.choice(names), chance.choice(STAGES), more))
    scans += [(ago(hours=n), f"FOUND-{n % 4}", chance.choice(STAGES), {}) for n in range(8)]
    for at_us, code, stage, more in sorted(scans, key=lambda scan: scan[0]):
        shop_writer.scan(code, stage, at_us, **more)
    shop_writer.settle()
