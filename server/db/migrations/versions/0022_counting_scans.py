"""Counting scans are found in an index by their time, whenever they arrived."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import event_item

revision = "0022"
down_revision = "0021"
INDEX = "event_item_count"


def upgrade() -> None:
    """Add the index; a new hub already has it."""
    connection = op.get_bind()
    if INDEX not in {index["name"] for index in sa.inspect(connection).get_indexes(event_item.name)}:
        next(index for index in event_item.indexes if index.name == INDEX).create(connection)
