"""Commands of `wipline-hub`."""

from server.cli.commands import main

__all__ = ["main"]
