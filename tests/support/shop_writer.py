"""Shop writer: entries and scans of a shop at given times, through the real ledger and the real projector."""

import uuid
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from server.accounting.period_close import record_entries
from server.auth import devices
from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.importer.loader import read_shop
from server.ledger import station_logs
from server.ledger.entries import Entry, record_all
from server.ledger.hub_log import hub_row
from server.ledger.ingest import BatchAppended, EventBatch, append
from server.locale_format import UTC
from server.projection.worker import Projector
from station.core.event import Event, Reader, encode
from station.core.hash_chain import anchor_mac, boot_bytes, genesis, link
from station.system import clock

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
AT_ONCE = 500
DEMO = Path(__file__).parents[2] / "config" / "demo"
START_US = 9 * DAY_US  # a station's boot began so long ago: its clock is still sure to the minute
STAGES = ("saw", "deburr", "test", "pack")


@dataclass
class Log:
    """The log of one station in one long boot."""

    station: str
    log_id: bytes
    hashes: list[bytes] = field(default_factory=list)
    sent: int = 0
    events: list[bytes] = field(default_factory=list)

    @property
    def tip(self) -> bytes:
        return self.hashes[-1] if self.hashes else genesis(self.log_id)

    def add(self, encoded: bytes) -> int:
        self.hashes.append(link(self.tip, encoded))
        self.events.append(encoded)
        return len(self.events)


class ShopWriter:
    """Writes a shop into a store. Times are UTC us; `now_us` is that of its creation, or given; `logs` are by station."""

    def __init__(
        self, store: Store, bell: PositionSignal | None = None, now_us: int | None = None, start_us: int = START_US
    ) -> None:
        self.store = store
        self.now_us = clock.utc_us() if now_us is None else now_us
        self._began_us = self.now_us - start_us
        self.projector = Projector(store, bell or PositionSignal())
        self.logs: dict[str, Log] = {}
        with store.read() as connection:
            self._key = hub_row(connection).mac_key

    def ago(self, days: float = 0, hours: float = 0, minutes: float = 0) -> int:
        """A time before now."""
        return self.now_us - round(days * DAY_US + hours * HOUR_US + minutes * MINUTE_US)

    def say(self, what: str, holds_from_us: int | None = None, **data: Any) -> tuple[str, int]:
        """One entry; its place. `as_` is written as `as`."""
        one = record_entries(self.store, [_entry(what, holds_from_us, **data)])[0]
        return one.log_id.hex(), one.seq

    def small_shop(self, **limits: dict[str, Any]) -> None:
        """Saw, Deburr, Test, Pack; a bracket that passes all of them, 2 a piece of bar and 1 of labour at Saw.

        One transaction: most tests of the hub begin with it.
        """
        kinds = {"test": "test", "pack": "done"}
        operations = [{"op": 10 * (n + 1), "stage": stage} for n, stage in enumerate(STAGES)]
        bom = [{"component": "bar", "qty_milli": 1000, "operation": 10}]
        definitions: list[tuple[str, dict[str, Any]]] = [
            *(
                ("stage.define", {"stage": stage, "name": stage.capitalize(), "type": kinds.get(stage, "process")})
                for stage in STAGES
            ),
            ("routing.define", {"routing": "line", "operations": operations}),
            ("product.define", {"product": "bracket", "name": "Bracket", "routing": "line", "bom": bom}),
            ("product.define", {"product": "tube", "name": "Tube", "unit": "m", "decimals": 1, "routing": "line"}),
            ("cost.set", {"component": "bar", "basis": "unit", "micros": 2_000_000}),
            (
                "cost.set",
                {"product": "bracket", "op": 10, "component": "labour", "basis": "unit", "micros": 1_000_000},
            ),
            ("person.define", {"person": "kim", "name": "A. Kim", "badge": "K7"}),
            ("reason.define", {"reason": "burr", "name": "Burr left"}),
        ]
        record_all(
            self.store, [_entry(what, 0, **data, **limits.get(data.get("stage", ""), {})) for what, data in definitions]
        )

    def demo_shop(self) -> None:
        """The demo's folder, as an import would enter it."""
        files = {path.name: path.read_bytes() for path in DEMO.glob("*.csv")}
        found = read_shop(files, now_us=self.now_us, zone=UTC)
        record_all(self.store, [Entry(each.what, each.data, "Kim", each.holds_from_us) for each in found.entries])

    def release(
        self, order: str, product: str = "bracket", qty: int = 40, at_us: int | None = None, **data: Any
    ) -> None:
        """The office releases an order, by default ten days ago."""
        self.release_all([(order, product, qty, data)], at_us)

    def release_all(self, orders: Iterable[tuple[str, str, int, dict[str, Any]]], at_us: int | None = None) -> None:
        """The office releases orders (name, product, pieces, other fields) in one transaction, by default ten days ago."""
        held = self.ago(days=10) if at_us is None else at_us
        record_all(
            self.store,
            [
                _entry("order.release", held, order=order, product=product, qty_milli=qty * 1000, **data)
                for order, product, qty, data in orders
            ],
        )

    def log(self, station: str) -> Log:
        """The station's log; new ones begin with an anchor."""
        if station not in self.logs:
            self.logs[station] = Log(station, sha256(station.encode()).digest()[:16])
            self.anchor(station, self._began_us)
        return self.logs[station]

    def anchor(self, station: str, at_us: int) -> None:
        """The hub says its time to a station."""
        log, mono_ns = self.log(station), self.mono_ns(at_us)
        mac = anchor_mac(self._key, log.log_id, boot_bytes(self.boot_of(station)), at_us, at_us)
        anchor = {"t1": mono_ns, "t4": mono_ns, "t2": at_us, "t3": at_us, "hub_clk": "synced", "mac": mac}
        log.add(encode(self._event(station, "anchor", at_us, **anchor)))

    @staticmethod
    def boot_of(station: str) -> str:
        """The boot id of a station's only boot."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, station))

    def mono_ns(self, at_us: int) -> int:
        """What a station's clock showed at a time."""
        return (at_us - self._began_us) * 1000

    def _event(self, station: str, kind: str, at_us: int, **fields: Any) -> Event:
        mono_ns = self.mono_ns(at_us)
        return Event(kind=kind, station=station, sw="t", boot=self.boot_of(station), mono_ns=mono_ns, **fields)

    def scan(
        self, code: str | bytes, stage: str | None, at_us: int, station: str = "", **fields: Any
    ) -> tuple[str, int]:
        """One scan; its place. It is sent with `settle`."""
        station = station or f"{stage}-1"
        raw = code if isinstance(code, bytes) else code.encode()
        fields = {"reader": Reader("keyboard", "usb-05e0-1200-SN77"), "scheme": "text", **fields}
        log = self.log(station)
        event = self._event(station, "scan", at_us, raw=raw, stage=stage, **fields)
        return log.log_id.hex(), log.add(encode(event))

    def settle(self, silent: Container[str] = ()) -> None:
        """Send what was scanned, but not from the `silent` stations, and fold all there is."""
        for log in self.logs.values():
            while log.station not in silent and log.sent < len(log.events):
                self._send(log)
        self.projector.drain()

    def _send(self, log: Log) -> None:
        last = min(log.sent + AT_ONCE, len(log.events))
        prev = log.hashes[log.sent - 1] if log.sent else genesis(log.log_id)
        batch = EventBatch(log.log_id, log.sent + 1, prev, log.hashes[last - 1], log.events[log.sent : last])
        with self.store.write() as connection:
            station_logs.log_of(connection, log.log_id, device=None, station=log.station, now_us=self.now_us)
            taken = append(connection, batch, recv_us=self.now_us)
        assert isinstance(taken, BatchAppended), taken
        log.sent = last

    def station(self, name: str) -> str:
        """A station that may send; its token."""
        with self.store.write() as connection:
            return devices.add(connection, name, self.now_us)


def _entry(what: str, holds_from_us: int | None, **data: Any) -> Entry:
    fields = {("as" if name == "as_" else name): value for name, value in data.items()}
    return Entry(what, fields, "Kim", holds_from_us)
