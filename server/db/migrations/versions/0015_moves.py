"""Moves replace visits; parcels have their move and the operations at which they were scanned. The new fold fills them."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import head, move, open_at, parcel

revision = "0015"
down_revision = "0014"
COLUMNS = {"scanned": "VARCHAR", "put": "BIGINT NOT NULL DEFAULT 0", "placed_us": "BIGINT", "run_since_us": "BIGINT"}


def upgrade() -> None:
    """Add the columns and replace the tables; a new hub already has them."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    present = {column["name"] for column in inspector.get_columns(parcel.name)}
    for name, kind in COLUMNS.items():
        if name not in present:
            op.execute(f"ALTER TABLE parcel ADD COLUMN {name} {kind}")
    if "visit" in {column["name"] for column in inspector.get_columns(open_at.name)}:
        open_at.drop(connection)
        op.drop_table("visit")
    for table in (move, open_at, head):
        table.create(connection, checkfirst=True)
