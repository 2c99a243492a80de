"""Verify checkpoints: fold the items that have any from their first events, and compare each checkpoint with that fold.

It reads the ledger and the projection. Items and codes that wait for a refold are left out: their rows are out of date.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.projection.bindings import Bindings
from server.projection.checkpoints import Checkpoint, checkpoint_row
from server.projection.definitions import Definitions
from server.projection.event_items import Corrections, ItemEventBuilder
from server.projection.internal_tables import checkpoint, dirty_code
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.item_states import LoadedItem
from server.projection.ledger_row import rows_at
from server.projection.pipeline import PATTERNS
from server.projection.released_orders import ReleasedOrders
from server.projection.tables import dirty, event_item
from server.projection.verify_rows import RowBreak
from station.core.ledger.fold import empty

_DECODER = msgspec.msgpack.Decoder(Checkpoint)


def verify_checkpoints(
    connection: Connection, interpreter: EventInterpreter = DEFAULT_INTERPRETER
) -> Iterator[RowBreak]:
    """Every checkpoint that differs from the fold of its events. Memory: the events of one item."""
    c = checkpoint.c
    waiting = set(connection.execute(select(dirty.c.item)).scalars())
    if connection.execute(select(dirty_code.c.code).limit(1)).first() is not None:
        return
    names = [name for name in connection.execute(select(c.item).distinct()).scalars() if name not in waiting]
    definitions, bindings = Definitions(connection), Bindings(connection)
    bindings.use(definitions.of(PATTERNS))
    item_events = ItemEventBuilder(bindings, Corrections(connection), ReleasedOrders(), interpreter.item_event)
    for name in sorted(names):
        positions = connection.execute(select(event_item.c.pos).where(event_item.c.item == name)).scalars()
        item_events.load(connection, [name])
        due = [item_events.due(connection, row, name) for row in rows_at(connection, positions)]
        loaded = LoadedItem(empty(name))
        for one in sorted(due, key=lambda one: (one.place, one.hash, one.pos)):
            loaded.apply_item_event(one, definitions.master_data, interpreter.apply, interpreter.checkpoint_events)
        stored = {row.n: row for row in connection.execute(select(checkpoint).where(c.item == name))}
        for text in _differences(loaded.checkpoints, stored):
            yield RowBreak(name, text)


def _differences(made: list[Checkpoint], stored: dict[int, Any]) -> Iterator[str]:
    wanted = {one.folded: one for one in made}
    for n in sorted(wanted.keys() | stored.keys()):
        if n not in stored:
            yield f"its checkpoint after event {n} is missing"
        elif n not in wanted:
            yield f"it has a checkpoint after event {n}, where its fold has none"
        elif tuple(stored[n]) != checkpoint_row(wanted[n]):
            yield f"its checkpoint after event {n} differs from its fold in {_parts(stored[n], wanted[n])}"


def _parts(row: Any, wanted: Checkpoint) -> str:
    """The parts in which a stored checkpoint differs; of its state the fields."""
    try:
        stored = _DECODER.decode(row.content)
    except msgspec.DecodeError as error:
        return f"its content, which cannot be read ({error})"
    pairs = [(stored, wanted), (stored.state, wanted.state)]
    names = [
        name
        for one, other in pairs
        for name in one.__struct_fields__
        if name != "state" and getattr(one, name) != getattr(other, name)
    ]
    return ", ".join(names) or "its time"
