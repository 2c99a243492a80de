"""Events that cannot be folded are set aside; events out of bounds or not permitted in their log have no effect."""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import claim, set_aside
from server.projection.rebuild import rebuild_tables
from server.projection.tables import event_state
from server.projection.version_check import rules_changed

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables; rebuild the projection where an event has another status by the rules of this version."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(set_aside.name):
        return
    for table in (set_aside, claim):
        table.create(connection, checkfirst=True)
    next(index for index in event_state.indexes if index.name == "event_state_not_permitted").create(
        connection, checkfirst=True
    )
    if rules_changed(connection):
        rebuild_tables(connection)
