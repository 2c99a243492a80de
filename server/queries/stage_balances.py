"""Stage balances: how much of each item was at each stage at any moment of a span, by the moves of the span."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from server.projection.tables import move
from server.queries.current_stock import StockRow
from station.core.ledger.parcels import LIVE, ParcelState

IN_PROCESS = LIVE - {ParcelState.RELEASED}
At = tuple[str, str]  # an item and a stage


class StageQuantity(NamedTuple):
    """Thousandths, and how many pieces more have no known quantity."""

    milli: int = 0
    unknown: int = 0

    @property
    def known(self) -> int | None:
        """The thousandths; None where a part of them is unknown."""
        return None if self.unknown > 0 else self.milli

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is there."""
        return self.milli <= 0 and self.unknown <= 0

    def plus(self, milli: int | None, sign: int = 1) -> "StageQuantity":
        """With a quantity more, or less; None: an unknown one."""
        if milli is None:
            return StageQuantity(self.milli, self.unknown + sign)
        return StageQuantity(self.milli + sign * milli, self.unknown)


class _StageFlow(NamedTuple):
    at_us: int
    milli: int | None
    sign: int


class StageBalances:
    """The balances from `from_us` (the time of the opening stock) to `to_us`; times UTC us."""

    def __init__(self, connection: Connection, opening: Iterable[StockRow], from_us: int, to_us: int) -> None:
        self.opening: dict[At, StageQuantity] = {}
        self.moved_items: set[str] = set()
        self._changes: dict[At, list[_StageFlow]] = {}
        self._stages: dict[str, set[str]] = {}
        for row in opening:
            if row.in_process and row.stage is not None:
                at = (row.item, row.stage)
                self.opening[at] = self.opening.get(at, StageQuantity()).plus(row.qty_milli)
                self._stages.setdefault(row.item, set()).add(row.stage)
        c = move.c
        columns = (c.item, c.at_us, c.qty_milli, c.from_state, c.from_stage, c.to_state, c.to_stage)
        query = select(*columns).where(and_(c.at_us > from_us, c.at_us <= to_us)).order_by(c.item, c.n)
        for item, at_us, milli, from_state, from_stage, to_state, to_stage in connection.execute(query):
            source = from_stage if from_state in IN_PROCESS else None
            target = to_stage if to_state in IN_PROCESS else None
            if source == target:
                continue
            self.moved_items.add(item)
            for stage, sign in ((source, -1), (target, 1)):
                if stage is not None:
                    self._changes.setdefault((item, stage), []).append(_StageFlow(at_us, milli, sign))
                    self._stages.setdefault(item, set()).add(stage)

    def at(self, item: str, stage: str, at_us: int) -> StageQuantity:
        """What was there at a time; a move of that very moment counts."""
        there = self.opening.get((item, stage), StageQuantity())
        for change in self._changes.get((item, stage), ()):
            if change.at_us <= at_us:
                there = there.plus(change.milli, change.sign)
        return there

    def stages(self, item: str) -> list[str]:
        """The stages at which an item was in the span."""
        return sorted(self._stages.get(item, ()))

    def left(self, item: str, stage: str) -> StageQuantity:
        """What of the opening stock never left the stage: what left it is taken from what was there first."""
        there = self.opening.get((item, stage), StageQuantity())
        for change in self._changes.get((item, stage), ()):
            if change.sign < 0:
                there = there.plus(change.milli, -1)
        return there
