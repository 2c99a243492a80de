"""What a folder may refer to: the names in its own sheets together with those that stand in the hub already.

Where a sheet could not be read whole, nobody can say that a name is missing: such a set of names is open, and a check
against it stays silent, so that one mistake does not show as twenty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from server.importer.current_state import CurrentState
from server.importer.entry_builder import Rows, fields


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names; an open one may hold more than we could read."""

    what: str
    file: str
    names: frozenset[str]
    is_open: bool = False

    def lacks(self, name: str | None) -> bool:
        """Whether this name is certainly unknown."""
        return name is not None and name not in self.names and not self.is_open


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names by kind, and what the checks ask of them."""

    stages: NameSet
    routings: NameSet
    products: NameSet
    reasons: NameSet
    badges: NameSet
    components: NameSet
    operations: dict[str, frozenset[int]]  # by routing
    routing_of: dict[str, str | None]  # by product
    decimals_of: dict[str, int]  # by product
    components_of: dict[str, frozenset[str]]  # by product

    def operations_of(self, product: str) -> frozenset[int] | None:
        """The operation numbers of a product's routing; None where product or routing is not known well enough."""
        routing = self.routing_of.get(product)
        return None if routing is None else self.operations.get(routing)


def known(rows: Rows, standing: CurrentState, unread: frozenset[str]) -> KnownNames:
    """Bring sheets and hub together; `unread`: files in the folder of which at least one line could not be read."""

    def named(what: str, file: str, column: str, before: Iterable[Any]) -> NameSet:
        here = (row.values[column] for row in rows.get(file, []) if column in row.values)
        return NameSet(what, file, frozenset(here) | frozenset(str(each) for each in before if each), file in unread)

    def stood(what: str, name: str) -> list[Any]:
        return [data.get(name) for data in standing.all_of(what)]

    boms = _boms(rows, standing)
    return KnownNames(
        stages=named("stage", "stages.csv", "stage", stood("stage.define", "stage")),
        routings=named("routing", "routings.csv", "routing", stood("routing.define", "routing")),
        products=named("product", "products.csv", "product", stood("product.define", "product")),
        reasons=named("reason", "reasons.csv", "reason", stood("reason.define", "reason")),
        badges=named("badge", "people.csv", "badge", stood("person.define", "badge")),
        components=named("component", "materials.csv", "component", frozenset().union(*boms.values())),
        operations=_operations(rows, standing, unread),
        **_products(rows, standing),
        components_of=boms,
    )


def _operations(rows: Rows, standing: CurrentState, unread: frozenset[str]) -> dict[str, frozenset[int]]:
    operations: dict[str, set[int]] = {}
    for data in standing.all_of("routing.define"):
        operations[data["routing"]] = {operation["op"] for operation in data.get("operations", [])}
    here: dict[str, set[int]] = {}
    for row in rows.get("routings.csv", []):
        if "routing" in row.values and "op" in row.values:
            here.setdefault(row.values["routing"], set()).add(row.values["op"])
    if "routings.csv" in unread:
        return {}
    return {routing: frozenset(ops) for routing, ops in {**operations, **here}.items()}


def _products(rows: Rows, standing: CurrentState) -> dict[str, Any]:
    stood = {data["product"]: data for data in standing.all_of("product.define")}
    here = {row.values["product"]: fields(row) for row in rows.get("products.csv", []) if "product" in row.values}
    products = {**stood, **here}
    return {
        "routing_of": {product: data.get("routing") for product, data in products.items()},
        "decimals_of": {product: data.get("decimals", 0) for product, data in products.items()},
    }


def _boms(rows: Rows, standing: CurrentState) -> dict[str, frozenset[str]]:
    """The components of each product, as they will be after the import."""
    boms: dict[str, set[str]] = {}
    for data in standing.all_of("product.define"):
        boms[data["product"]] = {line["component"] for line in data.get("bom", [])}
    if "materials.csv" in rows:
        for row in rows.get("products.csv", []):
            boms.pop(row.values.get("product", ""), None)
        here: dict[str, set[str]] = {}
        for row in rows["materials.csv"]:
            if "product" in row.values and "component" in row.values:
                here.setdefault(row.values["product"], set()).add(row.values["component"])
        boms.update(here)
    return {product: frozenset(components) for product, components in boms.items()}
