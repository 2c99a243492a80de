"""Rows of one item for the pages: its state as columns, its parcels, moves, heads and findings."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from server.projection.tables import DAY_US, LONG, MOST_DAYS
from station.core.codes.lookalike import folded
from station.core.ledger.moves import FIRST_SEEN, Move
from station.core.ledger.parcels import LIVE, Finding, ItemState, Parcel, ParcelState
from station.core.ledger.times import LATEST_US

BIGGEST = 2**63 - 1
_JSON = msgspec.json.Encoder(order="deterministic")
EXACT_US = 60_000_000  # a time that is exact to one minute either way is not marked as approximate
ItemRow = Callable[[ItemState, str | None, bytes], tuple[Any, ...]]  # state, display name, stored form -> row of `item`


def item_row(state: ItemState, name: str | None, encoded: bytes) -> tuple[Any, ...]:
    """A row of `item`. The outer accounts `ordered` and `overrun` are negated, so that the columns are mostly positive."""
    head = state.header
    key_us, log, seq = state.last
    return (
        state.item, name, head.product, head.order, state.routing.routing if state.routing else None,
        state.status, state.how, has_quantity(state),
        -state.outer.get("ordered", 0), state.quantity(ParcelState.FINISHED), state.quantity(ParcelState.SCRAPPED),
        -state.outer.get("overrun", 0), state.outer.get("adjusted", 0),
        head.due, _bounded(head.priority), head.customer, head.reference,
        state.released_us, state.started_us, state.ended_us, state.closed_us,
        key_us, bytes.fromhex(log), seq, encoded,
        None if state.released_us is None else folded(state.item),
    )  # fmt: skip


def has_quantity(state: ItemState) -> bool:
    """Whether the quantity of an item is known."""
    has_postings = bool(state.parcels) or bool(state.outer)
    return has_postings and all(parcel.qty_milli is not None for parcel in state.parcels)


def _bounded(number: int | None) -> int | None:
    return number if number is None or abs(number) <= BIGGEST else None


def parcel_row(number: int, state: ItemState, parcel: Parcel) -> tuple[Any, ...]:
    """A row of `parcel` with the surrogate id `number`."""
    return (
        number, state.item, state.header.product, parcel.op, parcel.stage, parcel.state, parcel.held_from, parcel.carrier,
        parcel.station, parcel.work_centre, parcel.qty_milli, parcel.since_us, parcel.at_stage_since_us, parcel.started_us,
        parcel.entered, parcel.reached, operations_text(parcel.scanned), parcel.reason, parcel.operator,
        is_approximate(parcel), parcel.put, _unless(parcel.placed_us, parcel.since_us, parcel.put), parcel.run_since_us,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def operations_text(scanned: tuple[int, ...]) -> str | None:
    """Operation numbers in ascending order as a column holds them; None for none.

    >>> operations_text((10, 20)), operations_of("10,20")
    ('10,20', (10, 20))
    """
    return ",".join(map(str, scanned)) or None


@lru_cache(maxsize=4096)
def operations_of(text: str | None) -> tuple[int, ...]:
    """The operation numbers of a column."""
    return tuple(map(int, text.split(","))) if text else ()


def is_approximate(parcel: Parcel) -> bool:
    """Whether a parcel's time of arrival is uncertain by more than a minute: pages then write "≈"."""
    return parcel.hi_us == LATEST_US or parcel.hi_us - parcel.lo_us > 2 * EXACT_US


def move_row(pos: int, state: ItemState, move: Move, late_milli: int | None) -> tuple[Any, ...]:
    """A row of `move` of the event at `pos`. `late_milli`: the quantity of a move without one, where it became known.

    The quantity that an unknown one became is from its outer account to that of pieces first seen, where the earlier moves
    of the same pieces began.
    """
    source, target = move.source, FIRST if move.gives_quantity else move.target
    quantity = late_milli if move.qty_milli is None else move.qty_milli
    return (
        state.item, move.number, move.at_us, pos, state.header.product, quantity,
        source.state, source.op, source.stage, source.put or None, _unless(source.placed_us, source.since_us, source.put),
        source.since_us, source.at_stage_since_us, source.started_us, source.run_since_us, source.entered, source.reached,
        operations_text(source.scanned),
        target.state, target.op, target.stage, target.entered, target.reached, operations_text(target.scanned),
        target.held_from, target.carrier, target.station, target.work_centre, target.operator, target.reason,
        is_approximate(target), move.restated,
    )  # fmt: skip


FIRST = Parcel(state=FIRST_SEEN)


def _unless(placed_us: int, since_us: int, put: int) -> int | None:
    return placed_us if put and placed_us != since_us else None


def days_open(move: Move) -> list[int]:
    """The UTC days at whose first moment the piece of a move was in process in its form before; see `days_between`."""
    source = move.source
    return days_between(source.placed_us, move.at_us) if source.state in LIVE else []


def days_between(placed_us: int, left_us: int) -> list[int]:
    """The UTC days whose first moment is in [placed_us, left_us); [LONG] for more than MOST_DAYS of them.

    >>> days_between(1, 2 * DAY_US + 1)
    [1, 2]
    """
    first, last = -(-placed_us // DAY_US), (left_us - 1) // DAY_US
    return [LONG] if last - first >= MOST_DAYS else list(range(first, last + 1))


Head = tuple[Any, ...]
"""The columns of `head` behind `from_us`."""


def head_of(state: ItemState, name: str | None) -> Head:
    """What belongs to an item as a whole, as a row of `head` has it."""
    header = state.header
    overrun = -state.outer.get("overrun", 0)
    over = max(overrun - state.quantity(ParcelState.FINISHED), 0) if overrun > 0 else 0
    return (
        name, header.product, header.order, state.routing.routing if state.routing else None, state.released_us,
        -state.outer.get("ordered", 0), over, header.due, _bounded(header.priority), header.customer,
    )  # fmt: skip


def has_same_head(before: ItemState, after: ItemState) -> bool:
    """Whether one item event surely left `head_of` as it was, which most scans do; a name is not looked at.

    Without an overrun, the parcels do not count.
    """
    return (
        after.header is before.header
        and after.routing is before.routing
        and after.released_us == before.released_us
        and after.outer == before.outer
        and "overrun" not in after.outer
    )


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
