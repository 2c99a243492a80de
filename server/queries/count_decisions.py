"""Count decisions: which lines of a count were accepted or rejected, by whom, and what each booked."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.db.schema import ledger
from server.ledger.count_check import ACCEPT, LIMIT
from server.projection.tables import definition
from server.queries.stage_balances import At
from station.core.event import EventError, decode
from station.core.master_data import MasterData

ACCEPTED, REJECTED = "accepted", "rejected"
DEFAULT_LIMIT = 500_000_000  # in micros, until a site enters its own


class CountDecision(NamedTuple):
    """A decision about a line. Quantities in thousandths, money in micros, None: unknown; `at_us`: UTC us.

    `difference_milli`, `micros`: of the line when it was decided; `booked`: its parts, none of a
    rejected one. `above`: its value was above the limit. `place`, `pos`: of its entry.
    """

    item: str
    stage: str
    how: str
    why: str
    by: str
    at_us: int
    place: tuple[str, int]
    pos: int
    difference_milli: int | None
    micros: int | None
    above: bool
    booked: tuple[dict[str, Any], ...]


def decisions_of(connection: Connection, count: str) -> dict[At, CountDecision]:
    """The decisions about the lines of a count, by item and stage. One that was taken back is none."""
    c = definition.c
    of_count = and_(c.what == ACCEPT, c.name.startswith(count + "/", autoescape=True))
    query = select(definition, ledger.c.bytes).join(ledger, ledger.c.pos == c.id).where(of_count).order_by(c.id)
    found: dict[At, CountDecision] = {}
    for row in connection.execute(query):
        data = msgspec.json.decode(row.data)
        at = (data.get("item"), data.get("stage"))
        if data.get("count") == count and at not in found:
            found[at] = _decision(row, data)
    return found


def _decision(row: Any, data: dict[str, Any]) -> CountDecision:
    try:
        by = decode(row.bytes).by or ""
    except EventError:
        by = ""  # an entry of a later version
    return CountDecision(
        data["item"], data["stage"], str(data.get("how")), data.get("why") or "", by, row.key_us,
        (row.log_id.hex(), row.seq), row.id, data.get("difference_milli"), data.get("value_micros"),
        data.get("above") is True, tuple(data.get("booked") or ()),
    )  # fmt: skip


def limit_micros(master_data: MasterData, at_us: int) -> int | None:
    """The value above which a difference needs a second person, at a time (UTC us); None: there is no limit."""
    entered = master_data.at(LIMIT, LIMIT.partition(".")[0], at_us)
    micros = DEFAULT_LIMIT if entered is None else entered.data.get("micros")
    return micros if isinstance(micros, int) else None
