"""Shared options of the station's commands, their configuration, and the output of errors."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from station.system.access import is_there

if TYPE_CHECKING:
    from station.config import StationConfig

DEFAULT_CONFIG = "/etc/wipline/station.toml"

config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path, readable=False), default=DEFAULT_CONFIG, show_default=True,
    help="The station's configuration.",
)  # fmt: skip
journal_option = click.option(
    "--journal", type=click.Path(readable=False), help="The journal, instead of the configured one."
)


def fail(message: object, code: int) -> NoReturn:
    """Print an error and exit."""
    click.echo(f"wipline-station: {message}", err=True)
    sys.exit(code)


def configured(path: Path, **flags: str | None) -> "StationConfig":
    """The configuration; exits with 2 where it cannot be used."""
    from station.config import ConfigError, load

    try:
        return load(path, **flags)
    except ConfigError as error:
        fail(error, 2)


def config_if_any(path: Path) -> "StationConfig | None":
    """The configuration; None where no station is installed on this machine."""
    return None if _is_not_installed(path) else configured(path)


def snapshot_of(config_path: Path) -> tuple[bytes | None, str]:
    """The body of the station's stored snapshot, and why it cannot be read.

    The body is None where this machine has none, the reason is empty where that is no surprise. A command that works
    without the shop's definitions prints the reason, because its result may differ from the station's.
    """
    from station.config import ConfigError, load
    from station.journal import JournalError, JournalReader

    try:
        config = load(config_path)
    except ConfigError as error:
        if not _is_default(config_path):
            fail(error, 2)
        return None, "" if _is_not_installed(config_path) else str(error)
    try:
        with closing(JournalReader(Path(config.journal))) as reader:
            snapshot = reader.snapshot()
    except JournalError as error:
        return None, "" if isinstance(error.__cause__, FileNotFoundError) else str(error)
    return (snapshot[1] if snapshot else None), ""


def _is_not_installed(path: Path) -> bool:
    """Whether the default configuration is read and does not exist."""
    try:
        return _is_default(path) and not is_there(path)
    except PermissionError:
        return False


def _is_default(path: Path) -> bool:
    """Whether a command reads the default configuration: that of the context's `default_map`, or `DEFAULT_CONFIG`."""
    return str(path) == (click.get_current_context().lookup_default("config_path") or DEFAULT_CONFIG)
