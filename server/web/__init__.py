"""The hub's pages: one module a page, with its templates.

Every module of this package that has a `blueprint` is registered; there is no list of pages.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from flask import Blueprint


def pages() -> Iterator[Blueprint]:
    """The blueprint of every page, by module name."""
    for module in sorted(info.name for info in iter_modules(__path__)):
        blueprint = getattr(import_module(f"{__name__}.{module}"), "blueprint", None)
        if isinstance(blueprint, Blueprint):
            yield blueprint
