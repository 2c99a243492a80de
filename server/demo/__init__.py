"""The demo: a small factory on this machine, ten days old when it opens its doors, and at work while you look.

`floor` works out what happens there, `days` writes the past of it as the stations' logs, `live` runs three real stations on
what happens next, `show` puts them together and `command` is `wipline-hub demo`.
"""

from server.demo.command import demo

__all__ = ["demo"]
