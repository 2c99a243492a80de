"""Late events are found in an index: that of the positions of events also has their time."""

import sqlalchemy as sa
from alembic import op

from server.projection.tables import event_item

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the index anew; a new hub already has it."""
    connection = op.get_bind()
    columns = {index["name"]: index["column_names"] for index in sa.inspect(connection).get_indexes(event_item.name)}
    if columns.get("event_item_pos") != ["pos", "key_us"]:
        op.drop_index("event_item_pos", event_item.name)
        next(index for index in event_item.indexes if index.name == "event_item_pos").create(connection)
