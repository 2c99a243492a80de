"""Answered findings: a finding has its answer, and ends when its order is closed."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import finding

revision = "0012"
down_revision = "0011"
COLUMNS = {
    "answered_us": "BIGINT",
    "answered_by": "VARCHAR",
    "note": "VARCHAR",
    "ended": "BOOLEAN NOT NULL DEFAULT false",
}


def upgrade() -> None:
    """Add the columns, and end the findings of closed orders; a new hub already has them."""
    connection = op.get_bind()
    present = {column["name"] for column in sa.inspect(connection).get_columns(finding.name)}
    for name, kind in COLUMNS.items():
        if name not in present:
            op.execute(f"ALTER TABLE finding ADD COLUMN {name} {kind}")
    next(index for index in finding.indexes if index.name == "finding_open").create(connection, checkfirst=True)
    op.execute(
        "UPDATE finding SET ended = true WHERE EXISTS"
        " (SELECT 1 FROM item WHERE item.item = finding.item AND item.closed_us > finding.key_us)"
    )
