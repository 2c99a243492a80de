"""Verify flow: prove that the rows of `flow_day` and `flow_duration` are the sums of the moves, day by day.

It reads the projection alone, at most the moves of one day at once. A break is repaired by a rebuild from the ledger.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, union

from server.projection.flow_rows import first_move_us, moves_between, site_days
from server.projection.tables import flow_class, flow_day, flow_duration
from station.core.ledger.duration_buckets import BUCKETS, bucket_bounds
from station.core.ledger.flow import FlowClass, FlowSums, Measure, counts, day_number, day_of_number
from station.core.site import FIRST_DAY, LAST_DAY, SiteDays

_SUMS = [column.name for column in flow_day.columns][2:]


class FlowBreak(NamedTuple):
    """A disagreement of the flow with the moves. `where`: the flow of a day, or all of it."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def verify_flow(connection: Connection) -> Iterator[FlowBreak]:
    """Every break of the flow; none where it agrees with the moves. Memory: all classes, and the sums of one day."""
    classes: dict[int, FlowClass] = {}
    numbers: dict[FlowClass, int] = {}
    for number, *of_class in connection.execute(select(flow_class).order_by(flow_class.c.id)):
        classes[number] = FlowClass(*of_class)
        if classes[number] in numbers:
            yield FlowBreak("flow", f"the classes {numbers[classes[number]]} and {number} are equal")
        numbers.setdefault(classes[number], number)
    site = SiteDays(site_days(connection))
    for day in _days(connection, site):
        yield from _day(connection, day, site, classes, numbers)


def _days(connection: Connection, site: SiteDays) -> Iterator[int]:
    """The numbers of the days that have moves or rows, each once."""
    stored = set(connection.execute(union(select(flow_day.c.day), select(flow_duration.c.day))).scalars())
    yield from sorted(stored)
    last = day_number(LAST_DAY)
    after_us = -(2**63)
    while (at_us := first_move_us(connection, after_us)) is not None:
        day = day_number(site.day_of(at_us))
        if day not in stored:
            yield day
        if day >= last:
            return
        after_us = _bounds(site, day)[1]


def _bounds(site: SiteDays, day: int) -> tuple[int, int]:
    """The instants of a day; the first and the last day have all instants outside the calendar."""
    first, last = day_number(FIRST_DAY), day_number(LAST_DAY)
    if not first <= day <= last:
        return 0, 0
    from_us, until_us = site.day_bounds(day_of_number(day))
    return -(2**63) if day == first else from_us, 2**63 - 1 if day == last else until_us


def _day(
    connection: Connection, day: int, site: SiteDays, classes: dict[int, FlowClass], numbers: dict[FlowClass, int]
) -> Iterator[FlowBreak]:
    want, have = FlowSums(), FlowSums()
    for flow in moves_between(connection, *_bounds(site, day)):
        if counts(flow.flow_class):
            if flow.flow_class not in numbers:
                number = -1 - len(numbers)  # of a class that the table does not have
                numbers[flow.flow_class], classes[number] = number, flow.flow_class
            want.add(day, numbers[flow.flow_class], flow)
    for _, number, *sums in connection.execute(select(flow_day).where(flow_day.c.day == day)):
        have.days[day, number] = sums
    for *key, count in connection.execute(select(flow_duration).where(flow_duration.c.day == day)):
        have.buckets[tuple(key)] = count
    yield from (FlowBreak(f"flow of {_date(day)}", text) for text in _differences(day, want, have, classes))


def _differences(day: int, want: FlowSums, have: FlowSums, classes: dict[int, FlowClass]) -> Iterator[str]:
    for key in sorted(want.days.keys() | have.days.keys()):
        name = _name(classes, key[1])
        if key not in have.days:
            yield f"{name} has moves, and no row of flow_day"
        elif key not in want.days:
            yield f"{name} has a row of flow_day, and no move"
        else:
            sums = [*want.days[key][:2], *(us or None for us in want.days[key][2:])]
            for column, of_moves, of_row in zip(_SUMS, sums, have.days[key], strict=True):
                if of_moves != of_row:
                    yield f"{name}: {column} of its moves is {_number(of_moves)}, that of flow_day {_number(of_row)}"
    for number, measure, bucket in sorted(key[1:] for key in want.buckets.keys() | have.buckets.keys()):
        moves = want.buckets.get((day, number, measure, bucket))
        durations = have.buckets.get((day, number, measure, bucket))
        if moves != durations:
            kind = f"{_measure(measure)} in bucket {_bucket(bucket)}"
            yield (
                f"{_name(classes, number)}: {_number(moves)} of its moves have {kind}, flow_duration has"
                f" {_number(durations)}"
            )


def _name(classes: dict[int, FlowClass], number: int) -> str:
    """A class in words: its product, and from where to where."""
    if number not in classes:
        return f"class {number}, which flow_class does not have,"
    of_class = classes[number]
    source = _place(of_class.from_state, of_class.from_operation, of_class.from_stage)
    target = _place(of_class.to_state, of_class.to_operation, of_class.to_stage)
    return f"{of_class.product or 'no product'}, {source} -> {target}"


def _place(state: str, operation: int | None, stage: str | None) -> str:
    return "@".join(str(part) for part in (state or "first seen", stage, operation) if part is not None)


def _number(value: Any) -> str:
    return "none" if value is None else str(value)


def _measure(number: int) -> str:
    return f"a {Measure(number).name.lower()} time" if number in {*Measure} else f"a measure {number}"


def _bucket(bucket: int) -> str:
    if not 0 <= bucket < BUCKETS:
        return str(bucket)
    first_us, after_us = bucket_bounds(bucket)
    return f"{bucket} ({first_us} to {after_us - 1} us)"


def _date(day: int) -> str:
    return str(day_of_number(day)) if day_number(FIRST_DAY) <= day <= day_number(LAST_DAY) else f"day {day}"
