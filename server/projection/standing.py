"""Whether the projection was made by other rules of what counts than those of this version."""

from sqlalchemy import Connection, select

from server.projection.tables import event_state
from server.projection.taken import every

READ = frozenset({"ok", "void", "copy"})  # what an event can be that was read


def stands_otherwise(connection: Connection) -> bool:
    """Whether an event that was projected as one that can be read cannot be read any more, or the other way round.

    Reads the whole ledger: for a migration.
    """
    states = connection.execution_options(yield_per=5000).execute(
        select(event_state.c.pos, event_state.c.status, event_state.c.kind).order_by(event_state.c.pos)
    )
    for row, state in zip(every(connection), states, strict=False):
        if state.kind != "anchor" and (row.read_as == "ok") != (state.status in READ):
            return True  # an anchor's seal is not looked at here
    return False
