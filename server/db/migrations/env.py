"""Alembic's environment: run the migrations on the connection that `server.db.migrations.upgrade` passes."""

from alembic import context

from server.db.schema import metadata
from server.projection import tables

assert tables  # imported, because its tables are part of the same metadata
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=False,
    on_version_apply=context.config.attributes["applied"],
)
context.run_migrations()
