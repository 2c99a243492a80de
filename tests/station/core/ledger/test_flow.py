"""Flow of moves: which moves count, which durations end with them, and the sums that a later fold can subtract again."""

from datetime import UTC, date, datetime

import pytest

from station.core.ledger.flow import (
    DayNumbers,
    FlowClass,
    FlowMove,
    FlowSums,
    Measure,
    counts,
    day_number,
    departs,
    durations,
)
from station.core.site import Site, SiteDays, SiteFrom

HERE = ("here", 10, "saw")
WAITING = ("waiting", 20, "deburr")
FINISHED = ("finished", None, None)
SCRAPPED = ("scrapped", 10, "saw")
ADJUSTED = ("adjusted", None, None)
RELEASED = ("released", None, None)


def flow_class(source: tuple[str, int | None, str | None], target: tuple[str, int | None, str | None]) -> FlowClass:
    return FlowClass("bracket", "line", *source, *target, 10, None, "10", None)


@pytest.mark.parametrize(
    ("source", "target", "counted", "departing"),
    [
        (HERE, WAITING, True, True),
        (HERE, SCRAPPED, True, True),
        (HERE, FINISHED, True, True),
        (HERE, ("held", 10, "saw"), True, False),
        (("waiting", 10, "saw"), HERE, True, False),
        (HERE, HERE, False, False),
        (HERE, ("here", 30, "saw"), True, True),  # the next operation at the same stage
        (HERE, ADJUSTED, True, False),
        (RELEASED, HERE, True, False),
        (("waiting", None, None), ("here", None, "pack"), True, False),
        (FINISHED, HERE, True, False),
    ],
)
def test_a_move_between_accounts_counts_and_a_departure_leaves_its_operation(
    source: tuple[str, int | None, str | None],
    target: tuple[str, int | None, str | None],
    counted: bool,
    departing: bool,
) -> None:
    assert counts(flow_class(source, target)) == counted
    assert departs(flow_class(source, target)) == departing


def test_a_departure_ends_the_time_at_the_stage_with_its_queue_and_run() -> None:
    move = FlowMove(flow_class(HERE, WAITING), 90, 8000, at_stage_since_us=30, run_since_us=50, started_us=3)
    assert durations(move) == ((Measure.STAGE, 60), (Measure.QUEUE, 20), (Measure.RUN, 40))


def test_without_a_start_there_is_no_queue_and_no_run_time() -> None:
    assert durations(FlowMove(flow_class(HERE, WAITING), 90, 8000, at_stage_since_us=30)) == ((Measure.STAGE, 60),)


def test_what_arrived_by_its_start_has_a_run_and_no_queue_time() -> None:
    move = FlowMove(flow_class(HERE, WAITING), 90, 8000, at_stage_since_us=50, run_since_us=50)
    assert durations(move) == ((Measure.STAGE, 40), (Measure.RUN, 40))


def test_a_scan_that_is_arrival_and_departure_gives_no_duration() -> None:
    move = FlowMove(
        flow_class(HERE, FINISHED), 90, 8000, at_stage_since_us=90, run_since_us=90, started_us=90, released_us=90
    )
    assert durations(move) == ()


def test_a_finish_ends_the_throughput_and_the_lead_time() -> None:
    move = FlowMove(flow_class(HERE, FINISHED), 90, 8000, at_stage_since_us=30, started_us=20, released_us=5)
    assert durations(move) == ((Measure.STAGE, 60), (Measure.THROUGHPUT, 70), (Measure.LEAD, 85))


def test_a_finish_before_the_release_has_no_lead_time() -> None:
    move = FlowMove(flow_class(HERE, FINISHED), 90, 8000, at_stage_since_us=30, started_us=20, released_us=91)
    assert durations(move) == ((Measure.STAGE, 60), (Measure.THROUGHPUT, 70))


def test_a_restated_piece_ends_no_duration() -> None:
    restated = FlowMove(flow_class(HERE, WAITING), 90, 8000, at_stage_since_us=30, restated=True)
    assert durations(restated) == ()


def test_a_subtracted_move_leaves_the_sums_as_they_were() -> None:
    first = FlowMove(flow_class(HERE, WAITING), 90, 8000, at_stage_since_us=30)
    second = FlowMove(flow_class(HERE, WAITING), 95, None, at_stage_since_us=30)
    sums, only = FlowSums(), FlowSums()
    sums.add(1, 7, first)
    sums.add(1, 7, second)
    assert sums.days == {(1, 7): [8000, 2, 125, 0, 0, 0, 0]}
    assert sums.buckets == {(1, 7, 0, 60): 1, (1, 7, 0, 65): 1}
    sums.add(1, 7, second, -1)
    only.add(1, 7, first)
    assert sums.days == only.days
    assert {key: count for key, count in sums.buckets.items() if count} == only.buckets


def test_the_number_of_a_day_is_that_of_the_site_before_and_after_each_boundary() -> None:
    """The boundary lies within an hour: at 06:20, and at a change of the site at 10:10."""
    change_us = us(2026, 3, 28, 10, 10)
    days = SiteDays([
        SiteFrom(None, Site(zone="Europe/Berlin", day_start=380)),
        SiteFrom(change_us, Site(zone="Asia/Tokyo")),
    ])  # fmt: skip
    numbers = DayNumbers(days)
    before, after = day_number(date(2026, 3, 27)), day_number(date(2026, 3, 28))
    start_us = us(2026, 3, 28, 5, 20)
    for _ in range(2):  # the second time from memory
        assert [numbers.of(start_us - 1), numbers.of(start_us), numbers.of(start_us - 5_000_000_000)] == [
            before,
            after,
            before,
        ]
        for at_us in (change_us - 1, change_us, us(2026, 3, 28, 15, 0) - 1, us(2026, 3, 28, 15, 0)):
            assert numbers.of(at_us) == day_number(days.day_of(at_us))


def us(*parts: int) -> int:
    return round(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type]
