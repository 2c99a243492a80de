"""Calls and their answers, also those that were recorded before this version."""

import sqlalchemy as sa
from alembic import op

from server.projection.call_marks import note_calls
from server.projection.dead_letters import dead_events
from server.projection.internal_tables import call_mark
from server.projection.ledger_row import rows_after
from server.projection.log_permissions import LogOwners, check_permission
from server.projection.worker import projected_pos

revision = "0009"
down_revision = "0008"
AT_ONCE = 2000  # rows of the ledger


def upgrade() -> None:
    """Create the table and fill it up to the projected position; a new hub already has it."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(call_mark.name):
        return
    call_mark.create(connection)
    pos, end = 0, projected_pos(connection)
    owners, aside = LogOwners(connection, end), dead_events(connection)
    while rows := [row for row in rows_after(connection, pos, AT_ONCE, aside) if row.pos <= end]:
        for row in rows:
            check_permission(row, owners)
        note_calls(connection, rows)
        pos = rows[-1].pos
