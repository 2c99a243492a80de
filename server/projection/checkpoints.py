"""Checkpoints: the state of an item's fold after every 256th of its events, from which a late event is folded.

A checkpoint holds for the events up to its place in the order of the item. Rows that come from these events stay as they
are when the item is folded again from there; all later rows are replaced. The refold queue has the first time at which
anything of the item changed, and a refold begins at the newest checkpoint before that time.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, or_, select

from server.db.bulk_insert import insert_many
from server.projection.ended_findings import FINDING_ANSWER
from server.projection.internal_tables import checkpoint
from server.projection.ledger_row import STATES
from server.projection.tables import event_item, event_state, item, move
from station.core.ledger.parcels import ItemState

CHECKPOINT_EVENTS = 256  # a refold reads at most so many events before the one that changed
_ENCODER = msgspec.msgpack.Encoder()


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fold of an item after its first `folded` events.

    `asked`: the (what, name) of the definitions that these looked up. `unknown`: the number of a move without a quantity,
    while none became known; 0: there is none.
    """

    state: ItemState
    folded: int
    name: str | None = None
    asked: tuple[tuple[str, str], ...] = ()
    unknown: int = 0

    @property
    def key_us(self) -> int:
        """The time of its last event."""
        return self.state.last[0]


_DECODER = msgspec.msgpack.Decoder(Checkpoint)


class CountedBy(NamedTuple):
    """By what the flow counts the moves of an item: its product, the name of its routing, and its release (UTC us)."""

    product: str | None = None
    routing: str | None = None
    released_us: int | None = None


NOT_COUNTED = CountedBy()


class KeptRows(NamedTuple):
    """The rows of an item that stay, where it is folded from a checkpoint.

    `counted_by`: by what its moves are counted. `unknown_milli`: the present quantity in the row of the move
    `checkpoint.unknown`.
    """

    checkpoint: Checkpoint
    counted_by: CountedBy
    unknown_milli: int | None


def rows_before(connection: Connection, name: str, key_us: int) -> KeptRows | None:
    """The rows up to the newest checkpoint of an item whose events are all earlier than a time; None: there is none."""
    c, m = checkpoint.c, move.c
    query = select(c.content, item.c.product, item.c.routing, item.c.released_us).join(item, item.c.item == c.item)
    newest = query.where(and_(c.item == name, c.key_us < key_us)).order_by(c.n.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    kept = _DECODER.decode(row.content)
    unknown = select(m.qty_milli).where(and_(m.item == name, m.n == kept.unknown))
    return KeptRows(kept, CountedBy(*row[1:]), connection.execute(unknown).scalar() if kept.unknown else None)


def insert_checkpoints(connection: Connection, made: Iterable[Checkpoint]) -> None:
    """Insert the rows of new checkpoints."""
    insert_many(connection, checkpoint, [checkpoint_row(one) for one in made])


def checkpoint_row(made: Checkpoint) -> tuple[str, int, int, bytes]:
    """A row of the table `checkpoint`."""
    return (made.state.item, made.folded, made.key_us, _ENCODER.encode(made))


def events_after(
    connection: Connection, kept: Mapping[str, KeptRows | None]
) -> tuple[dict[str, list[int]], dict[int, Any]]:
    """The positions of the events of items, and their columns STATES of event_state.

    These are all events of an item, or those after its checkpoint and the answers before it.
    """
    states: dict[int, Any] = {}
    positions_of: dict[str, list[int]] = {name: [] for name in kept}
    c = event_item.c
    linked = select(*STATES, c.item).join(event_item, c.pos == event_state.c.pos)
    queries = [linked.where(c.item.in_([name for name, start in kept.items() if start is None]))]
    for name, start in kept.items():
        if start is not None:
            after = or_(c.key_us >= start.checkpoint.key_us, c.verb == FINDING_ANSWER)
            queries.append(linked.where(and_(c.item == name, after)))
    for query in queries:
        for row in connection.execute(query).all():
            positions_of[row[-1]].append(row[0])
            states[row[0]] = row
    return positions_of, states
