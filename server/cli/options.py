"""Common options of all commands: the hub is found by --config, --db, /etc/wipline/hub.toml, or the defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.config import HubConfig, load

DEFAULT_CONFIG = Path("/etc/wipline/hub.toml")


def where(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator that adds the options --config and --db."""
    command = click.option("--db", help="The hub's database: a path or a URL. Overrides the configuration.")(command)
    return click.option("--config", "config_path", type=click.Path(path_type=Path), help="hub.toml.")(command)


def settings(config_path: Path | None, db: str | None, port: int | None = None) -> HubConfig:
    """The configuration of the options; without options /etc/wipline/hub.toml if it exists, else the defaults."""
    if config_path is None and db is None and DEFAULT_CONFIG.exists():
        config_path = DEFAULT_CONFIG
    return load(config_path, db=db, port=port)
