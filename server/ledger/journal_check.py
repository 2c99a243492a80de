"""Journal check: the entries that export a journal and that reverse one, and the balances that it is compared with."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, select

from server.db import schema
from server.ledger.account_check import BALANCE
from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.projection.tables import definition

EXPORT, REVERSE = "journal.export", "journal.reverse"
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class _Export(msgspec.Struct, forbid_unknown_fields=True):
    """`period`: the position of the close whose journal is exported. The hub adds its number and its lines."""

    period: Number


class _Reverse(msgspec.Struct, forbid_unknown_fields=True):
    """`journal`: the number of the journal that is reversed. The hub adds the number of the reversal and its lines."""

    journal: Number
    why: Annotated[str, msgspec.Meta(max_length=2_000, pattern=r"\S")]


JOURNALS: dict[str, type[msgspec.Struct]] = {EXPORT: _Export, REVERSE: _Reverse}


def recorded_journals(connection: Connection) -> list[dict[str, Any]]:
    """The fields of all exported and reversing journals in the order of their numbers, also of those not projected yet."""
    c = definition.c
    rows = connection.execute(select(c.data).where(c.what.in_(JOURNALS))).scalars()
    found = [msgspec.json.decode(data) for data in rows]
    found += [entry.data for entry in pending_entries(connection, MOST_PENDING, frozenset(JOURNALS))]
    return sorted(found, key=lambda data: int(data["number"]))


def standing(journals: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The exported journals that are not reversed."""
    reversed_ = {data["journal"] for data in journals if "journal" in data}
    return (data for data in journals if "journal" not in data and data["number"] not in reversed_)


class BalanceChecks:
    """Refuse the balance of an account at the end of a period that no close has."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The refusal of an entry; None where it may be written."""
        if entry.what != BALANCE:
            return None
        closes, period = schema.period_listing.c, entry.data["period"]
        if self._connection.execute(select(closes.pos).where(closes.pos == period)).first() is not None:
            return None
        came = f"{BALANCE} of the period {period}, which is no close"
        return Refusal(came, "the position of a close", "/api/v1/periods lists them.")
