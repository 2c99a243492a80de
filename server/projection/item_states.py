"""Items: the folded state of each, moved on fact by fact while they come in order, folded anew where they do not.

States are kept in memory for the items last touched and written once a transaction, however many facts moved them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, func, select

from server.db.bulk_insert import insert_many, insert_text, run_many
from server.projection import item_rows
from server.projection.definitions import RecordingMasterData
from server.projection.event_items import DueEvent
from server.projection.internal_tables import looked_up
from server.projection.ledger_row import AT_ONCE
from server.projection.set_aside import FACT, forget_items, put_aside
from server.projection.tables import finding, item, open_at, parcel, visit
from station.core.ledger.fold import Apply, apply, attempt, empty
from station.core.ledger.parcels import Finding, ItemState, Visit

MOST_ITEMS = 12_000  # states in memory, some 4 KB each
_ENCODER = msgspec.msgpack.Encoder()
LOG = structlog.get_logger("projector")


def _upsert(paramstyle: str) -> str:
    """Writes an item's row where it has none and changes it where it has: indexes that stay need no write then."""
    names = [column.name for column in item.columns]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != "item")
    return f'{insert_text(item.name, tuple(names), paramstyle)} ON CONFLICT ("item") DO UPDATE SET {changes}'


_ITEM = {paramstyle: _upsert(paramstyle) for paramstyle in ("qmark", "pyformat")}


class StoredItem(msgspec.Struct):
    """What is stored of an item: its folded state, and the name that the office gave it."""

    state: ItemState
    name: str | None = None


_DECODER = msgspec.msgpack.Decoder(StoredItem)


@dataclass(slots=True)
class LoadedItem:
    """An item in memory, and what its facts left behind since its rows were last written."""

    state: ItemState
    name: str | None = None
    stored: bool = False  # rows of it are in the tables
    anew: bool = False  # those rows are to be replaced altogether
    product: str | None = None  # what its stored visits say
    became: int | None = None
    visits: list[Visit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    asked: set[tuple[str, str]] = field(default_factory=set)
    new_asked: set[tuple[str, str]] = field(default_factory=set)
    failed: list[tuple[int, str]] = field(default_factory=list)  # (pos, reason) of facts that were set aside

    def follow(self, due: DueEvent, catalogue: RecordingMasterData, apply: Apply) -> None:
        """Move on by one fact, which stands behind all before it; one that cannot be folded is set aside."""
        catalogue.asked.clear()
        fact = due.fact
        step = fact if isinstance(fact, str) else attempt(self.state, fact, catalogue, apply)
        self.new_asked |= catalogue.asked - self.asked  # also of a failed one: another definition may let it be folded
        if isinstance(step, str) or isinstance(fact, str):
            LOG.error("a fact was set aside", item=self.state.item, pos=due.pos, reason=step)
            self.failed.append((due.pos, str(step)))
            self.state = msgspec.structs.replace(self.state, last=due.place)
            return
        if step.quantity_became is not None:
            self.became = step.quantity_became
            for number, one in enumerate(self.visits):
                if one.qty_milli is None:
                    self.visits[number] = msgspec.structs.replace(one, qty_milli=self.became)
        self.state = step.state
        self.visits += step.visits
        self.findings += step.findings
        if fact.verb == "item.name" and fact.data is not None:
            name = fact.data.get("name")
            self.name = name if isinstance(name, str) and name else None

    def written(self) -> None:
        """Its rows are in the tables now."""
        self.stored, self.anew, self.became, self.product = True, False, None, self.state.header.product
        self.asked |= self.new_asked
        self.visits, self.findings, self.new_asked, self.failed = [], [], set(), []


class ItemStates:
    """The items in memory, and the next free surrogate numbers."""

    def __init__(self, connection: Connection, apply: Apply = apply) -> None:
        self._apply = apply
        self._open: OrderedDict[str, LoadedItem] = OrderedDict()
        self._moved: dict[str, LoadedItem] = {}
        self._gone: set[str] = set()
        self._next = {
            table.name: 1 + int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())
            for table in (parcel, visit, finding)
        }

    def load(self, connection: Connection, names: Iterable[str]) -> None:
        """Have the states of many items in memory, with few questions."""
        new = [name for name in names if name not in self._open]
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            for name in some:
                self._open[name] = LoadedItem(empty(name))
            for name, stored in connection.execute(select(item.c.item, item.c.state).where(item.c.item.in_(some))):
                kept = _DECODER.decode(stored)
                self._open[name] = LoadedItem(kept.state, kept.name, stored=True, product=kept.state.header.product)

    def get(self, connection: Connection, name: str) -> LoadedItem:
        """The item as folded so far; an empty one where nothing is known of it."""
        if name not in self._open:
            self.load(connection, [name])
        self._open.move_to_end(name)
        return self._open[name]

    def follow(self, one: LoadedItem, due: DueEvent, catalogue: RecordingMasterData) -> None:
        """Move an item on by one fact; its rows are to be written at the end of the transaction."""
        one.follow(due, catalogue, self._apply)
        self._moved[one.state.item] = one

    def gone(self, name: str) -> None:
        """An item that cannot be folded: its rows are to be deleted."""
        self._open.pop(name, None)
        self._moved.pop(name, None)
        self._gone.add(name)

    def refold(self, name: str, facts: Iterable[DueEvent], catalogue: RecordingMasterData) -> None:
        """Fold an item from nothing; without facts it never was."""
        one = LoadedItem(empty(name), stored=True, anew=True)
        for due in sorted(facts, key=lambda each: (each.place, each.hash, each.pos)):
            one.follow(due, catalogue, self._apply)
        self._open.pop(name, None)
        self._moved.pop(name, None)
        if one.state == empty(name):
            self._gone.add(name)
        else:
            self._open[name] = self._moved[name] = one

    def write(self, connection: Connection) -> None:
        """Write the rows of every item that moved."""
        moved = list(self._moved.values())
        replaced = [(one.state.item,) for one in moved if one.anew] + [(name,) for name in self._gone]
        _forget(connection, replaced)
        self._change_visits(connection, [one for one in moved if one.stored and not one.anew])
        stored = [(one.state.item,) for one in moved if one.stored and not one.anew]
        _delete(connection, "parcel", stored)
        rows = [
            item_rows.item_row(one.state, one.name, _ENCODER.encode(StoredItem(one.state, one.name))) for one in moved
        ]
        run_many(connection, _ITEM[connection.dialect.paramstyle], rows)
        self._write_parcels(connection, moved)
        self._write_trail(connection, moved)
        asked = [(*each, one.state.item) for one in moved for each in one.new_asked]
        if asked:
            # Of an item that was out of memory it is not known any more what it asked for before.
            statement = insert_text(looked_up.name, ("what", "name", "item"), connection.dialect.paramstyle)
            run_many(connection, f"{statement} ON CONFLICT DO NOTHING", asked)
        put_aside(connection, [(pos, FACT, one.state.item, why) for one in moved for pos, why in one.failed])
        for one in moved:
            one.written()
        self._moved.clear()
        self._gone.clear()
        while len(self._open) > MOST_ITEMS:
            self._open.popitem(last=False)

    def _change_visits(self, connection: Connection, moved: list[LoadedItem]) -> None:
        for one in moved:
            if one.became is None and one.product == one.state.header.product:
                continue
            rows = visit.update().where(visit.c.item == one.state.item)
            if one.became is not None:
                connection.execute(rows.where(visit.c.qty_milli.is_(None)).values(qty_milli=one.became))
            connection.execute(rows.values(product=one.state.header.product))

    def _write_parcels(self, connection: Connection, moved: list[LoadedItem]) -> None:
        number = self._next["parcel"]
        rows = []
        for one in moved:
            for each in one.state.parcels:
                rows.append(item_rows.parcel_row(number, one.state, each))
                number += 1
        insert_many(connection, parcel, rows)
        self._next["parcel"] = number

    def _write_trail(self, connection: Connection, moved: list[LoadedItem]) -> None:
        visits: list[tuple[Any, ...]] = []
        days: list[tuple[int, int]] = []
        findings: list[tuple[Any, ...]] = []
        number, noted = self._next["visit"], self._next["finding"]
        for one in moved:
            for each in one.visits:
                visits.append(item_rows.visit_row(number, one.state, each))
                days += [(day, number) for day in item_rows.days_open(each)]
                number += 1
            for said in one.findings:
                findings.append(item_rows.finding_row(noted, one.state.item, said))
                noted += 1
        insert_many(connection, visit, visits)
        insert_many(connection, open_at, days)
        insert_many(connection, finding, findings)
        self._next["visit"], self._next["finding"] = number, noted


def _forget(connection: Connection, items: list[tuple[str]]) -> None:
    """Delete every row of these items."""
    for (name,) in items:
        visits = select(visit.c.id).where(visit.c.item == name)
        connection.execute(open_at.delete().where(open_at.c.visit.in_(visits)))
    forget_items(connection, [name for (name,) in items])
    for table in ("item", "parcel", "visit", "finding", "looked_up"):
        _delete(connection, table, items)


def _delete(connection: Connection, table: str, items: list[tuple[str]]) -> None:
    if items:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        run_many(connection, f'DELETE FROM "{table}" WHERE item = {mark}', items)  # noqa: S608  names of our own tables
