"""Words are stored once, events are linked to items by position, bindings have the key of their code.

The new fold fills the tables.
"""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import word
from server.projection.tables import binding, event_item, event_state

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table of the words, and replace the two tables of the events; a new hub already has them."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for table in (event_state, event_item):
        if "log_id" in {column["name"] for column in inspector.get_columns(table.name)}:
            table.drop(connection)
            table.create(connection)
    word.create(connection, checkfirst=True)
    if "key" not in {column["name"] for column in inspector.get_columns(binding.name)}:
        binding.drop(connection)
        binding.create(connection)
