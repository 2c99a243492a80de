"""Definitions: the unvoided master data entries of the projection, and the items whose fold looked them up."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, select

from server.db.bulk_insert import insert_many
from server.db.driver_statement import DriverStatement
from server.projection.dead_letters import attribute_error
from server.projection.internal_tables import looked_up
from server.projection.ledger_row import LedgerRow
from server.projection.tables import DEFINITION_CHANGES, ITEM_DELETIONS, definition, item, projection
from station.core.codes import RefusedPattern, usable_patterns
from station.core.ledger.void_resolution import effective
from station.core.master_data import NAMED_BY, OF_THE_SITE, Definition, MasterData, name_of

_JSON = msgspec.json.Encoder()
_COUNT = DriverStatement(select(projection.c.v).where(projection.c.k == bindparam("of")))
# Costs, accounts, calendars and counts are applied by the queries: the fold looks none of them up by name.
NOT_FOLDED = frozenset({
    "cost.set", "cost.tolerance", "account.map", "account.balance", "journal.export", "journal.reverse",
    "calendar.define", "count.open", "count.end", "count.accept", "count.limit",
})  # fmt: skip


class RecordingMasterData(MasterData):
    """Master data that records each lookup in `asked`."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        super().__init__(definitions)
        self.asked: set[tuple[str, str]] = set()

    def at(self, what: str, name: str, at_us: int) -> Definition | None:
        """Look up as `MasterData.at` does, and record the lookup."""
        self.asked.add((what, name))
        return super().at(what, name, at_us)


class Definitions:
    """All definitions, in memory: they are typed or imported by hand, so there are few."""

    def __init__(self, connection: Connection) -> None:
        self._at: dict[int, Definition] = {
            row.id: attribute_error(row.id, read_row, row) for row in connection.execute(select(definition))
        }
        self._master_data: RecordingMasterData | None = None

    @property
    def master_data(self) -> RecordingMasterData:
        """The master data, for lookups as of any time."""
        if self._master_data is None:
            self._master_data = RecordingMasterData(self._at.values())
        return self._master_data

    def entries(self) -> list[Definition]:
        """All definitions."""
        return list(self._at.values())

    def of(self, what: str) -> list[Definition]:
        """All definitions of one kind."""
        return [entry for entry in self._at.values() if entry.what == what]

    def apply_rows(
        self,
        connection: Connection,
        rows: list[LedgerRow],
        read: Callable[[LedgerRow], Definition | None] | None = None,
    ) -> set[tuple[str, str]]:
        """Apply the definitions of new and changed entries. Returns the (what, name) whose definition changed.

        `read` decodes one entry; default: `defined`.
        """
        read = read or defined
        changed: list[Definition] = []
        for row in rows:
            if row.was is not None and row.pos in self._at:
                changed.append(self._at.pop(row.pos))
                connection.execute(definition.delete().where(definition.c.id == row.pos))
        new = [(row.pos, added) for row in rows if (added := attribute_error(row.pos, read, row)) is not None]
        insert_many(connection, definition, [definition_row(pos, added) for pos, added in new])
        self._at.update(new)
        changed += [added for _, added in new]
        if changed:
            self._master_data = None
        return {(entry.what, name_of(entry.what, entry.data)) for entry in changed}

    def items_that_looked_up(self, connection: Connection, changed: Iterable[tuple[str, str]]) -> set[str]:
        """The items whose fold looked up a changed definition, also where the lookup found none."""
        items: set[str] = set()
        for what, name in changed:
            if what not in NOT_FOLDED:
                rows = select(looked_up.c.item).where(and_(looked_up.c.what == what, looked_up.c.name == name))
                items.update(connection.execute(rows.where(looked_up.c.item.in_(select(item.c.item)))).scalars())
        return items


def change_count(connection: Connection, of: str = DEFINITION_CHANGES) -> int:
    """The number of transactions that changed a definition or a binding; it only grows, also by a rebuild.

    `of` ITEM_DELETIONS: a number that grows with those that deleted an item or its first rows, and is not below the changes
    of items so far.
    """
    row = _COUNT.first(connection, {"of": of})
    return 0 if row is None else int(row.v)


def count_change(connection: Connection, count: int | None = None, of: str = DEFINITION_CHANGES) -> None:
    """Count a transaction of those in `change_count`. `count`: the new number, by default one more."""
    after = change_count(connection, of) + 1 if count is None else count
    at = projection.c.k == of
    if not connection.execute(projection.update().where(at).values(v=after)).rowcount:
        connection.execute(projection.insert().values(k=of, v=after))


def change_counts(connection: Connection) -> dict[str, int]:
    """Both numbers of `change_count`, which a rebuild keeps for `count_rebuild`."""
    return {of: change_count(connection, of) for of in (DEFINITION_CHANGES, ITEM_DELETIONS)}


def count_rebuild(connection: Connection, before: Mapping[str, int]) -> None:
    """Count a rebuild as a change of either kind. `before`: the numbers at its begin."""
    for of, count in before.items():
        count_change(connection, count + 1, of)


def defined(row: LedgerRow) -> Definition | None:
    """The definition in an entry; None for any other event, and for a definition without a name."""
    event = row.event
    if event is None or not row.ok or event.kind != "entry" or event.what not in NAMED_BY or event.data is None:
        return None
    if not name_of(event.what, event.data).strip("\0") and event.what not in OF_THE_SITE:
        return None
    return Definition(event.what, effective(event, row.key).us, row.recorded, event.data)


def definition_row(pos: int, entry: Definition) -> tuple[Any, ...]:
    """A row of the table `definition`. The parts of its name are joined by a slash, to be readable."""
    key_us, log, seq = entry.recorded
    name = name_of(entry.what, entry.data).strip("\0").replace("\0", "/")
    data = _JSON.encode(entry.data).decode()
    return (pos, entry.what, name, entry.holds_from_us, key_us, bytes.fromhex(log), seq, data)


def refused_patterns(connection: Connection, now_us: int) -> tuple[RefusedPattern, ...]:
    """The current patterns that are recorded and not usable, each with its reason."""
    what = "pattern.define"
    query = select(definition).where(definition.c.what == what)
    master_data = MasterData(read_row(row) for row in connection.execute(query))
    current = [master_data.at(what, name, now_us) for name in master_data.names(what)]
    return usable_patterns(pattern.data for pattern in current if pattern is not None).refused


def read_row(row: Any) -> Definition:
    """Decode a row of the table `definition`."""
    recorded = (row.key_us, row.log_id.hex(), row.seq)
    return Definition(row.what, row.holds_from_us, recorded, msgspec.json.decode(row.data))
