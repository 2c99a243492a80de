"""Value slices: the value of work in process by any of its attributes, and by two of them crossed.

Every slicing divides the same sum of leaves, so each adds up to the same total; a row or column has the same figure in each
table in which it occurs. Released stock that is not started has no value and is left out. Finished and scrapped goods are
not work in process.

>>> cells([[500, 700], [500, 300]], [1, 1], [1, 1])
[[0, 1], [1, 0]]
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from server.queries.current_stock import StockRow
from server.queries.stage_order import line_of
from server.queries.valuation import Valuation
from station.core.ledger.costs import CONVERSION, MILLI, half_even, shares

DAY_US = 86_400_000_000
AGES = ("0-30", "31-60", "61-90", "over 90")  # whole days since the first scan
_BOUNDS = (31, 61, 91)


class ValueBy(StrEnum):
    """The attribute of a row or a column."""

    STAGE = "stage"
    OPERATION = "operation"
    PRODUCT = "product"
    ORDER = "order"
    CUSTOMER = "customer"
    AGE = "age"
    ITEM = "item"
    COMPONENT = "component"


class ValueRow(NamedTuple):
    """One key in one unit. `key` None: without this attribute, such as between stages, or of no known product.

    `qty_milli`: pieces; of a material component the quantity of it that is in them; None for labour, overhead and outside
    work. `unit` None: that of a component without a quantity, or of no defined product. `parts`: the value by the second
    attribute, adding up to `value_micros`; the key "" is that of no attribute.
    """

    key: str | None
    unit: str | None
    items: int
    qty_milli: int | None
    value_micros: int
    parts: dict[str, int]
    unvalued_items: int
    unvalued_milli: int


class ValueTotal(NamedTuple):
    """All rows together; `parts` by the second attribute. An item in two rows is one item here."""

    value_micros: int
    parts: dict[str, int]
    items: int
    unvalued_items: int


class ValueSlices(NamedTuple):
    """Rows sorted by key and unit, and their total."""

    by: ValueBy
    across: ValueBy
    rows: tuple[ValueRow, ...]
    total: ValueTotal

    def start_after(self, key: str | None, unit: str | None) -> int:
        """The place of the first row behind a key and a unit, whether that row is still there or not."""
        return bisect_right(self.rows, _place(key, unit), key=lambda row: _place(row.key, row.unit))


class Leaf(NamedTuple):
    """The part of a stock row's value that is of one component, in thousandths of micros. `component` None: it has no cost.

    `qty_milli`: thousandths of the component that are in the pieces; None for work.
    """

    row: StockRow
    component: str | None
    amount: int
    qty_milli: int | None
    complete: bool


def leaves(stock: Iterable[StockRow], valuation: Valuation) -> list[Leaf]:
    """The value of the stock in process, as leaves; a row without any known cost is a single leaf of no component."""
    found = []
    for row in stock:
        if not row.in_process:
            continue
        value = valuation.of(row)
        if value is None or not value.leaves:
            found.append(Leaf(row, None, 0, None, value is not None and not value.unvalued_milli))
            continue
        contained = _contained(row, valuation)
        found += [
            Leaf(row, component, amount, contained.get(component), not value.unvalued_milli)
            for component, amount in sorted(value.leaves.items())
        ]
    return found


def _contained(row: StockRow, valuation: Valuation) -> dict[str, int]:
    """Thousandths of each material component in the pieces of a stock row, by the bill of their release."""
    routing = valuation.routing(row)
    bill = valuation.master_data.product(
        row.product, valuation.costs_us if row.released_us is None else row.released_us
    )
    first = routing.operations[0].op if routing is not None and routing.operations else 0
    each: dict[tuple[int, str], int] = {}
    for material in bill.bom if bill else ():
        place = (material.operation or first, material.component)
        each[place] = each.get(place, 0) + material.qty_milli
    reached = {
        (line.op, line.component)
        for line in valuation.costs(row).reached_by(row.entered, row.reached, row.scanned)
        if line.material
    }
    quantities: dict[str, int] = {}
    for op, component in sorted(reached & each.keys()):
        quantity = half_even((row.qty_milli or 0) * each[op, component], MILLI)
        quantities[component] = quantities.get(component, 0) + quantity
    return quantities


def age_of(row: StockRow, at_us: int) -> str | None:
    """The age in production as one of AGES, by whole days of 24 hours since the first scan; None where that is unknown."""
    if row.started_us is None:
        return None
    days = max(at_us - row.started_us, 0) // DAY_US
    return AGES[sum(days >= bound for bound in _BOUNDS)]


def operation_of(row: StockRow) -> str | None:
    """The operation of a stock row with its routing, which gives the number its meaning."""
    return None if row.operation is None else f"{row.routing or ''}/{row.operation}"


_ATTRIBUTE: dict[ValueBy, Callable[[StockRow], str | None]] = {
    ValueBy.STAGE: lambda row: row.stage,
    ValueBy.OPERATION: operation_of,
    ValueBy.PRODUCT: lambda row: row.product,
    ValueBy.ORDER: lambda row: row.order,
    ValueBy.CUSTOMER: lambda row: row.customer,
    ValueBy.ITEM: lambda row: row.item,
}


def key_of(leaf: Leaf, by: ValueBy, at_us: int) -> str | None:
    """The key of a leaf by one attribute."""
    if by == ValueBy.COMPONENT:
        return leaf.component
    return age_of(leaf.row, at_us) if by == ValueBy.AGE else _ATTRIBUTE[by](leaf.row)


def chosen(found: Iterable[Leaf], wanted: Mapping[ValueBy, str], at_us: int) -> list[Leaf]:
    """The leaves with these keys; the key "" selects those without the attribute."""
    return [
        leaf for leaf in found if all((key_of(leaf, by, at_us) or "") == key for by, key in wanted.items())
    ]  # fmt: skip


def value_slices(
    found: Sequence[Leaf], by: ValueBy, across: ValueBy, valuation: Valuation, step: int = 1
) -> ValueSlices:
    """The leaves by one attribute in rows and by another one in columns.

    Each value is a multiple of `step` micros, so that a page in whole cents adds up too.
    """
    at_us, divisor = valuation.at_us, MILLI * step
    rows: dict[tuple[str | None, str | None], list[Leaf]] = {}
    for leaf in found:
        rows.setdefault((key_of(leaf, by, at_us), _unit(leaf, by, valuation)), []).append(leaf)
    columns = sorted({key_of(leaf, across, at_us) for leaf in found if leaf.amount}, key=_order(across, valuation))
    place = {key: number for number, key in enumerate(columns)}
    table = []
    for of_row in rows.values():
        amounts = [0] * len(columns)
        for leaf in of_row:
            if leaf.amount:
                amounts[place[key_of(leaf, across, at_us)]] += leaf.amount
        table.append(amounts)
    row_sums = shares((sum(amounts) for amounts in table), divisor)
    column_sums = shares((sum(column) for column in zip(*table, strict=True)), divisor) if columns else []
    divided = [[part * step for part in parts] for parts in cells(table, row_sums, column_sums, divisor)]
    names = [key or "" for key in columns]
    made = [
        _row(key, unit, of_row, value * step, dict(zip(names, parts, strict=True)), by)
        for (key, unit), of_row, value, parts in zip(rows, rows.values(), row_sums, divided, strict=True)
    ]
    made.sort(key=lambda row: _place(row.key, row.unit))
    parts_of_all = dict(zip(names, (part * step for part in column_sums), strict=True))
    total = ValueTotal(sum(row_sums) * step, parts_of_all, _items(found), _items(_incomplete(found)))
    return ValueSlices(by, across, tuple(made), total)


def _row(
    key: str | None, unit: str | None, of_row: list[Leaf], value: int, parts: dict[str, int], by: ValueBy
) -> ValueRow:
    stock = {id(leaf.row): leaf.row for leaf in of_row}.values()
    missing = {id(leaf.row): leaf.row for leaf in _incomplete(of_row)}.values()
    return ValueRow(
        key, unit, _items(of_row),
        _contained_milli(of_row) if by == ValueBy.COMPONENT else sum(row.qty_milli or 0 for row in stock),
        value, {name: part for name, part in parts.items() if part},
        _items(_incomplete(of_row)), sum(row.qty_milli or 0 for row in missing),
    )  # fmt: skip


def _contained_milli(of_row: Iterable[Leaf]) -> int | None:
    known = [leaf.qty_milli for leaf in of_row if leaf.qty_milli is not None]
    return sum(known) if known else None


def _unit(leaf: Leaf, by: ValueBy, valuation: Valuation) -> str | None:
    if by != ValueBy.COMPONENT:
        return valuation.product(leaf.row).unit
    if leaf.component is None or leaf.qty_milli is None:
        return None
    component = valuation.master_data.product(leaf.component, valuation.at_us)
    return component.unit if component else None


def _incomplete(found: Iterable[Leaf]) -> list[Leaf]:
    return [leaf for leaf in found if not leaf.complete]


def _items(found: Iterable[Leaf]) -> int:
    return len({leaf.row.item for leaf in found})


_IN_ORDER = frozenset({ValueBy.AGE, ValueBy.STAGE, ValueBy.OPERATION})


def _order(by: ValueBy, valuation: Valuation) -> Callable[[str | None], tuple[bool, int, str]]:
    """The order of keys: ages by time, components with materials first, stages by the line, operations by number."""
    if by == ValueBy.STAGE:
        line = {stage: number for number, stage in enumerate(line_of(valuation.master_data, valuation.at_us))}
        return lambda key: (key is None, line.get(key or "", len(line)), key or "")
    if by == ValueBy.AGE:
        return lambda key: (key is None, AGES.index(key) if key in AGES else len(AGES), key or "")
    if by == ValueBy.COMPONENT:
        return lambda key: (key is None, CONVERSION.index(key) + 1 if key in CONVERSION else 0, key or "")
    if by == ValueBy.OPERATION:
        return lambda key: (key is None, int((key or "/0").rpartition("/")[2] or 0), key or "")
    return lambda key: (key is None, 0, key or "")


def ranked(slices: ValueSlices, valuation: Valuation) -> list[ValueRow]:
    """The rows as a person reads them: stages, operations and ages in their own order, others by value, highest first."""
    order = _order(slices.by, valuation)
    if slices.by in _IN_ORDER:
        return sorted(slices.rows, key=lambda row: order(row.key))
    return sorted(slices.rows, key=lambda row: (row.key is None, -row.value_micros))


def _place(key: str | None, unit: str | None) -> tuple[bool, str, str]:
    return (key is None, key or "", unit or "")


def cells(
    table: Sequence[Sequence[int]], row_sums: Sequence[int], column_sums: Sequence[int], divisor: int = MILLI
) -> list[list[int]]:
    """Divide a table of leaves so that its rows and its columns have these sums, which are divided leaves themselves.

    Each cell is rounded down; what its row and its column lack is given to the largest remainders first.
    """
    parts = [[leaf // divisor for leaf in row] for row in table]
    of_rows = [wanted - sum(row) for wanted, row in zip(row_sums, parts, strict=True)]
    of_columns = [wanted - sum(column) for wanted, column in zip(column_sums, zip(*parts, strict=True), strict=True)]
    by_remainder = sorted(
        ((r, c) for r, row in enumerate(table) for c, leaf in enumerate(row) if leaf),
        key=lambda place: -(table[place[0]][place[1]] % divisor),
    )
    _give(parts, of_rows, of_columns, by_remainder, most=1)
    # Rarely the rounded sums need more than one step in a cell, or a step in an empty one.
    _give(parts, of_rows, of_columns, by_remainder)
    if any(of_rows):
        _give(parts, of_rows, of_columns, [(r, c) for r in range(len(table)) for c in range(len(column_sums))])
    return parts


def _give(
    parts: list[list[int]],
    of_rows: list[int],
    of_columns: list[int],
    places: Iterable[tuple[int, int]],
    most: int | None = None,
) -> None:
    """Add to these cells what their row and their column still lack, at most `most` to each."""
    for r, c in places:
        given = min(of_rows[r], of_columns[c], *(() if most is None else (most,)))
        if given > 0:
            parts[r][c] += given
            of_rows[r] -= given
            of_columns[c] -= given
