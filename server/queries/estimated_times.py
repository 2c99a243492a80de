"""Estimated times: the items of which a scan may have been made before a time or after it.

Each scan has an interval that contains its true time, and one time within it by which it is folded. Where the interval
lies across the end of a period, the scan may belong to the next one.
"""

from typing import NamedTuple

from sqlalchemy import Connection, and_, exists, func, select

from server.projection.tables import event_item, event_state, move
from station.core.ledger.times import LATEST_US


class EstimatedTimes(NamedTuple):
    """The scans of an item whose intervals contain a time: how many, the earliest begin and the latest end (UTC us).

    `latest_us` None: without a bound.
    """

    scans: int
    earliest_us: int
    latest_us: int | None


def items_estimated_at(connection: Connection, at_us: int) -> dict[str, EstimatedTimes]:
    """The items with a scan that moved pieces and was made before or after a time (UTC us). It reads all events."""
    s, i = event_state.c, event_item.c
    across = and_(s.lo_us <= at_us, s.hi_us > at_us, s.status == "ok", i.code.is_not(None))
    moved = exists().where(and_(move.c.item == i.item, move.c.pos == i.pos))
    query = (
        select(i.item, func.count(), func.min(s.lo_us), func.max(s.hi_us))
        .join(event_state, s.pos == i.pos)
        .where(and_(across, moved))
        .group_by(i.item)
    )
    return {
        item: EstimatedTimes(scans, lo_us, None if hi_us >= LATEST_US else hi_us)
        for item, scans, lo_us, hi_us in connection.execute(query)
    }
