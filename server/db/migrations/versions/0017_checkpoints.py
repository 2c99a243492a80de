"""Checkpoints of the folds of items, and the first time of the change of a queued item. The new fold fills them."""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import checkpoint
from server.projection.tables import dirty

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the column and the table; a new hub already has them. An item that is queued is folded from its first event."""
    connection = op.get_bind()
    if "from_us" not in {column["name"] for column in sa.inspect(connection).get_columns(dirty.name)}:
        op.execute("ALTER TABLE dirty ADD COLUMN from_us BIGINT")
    checkpoint.create(connection, checkfirst=True)
