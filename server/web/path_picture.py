"""Path picture: where the pieces of one item were over time, drawn as SVG, with its sentence.

Each row is an operation, or a stage of an item without routing; x is time. A bar is a stay: solid in work, pale waiting,
hatched on hold. What is outside the calendar of the site is grey; without a calendar, nights are. Stays of one row and
state that overlap or follow one another are one bar. Of more than MOST_STAYS stays, those with a gap that could not be seen
are one bar too, so that the number of bars has a bound. Coordinates are attributes, because the content security policy
allows no inline styles.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta
from itertools import chain
from typing import NamedTuple

from server.locale_format import LocaleFormat, duration, working_hours
from server.queries.item_moves import Stay
from server.queries.working_times import ALWAYS, WorkingTimes
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Routing
from station.core.working_time import Interval, merged

WIDTH = 960.0
LEFT = 150.0  # of the names of the rows
TOP = 22.0  # of the days
ROW = 26.0
BAR = 16.0
SHORTEST = 3.0  # a bar is at least this wide, so that it can be seen and clicked
MOST_NIGHTS = 60
MOST_STAYS = 400
NIGHT = (time(20), time(6))  # in the shop's zone, where no calendar is known
DAYS_NAMED = 12
SECOND_US = 1_000_000
YEARS = range(1900, 9000)  # an unknown time is an end of the calendar
NO_STAGE = "no stage yet"
ROW_CHARACTERS = 24
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"  # around a name in any direction of writing


class Bar(NamedTuple):
    """A bar: its left edge, top and width; `pos` is the position of its first event, `title` its text."""

    x: float
    y: float
    width: float
    state: str
    pos: int
    title: str


class PathRow(NamedTuple):
    """A row: its operation number or None, its stage or None for the time before the first stage, its top and its name."""

    operation: int | None
    stage: str | None
    y: float
    name: str


class Picture(NamedTuple):
    """The picture: its rows, grey times as (x, width), bars, and named days as (x, text).

    `has_calendar`: the grey times are those outside the calendar of the site. `due_x`: the x of the due day's end.
    """

    rows: tuple[PathRow, ...]
    grey: tuple[tuple[float, float], ...]
    has_calendar: bool
    bars: tuple[Bar, ...]
    days: tuple[tuple[float, str], ...]
    due_x: float | None
    height: float
    sentence: str


class PathWords(NamedTuple):
    """The names on the picture: the states, the stages by id, the formats and the working times of the shop."""

    states: dict[str, str]
    stage_name: Callable[[str | None], str]
    locale: LocaleFormat
    working: WorkingTimes = ALWAYS

    def stage(self, stage: str | None) -> str:
        """The name of a stage; of None that of the time before the first one, or between stages."""
        return self.stage_name(stage) or NO_STAGE

    def worked(self, stage: str | None, spans: Iterable[Interval]) -> str:
        """How much of these spans is working time, in brackets; empty where all time is."""
        working = self.working.of(stage)
        if working.is_all:
            return ""
        return f" ({working_hours(sum(working.between(*span) for span in spans) // SECOND_US)} in working hours)"


class _Scale(NamedTuple):
    begin_us: int
    end_us: int

    def x(self, at_us: int) -> float:
        share = (at_us - self.begin_us) / (self.end_us - self.begin_us)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT), 1)


def path_picture(
    stays: Sequence[Stay], routing: Routing | None, due_us: int | None, now_us: int, words: PathWords
) -> Picture | None:
    """The picture of all stays of an item up to its end or to now (UTC us); None without any.

    `due_us`: the end of its due day.
    """
    if not stays:
        return None
    begin_us = stays[0].since_us
    end_us = max(now_us if stay.until_us is None else stay.until_us for stay in stays)
    last_us = max(end_us, begin_us + SECOND_US)
    # A due day far outside the time of the item would make the bars too small to see.
    near = due_us is not None and begin_us <= due_us <= last_us + 2 * (last_us - begin_us)
    scale = _Scale(begin_us, max(last_us, due_us) if near and due_us is not None else last_us)
    rows = _rows(stays, routing, words)
    tops = {(row.operation, row.stage): row.y for row in rows}
    unseen_us = round((scale.end_us - scale.begin_us) * SHORTEST / (WIDTH - LEFT))
    joined = _joined(stays, routing, end_us, unseen_us if len(stays) > MOST_STAYS else 0)
    bars = tuple(_bar(stay, tops[_place(stay, routing)], scale, end_us, words) for stay in joined)
    return Picture(
        rows,
        _grey(scale, words),
        not words.working.of(None).is_all,
        bars,
        _days(scale, words.locale),
        scale.x(due_us) if near and due_us is not None else None,
        TOP + len(rows) * ROW + 4,
        _sentence(stays, end_us, words),
    )


def _place(stay: Stay, routing: Routing | None) -> tuple[int | None, str | None]:
    """The row of a stay; scans before the routing was known are in the row of the first operation of their stage."""
    if stay.operation is None and routing is not None and stay.stage is not None:
        at_stage = routing.at_stage(stay.stage)
        return (at_stage[0].op if at_stage else None, stay.stage)
    return (stay.operation, stay.stage)


def _rows(stays: Iterable[Stay], routing: Routing | None, words: PathWords) -> tuple[PathRow, ...]:
    places = dict.fromkeys(_place(stay, routing) for stay in stays)
    if routing is not None:
        places |= dict.fromkeys((operation.op, operation.stage) for operation in routing.operations)
        ordered = sorted(places, key=lambda place: (place[1] is not None, place[0] is None, place[0] or 0))
    else:
        ordered = sorted(places, key=lambda place: place[1] is not None)
    return tuple(
        PathRow(op, stage, TOP + number * ROW, _row_name(words.stage(stage), op))
        for number, (op, stage) in enumerate(ordered)
    )


def _row_name(name: str, operation: int | None) -> str:
    """A name that fits beside the bars; the title of each bar has the whole one."""
    number = "" if operation is None else f" {operation}"
    if len(name) + len(number) > ROW_CHARACTERS:
        cut = name[: ROW_CHARACTERS - len(number) - 1].rstrip()
        name = f"{cut}…{POP_ISOLATE if FIRST_STRONG_ISOLATE in cut else ''}"
    return name + number


def _joined(stays: Sequence[Stay], routing: Routing | None, end_us: int, gap_us: int) -> list[Stay]:
    """Stays of one row and state that overlap or are at most `gap_us` apart, as one from the first begin to the last end."""
    open_of: dict[tuple[object, ...], Stay] = {}
    joined: list[Stay] = []
    for stay in stays:
        key = (*_place(stay, routing), stay.state)
        before = open_of.get(key)
        if before is not None and stay.since_us <= (end_us if before.until_us is None else before.until_us) + gap_us:
            ends = (before.until_us, stay.until_us)
            until = None if None in ends else max(end for end in ends if end is not None)
            open_of[key] = before._replace(until_us=until)
            continue
        if before is not None:
            joined.append(before)
        open_of[key] = stay
    return sorted([*joined, *open_of.values()], key=lambda stay: stay.since_us)


def _bar(stay: Stay, top: float, scale: _Scale, end_us: int, words: PathWords) -> Bar:
    until_us = end_us if stay.until_us is None else stay.until_us
    x = min(scale.x(stay.since_us), WIDTH - SHORTEST)
    length = duration((until_us - stay.since_us) // SECOND_US)
    since = words.locale.clock(stay.since_us, end_us)
    worked = words.worked(stay.stage, [(stay.since_us, until_us)])
    title = f"{words.stage(stay.stage)}: {words.states.get(stay.state, stay.state)} {length}{worked}, from {since}"
    return Bar(x, top + (ROW - BAR) / 2, max(round(scale.x(until_us) - x, 1), SHORTEST), stay.state, stay.pos, title)


def _grey(scale: _Scale, words: PathWords) -> tuple[tuple[float, float], ...]:
    first, last = words.locale.local(scale.begin_us), words.locale.local(scale.end_us)
    if (last - first).days > MOST_NIGHTS or first.year not in YEARS or last.year not in YEARS:
        return ()
    working = words.working.of(None)
    if working.is_all:
        return _nights(scale, first, last)
    ends = [scale.begin_us, *chain(*working.intervals(scale.begin_us, scale.end_us)), scale.end_us]
    spans = [(scale.x(begin_us), scale.x(end_us)) for begin_us, end_us in zip(ends[::2], ends[1::2], strict=True)]
    return tuple((from_x, round(to_x - from_x, 1)) for from_x, to_x in spans if to_x > from_x)


def _nights(scale: _Scale, first: datetime, last: datetime) -> tuple[tuple[float, float], ...]:
    nights = []
    for number in range((last.date() - first.date()).days + 2):
        evening = first.date() + timedelta(days=number - 1)
        begin = datetime.combine(evening, NIGHT[0], tzinfo=first.tzinfo)
        end = datetime.combine(evening + timedelta(days=1), NIGHT[1], tzinfo=first.tzinfo)
        from_x, to_x = scale.x(_us(begin)), scale.x(_us(end))
        if to_x > from_x:
            nights.append((from_x, round(to_x - from_x, 1)))
    return tuple(nights)


def _days(scale: _Scale, locale: LocaleFormat) -> tuple[tuple[float, str], ...]:
    """The begin of days with their dates, at most DAYS_NAMED; of a short time the begin alone."""
    first, last = locale.local(scale.begin_us), locale.local(scale.end_us)
    number = (last.date() - first.date()).days
    if first.year not in YEARS or last.year not in YEARS:
        return ()
    if number == 0:
        return ((LEFT, f"{first:%Y-%m-%d %H:%M}"),)
    step = -(-number // DAYS_NAMED)
    days = [first.date() + timedelta(days=day) for day in range(1, number + 1, step)]
    named = [(scale.x(_us(datetime.combine(day, time(0), tzinfo=first.tzinfo))), f"{day:%m-%d}") for day in days]
    return tuple((x, text) for x, text in named if x < WIDTH - 30)


def _us(at: datetime) -> int:
    return round(at.timestamp() * SECOND_US)


def _sentence(stays: Sequence[Stay], end_us: int, words: PathWords) -> str:
    """How long in all, how long in work, and the stage with the longest time; of times in process, without the release."""
    begun = [stay for stay in stays if stay.state != ParcelState.RELEASED]
    if not begun:
        return f"Released {duration((end_us - stays[0].since_us) // SECOND_US)} ago and not started."
    until = max(end_us if stay.until_us is None else stay.until_us for stay in begun)
    worked = _lasted(_covered((stay for stay in begun if stay.state == ParcelState.HERE), end_us))
    stages = {stay.stage for stay in begun if stay.stage is not None}
    at_stage = {stage: _covered((stay for stay in begun if stay.stage == stage), end_us) for stage in stages}
    in_all = [(begun[0].since_us, until)]
    text = f"{duration(_lasted(in_all))}{words.worked(None, in_all)}, of which {duration(worked)} in work"
    if not at_stage:
        return f"{text}."
    longest = max(sorted(at_stage), key=lambda stage: _lasted(at_stage[stage]))
    spans = at_stage[longest]
    return f"{text}; {duration(_lasted(spans))} at {words.stage(longest)}{words.worked(longest, spans)}."


def _covered(stays: Iterable[Stay], end_us: int) -> tuple[Interval, ...]:
    """The spans in which at least one of these stays lasted."""
    return merged((stay.since_us, end_us if stay.until_us is None else stay.until_us) for stay in stays)


def _lasted(spans: Iterable[Interval]) -> int:
    """The length of spans in seconds."""
    return sum(end_us - begin_us for begin_us, end_us in spans) // SECOND_US
