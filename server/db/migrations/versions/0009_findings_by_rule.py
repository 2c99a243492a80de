"""Findings have the arguments of their rule in place of a sentence; items have the end of their last quantity.

The first start of the projector rebuilds the rows and lists the items that changed (`server.projection.fold_version`).
"""

import sqlalchemy as sa
from alembic import op

from server.db.schema import refold, refolded_item
from server.projection.tables import finding, item

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Replace the columns; a new hub already has them."""
    connection = op.get_bind()
    for table in (refold, refolded_item):
        table.create(connection, checkfirst=True)
    inspector = sa.inspect(connection)
    if "args" not in {column["name"] for column in inspector.get_columns(finding.name)}:
        finding.drop(connection)
        finding.create(connection)
    if "changed" not in {column["name"] for column in inspector.get_columns("item")}:
        op.execute("ALTER TABLE item ADD COLUMN changed BIGINT NOT NULL DEFAULT 0")
        next(index for index in item.indexes if index.name == "item_changed").create(connection, checkfirst=True)
    if "ended_us" not in {column["name"] for column in inspector.get_columns("item")}:
        op.execute("ALTER TABLE item RENAME COLUMN finished_us TO ended_us")
