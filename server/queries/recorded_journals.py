"""Recorded journals: each exported or reversing journal as its entry has it, with its person and time."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from server.db.schema import ledger
from server.ledger.account_check import BALANCE
from server.ledger.journal_check import JOURNALS
from server.projection.definitions import read_row
from server.projection.tables import definition
from server.queries.journal import JournalLine, WipBalance
from station.core.event import decode
from station.core.master_data import MasterData


class RecordedJournal(NamedTuple):
    """A journal under its number. Times UTC us. `period`: the position of the close, None of a reversal.

    `reverses`: the number of the one that it reverses; `reversed_by`: of the one that reverses it.
    """

    number: int
    from_us: int
    to_us: int
    currency: str
    lines: tuple[JournalLine, ...]
    balances: tuple[WipBalance, ...]
    period: int | None
    reverses: int | None
    why: str
    recorded_us: int
    by: str
    reversed_by: int | None

    @property
    def stands(self) -> bool:
        """Whether it is an export that is not reversed."""
        return self.reverses is None and self.reversed_by is None


def journals_recorded(connection: Connection) -> list[RecordedJournal]:
    """All recorded journals, the newest first."""
    c = definition.c
    query = select(definition, ledger.c.recv_us, ledger.c.bytes).join(ledger, ledger.c.pos == c.id)
    rows = connection.execute(query.where(c.what.in_(JOURNALS))).all()
    fields = [(row, read_row(row).data) for row in rows]
    reversed_by = {data["journal"]: data["number"] for _, data in fields if "journal" in data}
    made = [_made(row, data, reversed_by.get(data["number"])) for row, data in fields]
    return sorted(made, key=lambda one: -one.number)


def _made(row: Any, data: dict[str, Any], reversed_by: int | None) -> RecordedJournal:
    return RecordedJournal(
        number=data["number"],
        from_us=data["from_us"],
        to_us=data["to_us"],
        currency=data["currency"],
        lines=tuple(JournalLine(*line) for line in data["lines"]),
        balances=tuple(WipBalance(*balance) for balance in data.get("balances", ())),
        period=data.get("period"),
        reverses=data.get("journal"),
        why=data.get("why", ""),
        recorded_us=row.recv_us,
        by=decode(row.bytes).by or "",
        reversed_by=reversed_by,
    )


def stated_balances(master_data: MasterData, period: int, at_us: int) -> dict[str, int]:
    """The micros that the general ledger has on accounts at the end of a period, as they were entered last."""
    stated = (master_data.at(BALANCE, name, at_us) for name in master_data.names(BALANCE))
    found = [one.data for one in stated if one is not None and one.data.get("period") == period]
    return {data["account"]: data["micros"] for data in found if isinstance(data.get("micros"), int)}
