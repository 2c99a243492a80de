"""Commands of `wipline-station`."""

from station.cli.commands import main

__all__ = ["main"]
