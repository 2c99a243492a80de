"""Events that cannot be folded are set aside; events out of bounds or not permitted in their log have no effect.

The first start of the projector with another fold rebuilds the projection (`server.projection.fold_version`).
"""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import claim, set_aside
from server.projection.tables import event_state

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(set_aside.name):
        return
    for table in (set_aside, claim):
        table.create(connection, checkfirst=True)
    next(index for index in event_state.indexes if index.name == "event_state_not_permitted").create(
        connection, checkfirst=True
    )
