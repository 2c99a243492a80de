"""Standard costs: the accumulated cost of one unit of a product at an operation, by component.

A unit value for product, operation, component and date is a whole number of millionths of the currency (micros), rounded
once, half to even. A parcel's leaf is quantity times unit value in thousandths of micros, without rounding. Every total is
a sum of leaves, and only the result is divided by a thousand.

>>> from station.core.master_data import Definition
>>> master_data = MasterData([
...     Definition("product.define", 0, (0, "hub", 1), {"product": "bracket", "bom": [
...         {"component": "bar", "qty_milli": 1500, "operation": 10}]}),
...     Definition("cost.set", 0, (0, "hub", 2), {"component": "bar", "basis": "unit", "micros": 2_000_000}),
... ])
>>> [(line.op, line.component, line.micros) for line in unit_costs("bracket", (10, 20), master_data, at_us=5).lines]
[(10, 'bar', 3000000)]
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from station.core.ledger.routing import Operation
from station.core.master_data import Definition, MasterData

CONVERSION = ("labour", "overhead", "outside")
RATED = ("labour", "overhead")  # what a work centre may have a rate for
MILLI = 1000
MINUTE_MS = 60_000
MOST_LEVELS = 100  # of bills below each other: beyond it a cost is unknown


class CostLine(NamedTuple):
    """The cost that one unit accumulates at an operation; `micros` None: the cost is not defined.

    `optional`: the operation may be left out, and is charged only where it was scanned.
    """

    op: int
    component: str
    micros: int | None
    material: bool
    optional: bool = False


class UnitCosts(NamedTuple):
    """The cost lines of one unit of a product, in the order of its operations; empty: no cost is known."""

    lines: tuple[CostLine, ...]

    def reached_by(self, entered: int | None, reached: int | None, scanned: Collection[int] = ()) -> Iterator[CostLine]:
        """The lines that a unit has accumulated: materials up to `entered`, conversion up to `reached`.

        `scanned`: the operations at which it was scanned. An optional operation that is not among them was left out.
        """
        for line in self.lines:
            limit = entered if line.material else reached
            if limit is not None and line.op <= limit and not (line.optional and line.op not in scanned):
                yield line

    def of_operations(self, ops: Collection[int]) -> "UnitCosts":
        """The lines of some operations only."""
        return UnitCosts(tuple(line for line in self.lines if line.op in ops))

    def at(self, entered: int | None, reached: int | None, scanned: Collection[int] = ()) -> dict[str, int | None]:
        """By component, the micros of one unit that has `entered` and `reached` these operations (see `reached_by`).

        None where one line of the component is unknown.
        """
        sums: dict[str, int | None] = {}
        for line in self.reached_by(entered, reached, scanned):
            known = sums.get(line.component, 0)
            sums[line.component] = None if known is None or line.micros is None else known + line.micros
        return sums


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number, a half to the even one; the denominator is positive.

    >>> [half_even(n, 2) for n in (1, 3, 5, -1)]
    [0, 2, 2, 0]
    """
    whole, rest = divmod(numerator, denominator)
    return whole + (rest * 2 > denominator or (rest * 2 == denominator and whole % 2 == 1))


def unit_costs(
    product: str,
    operations: tuple[int, ...],
    master_data: MasterData,
    at_us: int,
    order_milli: int | None = None,
    bill_us: int | None = None,
    routed: Iterable[Operation] = (),
) -> UnitCosts:
    """The cost lines of one unit at the prices of a time; `order_milli` divides costs and set-up times of an order.

    An order keeps the bill of material of its release: `bill_us` is that time, by default the same time. `routed`: the
    operations of the routing, whose run and set-up times a cost per minute needs, and some of which may be left out.

    A material without an entered price that is made here costs what its own bill costs at that time (`own_cost`).
    """
    return _unit_costs(
        product, operations, master_data, at_us, order_milli, bill_us, routed, _OwnCosts({product: None}, [])
    )


def own_costs(component: str, master_data: MasterData, at_us: int) -> UnitCosts:
    """The cost lines of one unit of a component by the bill and the routing of its own product; empty: not made here."""
    return _own_costs(component, master_data, at_us, _OwnCosts({component: None}, []))


def own_cost(costs: UnitCosts) -> int | None:
    """The micros of one unit by its own bill, without optional operations; None where a line is unknown or there is none.

    >>> own_cost(UnitCosts((CostLine(10, "bar", 300, True), CostLine(10, "labour", 50, False, optional=True))))
    300
    """
    micros = [line.micros for line in costs.lines if not line.optional]
    known = [part for part in micros if part is not None]
    return sum(known) if micros and len(known) == len(micros) else None


def entered_price(master_data: MasterData, product: str | None, component: str, at_us: int) -> Definition | None:
    """The entered price of a material; None without one, and where it was withdrawn."""
    price = cost_of(master_data, product, component, at_us)
    return None if price is None or price.data.get("micros") is None else price


class _OwnCosts(NamedTuple):
    """`known`: the cost of one unit of each component so far, None also while it is computed: a bill that contains itself.

    `below`: the components whose bills are being computed, each below the one before.
    """

    known: dict[str, int | None]
    below: list[str]


def _own_costs(component: str, master_data: MasterData, at_us: int, found: _OwnCosts) -> UnitCosts:
    product = master_data.product(component, at_us)
    if product is None:
        return UnitCosts(())
    routing = master_data.routing(product.routing, at_us) if product.routing else None
    routed = routing.operations if routing else ()
    operations = tuple(operation.op for operation in routed)
    return _unit_costs(component, operations, master_data, at_us, None, None, routed, found)


def _own_cost(component: str, master_data: MasterData, at_us: int, found: _OwnCosts) -> int | None:
    if component not in found.known:
        if len(found.below) >= MOST_LEVELS:
            return None
        found.known[component] = None
        found.below.append(component)
        found.known[component] = own_cost(_own_costs(component, master_data, at_us, found))
        found.below.pop()
    return found.known[component]


def _unit_costs(
    product: str,
    operations: tuple[int, ...],
    master_data: MasterData,
    at_us: int,
    order_milli: int | None,
    bill_us: int | None,
    routed: Iterable[Operation],
    found: _OwnCosts,
) -> UnitCosts:
    times = {operation.op: operation for operation in routed}
    optional = {operation.op for operation in times.values() if operation.optional}
    known = master_data.product(product, at_us if bill_us is None else bill_us)
    lines = []
    first = operations[0] if operations else 0
    for material in known.bom if known else ():
        if entered_price(master_data, product, material.component, at_us) is None:
            price = _own_cost(material.component, master_data, at_us, found)
        else:
            price = _micros(cost_of(master_data, product, material.component, at_us), order_milli)
        micros = None if price is None else half_even(price * material.qty_milli, MILLI)
        op = material.operation or first
        lines.append(CostLine(op, material.component, micros, material=True, optional=op in optional))
    for op in operations:
        timed = times.get(op)
        for component in CONVERSION:
            cost = work_cost(master_data, product, op, timed.stage if timed else None, component, at_us)
            if cost is not None:
                micros = _micros(cost, order_milli, timed)
                lines.append(CostLine(op, component, micros, material=False, optional=op in optional))
    return UnitCosts(tuple(sorted(lines, key=lambda line: line.op)))


def cost_of(master_data: MasterData, product: str | None, component: str, at_us: int) -> Definition | None:
    """The `cost.set` that holds for a material: that of it in this product, else that in all of them."""
    names = (_name(product, None, component), _name(None, None, component))
    return next(filter(None, (master_data.at("cost.set", name, at_us) for name in names)), None)


def work_cost(
    master_data: MasterData, product: str | None, op: int, stage: str | None, component: str, at_us: int
) -> Definition | None:
    """The `cost.set` that holds for work of an operation at a stage: that of product and operation, else the stage's rate.

    A price of the operation that was withdrawn leaves the rate of the stage, which is our work centre, where it has one.
    """
    own = master_data.at("cost.set", _name(product, op, component), at_us)
    if stage is None or component not in RATED or (own is not None and own.data.get("micros") is not None):
        return own
    return master_data.at("cost.set", _name(None, None, component, stage), at_us) or own


def _name(product: str | None, op: int | None, component: str, stage: str = "") -> str:
    return "\0".join(("" if product is None else product, "" if op is None else str(op), component, stage))


def minute_cost(micros: int, run_ms: int | None, setup_ms: int | None, order_milli: int | None) -> int | None:
    """Micros of one unit at `micros` per minute: its run time, and its share of the set-up time of the order.

    Rounded once, half to even. None where the run time is not stated, or no ordered quantity shares the set-up time.
    45 s of run and 30 min of set-up at 0.80 a minute: 0.60 for a unit, and 24.00 for an order; for one of 40, 1.20 a unit.

    >>> minute_cost(800_000, 45_000, None, None), minute_cost(800_000, 45_000, 1_800_000, 40_000)
    (600000, 1200000)
    >>> minute_cost(800_000, 45_000, 1_800_000, None), minute_cost(800_000, None, 1_800_000, 40_000)
    (None, None)
    >>> minute_cost(1, 30_000, None, None), minute_cost(1, 90_000, None, None)
    (0, 2)
    """
    if run_ms is None or min(run_ms, setup_ms or 0) < 0:
        return None
    if not setup_ms:
        return half_even(micros * run_ms, MINUTE_MS)
    if not order_milli:
        return None
    return half_even(micros * (run_ms * order_milli + setup_ms * MILLI), MINUTE_MS * order_milli)


def _micros(definition: Definition | None, order_milli: int | None, timed: Operation | None = None) -> int | None:
    """Micros for one unit (of the component, or of the product for conversion); None where unknown."""
    micros = definition.data.get("micros") if definition else None
    if definition is None or not isinstance(micros, int) or isinstance(micros, bool):
        return None
    basis = definition.data.get("basis", "unit")
    if basis == "unit":
        return micros
    if basis == "order" and order_milli:
        return half_even(micros * MILLI, order_milli)
    # The stated times, never the time from in to out: that is the time of an order at a stage, and no hours of labour.
    if basis == "minute" and timed is not None:
        return minute_cost(micros, timed.run_ms, timed.setup_ms, order_milli)
    return None


class Value(NamedTuple):
    """A sum of leaves: by component, in thousandths of micros; and the quantity that could not be valued."""

    leaves: dict[str, int]
    unvalued_milli: int = 0

    @property
    def total(self) -> int:
        """Thousandths of micros, all components."""
        return sum(self.leaves.values())


def parcel_value(
    costs: UnitCosts,
    qty_milli: int | None,
    entered: int | None,
    reached: int | None,
    scanned: Collection[int] = (),
) -> Value | None:
    """The value of a parcel (`UnitCosts.reached_by`); None where its quantity is unknown.

    A parcel with an unknown cost keeps its known costs, and its quantity counts as unvalued: an unknown cost does not remove
    the value that it had before.
    """
    if qty_milli is None:
        return None
    leaves: dict[str, int] = {}
    complete = bool(costs.lines)
    for line in costs.reached_by(entered, reached, scanned):
        if line.micros is None:
            complete = False
        else:
            leaves[line.component] = leaves.get(line.component, 0) + line.micros * qty_milli
    return Value(leaves, 0 if complete else qty_milli)


def add(values: Iterable[Value]) -> Value:
    """The sum of values."""
    leaves: dict[str, int] = {}
    unvalued = 0
    for value in values:
        unvalued += value.unvalued_milli
        for component, leaf in value.leaves.items():
            leaves[component] = leaves.get(component, 0) + leaf
    return Value(leaves, unvalued)


def shares(leaves: Iterable[int], divisor: int = MILLI) -> list[int]:
    """Divide leaves so that the parts add up to the divided total: by largest remainder, the first one at a tie.

    >>> shares([500, 500, 500])
    [1, 1, 0]
    >>> sum(shares([333, 333, 334]))
    1
    """
    exact = list(leaves)
    parts = [leaf // divisor for leaf in exact]
    missing = half_even(sum(exact), divisor) - sum(parts)
    by_remainder = sorted(range(len(exact)), key=lambda index: -(exact[index] % divisor))
    for index in by_remainder[: max(missing, 0)]:
        parts[index] += 1
    return parts


def in_micros(value: Value) -> tuple[int, dict[str, int]]:
    """The total in micros, and by component the micros that add up to it."""
    names = sorted(value.leaves)
    parts = dict(zip(names, shares(value.leaves[name] for name in names), strict=True))
    return sum(parts.values()), parts


def components(values: Iterable[Value]) -> Iterator[str]:
    """Every component that occurs, once, sorted."""
    yield from sorted({name for value in values for name in value.leaves})
