"""The API's answer about the site: its fields now, its present day, and its definitions."""

from collections.abc import Sequence

import msgspec

from server.api.format import time
from server.queries.lag import Lag
from station.core.master_data import Definition
from station.core.site import Site, SiteDays, site_at, site_history


class SiteDefinitionAnswer(msgspec.Struct):
    """An entry `site.define` as it was entered; null: the field stayed as it was.

    The first one holds from ever, whatever its `holds_from` is. `log`, `seq`: the entry.
    """

    holds_from: str
    zone: str | None
    currency: str | None
    locale: str | None
    day_start: int | None
    log: str
    seq: int


class SiteAnswer(msgspec.Struct):
    """The site now. `day_start`: minutes after midnight; `day`: the present day, from `day_from` until `day_until`."""

    zone: str
    currency: str
    locale: str
    day_start: int
    day: str
    day_from: str
    day_until: str
    definitions: list[SiteDefinitionAnswer]
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def site_answer(definitions: Sequence[Definition], base: Site, now_us: int, lag: Lag) -> SiteAnswer:
    """The answer of /api/v1/site; `base`: what no definition states."""
    history = site_history(definitions, base)
    site, days = site_at(history, now_us), SiteDays(history)
    day = days.day_of(now_us)
    from_us, until_us = days.day_bounds(day)
    rows = [_definition(entry) for entry in definitions]
    return SiteAnswer(*site, day.isoformat(), time(from_us), time(until_us), rows, *lag)


def _definition(entry: Definition) -> SiteDefinitionAnswer:
    data, (_, log, seq) = entry.data, entry.recorded
    return SiteDefinitionAnswer(
        time(entry.holds_from_us),
        data.get("zone"),
        data.get("currency"),
        data.get("locale"),
        data.get("day_start"),
        log,
        seq,
    )
