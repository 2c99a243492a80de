"""Routing: the numbered operations that a work order passes, each done at a stage.

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
    """What kind of place a stage is."""

    WAITING = "waiting"
    PROCESS = "process"
    TEST = "test"
    OUTSIDE = "outside"
    DONE = "done"


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place where we scan: `limit` counts items, `target_s` the seconds an item should stay at most."""

    stage: str
    name: str = ""
    type: str = StageType.PROCESS.value
    limit: int | None = None
    target_s: int | None = None
    strict: bool = False


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a routing; `scan_means` arrived, done or both, by default arrived, done at the last operation."""

    op: int
    stage: str
    optional: bool = False
    scan_means: str | None = None
    transfer_qty_milli: int | None = None


class Routing(msgspec.Struct, frozen=True):
    """Operations in the order of their numbers."""

    routing: str
    operations: tuple[Operation, ...]

    def at_stage(self, stage: str | None) -> tuple[Operation, ...]:
        """The operations done at a stage: none, one, or several where the routing comes back."""
        return tuple(operation for operation in self.operations if operation.stage == stage)

    def index(self, op: int) -> int:
        """How many operations come before this one; ValueError for a number the routing lacks."""
        return next(i for i, operation in enumerate(self.operations) if operation.op == op)

    def operation(self, op: int | None) -> Operation | None:
        """The operation with this number."""
        return next((operation for operation in self.operations if operation.op == op), None)

    def after(self, op: int) -> Operation | None:
        """The operation behind this one; None behind the last."""
        return next((operation for operation in self.operations if operation.op > op), None)

    def before(self, op: int) -> Operation | None:
        """The operation in front of this one; None in front of the first."""
        return next((operation for operation in reversed(self.operations) if operation.op < op), None)

    def means(self, op: int) -> str:
        """What a bare scan says at this operation."""
        operation = self.operation(op)
        if operation is not None and operation.scan_means:
            return operation.scan_means
        return "done" if op >= self.operations[-1].op else "arrived"

    def mandatory_between(self, reached: int | None, op: int | None) -> tuple[Operation, ...]:
        """The operations that may not be left out, beyond `reached` (None: none yet) and before `op` (None: the end)."""
        return tuple(
            operation
            for operation in self.operations
            if not operation.optional
            and (reached is None or operation.op > reached)
            and (op is None or operation.op < op)
        )


class MaterialLine(msgspec.Struct, frozen=True):
    """A line of a bill of material: so much of a component goes into one unit of the product, issued at an operation."""

    component: str
    qty_milli: int
    operation: int | None = None


class Product(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is made: its unit, the decimals shown, its routing and its bill of material."""

    product: str
    name: str = ""
    unit: str = "pcs"
    decimals: int = 0
    routing: str | None = None
    bom: tuple[MaterialLine, ...] = ()
