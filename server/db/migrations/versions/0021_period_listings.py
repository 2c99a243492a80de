"""Period listings: a table with the stock that each closed period was closed with."""

from alembic import op

from server.db.schema import period_listing

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the table; a new hub already has it."""
    period_listing.create(op.get_bind(), checkfirst=True)
