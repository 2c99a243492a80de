"""Clock watch: the last trusted reading of the hub's clock and this boot's baseline."""

import sqlalchemy as sa
from alembic import op

from server.db.schema import clock_watch

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; a new hub already has it. The next clock check fills it."""
    connection = op.get_bind()
    if not sa.inspect(connection).has_table(clock_watch.name):
        clock_watch.create(connection)
