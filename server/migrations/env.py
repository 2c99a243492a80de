"""Alembic's entry: it runs the versions on the connection that `server.migrations.upgrade` hands over."""

from alembic import context

from server.projection import tables
from server.schema import metadata

assert tables  # they stand on the same metadata
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
