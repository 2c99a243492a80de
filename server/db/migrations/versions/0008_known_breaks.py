"""Known breaks of the ledger, which distinguish a backup of a broken ledger from a copy that was damaged later."""

from alembic import op

from server.db.schema import known_break

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table; a new hub already has it."""
    known_break.create(op.get_bind(), checkfirst=True)
