"""Backups: the verified copies, so that only those that are still present count as durable."""

import sqlalchemy as sa
from alembic import op

from server.db.schema import backup, hub, log

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table; a new hub already has it. The paths of earlier backups are unknown: the next backup counts."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(backup.name):
        return
    backup.create(connection)
    connection.execute(hub.update().values(backup_pos=0, backup_us=None))
    connection.execute(log.update().values(durable_thru=0))
