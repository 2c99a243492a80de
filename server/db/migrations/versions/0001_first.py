"""The first tables: ledger, stations, people, and the projections.

Later versions change tables step by step; this one makes what version 1 has, triggers included.
"""

from alembic import op

from server.db.schema import metadata
from server.projection import tables

revision = "0001"
down_revision = None

assert tables  # they stand on the same metadata


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind())
