"""Code keys: the spellings of published codes. The first start after an update fills the table, with the new fold."""

import sqlalchemy as sa
from alembic import op

from server.projection.internal_tables import code_key

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table; a new hub already has it."""
    if not sa.inspect(op.get_bind()).has_table(code_key.name):
        code_key.create(op.get_bind())
