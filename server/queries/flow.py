"""Flow: the cumulative flow, the throughput and the durations of a span of days of the site, read from the sums by day.

A span is its first and its last day, both included. Quantities are thousandths; those of unknown quantity count 0, and 1 in
numbers of moves. Durations are exact up to 20,000 of them, then by buckets of 1 %.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from server.projection.flow_rows import moves_between, site_days
from server.projection.tables import flow_class, flow_day, flow_duration, move
from station.core.ledger.duration_buckets import bucket_bounds
from station.core.ledger.flow import Measure, day_number, day_of_number, durations
from station.core.ledger.parcels import ENDED, LIVE, ParcelState
from station.core.site import SiteDays

EXACT_TO = 20_000  # durations that are sorted one by one
PER_CENTS = (50, 85, 95)
_AT_STAGE = LIVE - {ParcelState.RELEASED}
_STAYS = LIVE | ENDED


class PlaceDay(NamedTuple):
    """A place on one day: what came, what left, and what is there at the end of the day, in thousandths.

    `place`: a stage, or a state for what is at none: `released`, `waiting`, `finished`, `scrapped`.
    """

    day: date
    place: str
    came_milli: int
    left_milli: int
    there_milli: int


class Throughput(NamedTuple):
    """What left a stage for another place, or was finished, on one day: thousandths, and the number of moves."""

    day: date
    qty_milli: int
    moves: int


class Percentile(NamedTuple):
    """The duration (us) that `per_cent` of the durations do not exceed."""

    per_cent: int
    us: int


class DurationSummary(NamedTuple):
    """Durations of one measure. `mean_us`: rounded down. Not `exact`: a percentile is the upper end of its bucket."""

    number: int
    mean_us: int
    percentiles: tuple[Percentile, ...]
    exact: bool


def cumulative_flow(connection: Connection, first: date, last: date) -> list[PlaceDay]:
    """What came to and left each place on each day, for the places that hold or move anything, by day and place."""
    there: dict[str, int] = {}
    for source, target, milli in _between_places(connection, flow_day.c.day < day_number(first)):
        there[source] = there.get(source, 0) - milli
        there[target] = there.get(target, 0) + milli
    came: dict[tuple[int, str], int] = {}
    left: dict[tuple[int, str], int] = {}
    within = flow_day.c.day.between(day_number(first), day_number(last))
    for source, target, milli, day in _between_places(connection, within, flow_day.c.day):
        if source != target:
            left[day, source] = left.get((day, source), 0) + milli
            came[day, target] = came.get((day, target), 0) + milli
    places = sorted({*there, *(place for _, place in (*came, *left))} - {""})
    rows: list[PlaceDay] = []
    for day in range(day_number(first), day_number(last) + 1):
        for place in places:
            came_milli, left_milli = came.get((day, place), 0), left.get((day, place), 0)
            there[place] = there.get(place, 0) + came_milli - left_milli
            rows.append(PlaceDay(day_of_number(day), place, came_milli, left_milli, there[place]))
    return rows


def _between_places(connection: Connection, where: ColumnElement[bool], *by: Any) -> Iterator[tuple[Any, ...]]:
    """(from place, to place, thousandths, *by) of the rows of `flow_day`; the place of an outer account is empty."""
    c = flow_class.c
    ends = (c.from_state, c.from_stage, c.to_state, c.to_stage)
    joined = flow_day.join(flow_class, c.id == flow_day.c.class_id)
    query = select(*ends, func.sum(flow_day.c.qty_milli), *by).select_from(joined).where(where).group_by(*ends, *by)
    for from_state, from_stage, to_state, to_stage, milli, *rest in connection.execute(query):
        yield (_place(from_state, from_stage), _place(to_state, to_stage), int(milli), *rest)


def _place(state: str, stage: str | None) -> str:
    if state in _AT_STAGE and stage is not None:
        return stage
    return state if state in _STAYS else ""


def throughput(connection: Connection, first: date, last: date, stage: str | None = None) -> list[Throughput]:
    """What left `stage` for another stage or was finished there; without `stage` what was finished. By day."""
    c = flow_class.c
    if stage is None:
        ends = and_(c.to_state == ParcelState.FINISHED, c.from_state != ParcelState.FINISHED)
    else:
        elsewhere = or_(c.to_stage.is_(None), c.to_stage != stage)
        ends = and_(c.from_stage == stage, c.from_state.in_(_AT_STAGE), c.to_state.in_(_STAYS), elsewhere)
    day = flow_day.c.day
    within = and_(day.between(day_number(first), day_number(last)), ends)
    joined = flow_day.join(flow_class, c.id == flow_day.c.class_id)
    sums = select(day, func.sum(flow_day.c.qty_milli), func.sum(flow_day.c.count)).select_from(joined).where(within)
    found = {
        row[0]: Throughput(day_of_number(row[0]), int(row[1]), int(row[2]))
        for row in connection.execute(sums.group_by(day))
    }
    days = range(day_number(first), day_number(last) + 1)
    return [found.get(number, Throughput(day_of_number(number), 0, 0)) for number in days]


def durations_of(
    connection: Connection,
    measure: Measure,
    first: date,
    last: date,
    stage: str | None = None,
    exact_to: int = EXACT_TO,
) -> DurationSummary | None:
    """The durations of a measure that ended in a span, at one stage or at all; None where the scan mode gave none.

    1. Count them and sum them in the rows by day. 2. Up to `exact_to`, sort those of the moves; else count the buckets.
    """
    buckets = _buckets(connection, measure, first, last, stage)
    count = sum(buckets.values())
    if not count:
        return None
    mean_us = _sum_us(connection, measure, first, last, stage) // count
    if count > exact_to:
        return DurationSummary(count, mean_us, tuple(_of_buckets(buckets, count)), exact=False)
    ordered = sorted(_each(connection, measure, first, last, stage))
    exact = tuple(Percentile(per_cent, ordered[_rank(per_cent, count) - 1]) for per_cent in PER_CENTS)
    return DurationSummary(count, mean_us, exact, exact=True)


def _rank(per_cent: int, count: int) -> int:
    """The nearest rank, from 1: the smallest number that is at least `per_cent` of the count."""
    return -(-per_cent * count // 100)


def _of_buckets(buckets: dict[int, int], count: int) -> Iterator[Percentile]:
    for per_cent in PER_CENTS:
        left = _rank(per_cent, count)
        for bucket in sorted(buckets):
            left -= buckets[bucket]
            if left <= 0:
                yield Percentile(per_cent, bucket_bounds(bucket)[1] - 1)
                break


def _of_span(table: Any, first: date, last: date, stage: str | None) -> list[Any]:
    within = [table.c.day.between(day_number(first), day_number(last))]
    return within if stage is None else [*within, flow_class.c.from_stage == stage]


def _buckets(connection: Connection, measure: Measure, first: date, last: date, stage: str | None) -> dict[int, int]:
    c = flow_duration.c
    joined = flow_duration.join(flow_class, flow_class.c.id == c.class_id)
    query = select(c.bucket, func.sum(c.count)).select_from(joined).group_by(c.bucket)
    rows = connection.execute(query.where(c.measure == int(measure), *_of_span(flow_duration, first, last, stage)))
    return {bucket: int(count) for bucket, count in rows}


def _sum_us(connection: Connection, measure: Measure, first: date, last: date, stage: str | None) -> int:
    column = flow_day.c[f"{measure.name.lower()}_us"]
    joined = flow_day.join(flow_class, flow_class.c.id == flow_day.c.class_id)
    query = select(func.sum(column)).select_from(joined).where(*_of_span(flow_day, first, last, stage))
    return int(connection.execute(query).scalar_one())


def _each(connection: Connection, measure: Measure, first: date, last: date, stage: str | None) -> Iterator[int]:
    site = SiteDays(site_days(connection))
    from_us, until_us = site.day_bounds(first)[0], site.day_bounds(last)[1]
    where = [] if stage is None else [move.c.from_stage == stage]
    for flow in moves_between(connection, from_us, until_us, *where):
        yield from (us for one, us in durations(flow) if one == measure)
