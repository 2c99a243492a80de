"""One stage: what to run next, what is on hold and why, and what arrives next."""

from collections.abc import Iterable
from typing import NamedTuple

from server.locale_format import due_day
from server.queries.current_stock import StockRow, together
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

LOWEST = 2**31  # the priority of what has none


class StageQueue(NamedTuple):
    """The lists of a stage, each in the order in which people work through it."""

    run_next: tuple[StockRow, ...]
    held: tuple[StockRow, ...]
    coming: tuple[StockRow, ...]


def stage_now(stands: Iterable[StockRow], stage: str, valuation: Valuation) -> StageQueue:
    """What stands at a stage, and what stands where its routing leads here next."""
    everything = together(stands)
    present = [stand for stand in everything if stand.stage == stage and stand.in_process]
    coming = [
        stand for stand in everything if stand.state != ParcelState.HELD and next_stage(stand, valuation) == stage
    ]
    return StageQueue(
        run_next=tuple(sorted((each for each in present if each.state != ParcelState.HELD), key=run_order)),
        held=tuple(
            sorted((each for each in present if each.state == ParcelState.HELD), key=lambda each: each.since_us)
        ),
        coming=tuple(sorted(coming, key=run_order)),
    )


def run_order(stand: StockRow) -> tuple[int, str, int, str]:
    """Urgent first (a smaller priority is sooner), then by due day, then first come first served."""
    due = due_day(stand.due)
    priority = LOWEST if stand.priority is None else stand.priority
    return (priority, due.isoformat() if due else "9999-12-31", stand.there_since_us, stand.item)


def next_stage(stand: StockRow, valuation: Valuation) -> str | None:
    """Where a routing leads from here; what waits at a stage is there already."""
    routing = valuation.routing(stand)
    if routing is None:
        return None
    if stand.state == ParcelState.RELEASED:
        first = next((each for each in routing.operations if not each.optional), None)
        return first.stage if first else None
    after = routing.after(stand.operation) if stand.operation is not None else None
    return after.stage if after and after.stage != stand.stage else None
