"""Common options of all commands: the hub is found by --config, --db, /etc/wipline/hub.toml, or the defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.config import HubConfig, load
from station.system.access import is_there

DEFAULT_CONFIG = Path("/etc/wipline/hub.toml")


def where(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator that adds the options --config and --db."""
    command = click.option("--db", help="The hub's database: a path or a URL. Overrides the configuration.")(command)
    path = click.Path(path_type=Path, readable=False)  # the commands name the user that may read it
    return click.option("--config", "config_path", type=path, help="hub.toml.")(command)


def settings(config_path: Path | None, db: str | None, port: int | None = None) -> HubConfig:
    """The configuration of the options; without options /etc/wipline/hub.toml if it exists, else the defaults."""
    if config_path is None and db is None and is_there(DEFAULT_CONFIG):
        config_path = DEFAULT_CONFIG
    return load(config_path, db=db, port=port)
