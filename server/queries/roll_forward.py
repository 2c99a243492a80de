"""Roll-forward: how the value of work in process became another one, in rows by an attribute (`RollBy`).

Opening + what was recorded later about the time before it + what was issued and worked - what was finished and scrapped,
with counts, closes and revaluation, = closing. The opening is the value as it was known when the period began; every other
figure is as known now. The lines are sums of value entries (`value_moves`), so a line opens to its postings, and no line is
called "other": the stock at the end is read too, and `gap` says how far its value differs, which is 0.

>>> table([[1_400, 1_400], [1_400, -1_400]], [3, 0], [3, 0], 1000)
[[2, 1], [1, -1]]
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, select

from server.db.schema import ledger
from server.queries.as_known_at import past_stock
from server.queries.current_stock import StockRow
from server.queries.kept_rolls import RollSums, kept_rolls
from server.queries.period_costs import PeriodCosts
from server.queries.valuation import Valuation
from server.queries.value_entries import Grain, PricedForm, ValueEntry, ValueLine, form_of, unit_value
from server.queries.value_moves import value_entries
from station.core.ledger.costs import MILLI, half_even, shares


class RollBy(StrEnum):
    """The attribute of a row."""

    COMPONENT = "component"
    STAGE = "stage"
    OPERATION = "operation"
    PRODUCT = "product"
    ORDER = "order"
    CUSTOMER = "customer"


class RollRow(NamedTuple):
    """One key: its values at both ends and the lines between them, in micros. `key` None: without this attribute.

    opening + the sum of `lines` = closing.
    """

    key: str | None
    opening: int
    lines: dict[ValueLine, int]
    closing: int


class RollForward(NamedTuple):
    """Rows sorted by key, and their total. `known`: the position of the ledger at which the opening was known.

    `gap`: thousandths of micros by which the value of the stock at the end differs, all rows; 0, else the rows are damaged.
    """

    by: RollBy
    from_us: int
    to_us: int
    known: int
    rows: tuple[RollRow, ...]
    total: RollRow
    gap: int

    def start_after(self, key: str | None) -> int:
        """The place of the first row behind a key, whether the row of that key is still there or not."""
        return bisect_right(self.rows, _place(key), key=lambda row: _place(row.key))


class Period(NamedTuple):
    """A period up to the present at most: its ends (UTC us), and the position at which its opening was known.

    `pos`: the projected position.
    """

    from_us: int
    to_us: int
    now_us: int
    known: int
    pos: int


_KEY: dict[RollBy, Callable[[ValueEntry], str | None]] = {
    RollBy.COMPONENT: lambda entry: entry.component,
    RollBy.STAGE: lambda entry: entry.form.stage,
    RollBy.OPERATION: lambda entry: entry.form.operation,
    RollBy.PRODUCT: lambda entry: entry.form.product,
    RollBy.ORDER: lambda entry: entry.form.order or None,
    RollBy.CUSTOMER: lambda entry: entry.form.customer,
}


def key_of(entry: ValueEntry, by: RollBy) -> str | None:
    """The row of an entry."""
    return _KEY[by](entry)


def grain_of(by: RollBy, *, item: bool = False) -> Grain:
    """The pieces that rows by this attribute keep apart; each posting where `item`."""
    return Grain(by in (RollBy.STAGE, RollBy.OPERATION), by in (RollBy.ORDER, RollBy.CUSTOMER), item)


def position_at(connection: Connection, at_us: int, pos: int, now_us: int) -> int:
    """The position that the ledger had reached at a time (UTC us), at most `pos`; 0 before its first event.

    Events are appended in the order of their times of receipt. One that is later than now was received while the clock of
    the hub was wrong, and has the time of the next event.
    """
    c, low, high = ledger.c, 0, pos
    after = select(c.pos, c.recv_us).where(
        and_(c.pos.between(bindparam("low"), bindparam("high")), c.recv_us <= now_us)
    )
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(after.order_by(c.pos).limit(1), {"low": middle, "high": high}).first()
        if found is not None and found.recv_us <= at_us:
            low = found.pos
        else:
            high = middle - 1
    return low


class Ends(NamedTuple):
    """The leaves of the stock at the begin of a period as known then, as known now, and at its end."""

    opening: list[ValueEntry]
    between: list[ValueEntry]
    closing: list[ValueEntry]


def entries_of(connection: Connection, period: Period, grain: Grain) -> Iterator[ValueEntry]:
    """All entries of a period on its lines."""
    return iter(ends_of(connection, period, grain).between)


def ends_of(connection: Connection, period: Period, grain: Grain) -> Ends:
    """Both ends of a period and what is between them, at one reading of the stock."""
    now, stock = past_stock(connection, None, period.from_us, period.now_us)
    costs = PeriodCosts(now.master_data, period.from_us, period.to_us)
    opening, late = list(_leaves(stock, now, grain)), list[ValueEntry]()
    if period.known < period.pos:
        known, known_stock = past_stock(connection, period.known, period.from_us, period.now_us)
        was = list(_leaves(known_stock, known, grain))
        opening, late = was, list(_late(was, list(_leaves(known_stock, now, grain)), opening))
    end, last = past_stock(connection, None, period.to_us, period.now_us)
    moved = value_entries(connection, stock, costs, period.to_us, grain)
    return Ends(opening, [*late, *moved], list(_leaves(last, end, grain)))


def _leaves(stock: Iterable[StockRow], valuation: Valuation, grain: Grain) -> Iterator[ValueEntry]:
    """The value of stock in process by component. The line of these entries has no meaning."""
    for row in stock:
        if row.in_process and row.qty_milli:
            form = form_of(row, grain)
            for component, micros in unit_value(form_of(row, Grain()), valuation).items():
                yield ValueEntry(ValueLine.LATE, component, micros * row.qty_milli, form)


def _late(was: list[ValueEntry], priced: list[ValueEntry], now: list[ValueEntry]) -> Iterator[ValueEntry]:
    """What is known of the opening now and was not: other costs are a revaluation, other stock is late.

    `was`: stock and costs as known then; `priced`: that stock at the costs of now; `now`: stock and costs of now.
    """
    for line, before, after in ((ValueLine.REVALUED, was, priced), (ValueLine.LATE, priced, now)):
        changed: Counter[tuple[str, PricedForm]] = Counter()
        for sign, entries in ((-1, before), (1, after)):
            for entry in entries:
                changed[entry.component, entry.form] += sign * entry.amount
        for (component, form), amount in changed.items():
            if amount:
                yield ValueEntry(line, component, amount, form)


def roll_forward(connection: Connection, period: Period, by: RollBy, step: int = 1) -> RollForward:
    """The roll-forward of a period. Each value is a multiple of `step` micros, so that a page in whole cents adds up."""
    opening, flows, closing = kept_rolls(connection).sums(
        connection, period, by, lambda part: _sums_of(connection, part, by)
    )
    keys = sorted(opening.keys() | closing.keys() | flows.keys(), key=_place)
    rolled = {key: opening[key] + sum(flows.get(key, Counter()).values()) for key in keys}
    gap = sum(abs(closing[key] - rolled[key]) for key in keys)
    lines = [line for line in ValueLine if any(line in of_key and of_key[line] for of_key in flows.values())]
    exact = [[flows.get(key, Counter())[line] for line in lines] for key in keys]
    return _divided(period, by, keys, (opening, exact, rolled), lines, gap, step)


def _sums_of(connection: Connection, period: Period, by: RollBy) -> RollSums:
    ends = ends_of(connection, period, grain_of(by))
    flows: dict[str | None, Counter[ValueLine]] = {}
    for entry in ends.between:
        flows.setdefault(key_of(entry, by), Counter())[entry.line] += entry.amount
    return RollSums(_sums(ends.opening, by), flows, _sums(ends.closing, by))


def _divided(
    period: Period,
    by: RollBy,
    keys: Sequence[str | None],
    leaves: tuple[Mapping[str | None, int], list[list[int]], Mapping[str | None, int]],
    lines: Sequence[ValueLine],
    gap: int,
    step: int,
) -> RollForward:
    """The leaves in multiples of `step` micros; rows, columns and totals add up.

    A row without a posting closes as it opened: what its closing would be rounded otherwise is in the other rows.
    """
    opening, exact, closing = leaves
    divisor = MILLI * step
    first = shares((opening.get(key, 0) for key in keys), divisor)
    moved = [number for number, of_row in enumerate(exact) if any(of_row)]
    rest = half_even(sum(closing.get(key, 0) for key in keys), divisor) - sum(first) + sum(first[n] for n in moved)
    last = list(first)
    for number, part in zip(moved, divided_to([closing.get(keys[n], 0) for n in moved], rest, divisor), strict=True):
        last[number] = part
    wanted = [after - before for before, after in zip(first, last, strict=True)]
    columns = divided_to([sum(column) for column in zip(*exact, strict=True)], sum(wanted), divisor)
    if not lines:  # the ends are the same, but for a gap
        return _made(period, by, [*map(RollRow, keys, first, ({} for _ in keys), last)], gap, step)
    parts = [[0] * len(lines) for _ in keys]
    of_moved = table([exact[n] for n in moved], [wanted[n] for n in moved], columns, divisor)
    for number, of_row in zip(moved, of_moved, strict=True):
        parts[number] = of_row
    rows = [
        RollRow(key, before, {line: part for line, part in zip(lines, of_row, strict=True) if part}, after)
        for key, before, of_row, after in zip(keys, first, parts, last, strict=True)
    ]
    return _made(period, by, rows, gap, step)


def _made(period: Period, by: RollBy, rows: list[RollRow], gap: int, step: int) -> RollForward:
    scaled = [
        RollRow(
            row.key, row.opening * step, {line: part * step for line, part in row.lines.items()}, row.closing * step
        )
        for row in rows
    ]
    sums = {line: sum(row.lines.get(line, 0) for row in scaled) for line in ValueLine}
    total = RollRow(
        None,
        sum(row.opening for row in scaled),
        {line: part for line, part in sums.items() if part},
        sum(row.closing for row in scaled),
    )
    kept = tuple(row for row in scaled if row.opening or row.closing or row.lines)
    return RollForward(by, period.from_us, period.to_us, period.known, kept, total, gap)


def _place(key: str | None) -> tuple[bool, str]:
    return (key is None, key or "")


def _sums(entries: Iterable[ValueEntry], by: RollBy) -> Counter[str | None]:
    sums: Counter[str | None] = Counter()
    for entry in entries:
        sums[key_of(entry, by)] += entry.amount
    return sums


def divided_to(exact: Sequence[int], wanted: int, divisor: int) -> list[int]:
    """The sums of columns, divided so that they add up to `wanted`, which differs from the exact sum by a rounding."""
    parts = [half_even(leaf, divisor) for leaf in exact]
    by_error = sorted(range(len(exact)), key=lambda number: exact[number] - parts[number] * divisor)
    for step in range(abs(wanted - sum(parts)) if parts else 0):
        more = wanted > sum(parts)
        parts[by_error[(-1 - step if more else step) % len(parts)]] += 1 if more else -1
    return parts


def table(
    exact: Sequence[Sequence[int]], rows: Sequence[int], columns: Sequence[int], divisor: int = MILLI
) -> list[list[int]]:
    """Divide a table of leaves of either sign so that its rows and columns have these sums, which add up to the same.

    Each cell is rounded; what a row still lacks is given to its largest cells, then what one column has too much is moved
    to another one in rows where both have a value.
    """
    parts = [[half_even(leaf, divisor) for leaf in row] for row in exact]
    for row, own, wanted in zip(exact, parts, rows, strict=True):
        largest = sorted(range(len(row)), key=lambda number: -abs(row[number]))
        for step in range(abs(wanted - sum(own))):
            own[largest[step % len(largest)]] += 1 if wanted > sum(own) else -1
    lacks = [wanted - sum(column) for wanted, column in zip(columns, zip(*parts, strict=True), strict=True)]
    while any(lacks):
        more, less = lacks.index(max(lacks)), lacks.index(min(lacks))
        candidates = sorted(
            range(len(exact)), key=lambda number: -min(abs(exact[number][more]), abs(exact[number][less]))
        )
        for number in candidates[: min(lacks[more], -lacks[less])]:
            parts[number][more] += 1
            parts[number][less] -= 1
            lacks[more] -= 1
            lacks[less] += 1
    return parts
