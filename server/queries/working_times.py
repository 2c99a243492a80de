"""Working times: the calendar of the site and of each stage over time, as its entries `calendar.define` state them.

A calendar without a zone is in the zone that the site has at that time. A stage without a calendar of its own has that of
the site; a site without one works at all times.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from server.ledger.calendar_check import CALENDAR, CalendarFields, read_calendar
from station.core.master_data import Definition, MasterData
from station.core.site import SITE, SiteFrom, is_zone, site_history
from station.core.working_time import Calendar, CalendarFrom, WorkingTime


class _CalendarVersion(NamedTuple):
    from_us: int | None
    zone: str | None
    calendar: Calendar | None


class WorkingTimes:
    """The working time of the site and of its stages; each is made once."""

    def __init__(self, master_data: MasterData) -> None:
        self._master_data = master_data
        self._site = site_history(master_data.versions(SITE, SITE.partition(".")[0]))
        self._made: dict[str, WorkingTime] = {}
        self.own = frozenset(master_data.names(CALENDAR)) - {""}

    def of(self, stage: str | None) -> WorkingTime:
        """The working time of a stage; of None, or of one without a calendar of its own, that of the site."""
        name = stage if stage in self.own else ""
        if name not in self._made:
            site = _versions(self._master_data.versions(CALENDAR, ""))
            own = _versions(self._master_data.versions(CALENDAR, name)) if name else []
            self._made[name] = WorkingTime(list(_joined(own, site, self._site)))
        return self._made[name]


ALWAYS = WorkingTimes(MasterData())
_made: WeakKeyDictionary[MasterData, WorkingTimes] = WeakKeyDictionary()


def working_times(master_data: MasterData) -> WorkingTimes:
    """The working times of a shop, made once for the same master data; a day of a calendar is computed when asked for."""
    times = _made.get(master_data)
    if times is None:
        times = _made[master_data] = WorkingTimes(master_data)
    return times


def _versions(definitions: Iterable[Definition]) -> list[_CalendarVersion]:
    """The versions of a calendar, the first from ever. One that cannot be read defines nothing."""
    versions: list[_CalendarVersion] = []
    for definition in definitions:
        try:
            zone, calendar = msgspec.convert(definition.data, CalendarFields).zone, read_calendar(definition.data)
        except (msgspec.ValidationError, ValueError):
            continue
        if zone is None or is_zone(zone):
            versions.append(_CalendarVersion(definition.holds_from_us if versions else None, zone, calendar))
    return versions


def _joined(own: list[_CalendarVersion], site: list[_CalendarVersion], zones: list[SiteFrom]) -> Iterator[CalendarFrom]:
    """The calendar that holds from each time at which one of the three changes."""
    begins = [*(part.from_us for part in (*own, *site)), *(part.from_us for part in zones)]
    for from_us in (None, *sorted({us for us in begins if us is not None})):
        holds = [_at(versions, from_us) for versions in (own, site)]
        version = next((one for one in holds if one is not None and one.calendar is not None), None)
        zone = next(part.site.zone for part in reversed(zones) if _holds(part.from_us, from_us))
        if version is None:
            yield CalendarFrom(from_us, zone, None)
        else:
            yield CalendarFrom(from_us, version.zone or zone, version.calendar)


def _at(versions: list[_CalendarVersion], at_us: int | None) -> _CalendarVersion | None:
    return next((version for version in reversed(versions) if _holds(version.from_us, at_us)), None)


def _holds(from_us: int | None, at_us: int | None) -> bool:
    return from_us is None or (at_us is not None and from_us <= at_us)
