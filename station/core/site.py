"""Site: the time zone, currency, locale and start of day of the shop, and the shop's days.

A day of the shop begins at its start of day in its time zone and lasts until the next one begins: 23 or 25 hours where the
clock changes. The entry `site.define` states the fields; a field that an entry leaves out stays as it was. A definition
holds from its time until the next one. The first holds from ever, so that a shop has days before it was defined.

>>> site = SiteDays([SiteFrom(None, Site(zone="Europe/Berlin", day_start=360))])
>>> start_us, end_us = site.day_bounds(date(2026, 3, 28))
>>> (end_us - start_us) // HOUR_US, site.day_of(end_us - 1), site.day_of(end_us)
(23, datetime.date(2026, 3, 28), datetime.date(2026, 3, 29))
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from station.core.master_data import Definition

SITE = "site.define"
LOCAL = "localtime"  # a name of the tz database that means another zone on each machine
HOUR_US = 3_600_000_000
MINUTES_OF_DAY = 1440
FIRST_DAY, LAST_DAY = (
    date(2, 1, 1),
    date(9998, 12, 31),
)  # of the calendar, a year from its ends for the offset of any zone
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
ZoneOf = Callable[[str], tzinfo]


class Site(NamedTuple):
    """The site at one time. `zone`: IANA name; `day_start`: minutes after midnight at which a day begins."""

    zone: str = "UTC"
    currency: str = "EUR"
    locale: str = "en"
    day_start: int = 0


class SiteFrom(NamedTuple):
    """The site from a time on (UTC us; None: from ever) until the next one."""

    from_us: int | None
    site: Site


class SiteFields(msgspec.Struct, frozen=True):
    """The fields of an entry `site.define`; None: as before."""

    zone: str | None = None
    currency: str | None = None
    locale: str | None = None
    day_start: int | None = None


def is_zone(name: str) -> bool:
    """Whether this machine has the time zone.

    >>> is_zone("Europe/Berlin"), is_zone("Europe/Berln"), is_zone("../passwd"), is_zone(""), is_zone("localtime")
    (True, False, False, False, False)
    """
    if name == LOCAL:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def site_history(definitions: Iterable[Definition], base: Site = Site()) -> list[SiteFrom]:  # noqa: B008  immutable
    """The site from ever, and from each definition on, in order. `base`: the fields that no definition states.

    A definition that cannot be read, or with a zone that this machine lacks, defines nothing.
    """
    history = [SiteFrom(None, base)]
    ordered = sorted(definitions, key=lambda definition: (definition.holds_from_us, definition.recorded))
    for number, (from_us, fields) in enumerate(
        (definition.holds_from_us, fields) for definition in ordered if (fields := _fields(definition)) is not None
    ):
        stated = {name: value for name, value in msgspec.structs.asdict(fields).items() if value is not None}
        site = history[-1].site._replace(**stated)
        if number == 0:
            history = [SiteFrom(None, site)]
        elif history[-1].from_us == from_us:
            history[-1] = SiteFrom(from_us, site)  # of two with the same time the later recorded one
        else:
            history.append(SiteFrom(from_us, site))
    return history


def site_at(history: Sequence[SiteFrom], at_us: int) -> Site:
    """The site at a time."""
    return next(part.site for part in reversed(history) if part.from_us is None or part.from_us <= at_us)


def _fields(definition: Definition) -> SiteFields | None:
    try:
        fields = msgspec.convert(definition.data, SiteFields)
    except msgspec.ValidationError:
        return None
    if fields.day_start is not None and not 0 <= fields.day_start < MINUTES_OF_DAY:
        return None
    return None if fields.zone is not None and not is_zone(fields.zone) else fields


class SiteDays:
    """The days of a site: they follow each other without a gap, and no instant is of two days.

    A day has the date on which it begins. At a change of zone or start of day, the day that is in progress goes on until the
    new definition begins a later one; where the date jumps ahead, the days between have no length. Instants before the
    change keep their day. A start of day that the clock skips is as many minutes after the skip as it was to be.
    """

    def __init__(self, history: Sequence[SiteFrom], zone_of: ZoneOf = ZoneInfo) -> None:
        """`history`: as of `site_history`, the first from ever. `zone_of`: the time zone of a name."""
        self._froms = [part.from_us for part in history]
        self._zones = [zone_of(part.site.zone) for part in history]
        self._starts = [timedelta(minutes=part.site.day_start) for part in history]
        self._least = [FIRST_DAY]  # of each definition, the day in progress when it begins to hold
        for number, part in enumerate(history[1:], start=1):
            before_us = (part.from_us or 0) - 1
            self._least.append(max(self._least[-1], self._day_by(number - 1, before_us)))

    def day_of(self, us: int) -> date:
        """The day of an instant (UTC us); of one outside the calendar, the first or the last day."""
        number = len(self._froms) - 1
        while number and us < (self._froms[number] or 0):
            number -= 1
        return max(self._least[number], self._day_by(number, us))

    def day_bounds(self, day: date) -> tuple[int, int]:
        """The first instant of a day, and the first after it (UTC us). Raises `ValueError` outside FIRST_DAY to LAST_DAY."""
        if not FIRST_DAY <= day <= LAST_DAY:
            msg = f"the day {day}; expected one from {FIRST_DAY} to {LAST_DAY}. Name another day."
            raise ValueError(msg)
        return self._first_us(day), self._first_us(day + timedelta(days=1))

    def _first_us(self, day: date) -> int:
        """The first instant that is of this day or a later one."""
        last = len(self._froms) - 1
        for number in range(last + 1):
            from_us = self._froms[number]
            begins_us = self._start_by(number, day)
            if from_us is not None:
                begins_us = max(begins_us, from_us)
            if number == last or begins_us < (self._froms[number + 1] or 0):
                return begins_us
        raise AssertionError  # the last definition has no end

    def _start_by(self, number: int, day: date) -> int:
        """The beginning of a day by one of the definitions, as if it held always."""
        local = datetime(day.year, day.month, day.day, tzinfo=self._zones[number]) + self._starts[number]
        return (local.astimezone(UTC) - _EPOCH) // _US

    def _day_by(self, number: int, us: int) -> date:
        first, last = self._start_by(number, FIRST_DAY), self._start_by(number, LAST_DAY)
        if not first <= us < last:
            return FIRST_DAY if us < first else LAST_DAY
        local = _EPOCH + timedelta(microseconds=us)
        day = local.astimezone(self._zones[number]).date() + timedelta(days=1)
        while self._start_by(number, day) > us:
            day -= timedelta(days=1)
        return day
