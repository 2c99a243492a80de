"""Stored scans: an event may have happened at any time since a moment that it names."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the moment to the states of events; the tables of a new hub have it already."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("event_state")}
    if "since_ns" not in known:
        op.add_column("event_state", sa.Column("since_ns", sa.BigInteger))
