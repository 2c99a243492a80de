"""The stations' protocol and the REST API, one module a subject.

A module of this package that has a `blueprint` is served; nobody keeps a list.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from flask import Blueprint


def addresses() -> Iterator[Blueprint]:
    """The blueprint of every subject, by module name."""
    for module in sorted(found.name for found in iter_modules(__path__)):
        blueprint = getattr(import_module(f"{__name__}.{module}"), "blueprint", None)
        if isinstance(blueprint, Blueprint):
            yield blueprint
