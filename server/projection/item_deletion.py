"""Item deletion: the rows of an item that a refold replaces, all of them or those after a checkpoint."""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, select, tuple_

from server.db.bulk_insert import run_many
from server.db.given_values import in_parts, is_one_of
from server.projection.checkpoints import Checkpoint
from server.projection.dead_letters import delete_dead_events, delete_dead_items
from server.projection.internal_tables import checkpoint
from server.projection.item_rows import days_between
from server.projection.tables import finding, head, move
from station.core.ledger.parcels import LIVE


def delete_items(connection: Connection, items: list[tuple[str]]) -> None:
    """Delete every row of these items."""
    for (name,) in items:
        _delete_days(connection, name)
    delete_dead_items(connection, [name for (name,) in items])
    for table in ("item", "parcel", "move", "head", "finding", "looked_up", "checkpoint"):
        delete_rows(connection, table, items)


def lose_first_rows(connection: Connection, begins: Mapping[str, int]) -> bool:
    """Whether one of these items begins later (UTC us) than its rows in the tables, which are to be replaced."""
    for part in in_parts(sorted(begins)):
        of_part = is_one_of(connection, head.c.item, part)
        stored = select(head.c.item, func.min(head.c.from_us)).where(of_part).group_by(head.c.item)
        if any(from_us < begins[name] for name, from_us in connection.execute(stored)):
            return True
    return False


def delete_after(connection: Connection, name: str, kept: Checkpoint | None) -> None:
    """Delete the rows that come from the events after the checkpoint of an item.

    Rows at the time of the checkpoint may come from both sides of it. Nothing of them changed, so they are written as they
    are: heads and failed item events over themselves, an answer to a finding that has it.
    """
    if kept is None:
        return
    key_us, log, seq = kept.state.last
    _delete_days(connection, name, kept.state.moves)
    delete_dead_events(connection, name, after_us=key_us)
    f = finding.c
    after = tuple_(f.key_us, f.log_id, f.seq) > tuple_(key_us, bytes.fromhex(log), seq)
    for rows in (
        move.delete().where(and_(move.c.item == name, move.c.n > kept.state.moves)),
        head.delete().where(and_(head.c.item == name, head.c.from_us > key_us)),
        finding.delete().where(and_(f.item == name, after)),
        checkpoint.delete().where(and_(checkpoint.c.item == name, checkpoint.c.n > kept.folded)),
        finding.update()
        .where(and_(f.item == name, f.answered_us > key_us))
        .values(answered_us=None, answered_by=None, note=None),
    ):
        connection.execute(rows)
    for table in ("parcel", "looked_up"):
        delete_rows(connection, table, [(name,)])


def _delete_days(connection: Connection, name: str, after: int = 0) -> None:
    """Delete the rows of `open_at` of the moves of an item after number `after`, by their keys: it has no index by item."""
    c = move.c
    placed = func.coalesce(c.placed_us, c.since_us)
    lasted = select(c.n, placed, c.at_us).where(and_(c.item == name, c.n > after, c.from_state.in_(LIVE)))
    keys: list[tuple[int, str, int]] = []
    for number, placed_us, at_us in connection.execute(lasted):
        keys += [(day, name, number) for day in days_between(placed_us, at_us)]
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    run_many(connection, f"DELETE FROM open_at WHERE day = {mark} AND item = {mark} AND n = {mark}", keys)  # noqa: S608


def delete_rows(connection: Connection, table: str, items: list[tuple[str]]) -> None:
    """Delete the rows of items in a table that names its items."""
    if items:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        run_many(connection, f'DELETE FROM "{table}" WHERE item = {mark}', items)  # noqa: S608  names of our own tables
