"""Definitions as the projection keeps them: every unvoided one, and which items asked for it while they were folded."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from server.db.bulk_insert import insert_many
from server.projection.internal_tables import looked_up
from server.projection.ledger_row import LedgerRow
from server.projection.set_aside import blame
from server.projection.tables import definition, item
from station.core.codes import RefusedPattern, usable_patterns
from station.core.ledger.void_resolution import effective
from station.core.master_data import NAMED_BY, Definition, MasterData, name_of

_JSON = msgspec.json.Encoder()
COSTS = frozenset({"cost.set"})  # a value is computed when it is read: no fold asks for a cost


class RecordingMasterData(MasterData):
    """A catalogue that notes what it is asked for."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        super().__init__(definitions)
        self.asked: set[tuple[str, str]] = set()

    def at(self, what: str, name: str, at_us: int) -> Definition | None:
        """As `MasterData.at`."""
        self.asked.add((what, name))
        return super().at(what, name, at_us)


class Definitions:
    """All definitions, in memory; there are as many as a person has typed or imported."""

    def __init__(self, connection: Connection) -> None:
        self._at: dict[int, Definition] = {
            row.id: blame(row.id, read_row, row) for row in connection.execute(select(definition))
        }
        self._catalogue: RecordingMasterData | None = None

    @property
    def catalogue(self) -> RecordingMasterData:
        """The shop's definitions as of any time."""
        if self._catalogue is None:
            self._catalogue = RecordingMasterData(self._at.values())
        return self._catalogue

    def of(self, what: str) -> list[Definition]:
        """Every definition of one kind."""
        return [each for each in self._at.values() if each.what == what]

    def apply_rows(
        self,
        connection: Connection,
        rows: list[LedgerRow],
        read: Callable[[LedgerRow], Definition | None] | None = None,
    ) -> set[tuple[str, str]]:
        """Note what new and changed entries define; the (what, name) that are not what they were. `read`: `defined`."""
        read = read or defined
        changed: list[Definition] = []
        for each in rows:
            if each.was is not None and each.pos in self._at:
                changed.append(self._at.pop(each.pos))
                connection.execute(definition.delete().where(definition.c.id == each.pos))
        new = [(each.pos, made) for each in rows if (made := blame(each.pos, read, each)) is not None]
        insert_many(connection, definition, [definition_row(pos, made) for pos, made in new])
        self._at.update(new)
        changed += [made for _, made in new]
        if changed:
            self._catalogue = None
        return {(each.what, name_of(each.what, each.data)) for each in changed}

    def who_asked(self, connection: Connection, changed: Iterable[tuple[str, str]]) -> set[str]:
        """The items in whose fold a changed definition was looked for, found or not."""
        found: set[str] = set()
        for what, name in changed:
            if what not in COSTS:
                rows = select(looked_up.c.item).where(and_(looked_up.c.what == what, looked_up.c.name == name))
                found.update(connection.execute(rows.where(looked_up.c.item.in_(select(item.c.item)))).scalars())
        return found


def defined(each: LedgerRow) -> Definition | None:
    """What an entry defines, None for every other event and for a definition of nothing."""
    event = each.event
    if event is None or not each.ok or event.kind != "entry" or event.what not in NAMED_BY or event.data is None:
        return None
    if not name_of(event.what, event.data).strip("\0"):
        return None
    return Definition(event.what, effective(event, each.key).us, each.recorded, event.data)


def definition_row(pos: int, made: Definition) -> tuple[Any, ...]:
    """A row of the table `definition`; in its name the parts are joined by a slash, for people."""
    key_us, log, seq = made.recorded
    name = name_of(made.what, made.data).strip("\0").replace("\0", "/")
    return (pos, made.what, name, made.holds_from_us, key_us, bytes.fromhex(log), seq, _JSON.encode(made.data).decode())


def refused_patterns(connection: Connection, now_us: int) -> tuple[RefusedPattern, ...]:
    """The patterns that hold now, are recorded and are not used, each with its reason."""
    what = "pattern.define"
    catalogue = MasterData(
        read_row(row) for row in connection.execute(select(definition).where(definition.c.what == what))
    )
    held = [catalogue.at(what, name, now_us) for name in catalogue.names(what)]
    return usable_patterns(one.data for one in held if one is not None).refused


def read_row(row: Any) -> Definition:
    """A row of the table `definition`, read back."""
    recorded = (row.key_us, row.log_id.hex(), row.seq)
    return Definition(row.what, row.holds_from_us, recorded, msgspec.json.decode(row.data))
