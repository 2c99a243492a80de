"""Travellers: the texts of the traveller of each order, with the routing that it was released with and its notes.

An order whose release names lots or serials gives one traveller for each of them, numbered `1 of 3`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.locale_format import LocaleFormat, due_day
from server.printing.labels import UnknownThing
from server.printing.print_record import PrintRecord
from server.printing.shop_codes import shop_codes
from server.projection.event_items import named_items
from server.projection.item_states import StoredItem
from server.projection.ledger_row import rows_at
from server.projection.released_orders import RELEASE
from server.projection.tables import event_item, item
from server.queries.search import item_named
from station.core.codes import CodeType
from station.core.codes.card_labels import shown
from station.core.ledger.routing import MaterialLine, Operation, Product, Routing
from station.core.master_data import MasterData
from station.core.printing import (
    Page,
    PaperError,
    ShopCodes,
    TextLine,
    Thing,
    Traveller,
    TravellerStep,
    printed_code,
)

MOST_NOTES = 12  # the newest ones
MOST_NOTE_CHARACTERS = 600
MOST_PARTS = 2_000  # items of one order
SCANS = {
    "arrived": "this sheet on arrival",
    "done": "this sheet when done",
    "both": "this sheet once, when done",
}
_STORED_ITEM = msgspec.msgpack.Decoder(StoredItem)


class UnknownOrderError(LookupError):
    """No order and no item has this name."""


class Prepared(NamedTuple):
    """The pages of one order, and the items whose travellers they are."""

    order: str
    pages: list[Page]
    items: list[str]


class Unprinted(NamedTuple):
    """An order that is not printed, and the reason."""

    order: str
    error: PaperError


class TravellerWriter:
    """Composes travellers from one state of the database. `now_us`: the time of printing, UTC us."""

    def __init__(self, connection: Connection, shop: MasterData, locale: LocaleFormat, now_us: int) -> None:
        self._connection, self._shop, self._locale, self._now_us = connection, shop, locale, now_us
        self._codes: ShopCodes = shop_codes(connection, shop, now_us)
        self._record = PrintRecord(connection)
        self._printed = f"Printed {locale.local(now_us):%Y-%m-%d %H:%M}"

    def not_printed(self, orders: Iterable[str]) -> list[str]:
        """Those of the orders of which no traveller is on record."""
        printed = self._record.printed_orders()
        return [order for order in orders if order not in printed]

    def travellers(self, names: Iterable[str]) -> Iterator[Traveller]:
        """The travellers of these orders and items, in their order.

        Raises `UnknownOrderError`, and `PaperError` where a scan of the code would not name the item.
        """
        for name in names:
            yield from self._of(item_named(self._connection, self._shop, name, self._now_us))

    def _of(self, name: str) -> Iterator[Traveller]:
        row = self._row(name)
        if row is None:
            raise UnknownOrderError(name)
        parts = self._parts(row.item)
        if parts:
            for number, part in enumerate(parts, 1):
                yield self._traveller(row, part, f"{number} of {len(parts)}")
            return
        order = self._row(row.order_) if row.order_ and row.order_ != row.item else None
        if order is None:
            yield self._traveller(row, row.item, "")
            return
        names = self._parts(order.item)
        part = f"{names.index(row.item) + 1} of {len(names)}" if row.item in names else ""
        yield self._traveller(order, row.item, part)

    def _row(self, name: str) -> Any:
        return self._connection.execute(select(item).where(item.c.item == name)).first()

    def _parts(self, order: str) -> list[str]:
        """The items that the releases of an order name, in the order in which they name them."""
        released = and_(item.c.order_ == order, item.c.item != order, item.c.released_us.is_not(None))
        names = set(self._connection.execute(select(item.c.item).where(released).limit(MOST_PARTS)).scalars())
        if not names:
            return []
        c = event_item.c
        releases = select(c.pos).where(and_(c.item == order, c.verb == RELEASE)).order_by(c.key_us)
        rows = rows_at(self._connection, list(self._connection.execute(releases).scalars()))
        named = dict.fromkeys(name for row in rows if row.event for name in named_items(row.event) if name in names)
        return [*named, *sorted(names - named.keys())]

    def _traveller(self, row: Any, name: str, part: str) -> Traveller:
        """The traveller of the item `name` of the order in `row`."""
        state = _STORED_ITEM.decode(row.state).state
        released_us = self._now_us if row.released_us is None else row.released_us
        product = self._shop.product(row.product, released_us)
        routing = state.routing or (self._shop.routing(product.routing, released_us) if product else None)
        code = printed_code(Thing(CodeType.ITEM, name), self._codes)
        unit, decimals = (product.unit, product.decimals) if product else ("pcs", 0)
        due = due_day(row.due)
        priority = "" if row.priority is None else str(row.priority)
        quantity = self._locale.quantity(row.ordered_milli, unit, decimals) if row.ordered_milli else "not given"
        fields = (
            ("Product", self._product_text(row.product, product)),
            ("Quantity", quantity if not part or name == row.item else f"{quantity} in all"),
            ("Customer", row.customer), ("Due", due.isoformat() if due else row.due),
            ("Reference", row.reference), ("Priority", priority),
        )  # fmt: skip
        operations = {operation.op for operation in routing.operations} if routing else set()
        bill = product.bom if product else ()
        steps = (
            tuple(self._step(step, routing, bill, row.ordered_milli) for step in routing.operations) if routing else ()
        )
        return Traveller(
            word=self._locale.order_word.capitalize(),
            order=shown(row.item),
            code=code,
            fields=tuple((label, _text(value)) for label, value in fields if value),
            part=part,
            steps=steps,
            materials=tuple(
                self._material(line, row.ordered_milli) for line in bill if line.operation not in operations
            ),
            notes=tuple(self._notes(dict.fromkeys((row.item, name)))),
            mark="" if not (before := self._record.count(name)) else f"copy {before}",
            printed=self._printed,
            item=name,
        )

    def _product_text(self, name: str | None, product: Product | None) -> str:
        if product is None or not product.name or product.name == name:
            return name or ""
        return f"{product.name} ({name})"

    def _step(
        self, operation: Operation, routing: Routing, bill: Iterable[MaterialLine], ordered_milli: int
    ) -> TravellerStep:
        stage = self._shop.stage_name(operation.stage, self._now_us)
        return TravellerStep(
            number=str(operation.op),
            stage=_text(f"{stage} (optional)" if operation.optional else stage),
            scan=SCANS[routing.means(operation.op)],
            materials=tuple(self._material(line, ordered_milli) for line in bill if line.operation == operation.op),
        )

    def _material(self, line: MaterialLine, ordered_milli: int) -> str:
        """A line of the bill: the component, its quantity for the order, and that for one unit."""
        component = self._shop.product(line.component, self._now_us)
        unit, decimals = (component.unit, component.decimals) if component else ("", 0)
        each = self._locale.quantity(line.qty_milli, unit, decimals)
        name = self._product_text(line.component, component)
        if not ordered_milli:
            return _text(f"{name}: {each} each")
        total = self._locale.quantity(line.qty_milli * ordered_milli // 1000, unit, decimals)
        return _text(f"{name}: {total} ({each} each)")

    def _notes(self, names: Iterable[str]) -> Iterator[str]:
        """The notes about these items, the oldest first."""
        c = event_item.c
        query = select(c.pos).where(and_(c.item.in_(list(names)), c.verb == "note"))
        newest = list(self._connection.execute(query.order_by(c.key_us.desc()).limit(MOST_NOTES)).scalars())
        rows = {row.pos: row for row in rows_at(self._connection, newest)}
        for pos in reversed(newest):
            event = rows[pos].event
            text = (event.data or {}).get("text") if event else None
            if isinstance(text, str) and text.strip():
                yield _text(text)[:MOST_NOTE_CHARACTERS]


def printable(
    writer: TravellerWriter,
    orders: Iterable[str],
    draw: Callable[[Traveller], list[Page]],
    check: Callable[[Iterable[TextLine]], None],
    refused: list[Unprinted],
) -> Iterator[Prepared]:
    """Each order with the pages of its travellers. One that cannot be printed is added to `refused`, and the next follows.

    `draw`: the pages of a traveller; `check`: raises `PaperError` for a text that cannot be set.
    """
    for order in orders:
        try:
            sheets = list(writer.travellers([order]))
            pages = [page for sheet in sheets for page in draw(sheet)]
            for page in pages:
                check(page.words)
        except PaperError as error:
            refused.append(Unprinted(order, error))
        except UnknownOrderError:
            refused.append(Unprinted(order, _unknown(order)))
        else:
            yield Prepared(order, pages, [sheet.item for sheet in sheets])


def _unknown(order: str) -> UnknownThing:
    came = f"There is no order {order[:80]!r}."
    return UnknownThing(came, "Expected an order that was released, or one of its items.", "Check its number.")


def _text(text: str) -> str:
    """A text for paper: one line, with every invisible character shown."""
    return shown(" ".join(text.split()))
