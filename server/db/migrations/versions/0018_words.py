"""Words are stored once, and an event is linked to its item by its position alone. The new fold fills the tables."""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import word
from server.projection.tables import event_item, event_state

revision = "0018"
down_revision = "0015"


def upgrade() -> None:
    """Create the table of the words, and replace the two tables of the events; a new hub already has them."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for table in (event_state, event_item):
        if "log_id" in {column["name"] for column in inspector.get_columns(table.name)}:
            table.drop(connection)
            table.create(connection)
    word.create(connection, checkfirst=True)
