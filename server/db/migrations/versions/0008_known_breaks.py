"""What is wrong with the ledger itself is written down, so that its backups can be told from copies that a disk changed."""

from alembic import op

from server.db.schema import known_break

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table; a new hub has it already."""
    known_break.create(op.get_bind(), checkfirst=True)
