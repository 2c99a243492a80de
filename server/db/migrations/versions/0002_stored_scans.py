"""Scans from a reader's memory: an event may have happened at any time after a boottime that it has."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column to event_state; a new hub already has it."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("event_state")}
    if "since_ns" not in columns:
        op.add_column("event_state", sa.Column("since_ns", sa.BigInteger))
