"""Earlier logs: a station says how many events of logs that lie aside are not known to be here."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the count to the heartbeats; the tables of a new hub have it already."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("heartbeat")}
    if "aside" not in known:
        op.add_column("heartbeat", sa.Column("aside", sa.BigInteger))
