"""Migrations of the hub's tables, with Alembic. They are part of the package, so a wheel needs no further files."""

from itertools import count
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from station.system.progress import Show, unseen

HEAD = "0022"  # the newest version under versions/


def upgrade(connection: Connection, show: Show = unseen) -> None:
    """Upgrade the database to the version of this software, inside the caller's transaction."""
    before = version_of(connection)
    if before == HEAD:
        return  # before the import of Alembic, which takes longer than a short command
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # Alembic's option parser interpolates percent signs.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    steps = len(list(ScriptDirectory.from_config(config).iterate_revisions(HEAD, before or "base")))
    advance, done = show("Migration", "step"), count(1)
    advance(0, steps)
    config.attributes["applied"] = lambda **_context: advance(next(done), steps)
    command.upgrade(config, HEAD)


def version_of(connection: Connection) -> str | None:
    """The version of the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
