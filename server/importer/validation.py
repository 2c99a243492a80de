"""Validation across the sheets of a shop folder: one function for each rule, which yields its mistakes.

A referenced name must be defined in the folder or in the hub. An operation must belong to the product's routing. An assembly
must not contain itself, and a product must not replace itself. A badge belongs to one person. Cards, patterns and codes must
be valid.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from server.importer.cell_parsers import WITHDRAWN
from server.importer.current_state import CurrentState, released_names
from server.importer.entry_builder import Rows
from server.importer.errors import ImportMistake, shown
from server.importer.file_schema import CONVERSION, SHEETS
from server.importer.references import KnownNames, NameSet
from server.importer.table_rows import TableRow
from server.text import counted
from station.core.codes import identity_of_written
from station.core.codes.code import CodeType
from station.core.codes.command_cards import Card, read_card
from station.core.codes.lookalike import DIFFERENT, folded, shown_code
from station.core.codes.patterns import Pattern, PatternError, usable_patterns
from station.core.ledger.costs import RATED
from station.core.quantity import decimal_text

MAX_MATERIALS = 400  # lines of one bill of material, which is one entry of the ledger
MAX_OPERATIONS = 400  # operations of one routing, likewise

Check = Callable[[Rows, KnownNames, CurrentState], Iterator[ImportMistake]]


def _unknown(row: TableRow, column: str, names: NameSet) -> Iterator[ImportMistake]:
    """A cell must not refer to an undefined name."""
    name = row.values.get(column)
    if not names.lacks(name):
        return
    close = difflib.get_close_matches(str(name), names.names, n=1)
    hint = f"write {close[0]!r}, if that is meant, or add it to {names.file}" if close else f"add it to {names.file}"
    yield row.mistake(column, shown(str(name)), f"a {names.what} of {names.file} or of the hub", hint)


def _operation(row: TableRow, known: KnownNames) -> Iterator[ImportMistake]:
    """The `op` of a line that names a product must be an operation of that product's routing."""
    product, op = row.values.get("product"), row.values.get("op")
    if product is None or op is None or product not in known.routing_of:
        return
    if known.routing_of[product] is None:
        yield row.mistake("op", str(op), f"no operation: {product} has no routing", "give the product a routing")
        return
    operations = known.operations_of(product)
    if operations is not None and op not in operations:
        expected = f"an operation of routing {known.routing_of[product]}: {', '.join(map(str, sorted(operations)))}"
        yield row.mistake("op", str(op), expected, "write one of them")


def references(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """Every stage, routing and product that a line refers to is defined."""
    targets = {"stage": known.stages, "routing": known.routings, "product": known.products}
    for file, sheet_rows in rows.items():
        own = SHEETS[file].key[0]
        for column, names in targets.items():
            if column == own and file == names.file:
                continue
            for row in sheet_rows:
                yield from _unknown(row, column, names)


def materials(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """Material is issued at an operation of its product, and is not named labour, overhead or outside."""
    lines: dict[str, int] = {}
    for row in rows.get("materials.csv", []):
        yield from _operation(row, known)
        component, product = row.values.get("component"), row.values.get("product", "")
        if component in CONVERSION:
            do = "use another name: these words are costs of an operation"
            yield row.mistake("component", shown(component), f"no {', '.join(CONVERSION)}", do)
        lines[product] = lines.get(product, 0) + 1
        if lines[product] == MAX_MATERIALS + 1:
            yield row.mistake(
                "product", "one line more", f"at most {MAX_MATERIALS} for a product", "make sub-assemblies"
            )


def operations(rows: Rows, _: KnownNames, __: CurrentState) -> Iterator[ImportMistake]:
    """A routing has a bounded number of operations."""
    lines: dict[str, int] = {}
    for row in rows.get("routings.csv", []):
        routing = row.values.get("routing", "")
        lines[routing] = lines.get(routing, 0) + 1
        if lines[routing] == MAX_OPERATIONS + 1:
            yield row.mistake("routing", "one more", f"at most {MAX_OPERATIONS} operations", "split the routing")


def assemblies(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """An assembly must not contain itself, directly or through its components."""
    suspects = _cyclic(known)
    for row in rows.get("materials.csv", []):
        product, component = row.values.get("product"), row.values.get("component")
        if product is None or component is None or not {product, component} <= suspects:
            continue
        path = _path(known, component, product)
        if path:
            came = f"{product} made of {' of '.join(path)}"
            yield row.mistake("component", came, "no product that contains itself", "remove one of these lines")


def replacements(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """The product that replaces another one is known, and no product replaces itself through others."""
    for row in rows.get("products.csv", []):
        yield from _unknown(row, "replaced_by", known.products)
        product = row.values.get("product")
        chain = [row.values.get("replaced_by")]
        while chain[-1] is not None and chain[-1] != product and chain[-1] not in chain[:-1]:
            chain.append(known.replaced_by.get(chain[-1]))
        if product is not None and chain[-1] == product:
            came = f"{product} replaced by {', then by '.join(map(str, chain))}"
            yield row.mistake(
                "replaced_by", came, "a replacement that does not lead back to it", "name the product that is made now"
            )


def _cyclic(known: KnownNames) -> set[str]:
    """The products in a cycle of bills of material, and the products made of them, by topological sorting."""
    waits_for = {
        product: {part for part in parts if part in known.components_of}
        for product, parts in known.components_of.items()
    }
    used_in: dict[str, list[str]] = {}
    for product, parts in waits_for.items():
        for part in parts:
            used_in.setdefault(part, []).append(product)
    ready = [product for product, parts in waits_for.items() if not parts]
    for product in ready:
        for assembly in used_in.get(product, ()):
            waits_for[assembly].discard(product)
            if not waits_for[assembly]:
                ready.append(assembly)
    return set(waits_for).difference(ready)


def _path(known: KnownNames, start: str, goal: str) -> list[str]:
    """The chain of components from `start` down to `goal`; empty where `start` does not contain `goal`."""
    came_from: dict[str, str | None] = {start: None}
    queue = [start]
    for product in queue:
        if product == goal:
            path = [goal]
            while (outer := came_from[path[-1]]) is not None:
                path.append(outer)
            return path[::-1]
        for component in sorted(known.components_of.get(product, ())):
            if component not in came_from:
                came_from[component] = product
                queue.append(component)
    return []


def costs(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """A cost is of work at an operation of a product, the rate of a work centre, or the price of one unit of a component."""
    for row in rows.get("costs.csv", []):
        component = row.values.get("component")
        if "stage" in row.values:
            yield from _rate(row)
        elif component in CONVERSION:
            for column in ("product", "op"):
                if column not in row.values and column not in row.broken:
                    expected = f"the {'product' if column == 'product' else 'operation'} whose {component} this is"
                    yield row.mistake(column, "an empty cell", expected, "fill it in")
            yield from _operation(row, known)
        elif component is not None:
            yield from _price(row, component, known)


def _rate(row: TableRow) -> Iterator[ImportMistake]:
    component = row.values.get("component")
    if component is not None and component not in RATED:
        do = "empty the cell of the stage for another cost"
        yield row.mistake("component", shown(component), f"{' or '.join(RATED)}: the rate of a work centre", do)
    for column in ("product", "op"):
        if column in row.values:
            do = "empty the cell, or empty the cell of the stage"
            yield row.mistake(column, shown(str(row.values[column])), "an empty cell: a rate is for all work there", do)
    withdrawn = row.values.get("amount") == WITHDRAWN
    if not withdrawn and "basis" not in row.broken and row.values.get("basis") != "minute":
        came = shown(row.values["basis"]) if "basis" in row.values else "an empty cell"
        yield row.mistake("basis", came, "minute: a rate is for one minute at normal capacity", "write minute")


def _price(row: TableRow, component: str, known: KnownNames) -> Iterator[ImportMistake]:
    if "op" in row.values:
        do = f"empty the cell, or write {' or '.join(CONVERSION)} as the component"
        yield row.mistake("op", str(row.values["op"]), "an empty cell: a price belongs to the component", do)
    if row.values.get("basis", "unit") != "unit":
        yield row.mistake("basis", shown(row.values["basis"]), "unit: a price is per unit", "write unit")
    if known.components.lacks(component):
        yield from _unknown(row, "component", known.components)
        return
    product = row.values.get("product")
    if product is None or known.components.is_open or known.products.lacks(product):
        return
    if component not in known.components_of.get(product, ()):
        do = "leave the product empty for a price for all products, or add the material"
        yield row.mistake("component", shown(component), f"a component of {product}", do)


def orders(rows: Rows, known: KnownNames, current: CurrentState) -> Iterator[ImportMistake]:
    """An order's quantity fits the product's decimals, and a released order keeps its product."""
    for row in rows.get("orders.csv", []):
        product, qty_milli = row.values.get("product"), row.values.get("qty")
        decimals = known.decimals_of.get(product or "")
        if decimals is not None and qty_milli is not None and qty_milli % 10 ** (3 - decimals):
            most = f"at most {counted(decimals, 'decimal')}, as product {product} has"
            expected = most if decimals else f"whole {product}"
            yield row.mistake("qty", decimal_text(qty_milli), expected, "round it, or give the product more decimals")
        now = current.order(row.values.get("order", ""))
        if now is not None and product is not None and now.fields.get("product") != product:
            expected = f"{now.fields.get('product')}, as it was released"
            yield row.mistake("product", shown(product), expected, "give a new order its own number")


_NAMES = {  # the column of the names, the kind of definition, and the word for one of them
    "stages.csv": ("stage", "stage.define"),
    "routings.csv": ("routing", "routing.define"),
    "products.csv": ("product", "product.define"),
    "people.csv": ("person", "person.define"),
    "reasons.csv": ("reason", "reason.define"),
}


def lookalikes(rows: Rows, _: KnownNames, current: CurrentState) -> Iterator[ImportMistake]:
    """A new name differs from every other one in more than blanks, case, dashes or invisible characters."""
    for file, (column, what) in _NAMES.items():
        in_hub = {str(data[column]) for data in current.all_of(what) if data.get(column)}
        yield from _lookalikes(((row, column, row.values.get(column)) for row in rows.get(file, [])), in_hub)
    names = (
        (row, column, name)
        for row in rows.get("orders.csv", [])
        for column in ("order", "items")
        for name in ([row.values.get("order")] if column == "order" else row.values.get("items", []))
    )
    yield from _lookalikes(names, released_names(current))


def _lookalikes(names: Iterable[tuple[TableRow, str, str | None]], in_hub: set[str]) -> Iterator[ImportMistake]:
    first = {folded(name): (name, "of the hub") for name in in_hub}
    for row, column, name in names:
        if name is None or name in in_hub:
            continue
        near, where = first.setdefault(folded(name), (name, f"of line {row.line}"))
        if near != name:
            do = f"write {shown_code(near)}, if that is meant, or another name"
            yield row.mistake(column, shown_code(name), f"{shown_code(near)} {where}, or {DIFFERENT}", do)


def items(rows: Rows, _: KnownNames, __: CurrentState) -> Iterator[ImportMistake]:
    """A further item belongs to one order, and is not an order itself."""
    names = {identity_of_written(row.values.get("order", "")) for row in rows.get("orders.csv", [])}
    owner: dict[str, int] = {}
    for row in rows.get("orders.csv", []):
        for item in row.values.get("items", []):
            name = identity_of_written(item)
            if name in names:
                yield row.mistake("items", shown(item), "items that are not orders", "remove it")
            elif name in owner:
                came = f"{shown(item)} again, first on line {owner[name]}"
                yield row.mistake("items", came, "each item under one order", "remove one")
            owner.setdefault(name, row.line)


def badges(rows: Rows, _: KnownNames, current: CurrentState) -> Iterator[ImportMistake]:
    """A badge belongs to one person."""
    in_folder = {row.values.get("person") for row in rows.get("people.csv", [])}
    owner = {
        data["badge"]: str(data["person"])
        for data in current.all_of("person.define")
        if data.get("badge") and data.get("person") not in in_folder
    }
    for row in rows.get("people.csv", []):
        badge, person = row.values.get("badge"), row.values.get("person", "")
        if badge is None:
            continue
        if badge in owner:
            yield row.mistake("badge", f"{shown(badge)}, the badge of {owner[badge]}", "one of their own", "change one")
        owner.setdefault(badge, person)


def patterns(rows: Rows, _: KnownNames, current: CurrentState) -> Iterator[ImportMistake]:
    """A pattern must be matched in linear time, and a shop has a bounded number of them."""
    in_hub = {str(data.get("name")): data for data in current.all_of("pattern.define")}
    valid: dict[str, TableRow] = {}
    for row in rows.get("patterns.csv", []):
        if not row.broken and {"name", "regex", "as"} <= row.values.keys():
            try:
                Pattern(row.values["name"], row.values["regex"], row.values["as"])
            except PatternError as error:
                yield row.mistake(
                    "regex", shown(row.values["regex"]), "a pattern that stations can use", f"correct it: {error}"[:-1]
                )
            else:
                valid[row.values["name"]] = row
    refused_before = {pattern.name for pattern in usable_patterns(in_hub.values()).refused} - valid.keys()
    refused_after = usable_patterns((in_hub | {name: row.values for name, row in valid.items()}).values()).refused
    excess = [pattern for pattern in refused_after if pattern.name not in refused_before]
    if excess:
        row = list(valid.values())[-1]
        yield row.mistake(
            "name", shown(row.values["name"]), "no more patterns than a shop may have", excess[0].why.rstrip(".")
        )


def codes(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """A bound code refers to a known product or badge, or to a valid card."""
    for row in rows.get("codes.csv", []):
        if row.values.get("as") == CodeType.PRODUCT:
            yield from _unknown(row, "to", known.products)
        elif row.values.get("as") == CodeType.BADGE:
            yield from _unknown(row, "to", known.badges)
        elif row.values.get("as") == CodeType.COMMAND and "to" in row.values:
            yield from _card(row, "to", known)


def cards(rows: Rows, known: KnownNames, _: CurrentState) -> Iterator[ImportMistake]:
    """A card has a valid command."""
    for row in rows.get("cards.csv", []):
        if "card" in row.values:
            yield from _card(row, "card", known)


def _card(row: TableRow, column: str, known: KnownNames) -> Iterator[ImportMistake]:
    text = row.values[column]
    card = read_card(text)
    if card is None or card.unread is not None or card.card is None:
        do = "write it as on the operator's card" + (f" ({card.unread})" if card and card.unread else "")
        yield row.mistake(column, shown(text), "a card such as WIP:SCRAP or WIP:QTY:10", do)
        return
    names = {Card.STAGE: known.stages, Card.REWORK: known.stages, Card.REASON: known.reasons}.get(card.card)
    if names is not None and card.argument and names.lacks(card.argument):
        yield row.mistake(
            column, shown(text), f"a {names.what} of {names.file} or of the hub", f"add it to {names.file}"
        )


CHECKS: tuple[Check, ...] = (
    references, operations, materials, assemblies, replacements, costs, orders, lookalikes, items, badges,
    patterns, codes, cards,
)  # fmt: skip


def check(rows: Rows, known: KnownNames, current: CurrentState) -> list[ImportMistake]:
    """All mistakes of the rules across lines."""
    return list(chain.from_iterable(rule(rows, known, current) for rule in CHECKS))
