"""A ledger of one year in the order of time: the hub receives each event when it happens, and enters the orders then.

200 orders stay open all the year. All others pass through the shop within minutes; every 40th loses one piece at its second
stage, which has a scrap allowance. The price of the bar changes each quarter. A ledger is built once
and kept, for each version of the tables and of the rules of the fold.
"""

import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

from fake_host import FakeMachine
from shop_writer import AT_ONCE, STAGES, Log, ShopWriter
from traffic import SCANS_AN_ORDER, batches, introduce, take

from server.db.migrations import HEAD
from server.db.store import Store
from server.ledger.entries import Entry, record_all
from server.ops.bootstrap import initialise
from server.projection.tables import FOLD_VERSION
from station.core.event import encode
from station.core.hash_chain import anchor_mac, boot_bytes

OPEN_ORDERS = 200
STEPS = 120
PRICES = 4
SCRAP_EVERY = 40
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
BEGIN_US = 1_767_225_600_000_000  # 2026-01-01
YEAR_US = 365 * DAY_US
END_US = BEGIN_US + YEAR_US


def year_shop(folder: Path, events: int) -> tuple[Store, FakeMachine]:
    """A store with so many events of one year, whose clock stands at the end of it; built where it is not there yet."""
    path = folder / f"year-{events}-{HEAD}-{FOLD_VERSION}.db"
    built = path.with_suffix(".built")
    machine = FakeMachine()
    machine.clock.now_us = BEGIN_US - 20 * DAY_US
    if not built.exists():
        for old in folder.glob(path.name + "*"):
            old.unlink()
        store = Store(path, host=machine.host)
        initialise(store)
        _Year(store, machine).grow(events)
        store.close()
        built.touch()
    machine.clock.now_us, machine.clock.now_ns = END_US, (END_US - BEGIN_US) * 1000
    return Store(path, host=machine.host), machine


class _Year(ShopWriter):
    """Grows the ledger in steps; at each of them the stations start anew, with a boot and an anchor of their own."""

    def __init__(self, store: Store, machine: FakeMachine) -> None:
        super().__init__(store)
        self._machine, self._begin_us = machine, 0
        self._set(BEGIN_US - 20 * DAY_US)

    def grow(self, events: int) -> None:
        """Tell the shop, open the orders that stay open, then pass all others through."""
        self.small_shop()
        operations = [
            {"op": 10 * (n + 1), "stage": stage, **({"scrap_ppm": 5_000} if n == 1 else {})}
            for n, stage in enumerate(STAGES)
        ]
        self.say("routing.define", self.now_us, routing="line", operations=operations)
        self._set(BEGIN_US - DAY_US)
        self._start()
        self.release_all([(f"OPEN-{n}", "bracket", 40, {"due": "2026-12-01"}) for n in range(OPEN_ORDERS)], self.now_us)
        for n in range(OPEN_ORDERS):
            self.scan(f"OPEN-{n}", "saw", self._begin_us + (n + 1) * MINUTE_US)
        self._set(BEGIN_US)
        self._arrive()
        orders = events // (SCANS_AN_ORDER + 1)
        for step in range(STEPS):
            self._start()
            if step % (STEPS // PRICES) == STEPS // PRICES // 2:
                self.say("cost.set", self.now_us, component="bar", basis="unit", micros=2_000_000 + step * 1_000)
            self._orders(orders * step // STEPS, orders * (step + 1) // STEPS)
            self._set(BEGIN_US + YEAR_US * (step + 1) // STEPS)
            self._arrive()

    def _orders(self, first: int, last: int) -> None:
        entries = [
            Entry("order.release", {"order": f"WO-{n}", "product": "bracket", "qty_milli": 40_000}, "Kim", self.now_us)
            for n in range(first, last)
        ]
        for start in range(0, len(entries), AT_ONCE):
            record_all(self.store, entries[start : start + AT_ONCE])
        step_us = int(0.95 * YEAR_US / STEPS / max(last - first, 1))
        for n in range(first, last):
            at_us = self._begin_us + MINUTE_US + (n - first) * step_us
            for number, stage in enumerate(STAGES):
                into_us = at_us + number * MINUTE_US
                self.scan(f"WO-{n}", stage, into_us, action="in", operator="kim")
                if number == 1 and n % SCRAP_EVERY == 0:
                    self.scan(f"WO-{n}", stage, into_us + 1_000_000, action="scrap", qty_milli=1_000, reason="burr")
                self.scan(f"WO-{n}", stage, into_us + 30_000_000, action="out", operator="kim")

    def _arrive(self) -> None:
        introduce(self)
        for batch in batches(self):
            take(self, batch)
        self.projector.drain()
        for log in self.logs.values():
            log.events[: log.sent - 1] = [b""] * (log.sent - 1)

    def _set(self, at_us: int) -> None:
        """Let the hub's clocks, and `ago`, be at a time."""
        clock = self._machine.clock
        clock.now_ns += max(at_us - clock.now_us, 0) * 1000
        self.now_us = clock.now_us = at_us

    def _start(self) -> None:
        """Start all stations at the present time."""
        self._begin_us = self.now_us
        for station in (f"{stage}-1" for stage in STAGES):
            log = self.logs.setdefault(station, Log(station, sha256(station.encode()).digest()[:16]))
            log.add(self._anchor(station, log.log_id))

    def _anchor(self, station: str, log_id: bytes) -> bytes:
        at_us = self._begin_us
        mac = anchor_mac(self._key, log_id, boot_bytes(self.boot_of(station)), at_us, at_us)
        fields: dict[str, Any] = {"t1": 0, "t4": 0, "t2": at_us, "t3": at_us, "hub_clk": "synced", "mac": mac}
        return encode(self._event(station, "anchor", at_us, **fields))

    def boot_of(self, station: str) -> str:  # type: ignore[override]
        """The boot id of a station since the begin of the step."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{station} {self._begin_us}"))

    def mono_ns(self, at_us: int) -> int:
        """What a station's clock showed at a time."""
        return (at_us - self._begin_us) * 1000
