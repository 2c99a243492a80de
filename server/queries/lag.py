"""Lag: how far the projection, which every page and answer shows, is behind the ledger.

>>> Lag(1204, 0, 0, 0).words, Lag(1204, 3, 10, 0).words, Lag(1204, 0, 0, 1).words
('', 'Recalculating: 3 events are not included yet, 10\\xa0s behind', 'Recalculating 1 item after a change')
"""

from typing import NamedTuple

from sqlalchemy import Connection, select

from server.db.schema import ledger
from server.ledger.ingest import last_pos
from server.locale_format import SECOND_US, duration
from server.projection.worker import projected_pos, recalculating
from server.text import counted


class Lag(NamedTuple):
    """`pos`: the projected position; `events`: those after it; `seconds`: since the first of them came in.

    `queued`: items and codes that an entry changed and that are folded again.
    """

    pos: int
    events: int
    seconds: int
    queued: int

    @property
    def words(self) -> str:
        """The lag as a sentence without its full stop; empty where there is none."""
        if self.events:
            included = "event is" if self.events == 1 else "events are"
            return f"Recalculating: {self.events:,} {included} not included yet, {duration(self.seconds)} behind"
        return f"Recalculating {counted(self.queued, 'item')} after a change" if self.queued else ""


def lag_of(connection: Connection, now_us: int) -> Lag:
    """The lag of a snapshot of the database at a time (UTC us)."""
    pos, last = projected_pos(connection), last_pos(connection)
    first = select(ledger.c.recv_us).where(ledger.c.pos == pos + 1)
    since_us = (connection.execute(first).scalar() or now_us) if last > pos else now_us
    return Lag(pos, max(0, last - pos), max(0, now_us - since_us) // SECOND_US, recalculating(connection))
