"""Alembic's entry: it runs the versions on the connection that `server.db.migrations.upgrade` hands over."""

from alembic import context

from server.db.schema import metadata
from server.projection import tables

assert tables  # they stand on the same metadata
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
