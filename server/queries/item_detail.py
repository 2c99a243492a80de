"""Item detail: the stock, past stays, findings and events of one item."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, func, select

from server.projection.ended_findings import finding_etag
from server.projection.item_states import StoredItem
from server.projection.tables import finding, item, move
from server.queries.current_stock import StockRow, stock_of
from server.queries.findings import WriteQuantity, charged_value, finding_args, finding_sentence, plain_quantity
from server.queries.item_changes import ItemChange, item_changes
from server.queries.item_events import ItemEventRow, scans
from server.queries.item_moves import ItemMove, item_moves
from server.queries.rule_settings import rules_on
from server.queries.valuation import StockValue, Valuation
from station.core.ledger.costs import in_micros
from station.core.ledger.fold import balances
from station.core.ledger.parcels import ENDED, LIVE, ItemState
from station.core.ledger.routing import Product

MOST = 200
SUMS = ("ordered", "finished", "scrapped", "overrun", "adjusted")
_STORED_ITEM = msgspec.msgpack.Decoder(StoredItem)


class PastVisit(NamedTuple):
    """A past stay of a quantity of the item at one place in one state. Times UTC us."""

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
    """A rule's finding about one event of the item, which is at (`log`, `seq`); `etag` tells its arguments from others.

    `answered_us`, `answered_by`, `note`: of a person's answer. `ended`: later scans or the closing of the order ended it.
    `charged_micros`: the cost in its value of operations that were passed without a scan; None where nothing is charged.
    """

    rule: str
    key_us: int
    stage: str | None
    station: str
    text: str
    log: str
    seq: int
    etag: str
    answered_us: int | None
    answered_by: str
    note: str
    ended: bool
    charged_micros: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it needs a person."""
        return self.answered_us is None and not self.ended


class ItemDetail(NamedTuple):
    """All data of one item; `row` is its row of the projection."""

    row: Any
    product: Product | None
    order: str
    stock: tuple[StockRow, ...]
    stock_value: StockValue
    visits: tuple[PastVisit, ...]
    findings: tuple[ItemFinding, ...]
    events: tuple[ItemEventRow, ...]
    more_events: bool
    children: tuple[str, ...]
    child_count: int = 0
    visit_count: int = 0
    finding_count: int = 0
    moves: tuple[ItemMove, ...] = ()
    move_count: int = 0
    changes: tuple[ItemChange, ...] = ()
    more_changes: bool = False

    @property
    def sums(self) -> dict[str, int]:
        """The item's quantities by account name, in thousandths, without zeros."""
        quantities = {name: getattr(self.row, f"{name}_milli") for name in SUMS}
        return {name: milli for name, milli in quantities.items() if milli}

    @property
    def accounts(self) -> dict[str, int]:
        """Balances by account (`here@20`, `ordered`) in thousandths; inner and outer accounts sum to zero."""
        return balances(self.state)

    @property
    def state(self) -> ItemState:
        """The folded state."""
        return _STORED_ITEM.decode(self.row.state).state


def item_detail(
    connection: Connection,
    name: str,
    valuation: Valuation,
    before_pos: int | None = None,
    quantity: WriteQuantity = plain_quantity,
) -> ItemDetail | None:
    """The item of this name; None for an unknown one.

    `before_pos`: only events before this ledger position. `quantity`: writes thousandths and a unit in sentences.
    """
    row = connection.execute(select(item).where(item.c.item == name)).first()
    if row is None:
        return None
    stock = sorted(
        stock_of(connection, [name]), key=lambda stock_row: (-(stock_row.operation or 0), stock_row.since_us)
    )
    children = (
        select(item.c.item).where(and_(item.c.order_ == name, item.c.item != name)).order_by(item.c.item).limit(MOST)
    )
    page = scans(connection, name, before_pos)
    on = rules_on(valuation.master_data, valuation.at_us)
    moves, move_count = item_moves(connection, name)
    changes, more_changes = item_changes(connection, name, valuation.master_data, valuation.at_us)
    return ItemDetail(
        row=row,
        product=valuation.master_data.product(row.product, valuation.at_us),
        order=row.order_ or row.item,
        stock=tuple(stock),
        stock_value=valuation.total(stock_row for stock_row in stock if stock_row.in_process),
        visits=tuple(_visits(connection, name)),
        findings=tuple(_findings(connection, row, valuation, on, quantity)),
        events=page.events,
        more_events=page.more,
        children=tuple(connection.execute(children).scalars()),
        child_count=_count(connection, and_(item.c.order_ == name, item.c.item != name)),
        visit_count=_count(connection, _stays(name)),
        finding_count=_count(connection, and_(finding.c.item == name, finding.c.rule.in_(on))),
        moves=tuple(moves),
        move_count=move_count,
        changes=tuple(changes),
        more_changes=more_changes,
    )


def _count(connection: Connection, condition: Any) -> int:
    return int(connection.execute(select(func.count()).where(condition)).scalar_one())


def _stays(name: str) -> Any:
    """The moves of an item that ended a stay in process or, by a correction or rework, one after its end."""
    return and_(move.c.item == name, move.c.from_state.in_(LIVE | ENDED), ~move.c.restated)


def _visits(connection: Connection, name: str) -> list[PastVisit]:
    put = move.alias("put_by")
    c = move.c
    query = (
        select(
            c.from_operation, c.from_stage, c.from_state, put.c.station, put.c.operator, c.qty_milli, c.since_us, c.at_us,
            c.to_stage, c.to_state,
        )
        .select_from(move.outerjoin(put, and_(put.c.item == c.item, put.c.n == c.put)))
        .where(_stays(name))
        .order_by(c.at_us.desc(), c.n.desc())
        .limit(MOST)
    )  # fmt: skip
    return [PastVisit._make(row) for row in connection.execute(query)]


def _findings(
    connection: Connection, of_item: Any, valuation: Valuation, on: list[str], quantity: WriteQuantity
) -> Iterator[ItemFinding]:
    c = finding.c
    query = select(finding).where(and_(c.item == of_item.item, c.rule.in_(on)))
    for row in connection.execute(query.order_by(c.key_us.desc(), c.id.desc()).limit(MOST)):
        text = finding_sentence(row, of_item.product, valuation, quantity)
        charged = charged_value(finding_args(row.args), of_item, valuation)
        yield ItemFinding(
            row.rule, row.key_us, row.stage, row.station, text, row.log_id.hex(), row.seq, finding_etag(row.args),
            row.answered_us,
            row.answered_by or "", row.note or "", row.ended, in_micros(charged)[0] if charged else None,
        )  # fmt: skip
