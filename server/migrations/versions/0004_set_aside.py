"""What cannot be folded is set aside; an event beyond its bounds counts for nothing, also one that was folded before."""

import sqlalchemy as sa
from alembic import op

from server.projection.own_tables import set_aside
from server.projection.rebuild import make_again
from server.projection.standing import stands_otherwise

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; fold everything anew where an event stands otherwise by the rules of this version."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(set_aside.name):
        return
    set_aside.create(connection)
    if stands_otherwise(connection):
        make_again(connection)
