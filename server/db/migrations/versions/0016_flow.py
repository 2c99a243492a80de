"""The flow of each day: classes of moves, their sums by day, and their durations. The new fold fills them."""

from alembic import op

from server.projection.tables import flow_class, flow_day, flow_duration

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables; a new hub already has them."""
    for table in (flow_class, flow_day, flow_duration):
        table.create(op.get_bind(), checkfirst=True)
