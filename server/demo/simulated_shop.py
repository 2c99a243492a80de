"""Simulated shop: a discrete-event simulation of orders at the stages of a factory, reproducible by a seed.

Orders queue at each stage by priority; a stage works on a limited number of lots at once, and the mill is the bottleneck.
Some pieces are scrapped, reworked or held, and some scans are missed. The result is a sequence of scans in an operator's
order: cards first, then the traveller. With `new_order` the simulation has no end. It reads no clock: times are seconds of
work since the start of the first shift.

>>> stages = {"saw": SimulatedStage("saw", 60, 1), "pack": SimulatedStage("pack", 10, 1)}
>>> shop = SimulatedShop(stages, [SimulatedOrder("WO-1", ("saw", "pack"), 10_000, start_s=0)], seed=1)
>>> [(scan.stage, scan.texts) for scan in shop.scans()]
[('saw', ('WO-1',)), ('pack', ('WO-1',))]
"""

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from station.core.quantity import decimal_text

MINUTE_S = 60
MILLI = 1000
SMALLEST_SPLIT_MILLI = 24_000  # an order of at least this quantity is split into several lots


@dataclass(frozen=True, slots=True)
class SimulatedStage:
    """Parameters of a stage: minutes for a whole order, lots at once, and the share of lots (per cent) with each event."""

    stage: str
    minutes: int
    at_once: int
    scrap: int = 0
    rework: int = 0
    hold: int = 0
    missed: int = 0
    signs_off: bool = False  # a DONE card at the end of work, in addition to the scan at arrival


@dataclass(frozen=True, slots=True)
class SimulatedOrder:
    """A work order: the stages of its routing, its quantity, the step of that quantity, and its earliest start."""

    order: str
    stages: tuple[str, ...]
    qty_milli: int
    start_s: float
    priority: int = 2
    step_milli: int = 1_000
    product: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedScan:
    """One act of an operator: the texts that are read in sequence at a stage; cards, then the traveller."""

    at_s: float
    stage: str
    texts: tuple[str, ...]
    order: str = ""
    action: str | None = None
    qty_milli: int | None = None
    reason: str | None = None
    to: str | None = None


@dataclass(slots=True)
class SimulatedLot:
    """A part of an order that moves together; `step` is its index in the routing."""

    order: SimulatedOrder
    qty_milli: int
    step: int = 0
    scanned: bool = True  # whether its arrival at the present stage was scanned
    returning: bool = False  # it was sent back for rework once

    @property
    def stage(self) -> str:
        """The present stage."""
        return self.order.stages[self.step]

    @property
    def is_last(self) -> bool:
        """Whether this is the last stage of the routing, where a scan finishes the lot."""
        return self.step == len(self.order.stages) - 1


@dataclass(slots=True)
class _StagePlace:
    queue: list[tuple[int, float, int, SimulatedLot]] = field(default_factory=list)
    busy: int = 0


class SimulatedShop:
    """The simulation. `new_order(n, at_s)` returns the n-th further order when fewer than `wanted` are left; None: never."""

    def __init__(
        self,
        stages: Mapping[str, SimulatedStage],
        orders: list[SimulatedOrder],
        *,
        seed: int,
        new_order: Callable[[int, float], SimulatedOrder] | None = None,
        wanted: int = 24,
    ) -> None:
        self._stages = stages
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, no secret
        self._agenda: list[tuple[float, int, Callable[[], list[SimulatedScan]]]] = []
        self._count = 0
        self._places = {stage: _StagePlace() for stage in stages}
        self._lots: dict[str, int] = {}  # the number of unfinished lots of each order
        self._new_order, self._wanted, self._taken_in = new_order, wanted, 0
        self._now_s = 0.0
        for order in orders:
            self._take_in(order)

    def scans(self) -> Iterator[SimulatedScan]:
        """Every scan in order of time; ends when the agenda is empty."""
        while self._agenda:
            self._now_s, _, act = heapq.heappop(self._agenda)
            yield from act()

    def top_up(self) -> list[SimulatedOrder]:
        """Add new orders until `wanted` are unfinished, and return them; release them before the next scan."""
        fresh = []
        while self._new_order is not None and len(self._lots) < self._wanted:
            self._taken_in += 1
            order = self._new_order(self._taken_in, self._now_s)
            self._take_in(order)
            fresh.append(order)
        return fresh

    def _take_in(self, order: SimulatedOrder) -> None:
        self._lots[order.order] = 1
        lot = SimulatedLot(order, order.qty_milli)
        self._at(order.start_s, lambda: self._arrive(lot))

    def _at(self, at_s: float, act: Callable[[], list[SimulatedScan]]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (at_s, self._count, act))

    def _happens(self, per_cent: int) -> bool:
        return self._chance.random() * 100 < per_cent

    def _arrive(self, lot: SimulatedLot) -> list[SimulatedScan]:
        stage = self._stages[lot.stage]
        lot.scanned = lot.is_last or not self._happens(stage.missed)
        place = self._places[lot.stage]
        self._count += 1
        heapq.heappush(place.queue, (lot.order.priority, self._now_s, self._count, lot))
        scans = [self._scan(lot)] if lot.scanned and not lot.is_last else []
        self._start(lot.stage)
        return scans

    def _start(self, name: str) -> None:
        place, stage = self._places[name], self._stages[name]
        while place.queue and place.busy < stage.at_once:
            lot = heapq.heappop(place.queue)[-1]
            place.busy += 1
            share = max(lot.qty_milli / lot.order.qty_milli, 0.1)
            work_s = stage.minutes * MINUTE_S * share * self._chance.uniform(0.6, 1.5)
            self._at(self._now_s + work_s, lambda lot=lot: self._finish(lot))  # type: ignore[misc]

    def _finish(self, lot: SimulatedLot) -> list[SimulatedScan]:
        name, stage = lot.stage, self._stages[lot.stage]
        self._places[name].busy -= 1
        scans = []
        if lot.is_last:
            scans.append(self._scan(lot))
            self._leave(lot)
        else:
            if lot.scanned and lot.qty_milli > 2 * lot.order.step_milli:
                scans += self._scrap_and_rework(lot, stage)
            if lot.scanned and self._happens(stage.hold):
                scans.append(
                    self._scan(lot, "hold", lot.qty_milli, self._chance.choice(("drawing", "material", "tool")))
                )
                self._at(self._now_s + self._chance.uniform(400, 2_200) * MINUTE_S, lambda: self._release(lot))
            else:
                scans += self._move_on(lot)
        self._start(name)
        return scans

    def _leave(self, lot: SimulatedLot) -> None:
        self._lots[lot.order.order] -= 1
        if not self._lots[lot.order.order]:
            del self._lots[lot.order.order]

    def _scrap_and_rework(self, lot: SimulatedLot, stage: SimulatedStage) -> list[SimulatedScan]:
        """Scrap and rework of a part of the lot, by the stage's shares."""
        scans = []
        if self._happens(stage.scrap):
            lost = self._part(lot)
            scans.append(self._scan(lot, "scrap", lost, "leak" if stage.stage == "test" else "bore"))
            lot.qty_milli -= lost
        back = next((stage_ for stage_ in ("deburr", "assembly") if stage_ in lot.order.stages[: lot.step]), None)
        if (
            back is not None
            and not lot.returning
            and lot.qty_milli > 2 * lot.order.step_milli
            and self._happens(stage.rework)
        ):
            part = self._part(lot)
            scans.append(self._scan(lot, "rework", part, "leak" if back == "assembly" else "burr", back))
            lot.qty_milli -= part
            again = SimulatedLot(lot.order, part, lot.order.stages.index(back), returning=True)
            self._lots[lot.order.order] += 1
            self._at(self._now_s + self._chance.uniform(5, 90) * MINUTE_S, lambda: self._arrive(again))
        return scans

    def _part(self, lot: SimulatedLot) -> int:
        """A small part of a lot: whole units, or one step of the product's quantity where the lot is small."""
        units = min(lot.qty_milli // MILLI // 12, self._chance.randint(1, 5))
        return units * MILLI or lot.order.step_milli

    def _release(self, lot: SimulatedLot) -> list[SimulatedScan]:
        return [self._scan(lot, "release", lot.qty_milli), *self._move_on(lot)]

    def _move_on(self, lot: SimulatedLot) -> list[SimulatedScan]:
        scans = []
        if lot.scanned and self._stages[lot.stage].signs_off:
            scans.append(self._scan(lot, "done"))
        lots = [lot] if lot.step else self._split(lot)
        for part in lots:
            part.step += 1
            self._at(self._now_s + self._chance.uniform(4, 45) * MINUTE_S, lambda part=part: self._arrive(part))  # type: ignore[misc]
        return scans

    def _split(self, lot: SimulatedLot) -> list[SimulatedLot]:
        """Split a big order into two to four lots after its first stage."""
        if lot.qty_milli < SMALLEST_SPLIT_MILLI:
            return [lot]
        count = self._chance.randint(2, 4)
        step = lot.order.step_milli
        share_milli = lot.qty_milli // count // step * step
        lots = [SimulatedLot(lot.order, share_milli) for _ in range(count - 1)]
        lots.append(SimulatedLot(lot.order, lot.qty_milli - share_milli * (count - 1)))
        self._lots[lot.order.order] += count - 1
        return lots

    def _scan(
        self,
        lot: SimulatedLot,
        action: str | None = None,
        qty_milli: int | None = None,
        reason: str | None = None,
        to: str | None = None,
    ) -> SimulatedScan:
        """The texts of one act; a lot that is a part of its order includes its quantity."""
        if qty_milli is None and lot.qty_milli != lot.order.qty_milli:
            qty_milli = lot.qty_milli
        if action in ("hold", "release") and lot.qty_milli == lot.order.qty_milli:
            qty_milli = None
        texts = [f"WIP:{action.upper()}" + (f":{to}" if to else "")] if action else []
        texts += [f"WIP:QTY:{decimal_text(qty_milli)}"] if qty_milli else []
        texts += [f"WIP:REASON:{reason}"] if reason else []
        texts.append(lot.order.order)
        return SimulatedScan(self._now_s, lot.stage, tuple(texts), lot.order.order, action, qty_milli, reason, to)
