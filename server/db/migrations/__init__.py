"""The hub's tables through the versions, with Alembic; found inside the package, so a wheel needs no file beside it."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0008"  # the newest version under versions/


def upgrade(connection: Connection) -> None:
    """Bring the database up to this software's version, inside the caller's transaction."""
    if version_of(connection) == HEAD:
        return  # Alembic's import is longer than a quick command
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads its options with percent interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def version_of(connection: Connection) -> str | None:
    """The version that the database has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
