"""Near names: a new name that a person takes for an existing one of the same kind is refused.

Two such names differ only in blanks, case, dashes or invisible characters (`station.core.codes.lookalike`), so the label of
one is taken for that of the other. The names are those of released orders and items, and of definitions. The keys of
published codes are exact: two serial numbers may differ in case alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, select

from server.projection.tables import definition, item
from station.core.codes import identity_of_written, is_published
from station.core.codes.lookalike import DIFFERENT, folded, shown_code

ITEM = "item"
AT_ONCE = 500  # names in one statement
DEFINED = {  # the kinds of definitions whose names are printed or typed, and the field of the name
    "stage.define": "stage",
    "product.define": "product",
    "routing.define": "routing",
    "reason.define": "reason",
    "person.define": "person",
}


def new_names(what: str, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names that an entry may add, as (kind, name): a release adds its order and its items.

    >>> new_names("order.release", {"order": "WO-1", "items": ["SN-1", {"item": "SN-2"}]})
    [('item', 'WO-1'), ('item', 'SN-1'), ('item', 'SN-2')]
    >>> new_names("code.bind", {"code": "TAG", "as": "item", "to": "WO-1"})
    [('item', 'WO-1')]
    """
    if what in DEFINED:
        return [(what, data[DEFINED[what]])] if isinstance(data.get(DEFINED[what]), str) else []
    names: list[Any] = []
    if what == "order.release":
        items = data.get("items")
        names = [data.get("order"), *(items if isinstance(items, list) else [])]
    elif what == "code.bind" and data.get("as") == ITEM:
        names = [data.get("to")]
    elif what == "correct" and isinstance(data.get("set"), dict):
        names = [data["set"].get("item")]
    texts = [name.get("item") if isinstance(name, dict) else name for name in names]
    return [
        (ITEM, identity_of_written(name)) for name in texts if isinstance(name, str) and name and not is_published(name)
    ]


class NearNames:
    """The existing names that could be taken for one of some new names, by kind and folded form."""

    def __init__(self, connection: Connection, new: Iterable[tuple[str, str]]) -> None:
        self._names: dict[tuple[str, str], set[str]] = {}
        forms: dict[str, set[str]] = {}
        for kind, name in new:
            forms.setdefault(kind, set()).add(folded(name))
        for kind, of_kind in forms.items():
            for name in _items(connection, of_kind) if kind == ITEM else _defined(connection, kind):
                if folded(name) in of_kind:
                    self._add(kind, name)

    def follow(self, what: str, data: Mapping[str, Any]) -> None:
        """The names that an entry has added."""
        if what == "order.release" or what in DEFINED:
            for kind, name in new_names(what, data):
                self._add(kind, name)

    def _add(self, kind: str, name: str) -> None:
        self._names.setdefault((kind, folded(name)), set()).add(name)

    def refusal(self, what: str, data: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """Of an entry with a name that is taken for an existing one: what came, what was expected, what to do."""
        for kind, name in new_names(what, data):
            names = self._names.get((kind, folded(name)), set())
            if names and name not in names:
                near = min(names)
                do = f"Write {shown_code(near)} if that is meant, or choose another name."
                return f"{what} of {shown_code(name)}", f"{shown_code(near)}, or {DIFFERENT}", do
        return None


def _items(connection: Connection, forms: Iterable[str]) -> Iterable[str]:
    ordered = sorted(forms)
    for start in range(0, len(ordered), AT_ONCE):
        chunk = and_(item.c.folded.in_(ordered[start : start + AT_ONCE]), item.c.folded.is_not(None))
        yield from connection.execute(select(item.c.item).where(chunk)).scalars()


def _defined(connection: Connection, what: str) -> Iterable[str]:
    return connection.execute(select(definition.c.name).where(definition.c.what == what).distinct()).scalars()
