"""Tag numbers: the search index of printed numbers, also for tags that were read before this version."""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import tag_number
from server.projection.ledger_row import rows_after
from server.projection.tag_numbers import note_numbers

revision = "0003"
down_revision = "0002"
AT_ONCE = 2000  # rows of the ledger


def upgrade() -> None:
    """Create the table and fill it from the ledger; a new hub already has it."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(tag_number.name):
        return
    tag_number.create(connection)
    pos = 0
    while rows := rows_after(connection, pos, AT_ONCE):
        note_numbers(connection, rows)
        pos = rows[-1].pos
