"""Long work: a table with what runs for long, for every process of the hub."""

from alembic import op

from server.db.schema import long_work

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the table; a new hub already has it."""
    long_work.create(op.get_bind(), checkfirst=True)
