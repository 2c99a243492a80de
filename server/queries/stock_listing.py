"""Stock listing: the work in process of one time as canonical bytes, with the value of each line by component.

A line is a JSON object, ASCII, with sorted keys and no blanks; the lines are sorted by their bytes and each ends with a
line feed. The first one is the heading: end of the period, position and chain hash of the ledger, software version, and the
movements since the close before (`value_movements`). Amounts
are thousandths of micros, so the sum of the lines is the value before any division.

>>> encoded = encode_listing({"pos": 4}, [ListedStock(_HERE, 10, "pcs", 2000, True, {"bar": 6_000_000})])
>>> encoded.splitlines()[0]
b'{"pos":4}'
>>> figures_of(read_listing(encoded)).components
{'bar': 6000}
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from server.queries.current_stock import StockRow
from server.queries.valuation import Valuation
from server.queries.value_entries import Grain, PricedForm, form_of
from station.core.ledger.costs import shares

EVERYTHING = Grain(stage=True, order=True, item=True)
_HERE = PricedForm("here", "saw", None, None, None, 0, "WO-1", "WO-1", None, None, ())


class ListedStock(NamedTuple):
    """Pieces of one item in one form. `qty_milli` None: unknown quantity. `leaves`: thousandths of micros by component.

    `complete`: each cost that the form has absorbed is known.
    """

    form: PricedForm
    operation: int | None
    unit: str
    qty_milli: int | None
    complete: bool
    leaves: dict[str, int]


class Quantity(NamedTuple):
    """The quantity of one unit, and the number of its items; one of unknown quantity is counted too."""

    unit: str
    qty_milli: int
    items: int


class ListingFigures(NamedTuple):
    """The sums of a listing. `components` and `stages` (None: between stages) add up to `value_micros`."""

    value_micros: int
    components: dict[str, int]
    stages: dict[str | None, int]
    quantities: tuple[Quantity, ...]
    items: int
    unvalued_items: int
    lines: int


def listed(stock: Iterable[StockRow], valuation: Valuation) -> list[ListedStock]:
    """The stock in process; pieces of an item in the same form are one line."""
    lines: dict[Any, ListedStock] = {}
    for row in stock:
        if not row.in_process:
            continue
        value = valuation.of(row)
        form, unit = form_of(row, EVERYTHING), valuation.product(row).unit
        complete = value is not None and not value.unvalued_milli
        line = ListedStock(form, row.operation, unit, row.qty_milli, complete, {} if value is None else value.leaves)
        key = (form, row.operation, unit, row.qty_milli is None)
        lines[key] = _together(lines[key], line) if key in lines else line
    return list(lines.values())


def _together(one: ListedStock, other: ListedStock) -> ListedStock:
    if one.qty_milli is None or other.qty_milli is None:
        return one
    leaves = dict(Counter(one.leaves) + Counter(other.leaves))
    return one._replace(
        qty_milli=one.qty_milli + other.qty_milli, complete=one.complete and other.complete, leaves=leaves
    )


def figures_of(lines: Iterable[ListedStock]) -> ListingFigures:
    """The sums of lines, divided like those of the roll-forward: its opening at that time has the same micros."""
    components: Counter[str] = Counter()
    stages: Counter[str | None] = Counter()
    quantities: Counter[str] = Counter()
    of_unit: dict[str, set[str]] = {}
    unvalued: set[str] = set()
    number = 0
    for number, line in enumerate(lines, 1):  # noqa: B007  the number of lines
        components.update(line.leaves)
        stages[line.form.stage] += sum(line.leaves.values())
        quantities[line.unit] += line.qty_milli or 0
        of_unit.setdefault(line.unit, set()).add(line.form.item)
        if not line.complete:
            unvalued.add(line.form.item)
    by_component = _divided({name: components[name] for name in sorted(components)})
    by_stage = _divided({name: stages[name] for name in sorted(stages, key=lambda name: (name is None, name or ""))})
    return ListingFigures(
        sum(by_component.values()),
        by_component,
        by_stage,
        tuple(Quantity(unit, quantities[unit], len(of_unit[unit])) for unit in sorted(of_unit)),
        len(set[str]().union(*of_unit.values())),
        len(unvalued),
        number,
    )


def _divided(leaves: dict[Any, int]) -> dict[Any, int]:
    return dict(zip(leaves, shares(leaves.values()), strict=True))


def encode_listing(heading: Mapping[str, Any], lines: Iterable[ListedStock]) -> bytes:
    """The canonical bytes of a listing."""
    encoded = sorted(_encoded(_fields(line)) for line in lines)
    return b"".join([_encoded(heading), *encoded])


def _fields(line: ListedStock) -> dict[str, Any]:
    own = {name: getattr(line, name) for name in ListedStock._fields if name != "form"}
    return {**line.form._asdict(), **own}


def _encoded(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def read_listing(encoded: bytes) -> list[ListedStock]:
    """The lines of a listing, without its heading."""
    return [_line(json.loads(line)) for line in encoded.splitlines()[1:]]


def _line(fields: dict[str, Any]) -> ListedStock:
    form = PricedForm(**{name: fields.pop(name) for name in PricedForm._fields})
    return ListedStock(form=form._replace(scanned=tuple(form.scanned)), **fields)
