"""Stage queue: the stock to run next at one stage, the stock on hold, and the stock that arrives next."""

from collections.abc import Iterable
from typing import NamedTuple

from server.locale_format import due_day
from server.queries.current_stock import StockRow, merged
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Routing

LOWEST = 2**31  # the priority of stock without one


class StageQueue(NamedTuple):
    """The lists of a stage, each in its order of work."""

    run_next: tuple[StockRow, ...]
    held: tuple[StockRow, ...]
    coming: tuple[StockRow, ...]


def stage_queue(stock: Iterable[StockRow], stage: str, valuation: Valuation) -> StageQueue:
    """The stock at a stage, and the stock whose routing leads there next."""
    merged_stock = merged(stock)
    present = [row for row in merged_stock if row.stage == stage and row.in_process]
    coming = [row for row in merged_stock if row.state != ParcelState.HELD and next_stage(row, valuation) == stage]
    return StageQueue(
        run_next=tuple(sorted((row for row in present if row.state != ParcelState.HELD), key=run_order)),
        held=tuple(sorted((row for row in present if row.state == ParcelState.HELD), key=lambda row: row.since_us)),
        coming=tuple(sorted(coming, key=run_order)),
    )


def run_order(row: StockRow) -> tuple[int, str, int, str]:
    """Sort key: priority (a smaller number runs sooner), then due day, then first in first out."""
    due = due_day(row.due)
    priority = LOWEST if row.priority is None else row.priority
    return (priority, due.isoformat() if due else "9999-12-31", row.there_since_us, row.item)


def next_stage(row: StockRow, valuation: Valuation) -> str | None:
    """The stage of the next operation of the routing; None where it is the present stage or there is none."""
    return stage_after(valuation.routing(row), row.state, row.operation, row.stage)


def stage_after(routing: Routing | None, state: str, operation: int | None, stage: str | None) -> str | None:
    """The stage of the next operation of a routing for pieces in a state at an operation and a stage."""
    if routing is None:
        return None
    if state == ParcelState.RELEASED:
        first = next((operation for operation in routing.operations if not operation.optional), None)
        return first.stage if first else None
    after = routing.after(operation) if operation is not None else None
    return after.stage if after and after.stage != stage else None
