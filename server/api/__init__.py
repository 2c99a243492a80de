"""The station protocol and the REST API, one module a subject.

Every module of this package that has a `blueprint` is registered; there is no list of subjects.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from flask import Blueprint


def addresses() -> Iterator[Blueprint]:
    """The blueprint of every subject, by module name."""
    for module in sorted(info.name for info in iter_modules(__path__)):
        blueprint = getattr(import_module(f"{__name__}.{module}"), "blueprint", None)
        if isinstance(blueprint, Blueprint):
            yield blueprint
