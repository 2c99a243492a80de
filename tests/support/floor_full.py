"""A floor on which everything happens at once: queues, holds, late orders, scrap, findings, hostile labels."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shop_writer import ShopWriter

HOSTILE = (
    b"<script>window.pwned=1</script>",
    b'"><img src=x onerror=window.pwned=1>',
    b"{{7*7}}${7*7}",
    b'=HYPERLINK("http://x","y")',
    "WO-\u202e1042\u200b".encode(),
    b"0112345\x1d10ABC\x04\x00\x1b[31m",
    b"javascript:window.pwned=1",
    b"A" * 4_000,
    b"../../etc/passwd",
    b"..",
    b"/lead//ing/",
    b"\xff\xfe not utf-8",
    b"a?b#c%2Fd&e=f",
)


def full_floor(shop_writer: ShopWriter, orders: int = 24) -> None:
    """Ten days of the small shop, told into the ledger. Two stages have limits, three have targets."""
    shop_writer.small_shop(
        saw={"limit": 6, "target_s": 14_400},
        deburr={"limit": 4, "target_s": 86_400},
        test={"target_s": 28_800},
    )
    shop_writer.say("cost.set", 0, component="bar", basis="unit", micros=2_345_679)  # so that nothing comes out even
    for name in ("skipped", "overrun"):
        shop_writer.say("rule.define", 0, rule=name, on=True)
    scans: list[tuple[int, str | bytes, str, dict[str, Any]]] = []
    released: list[tuple[str, str, int, dict[str, Any]]] = []
    today = datetime.fromtimestamp(shop_writer.now_us / 1_000_000, UTC).date()
    for n in range(orders):
        order = f"WO-{1001 + n}"
        due = (today + timedelta(days=n % 9 - 2)).isoformat()
        product = "tube" if n % 5 == 4 else "bracket"
        fields = {"due": due, "priority": 1 + n % 3, "customer": f"Customer {n % 4} & Sons"}
        released.append((order, product, 20 + n, fields))
        stages = ("saw", "deburr", "test", "pack")[: n % 5]
        for step, stage in enumerate(stages):
            scans.append((shop_writer.ago(days=4 - step, hours=n % 7), order, stage, {"operator": "K7"}))
        if n % 6 == 3 and stages:
            held = {"action": "hold", "reason": "burr", "operator": "K7"}
            scans.append((shop_writer.ago(hours=5), order, stages[-1], held))
        if n % 6 == 2 and stages:
            scans.append((shop_writer.ago(hours=3), order, stages[-1], {"action": "scrap", "qty_milli": 2_000}))
    shop_writer.release_all(released)
    scans.append((shop_writer.ago(minutes=30), "WO-1001", "test", {}))  # without Saw and Deburr
    scans += [(shop_writer.ago(minutes=20 - n), label, "saw", {}) for n, label in enumerate(HOSTILE)]
    for at_us, code, stage, fields in sorted(scans, key=lambda each: each[0]):
        shop_writer.scan(code, stage, at_us, **fields)
    shop_writer.settle()
