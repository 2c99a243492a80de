"""The hub's pages: one module a page, each with its templates.

A module of this package that has a `blueprint` is served; nobody keeps a list.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from flask import Blueprint


def pages() -> Iterator[Blueprint]:
    """The blueprint of every page, by module name."""
    for module in sorted(found.name for found in iter_modules(__path__)):
        blueprint = getattr(import_module(f"{__name__}.{module}"), "blueprint", None)
        if isinstance(blueprint, Blueprint):
            yield blueprint
