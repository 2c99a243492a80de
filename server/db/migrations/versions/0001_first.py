"""First tables: ledger, stations, accounts and projections, with triggers. Later steps check for tables that exist."""

from alembic import op

from server.db.schema import metadata
from server.projection import tables

revision = "0001"
down_revision = None

assert tables  # imported, because its tables are part of the same metadata


def upgrade() -> None:
    """Create every table."""
    metadata.create_all(op.get_bind())
