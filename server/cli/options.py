"""How every command of wipline-hub finds its hub: --config, --db, /etc/wipline/hub.toml, the defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.config import HubConfig, load

DEFAULT_CONFIG = Path("/etc/wipline/hub.toml")


def where(command: Callable[..., Any]) -> Callable[..., Any]:
    """The two options by which every command finds its hub."""
    command = click.option("--db", help="The hub's database: a path, or a URL. Beats the configuration.")(command)
    return click.option("--config", "config_path", type=click.Path(path_type=Path), help="hub.toml.")(command)


def settings(config_path: Path | None, db: str | None, port: int | None = None) -> HubConfig:
    """The configuration that a command was given, else /etc/wipline/hub.toml where there is one, else the defaults."""
    if config_path is None and db is None and DEFAULT_CONFIG.exists():
        config_path = DEFAULT_CONFIG
    return load(config_path, db=db, port=port)
