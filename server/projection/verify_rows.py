"""Verify rows: prove that the moves, parcels, heads and days of every item agree, and that its accounts sum to zero.

It reads the projection alone. A break is repaired by a rebuild from the ledger, which `server.ledger.verify` checks.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, func, select

from server.projection.item_rows import days_between, head_of, item_row, parcel_row
from server.projection.item_states import StoredItem
from server.projection.tables import event_state, head, item, move, open_at, parcel
from station.core.ledger.fold import balances
from station.core.ledger.moves import FIRST_SEEN
from station.core.ledger.parcels import LIVE
from station.core.quantity import decimal_text
from station.system.progress import Advance, unheard

ITEMS_A_QUERY = 200
POSITIONS_A_QUERY = 500
_DECODER = msgspec.msgpack.Decoder(StoredItem)


class RowBreak(NamedTuple):
    """A disagreement of the rows of one item."""

    item: str
    text: str

    def __str__(self) -> str:
        return f"item {self.item}: {self.text}"


class _Rows(NamedTuple):
    """All rows of one item; `events`: those positions of its moves that have an event."""

    row: Any
    stored: StoredItem
    moves: list[Any]
    parcels: list[Any]
    heads: list[Any]
    days: set[tuple[int, int]]
    events: set[int]

    @property
    def name(self) -> str:
        """The item."""
        return str(self.row.item)


def verify_rows(connection: Connection, advance: Advance = unheard) -> Iterator[RowBreak]:
    """Every break of the rows of items; none where they agree. Memory: the rows of some hundred items.

    `advance` counts the items.
    """
    known: set[str] = set()
    count = connection.execute(select(func.count()).select_from(item)).scalar_one()
    for rows in _items(connection):
        known.add(rows.name)
        advance(len(known), count)
        for check in CHECKS:
            yield from (RowBreak(rows.name, text) for text in check(rows))
    for table in (move, parcel, head, open_at):
        for name in connection.execute(select(table.c.item).distinct()).scalars():
            if name not in known:
                yield RowBreak(name, f"it has rows of {table.name}, and no row of item")


def _items(connection: Connection) -> Iterator[_Rows]:
    last = ""
    while True:
        query = select(item).where(item.c.item > last).order_by(item.c.item).limit(ITEMS_A_QUERY)
        items = {row.item: row for row in connection.execute(query)}
        if not items:
            return
        last = max(items)
        moves, parcels, heads, days = (_by_item(connection, table, items) for table in (move, parcel, head, open_at))
        events = _events(connection, sorted({made.pos for of_item in moves.values() for made in of_item}))
        for name, row in items.items():
            yield _Rows(
                row,
                _DECODER.decode(row.state),
                sorted(moves.get(name, ()), key=lambda row: row.n),
                parcels.get(name, []),
                sorted(heads.get(name, ()), key=lambda row: row.from_us),
                {(one.day, one.n) for one in days.get(name, ())},
                events,
            )


def _by_item(connection: Connection, table: Table, names: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in connection.execute(select(table).where(table.c.item.in_(names))):
        found.setdefault(row.item, []).append(row)
    return found


def _events(connection: Connection, positions: list[int]) -> set[int]:
    c = event_state.c
    found: set[int] = set()
    for start in range(0, len(positions), POSITIONS_A_QUERY):
        part = positions[start : start + POSITIONS_A_QUERY]
        found.update(connection.execute(select(c.pos).where(c.pos.in_(part))).scalars())
    return found


def _zero(rows: _Rows) -> Iterator[str]:
    """All accounts of an item sum to zero."""
    total = sum(balances(rows.stored.state).values())
    if total:
        yield f"its accounts sum to {decimal_text(total)}, not to zero"


def _numbers(rows: _Rows) -> Iterator[str]:
    """The moves are numbered without a gap, in the order of their times, and each has its event."""
    numbers = [made.n for made in rows.moves]
    if numbers != list(range(1, rows.stored.state.moves + 1)):
        missing = sorted(set(range(1, rows.stored.state.moves + 1)) - set(numbers))
        yield f"of {rows.stored.state.moves} moves {len(numbers)} are there; missing: {missing[:10]}"
    for before, made in zip(rows.moves, rows.moves[1:], strict=False):
        if made.at_us < before.at_us:
            yield f"move {made.n} is earlier than move {before.n}"
    for made in rows.moves:
        if made.pos not in rows.events:
            yield f"move {made.n} names position {made.pos}, which has no event"


def _sums(rows: _Rows) -> Iterator[str]:
    """The moves sum to the balance of each account; unknown quantities count nothing."""
    sums: Counter[str] = Counter()
    for made in rows.moves:
        quantity = made.qty_milli or 0
        sums[_account(made.from_state, made.from_operation, made.from_stage)] -= quantity
        sums[_account(made.to_state, made.to_operation, made.to_stage)] += quantity
    there = balances(rows.stored.state)
    for account in sorted(sums.keys() | there.keys()):
        if sums[account] != there.get(account, 0) and account != FIRST_SEEN:
            want = decimal_text(there.get(account, 0))
            yield f"its moves sum to {decimal_text(sums[account])} at {account}, its state has {want}"
    if sums[FIRST_SEEN]:
        yield f"{decimal_text(-sums[FIRST_SEEN])} of it were first seen without an account that they came from"


def _account(state: str, operation: int | None, stage: str | None) -> str:
    where = operation if operation is not None else stage
    return state if where is None else f"{state}@{where}"


def _forms(rows: _Rows) -> Iterator[str]:
    """Each piece that left had the form that its move had given it, and no more of it left than had come."""
    by_number = {made.n: made for made in rows.moves}
    # Pieces that one time gave the same form are one parcel, whichever of their moves it names.
    brought: Counter[tuple[Any, ...]] = Counter()
    for made in rows.moves:
        brought[made.at_us, *_form(made)] += made.qty_milli or 0
    left: Counter[tuple[Any, ...]] = Counter()
    for made in rows.moves:
        if made.from_state not in LIVE:
            continue
        put = by_number.get(made.put)
        if put is None or put.n >= made.n:
            yield f"move {made.n} takes pieces that move {made.put} brought, which is not before it"
            continue
        was = (made.from_state, made.from_operation, made.from_stage, made.entered, made.reached, made.scanned)
        if was != _form(put):
            yield f"move {made.n} takes pieces in another form than move {put.n} gave them"
        if (made.since_us if made.placed_us is None else made.placed_us) != put.at_us:
            yield f"move {made.n} takes pieces that were placed at another time than that of move {put.n}"
        form = (put.at_us, *_form(put))
        left[form] += made.qty_milli or 0
        if left[form] > brought[form]:
            yield f"move {made.n} takes more pieces than move {put.n} brought: {decimal_text(left[form] - brought[form])}"


def _form(made: Any) -> tuple[Any, ...]:
    return (made.to_state, made.to_operation, made.to_stage, made.to_entered, made.to_reached, made.to_scanned)


def _parcels(rows: _Rows) -> Iterator[str]:
    """The rows of parcels are those of the state, and each in process is the rest of what its move brought."""
    state = rows.stored.state
    want = Counter(parcel_row(0, state, one)[1:] for one in state.parcels)
    have = Counter(tuple(row)[1:] for row in rows.parcels)
    for row in [*(want - have), *(have - want)]:
        place = "" if row[3] is None else f" at {row[3]}"
        yield f"a parcel {row[4]}{place} is {'missing' if have[row] < want[row] else 'in no state'}"
    rest: Counter[tuple[Any, ...]] = Counter()
    for made in rows.moves:
        if made.to_state in LIVE:
            rest[made.to_state, made.to_operation, made.to_stage] += made.qty_milli or 0
        if made.from_state in LIVE:
            rest[made.from_state, made.from_operation, made.from_stage] -= made.qty_milli or 0
    for row in rows.parcels:
        if row.state in LIVE:
            rest[row.state, row.operation, row.stage] -= row.qty_milli or 0
    for (status, operation, stage), milli in rest.items():
        if milli:
            account = _account(status, operation, stage)
            yield f"its moves bring {decimal_text(milli)} more to {account} than its parcels have"


def _heads(rows: _Rows) -> Iterator[str]:
    """The last head is that of the state."""
    want = head_of(rows.stored.state, rows.stored.name)
    have = tuple(rows.heads[-1])[2:] if rows.heads else None
    if have != want:
        names = [column.name for column in head.columns][2:]
        wrong = names if have is None else [name for name, a, b in zip(names, have, want, strict=True) if a != b]
        yield f"its last head differs from its state in {', '.join(wrong)}"
    if any(made.product != rows.stored.state.header.product for made in rows.moves):
        yield "its moves have another product than its state"


def _days(rows: _Rows) -> Iterator[str]:
    """The days of `open_at` are those at whose begin a later moved piece was in process."""
    want = {
        (day, made.n)
        for made in rows.moves
        if made.from_state in LIVE
        for day in days_between(made.since_us if made.placed_us is None else made.placed_us, made.at_us)
    }
    for day, number in sorted(want ^ rows.days)[:10]:
        yield f"day {day} of move {number} is {'missing from' if (day, number) in want else 'in'} open_at"


def _columns(rows: _Rows) -> Iterator[str]:
    """The row of an item has the quantities, times and texts of its state."""
    want = item_row(rows.stored.state, rows.stored.name, rows.row.state)
    names = [column.name for column in item.columns][: len(want)]
    wrong = [name for name, a, b in zip(names, tuple(rows.row), want, strict=False) if a != b]
    if wrong:
        yield f"its row differs from its state in {', '.join(wrong)}"


CHECKS = (_zero, _columns, _numbers, _sums, _forms, _parcels, _heads, _days)
