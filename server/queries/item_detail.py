"""One item: where it is, where it has been, what the rules say of it, and every event it is made of."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.projection.item_states import StoredItem
from server.projection.tables import finding, item, visit
from server.queries.current_stock import StockRow, standing_of
from server.queries.item_events import ItemEventRow, scans
from server.queries.rule_settings import rules_on
from server.queries.valuation import StockValue, Valuation
from station.core.ledger.fold import balances
from station.core.ledger.routing import Product

MOST = 200
SUMS = ("ordered", "finished", "scrapped", "overrun", "adjusted")
_KEPT = msgspec.msgpack.Decoder(StoredItem)


class PastStay(NamedTuple):
    """A time that some of it stood somewhere; it is over. Times UTC us."""

    operation: int | None
    stage: str | None
    state: str
    station: str | None
    operator: str | None
    qty_milli: int | None
    entered_us: int
    left_us: int
    went_to_stage: str | None
    went_to_state: str


class ItemFinding(NamedTuple):
    """What a rule says of one of its events."""

    rule: str
    key_us: int
    stage: str | None
    station: str
    text: str


class ItemDetail(NamedTuple):
    """Everything that is known of one item; `row` is its row of the projection."""

    row: Any
    product: Product | None
    order: str
    stands: tuple[StockRow, ...]
    worth: StockValue
    visits: tuple[PastStay, ...]
    findings: tuple[ItemFinding, ...]
    events: tuple[ItemEventRow, ...]
    more_events: bool
    children: tuple[str, ...]

    @property
    def sums(self) -> dict[str, int]:
        """What became of the order, thousandths by word; what there is none of is left out."""
        found = {name: getattr(self.row, f"{name}_milli") for name in SUMS}
        return {name: milli for name, milli in found.items() if milli}

    @property
    def accounts(self) -> dict[str, int]:
        """Thousandths by account, `here@20` or `ordered`: what is in the inner ones the outer ones owe, the sum is zero."""
        return balances(_KEPT.decode(self.row.state).state)


def one_item(
    connection: Connection, name: str, valuation: Valuation, before_pos: int | None = None
) -> ItemDetail | None:
    """The item of this name; None where nothing is known of it. `before_pos`: for older events than the newest 200."""
    row = connection.execute(select(item).where(item.c.item == name)).first()
    if row is None:
        return None
    stands = sorted(standing_of(connection, [name]), key=lambda each: (-(each.operation or 0), each.since_us))
    children = (
        select(item.c.item).where(and_(item.c.order_ == name, item.c.item != name)).order_by(item.c.item).limit(MOST)
    )
    told = scans(connection, name, before_pos)
    return ItemDetail(
        row=row,
        product=valuation.catalogue.product(row.product, valuation.at_us),
        order=row.order_ or row.item,
        stands=tuple(stands),
        worth=valuation.worth(stand for stand in stands if stand.in_process),
        visits=tuple(_visits(connection, name)),
        findings=tuple(_findings(connection, name, rules_on(valuation.catalogue, valuation.at_us))),
        events=told.events,
        more_events=told.more,
        children=tuple(connection.execute(children).scalars()),
    )


def _visits(connection: Connection, name: str) -> list[PastStay]:
    columns = [visit.c[field] for field in PastStay._fields]
    query = select(*columns).where(visit.c.item == name).order_by(visit.c.left_us.desc(), visit.c.id.desc()).limit(MOST)
    return [PastStay(*row) for row in connection.execute(query)]


def _findings(connection: Connection, name: str, on: list[str]) -> list[ItemFinding]:
    c = finding.c
    columns = [c[field] for field in ItemFinding._fields]
    query = select(*columns).where(and_(c.item == name, c.rule.in_(on)))
    return [ItemFinding(*row) for row in connection.execute(query.order_by(c.key_us.desc(), c.id.desc()).limit(MOST))]
