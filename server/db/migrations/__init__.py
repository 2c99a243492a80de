"""Migrations of the hub's tables, with Alembic. They are part of the package, so a wheel needs no further files."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0018"  # the newest version under versions/


def upgrade(connection: Connection) -> None:
    """Upgrade the database to the version of this software, inside the caller's transaction."""
    if version_of(connection) == HEAD:
        return  # before the import of Alembic, which takes longer than a short command
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic's option parser interpolates percent signs.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def version_of(connection: Connection) -> str | None:
    """The version of the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
