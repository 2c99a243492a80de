"""The rows that pages read of one item: its state as columns, its parcels, visits and findings."""

from typing import Any

from server.projection.tables import DAY_US, LONG, MOST_DAYS
from station.core.ledger.parcels import LIVE, Finding, ItemState, Parcel, ParcelState, Visit
from station.core.ledger.times import LATEST_US

BIGGEST = 2**63 - 1
EXACT_US = 60_000_000  # a moment known to within a minute either way is not marked as approximate


def item_row(state: ItemState, name: str | None, encoded: bytes) -> tuple[Any, ...]:
    """A row of `item`. `ordered` and `overrun` as what came from there, `adjusted` as what went there: mostly positive."""
    head = state.header
    live = any(each.state in LIVE for each in state.parcels)
    status = "closed" if state.closed else "finished" if state.parcels and not live else "open"
    known = (bool(state.parcels) or bool(state.outer)) and all(each.qty_milli is not None for each in state.parcels)
    key_us, log, seq = state.last
    return (
        state.item, name, head.product, head.order, state.routing.routing if state.routing else None,
        status, state.how, known,
        -state.outer.get("ordered", 0), state.quantity(ParcelState.FINISHED), state.quantity(ParcelState.SCRAPPED),
        -state.outer.get("overrun", 0), state.outer.get("adjusted", 0),
        head.due, _bounded(head.priority), head.customer, head.reference,
        state.released_us, state.started_us, state.finished_us, state.closed_us,
        key_us, bytes.fromhex(log), seq, encoded,
    )  # fmt: skip


def _bounded(number: int | None) -> int | None:
    return number if number is None or abs(number) <= BIGGEST else None


def parcel_row(number: int, state: ItemState, each: Parcel) -> tuple[Any, ...]:
    """A row of `parcel` with the surrogate id `number`."""
    return (
        number, state.item, state.header.product, each.op, each.stage, each.state, each.held_from, each.carrier,
        each.station, each.work_centre, each.qty_milli, each.since_us, each.at_stage_since_us, each.started_us,
        each.entered, each.reached, each.reason, each.operator, is_approximate(each),
    )  # fmt: skip


def is_approximate(each: Parcel) -> bool:
    """Whether nobody knows to the minute when a parcel came: pages then write "≈"."""
    return each.hi_us == LATEST_US or each.hi_us - each.lo_us > 2 * EXACT_US


def visit_row(number: int, state: ItemState, each: Visit) -> tuple[Any, ...]:
    """A row of `visit` with the surrogate id `number`."""
    return (
        number, state.item, state.header.product, each.op, each.stage, each.state, each.station, each.operator,
        each.qty_milli, each.entered_us, each.left_us, each.went_to_stage, each.went_to_state,
    )  # fmt: skip


def days_open(each: Visit) -> list[int]:
    """The UTC days at whose first moment a visit stood open: [LONG] for one over more than MOST_DAYS of them.

    >>> days_open(Visit(state="here", entered_us=1, left_us=2 * DAY_US + 1))
    [1, 2]
    """
    first, last = -(-each.entered_us // DAY_US), (each.left_us - 1) // DAY_US
    return [LONG] if last - first >= MOST_DAYS else list(range(first, last + 1))


def finding_row(number: int, item: str, each: Finding) -> tuple[Any, ...]:
    """A row of `finding` with the surrogate id `number`."""
    log_id = bytes.fromhex(each.log)
    return (number, item, each.rule, each.key_us, log_id, each.seq, each.stage, each.station, each.text)
