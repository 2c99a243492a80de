"""Price list: each entered price that holds at a time or begins later, with the one before it and the person who entered it.

A price is an entry `cost.set`: of a component, of a component in one product, of the work of an operation of a product, or
the rate of a work centre, which is a stage.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, and_, select

from server.db.schema import ledger
from station.core.event import EventError, decode
from station.core.ledger.costs import CONVERSION
from station.core.master_data import Definition, MasterData

COST = "cost.set"
AT_ONCE = 500  # places in one statement


class PricedAt(NamedTuple):
    """What an entry says: micros of the currency for its `basis` (unit, order, minute); None: withdrawn, no price."""

    micros: int | None
    basis: str


class Price(NamedTuple):
    """A price from a time on (UTC us), and what held before it; the first one holds for earlier times too.

    `later`: it does not hold yet. `place`: the log and the number of its entry.
    """

    product: str | None
    op: int | None
    component: str
    stage: str | None
    amount: PricedAt
    before: PricedAt | None
    from_us: int
    later: bool
    place: tuple[str, int]

    @property
    def is_work(self) -> bool:
        """Whether it is a price of labour, overhead or outside work."""
        return self.component in CONVERSION


def amount_of(entry: Definition) -> PricedAt:
    """The amount of an entry `cost.set`."""
    micros = entry.data.get("micros")
    return PricedAt(micros if isinstance(micros, int) else None, str(entry.data.get("basis") or "unit"))


def price_list(master_data: MasterData, at_us: int) -> list[Price]:
    """The price of each name that holds at a time (UTC us), and those that begin later: materials first, then work."""
    found = []
    for name in master_data.names(COST):
        versions = master_data.versions(COST, name)
        held = master_data.at(COST, name, at_us)
        first = next(number for number, version in enumerate(versions) if version is held)
        for number in range(first, len(versions)):
            before = amount_of(versions[number - 1]) if number else None
            found.append(_price(versions[number], before, later=number > first))
    return sorted(found, key=_place)


def _price(entry: Definition, before: PricedAt | None, *, later: bool) -> Price:
    data, (_, log, seq) = entry.data, entry.recorded
    return Price(
        data.get("product"), data.get("op"), data.get("component") or "", data.get("stage"), amount_of(entry), before,
        entry.holds_from_us, later, (log, seq),
    )  # fmt: skip


def _place(price: Price) -> tuple[bool, bool, str, str, int, int]:
    """Materials by their name, then the rates of work centres, then the work of products."""
    product = price.product or ""
    names = (product, price.component) if price.is_work else (price.component, product)
    first, second = (price.stage, price.component) if price.stage else names
    return (price.is_work, price.stage is None, first, second, price.op or 0, price.from_us)


class Placed(Protocol):
    """What an entry made. `place`: the log and the number of the entry."""

    @property
    def place(self) -> tuple[str, int]: ...


def entered_by(connection: Connection, made: Iterable[Placed]) -> dict[tuple[str, int], str]:
    """The person who made the entry of each of these, by the place of the entry."""
    logs: dict[str, list[int]] = {}
    for one in made:
        log, seq = one.place
        logs.setdefault(log, []).append(seq)
    found, c = {}, ledger.c
    for log, numbers in logs.items():
        for start in range(0, len(numbers), AT_ONCE):
            at = and_(c.log_id == bytes.fromhex(log), c.seq.in_(numbers[start : start + AT_ONCE]))
            for row in connection.execute(select(c.seq, c.bytes).where(at)):
                try:
                    found[log, row.seq] = decode(row.bytes).by or ""
                except EventError:
                    continue  # an entry of a later version
    return found
