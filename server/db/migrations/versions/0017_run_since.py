"""Run since: when a `start` scan began the run of a parcel. The new fold fills the column."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import parcel

revision = "0017"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; a new hub already has it."""
    names = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(parcel.name)}
    if parcel.c.run_since_us.name not in names:
        op.add_column(parcel.name, sa.Column(parcel.c.run_since_us.name, parcel.c.run_since_us.type))
