"""Order list: indexes that hold the columns by which orders are filtered, sorted and counted."""

from alembic import op

from server.projection.tables import item

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the indexes; a new hub already has them."""
    for index in item.indexes:
        if index.name in ("item_listed", "item_closed"):
            index.create(op.get_bind(), checkfirst=True)
