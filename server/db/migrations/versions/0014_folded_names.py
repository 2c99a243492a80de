"""Folded names: the form of a released item's name by which look-alikes are found. The new fold fills the column."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import item

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column and its index; a new hub already has them."""
    names = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(item.name)}
    if item.c.folded.name not in names:
        op.add_column(item.name, sa.Column(item.c.folded.name, item.c.folded.type))
    for index in item.indexes:
        if index.name == "item_folded":
            index.create(op.get_bind(), checkfirst=True)
