"""Routing: the numbered operations of a product, each at a stage.

>>> routing = Routing("bracket", (Operation(10, "saw"), Operation(20, "deburr", optional=True), Operation(30, "weld")))
>>> routing.after(10).stage
'deburr'
>>> routing.means(30), routing.means(10)
('done', 'arrived')
>>> [operation.op for operation in routing.mandatory_between(10, 30)]
[]
"""

from enum import StrEnum

import msgspec


class StageType(StrEnum):
    """The type of a stage."""

    WAITING = "waiting"
    PROCESS = "process"
    TEST = "test"
    OUTSIDE = "outside"
    DONE = "done"


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place with scans: `limit` is its WIP limit in items, `target_s` the longest time that an item should stay."""

    stage: str
    name: str = ""
    type: str = StageType.PROCESS.value
    limit: int | None = None
    target_s: int | None = None
    strict: bool = False


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a routing; `scan_means` arrived, done or both, by default arrived, done at the last operation.

    `run_ms`: run time of one unit, `setup_ms`: set-up time of an order, in milliseconds; None: not stated. `scrap_ppm`: how
    many of a million pieces that come to it are expected to be scrapped there.
    """

    op: int
    stage: str
    optional: bool = False
    scan_means: str | None = None
    transfer_qty_milli: int | None = None
    run_ms: int | None = None
    setup_ms: int | None = None
    scrap_ppm: int = 0


class Routing(msgspec.Struct, frozen=True):
    """Operations in the order of their numbers."""

    routing: str
    operations: tuple[Operation, ...]

    def at_stage(self, stage: str | None) -> tuple[Operation, ...]:
        """The operations at a stage: none, one, or several where the routing visits it more than once."""
        return tuple([operation for operation in self.operations if operation.stage == stage])

    def index(self, op: int) -> int:
        """The number of operations before this one. Raises StopIteration for a number that the routing does not have."""
        return next(i for i, operation in enumerate(self.operations) if operation.op == op)

    def operation(self, op: int | None) -> Operation | None:
        """The operation with this number."""
        for operation in self.operations:  # loops, because the fold calls these for every scan
            if operation.op == op:
                return operation
        return None

    def after(self, op: int) -> Operation | None:
        """The next operation; None after the last."""
        for operation in self.operations:
            if operation.op > op:
                return operation
        return None

    def before(self, op: int) -> Operation | None:
        """The previous operation; None before the first."""
        for operation in reversed(self.operations):
            if operation.op < op:
                return operation
        return None

    def means(self, op: int) -> str:
        """The meaning of a bare scan at this operation: arrived, done or both."""
        operation = self.operation(op)
        if operation is not None and operation.scan_means:
            return operation.scan_means
        return "done" if op >= self.operations[-1].op else "arrived"

    def mandatory_between(self, reached: int | None, op: int | None) -> tuple[Operation, ...]:
        """The mandatory operations after `reached` (None: none yet) and before `op` (None: the end)."""
        return tuple([
            operation
            for operation in self.operations
            if not operation.optional
            and (reached is None or operation.op > reached)
            and (op is None or operation.op < op)
        ])  # fmt: skip


class MaterialLine(msgspec.Struct, frozen=True):
    """A line of a bill of material: the quantity of a component in one unit of the product, issued at an operation."""

    component: str
    qty_milli: int
    operation: int | None = None


class Product(msgspec.Struct, frozen=True, omit_defaults=True):
    """A product: its unit, the decimals shown, its routing and its bill of material.

    `withdrawn`: it is not made any more. `replaced_by`: the product that takes its place.
    """

    product: str
    name: str = ""
    unit: str = "pcs"
    decimals: int = 0
    routing: str | None = None
    bom: tuple[MaterialLine, ...] = ()
    withdrawn: bool = False
    replaced_by: str | None = None
