"""A shop floor for the projection: stations that record, an office that enters, and a ledger that gets it in any order."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import engines
import pytest
from engines import Databases, HubsOnServer
from sqlalchemy import Connection, select

from server.db import schema
from server.db.bulk_insert import insert_many
from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.ledger import station_logs
from server.projection.internal_tables import word
from server.projection.tables import TABLES, event_state, folded_rows
from server.projection.worker import Projector
from station.core.event import Event, EventIdentity, LogPosition, encode
from station.core.hash_chain import anchor_mac, boot_bytes, genesis, link

engine = engines.both
DAY_US = 86_400_000_000
START_US = 20_000 * DAY_US
BY_POS = {"pos", "id", "visit", "since", "changed"}  # columns that say when something arrived, or number rows


@dataclass
class Row:
    """One event as a station has it, ready to be sent."""

    log: bytes
    seq: int
    encoded: bytes
    prev: bytes
    hash: bytes
    station: str = ""  # whose log it is, for the hub's list of logs

    @property
    def place(self) -> dict[str, Any]:
        return {"log": self.log.hex(), "seq": self.seq}

    @property
    def identity(self) -> EventIdentity:
        return EventIdentity(self.log.hex(), self.seq, self.hash.hex())


@dataclass
class Log:
    """A log with a clock that a test moves on; `zero_us` is the UTC at which its boot began."""

    name: str
    mac_key: bytes
    log_id: bytes
    boot: str = "boot-1"
    zero_us: int = START_US
    mono_ns: int = 0
    rows: list[Row] = field(default_factory=list)

    def write(self, event: Event) -> Row:
        return self.put(encode(event))

    def put(self, encoded: bytes) -> Row:
        """Append bytes as they are, also those that no software of ours writes."""
        prev = self.rows[-1].hash if self.rows else genesis(self.log_id)
        self.rows.append(Row(self.log_id, len(self.rows) + 1, encoded, prev, link(prev, encoded), self.name))
        return self.rows[-1]

    def said(self, kind: str, after_s: float = 1.0, **fields: Any) -> Row:
        self.mono_ns += int(after_s * 1e9)
        fields = {"boot": self.boot, "mono_ns": self.mono_ns, "station": self.name, "sw": "t", **fields}
        return self.write(Event(kind=kind, **fields))

    def scan(self, code: str, stage: str | None = None, **fields: Any) -> Row:
        return self.said("scan", **{"raw": code.encode(), "scheme": "text", "stage": stage, **fields})

    def entry(self, what: str, data: dict[str, Any], **fields: Any) -> Row:
        return self.said("entry", what=what, data=data, by="Ann", **fields)

    def void(self, target: Row) -> Row:
        return self.entry("void", target.place)

    def undo(self, target: Row) -> Row:
        return self.said("scan", raw=b"WIP:UNDO", scheme="command", action="void", ref=LogPosition(**target.place))

    def anchor(self, **fields: Any) -> Row:
        self.mono_ns += 2_000_000
        now_us = self.zero_us + self.mono_ns // 1000
        mac = anchor_mac(self.mac_key, self.log_id, boot_bytes(self.boot), now_us, now_us)
        t1, t4 = self.mono_ns - 1_000_000, self.mono_ns + 1_000_000
        fields = {"t1": t1, "t4": t4, "t2": now_us, "t3": now_us, "mac": mac, **fields}
        return self.said("anchor", after_s=0.002, **fields)

    def restart(self, boot: str, off_s: float = 60.0) -> None:
        self.zero_us += self.mono_ns // 1000 + int(off_s * 1e6)
        self.boot, self.mono_ns = boot, 0


class HubDatabase:
    """The database of a hub with its projector, without the application."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.read() as connection:
            self.mac_key = bytes(connection.execute(select(schema.hub.c.mac_key)).scalar_one())
        self.projector = Projector(store, PositionSignal())

    def log(self, name: str, number: int, **fields: Any) -> Log:
        return Log(name, self.mac_key, bytes([number]) * 16, boot=f"boot-{name}-1", **fields)

    def deliver(self, *rows: Row) -> None:
        """Put rows into the ledger, in this order; the hub's own chain is not what is tested here."""
        with self.store.write() as connection:
            for log_id, station in {row.log: row.station for row in rows if row.station}.items():
                station_logs.log_of(connection, log_id, device=None, station=station, now_us=0)
            counter = schema.counter.c.pos
            pos = connection.execute(select(counter)).scalar_one()
            insert_many(
                connection,
                schema.ledger,
                [(pos + n, r.log, r.seq, r.encoded, r.prev, r.hash, 0, b"") for n, r in enumerate(rows, 1)],
            )
            connection.execute(schema.counter.update().values(pos=pos + len(rows)))

    def drain(self) -> None:
        self.projector.drain()

    def show(self, query: Any) -> list[tuple[Any, ...]]:
        with self.store.read() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows that say something of the shop, without positions and surrogate ids."""
        with self.store.read() as connection:
            return {table.name: content(connection, table) for table in TABLES if table.name != "projection"}


def content(connection: Connection, table: Any) -> list[tuple[Any, ...]]:
    rows = folded_rows(table)
    columns: list[Any] = [column for column in rows.selected_columns if column.name not in BY_POS]
    if table is event_state:  # the words and not their numbers, which follow the order of arrival; and its own place
        columns = [column for column in columns if column.name not in ("at_log", "boot")]
        columns += [_word(table.c.at_log), _word(table.c.boot), schema.ledger.c.log_id, schema.ledger.c.seq]
        rows = rows.join(schema.ledger, schema.ledger.c.pos == table.c.pos)
    return sorted((tuple(row) for row in connection.execute(rows.with_only_columns(*columns))), key=repr)


def _word(number: Any) -> Any:
    return select(word.c.text).where(word.c.id == number).scalar_subquery()


@pytest.fixture
def new_hub_db(databases: Databases) -> Iterator[Callable[[], HubDatabase]]:
    """Creates databases of hubs."""
    stores: list[Store] = []

    def make() -> HubDatabase:
        store = Store(databases.hub())
        stores.append(store)
        with store.write() as connection:
            connection.execute(schema.hub.update().values(mac_key=bytes(32)))
        return HubDatabase(store)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def hub_on(
    tmp_path: Path, request: pytest.FixtureRequest, hubs_on_server: HubsOnServer
) -> Iterator[Callable[[str], HubDatabase]]:
    """Creates databases of hubs on a named engine."""
    made = {
        engines.SQLITE: Databases(tmp_path, lambda: request.getfixturevalue("new_hub")),
        engines.POSTGRESQL: Databases(tmp_path, lambda: request.getfixturevalue("new_hub"), hubs_on_server),
    }
    stores: dict[str, Store] = {}

    def make(name: str) -> HubDatabase:
        if name in stores:
            stores[name].close()
            made[name].forget()
        stores[name] = Store(made[name].hub())
        with stores[name].write() as connection:
            connection.execute(schema.hub.update().values(mac_key=bytes(32)))
        return HubDatabase(stores[name])

    yield make
    for store in stores.values():
        store.close()


@pytest.fixture
def hub_db(new_hub_db: Callable[[], HubDatabase]) -> HubDatabase:
    """The database of one hub."""
    return new_hub_db()


@pytest.fixture
def story() -> Callable[[int], list[Row]]:
    """Everything that can happen in a shop, by seed: (seed) -> the rows of all its logs."""
    return tell


ROUTING = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}, {"op": 30, "stage": "pack"}]
CODES = ("WO-1", "WO-2", "WO-3", "TAG-1", "X-9")


def tell(seed: int, events: int = 60) -> list[Row]:
    """A shop with an office, three stations, restarts with and without anchors, and every way to change the past."""
    chance = random.Random(seed)
    mac_key = bytes(32)
    office = Log("hub", mac_key, b"\x00" * 16, boot="boot-hub")
    stations = [Log(f"s{n}", mac_key, bytes([n]) * 16, boot=f"boot-s{n}-1") for n in (1, 2, 3)]
    office.anchor()
    for one in stations:
        one.said("open")
        if chance.random() < 0.5:
            one.anchor()
    said: list[Row] = []
    for _ in range(events):
        one = chance.choice(stations)
        if chance.random() < 0.7:
            said.append(_scanned(chance, one, said))
        elif chance.random() < 0.35:
            said += _moved_on(chance, one)
        else:
            said.append(_entered(chance, office, said))
    for one in stations[:2]:
        one.anchor()
    _claimed(chance, stations[0], [office, stations[2]])
    _sent_again(chance, stations[2], said)
    return [row for one in (office, *stations) for row in one.rows]


def _scanned(chance: random.Random, one: Log, said: list[Row]) -> Row:
    if said and chance.random() < 0.12:
        return one.undo(chance.choice(said))
    action = chance.choice([None] * 6 + ["out", "scrap", "hold", "release", "rework", "bind", "unbind"])
    return one.scan(
        chance.choice(CODES),
        chance.choice(["saw", "deburr", "pack", "elsewhere", None]),
        after_s=chance.randint(1, 9000),
        action=action,
        qty_milli=chance.choice([None, None, 1000, 7000]),
        carrier="TAG-1" if action == "bind" else None,
        repeat=chance.random() < 0.05,
        unread=chance.choice([None] * 20 + ["smudged"]),
        since_ns=chance.choice([None] * 5 + [0, one.mono_ns]),
    )


def _moved_on(chance: random.Random, one: Log) -> list[Row]:
    if chance.random() < 0.5:
        return [one.anchor()]
    one.restart(f"{one.boot}+", off_s=chance.randint(1, 50_000))
    return []


def _entered(chance: random.Random, office: Log, said: list[Row]) -> Row:
    office.mono_ns += chance.randint(1, 9000) * 10**9
    when = chance.choice([None, None, START_US + chance.randint(0, 100_000) * 1_000_000])
    order = chance.choice(CODES[:3])
    target = chance.choice(said) if said else None
    choices: list[tuple[str, dict[str, Any]]] = [
        ("order.release", {"order": order, "product": "bracket", "qty_milli": 40_000, "items": ["X-9"]}),
        ("order.change", {"order": order, "qty_milli": 30_000, "priority": 1}),
        ("order.close", {"order": order, "how": chance.choice(["complete", "short"])}),
        ("product.define", {"product": "bracket", "name": "Bracket", "routing": chance.choice(["r1", "r2"])}),
        ("routing.define", {"routing": "r1", "operations": ROUTING}),
        ("routing.define", {"routing": "r2", "operations": ROUTING[::2]}),
        ("stage.define", {"stage": "pack", "name": "Pack", "type": chance.choice(["done", "process"])}),
        ("pattern.define", {"name": "p", "regex": chance.choice(["X-(?P<id>9)", "TAG-\\d"]), "as": "item"}),
        ("code.bind", {"code": "TAG-1", "as": "item", "to": order}),
        ("item.name", {"item": order, "name": f"n{chance.randint(0, 9)}"}),
        ("checkin", {"code": order, "stage": "deburr", "qty_milli": 2000}),
    ]
    if target is not None:
        fields = chance.choice([{"stage": "deburr"}, {"item": "WO-2"}, {"action": "scrap", "qty_milli": 3000}])
        span = {"from_seq": target.seq, "to_seq": target.seq + chance.randint(0, 3)}
        choices += [("correct", {"log": target.log.hex(), **span, "set": fields})] * 3
        choices += [("void", target.place)] * 4
    what, data = chance.choice(choices)
    return office.entry(what, data, holds_from_us=when if what != "void" else None)


def _claimed(chance: random.Random, one: Log, others: list[Log]) -> None:
    """A station names places of the hub's log and of another station's as where its own scans first stood."""
    for other in others:
        twin = chance.choice(other.rows)
        one.scan("WO-3", "pack", origin=EventIdentity(twin.log.hex(), twin.seq, "55" * 32))


def _sent_again(chance: random.Random, old: Log, said: list[Row]) -> None:
    """A new log that continues the third station's: some of its events come again, some only this way."""
    new = Log(old.name, old.mac_key, b"\x09" * 16, boot=old.boot, zero_us=old.zero_us, mono_ns=old.mono_ns)
    tip = old.rows[-1]
    new.said("open", parent=tip.identity, cause="salvaged")
    for row in chance.sample(old.rows, len(old.rows) // 2):
        new.said("salvage", from_=row.identity, body=row.encoded)
    twin = chance.choice(old.rows[1:])  # of a clone: at the same place, another event
    forked = EventIdentity(twin.log.hex(), twin.seq, "77" * 32)
    new.scan("WO-2", "saw", origin=forked)
    if chance.random() < 0.5:
        new.undo(twin)
    lost = chance.sample(old.rows[1:], min(3, len(old.rows) - 1))
    new.scan("WO-1", "saw")
    old.rows = [row for row in old.rows if row not in lost] + new.rows
