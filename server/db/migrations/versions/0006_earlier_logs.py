"""Earlier logs: a heartbeat has the number of events in logs that were set aside and are not acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column to heartbeat; a new hub already has it."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("heartbeat")}
    if "aside" not in columns:
        op.add_column("heartbeat", sa.Column("aside", sa.BigInteger))
