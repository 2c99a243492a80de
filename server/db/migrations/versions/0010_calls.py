"""Calls and their answers. The first start of the projector with this fold fills the table (see `fold_version`)."""

from alembic import op

from server.projection.internal_tables import call_mark

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table; a new hub already has it."""
    call_mark.create(op.get_bind(), checkfirst=True)
