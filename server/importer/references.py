"""References: the names to which a folder may refer, from its own sheets and from the hub.

The names of a sheet with mistakes are incomplete. Such a set is open: checks against it are skipped, so that one mistake
does not cause twenty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from server.importer.current_state import CurrentState
from server.importer.entry_builder import Rows, changed_fields


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names; an open set may be incomplete."""

    what: str
    file: str
    names: frozenset[str]
    is_open: bool = False

    def lacks(self, name: str | None) -> bool:
        """Whether this name is certainly unknown."""
        return name is not None and name not in self.names and not self.is_open


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names by kind, and the relations between them that validation uses."""

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
    replaced_by: dict[str, str | None]  # by product

    def operations_of(self, product: str) -> frozenset[int] | None:
        """The operation numbers of a product's routing; None where product or routing is unknown or incomplete."""
        routing = self.routing_of.get(product)
        return None if routing is None else self.operations.get(routing)


def known_names(rows: Rows, current: CurrentState, unread: frozenset[str]) -> KnownNames:
    """Collect the names of folder and hub; `unread`: files with at least one mistake."""

    def named(what: str, file: str, column: str, before: Iterable[Any]) -> NameSet:
        in_folder = frozenset(row.values[column] for row in rows.get(file, []) if column in row.values)
        return NameSet(what, file, in_folder | frozenset(str(name) for name in before if name), file in unread)

    def in_hub(what: str, name: str) -> list[Any]:
        return [data.get(name) for data in current.all_of(what)]

    boms = _boms(rows, current)
    return KnownNames(
        stages=named("stage", "stages.csv", "stage", in_hub("stage.define", "stage")),
        routings=named("routing", "routings.csv", "routing", in_hub("routing.define", "routing")),
        products=named("product", "products.csv", "product", in_hub("product.define", "product")),
        reasons=named("reason", "reasons.csv", "reason", in_hub("reason.define", "reason")),
        badges=named("badge", "people.csv", "badge", in_hub("person.define", "badge")),
        components=named("component", "materials.csv", "component", frozenset().union(*boms.values())),
        operations=_operations(rows, current, unread),
        **_products(rows, current),
        components_of=boms,
    )


def _operations(rows: Rows, current: CurrentState, unread: frozenset[str]) -> dict[str, frozenset[int]]:
    operations: dict[str, set[int]] = {}
    for data in current.all_of("routing.define"):
        operations[data["routing"]] = {operation["op"] for operation in data.get("operations", [])}
    in_folder: dict[str, set[int]] = {}
    for row in rows.get("routings.csv", []):
        if "routing" in row.values and "op" in row.values:
            in_folder.setdefault(row.values["routing"], set()).add(row.values["op"])
    if "routings.csv" in unread:
        return {}
    return {routing: frozenset(ops) for routing, ops in {**operations, **in_folder}.items()}


def _products(rows: Rows, current: CurrentState) -> dict[str, Any]:
    in_hub = {data["product"]: data for data in current.all_of("product.define")}
    in_folder = {
        row.values["product"]: changed_fields(row, in_hub.get(row.values["product"]))
        for row in rows.get("products.csv", [])
        if "product" in row.values
    }
    products = {**in_hub, **in_folder}
    return {
        "routing_of": {product: data.get("routing") for product, data in products.items()},
        "decimals_of": {product: data.get("decimals", 0) for product, data in products.items()},
        "replaced_by": {product: data.get("replaced_by") for product, data in products.items()},
    }


def _boms(rows: Rows, current: CurrentState) -> dict[str, frozenset[str]]:
    """The components of each product after the import."""
    boms: dict[str, set[str]] = {}
    for data in current.all_of("product.define"):
        boms[data["product"]] = {line["component"] for line in data.get("bom", [])}
    if "materials.csv" in rows:
        for row in rows.get("products.csv", []):
            boms.pop(row.values.get("product", ""), None)
        in_folder: dict[str, set[str]] = {}
        for row in rows["materials.csv"]:
            if "product" in row.values and "component" in row.values:
                in_folder.setdefault(row.values["product"], set()).add(row.values["component"])
        boms.update(in_folder)
    return {product: frozenset(components) for product, components in boms.items()}
