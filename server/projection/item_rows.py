"""Rows of one item for the pages: its state as columns, its parcels, visits and findings."""

from collections.abc import Callable
from typing import Any

import msgspec

from server.projection.tables import DAY_US, LONG, MOST_DAYS
from station.core.codes.lookalike import folded
from station.core.ledger.parcels import Finding, ItemState, Parcel, ParcelState, Visit
from station.core.ledger.times import LATEST_US

BIGGEST = 2**63 - 1
_JSON = msgspec.json.Encoder(order="deterministic")
EXACT_US = 60_000_000  # a time that is exact to one minute either way is not marked as approximate
ItemRow = Callable[[ItemState, str | None, bytes], tuple[Any, ...]]  # state, display name, stored form -> row of `item`


def item_row(state: ItemState, name: str | None, encoded: bytes) -> tuple[Any, ...]:
    """A row of `item`. The outer accounts `ordered` and `overrun` are negated, so that the columns are mostly positive."""
    head = state.header
    has_postings = bool(state.parcels) or bool(state.outer)
    known = has_postings and all(parcel.qty_milli is not None for parcel in state.parcels)
    key_us, log, seq = state.last
    return (
        state.item, name, head.product, head.order, state.routing.routing if state.routing else None,
        state.status, state.how, known,
        -state.outer.get("ordered", 0), state.quantity(ParcelState.FINISHED), state.quantity(ParcelState.SCRAPPED),
        -state.outer.get("overrun", 0), state.outer.get("adjusted", 0),
        head.due, _bounded(head.priority), head.customer, head.reference,
        state.released_us, state.started_us, state.ended_us, state.closed_us,
        key_us, bytes.fromhex(log), seq, encoded,
        None if state.released_us is None else folded(state.item),
    )  # fmt: skip


def _bounded(number: int | None) -> int | None:
    return number if number is None or abs(number) <= BIGGEST else None


def parcel_row(number: int, state: ItemState, parcel: Parcel) -> tuple[Any, ...]:
    """A row of `parcel` with the surrogate id `number`."""
    return (
        number, state.item, state.header.product, parcel.op, parcel.stage, parcel.state, parcel.held_from, parcel.carrier,
        parcel.station, parcel.work_centre, parcel.qty_milli, parcel.since_us, parcel.at_stage_since_us, parcel.started_us,
        parcel.entered, parcel.reached, parcel.reason, parcel.operator, is_approximate(parcel), parcel.run_since_us,
    )  # fmt: skip


def is_approximate(parcel: Parcel) -> bool:
    """Whether a parcel's time of arrival is uncertain by more than a minute: pages then write "≈"."""
    return parcel.hi_us == LATEST_US or parcel.hi_us - parcel.lo_us > 2 * EXACT_US


def visit_row(number: int, state: ItemState, visit: Visit) -> tuple[Any, ...]:
    """A row of `visit` with the surrogate id `number`."""
    return (
        number, state.item, state.header.product, visit.op, visit.stage, visit.state, visit.station, visit.operator,
        visit.qty_milli, visit.entered_us, visit.left_us, visit.went_to_stage, visit.went_to_state,
    )  # fmt: skip


def days_open(visit: Visit) -> list[int]:
    """The UTC days at whose first moment a visit was open; [LONG] for a visit over more than MOST_DAYS days.

    >>> days_open(Visit(state="here", entered_us=1, left_us=2 * DAY_US + 1))
    [1, 2]
    """
    first, last = -(-visit.entered_us // DAY_US), (visit.left_us - 1) // DAY_US
    return [LONG] if last - first >= MOST_DAYS else list(range(first, last + 1))


def finding_row(number: int, item: str, finding: Finding) -> tuple[Any, ...]:
    """A row of `finding` with the surrogate id `number`."""
    log_id = bytes.fromhex(finding.log)
    return (
        number,
        item,
        finding.rule,
        finding.key_us,
        log_id,
        finding.seq,
        finding.stage,
        finding.station,
        _JSON.encode(finding.args).decode(),
        None,
        None,
        None,
        False,
    )
