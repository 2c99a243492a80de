"""Version check: whether this version of the software would give events of the projection another status."""

from sqlalchemy import Connection, select

from server.ledger.ingest import last_pos
from server.projection.definitions import Definitions
from server.projection.ledger_row import LedgerRow, all_rows
from server.projection.log_permissions import LogOwners, check_permission, claimed_by
from server.projection.pipeline import PATTERNS
from server.projection.tables import event_state
from station.core.codes import usable_patterns
from station.core.ledger.void_resolution import named_by_void

READ = frozenset({"ok", "void", "copy"})  # the statuses of an event that was decoded and permitted


def rules_changed(connection: Connection) -> bool:
    """Whether an event counts in one version and not in the other, names another station, or voids another log's event.

    Also whether a pattern is not usable any more. Reads the whole ledger, so it is for migrations.
    """
    if usable_patterns(pattern.data for pattern in Definitions(connection).of(PATTERNS)).refused:
        return True
    owners = LogOwners(connection, last_pos(connection))
    states = connection.execution_options(yield_per=5000).execute(
        select(event_state.c.pos, event_state.c.status, event_state.c.kind).order_by(event_state.c.pos)
    )
    for row, state in zip(all_rows(connection), states, strict=False):
        check_permission(row, owners)
        if claimed_by(row, owners) is not None or _voids_anothers(row, owners):
            return True
        if state.kind != "anchor" and (row.read_as == "ok") != (state.status in READ):
            return True  # anchors are excluded, because their seal is not checked here
    return False


def _voids_anothers(row: LedgerRow, owners: LogOwners) -> bool:
    named = None if row.event is None else named_by_void(row.event)
    return named is not None and owners.has_arrived(named.log) and not owners.may_void(row.stored, named)
