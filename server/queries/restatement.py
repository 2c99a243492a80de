"""Restatement: the value at the end of a closed period as it is known now, less the stored one, by cause.

1. The stored stock at the costs of now, less the stored value: prices, bills and routings that were entered later.
2. The stock as known now, less the stored stock, both at the costs of now, item by item. An item of which a void, a
   correction, a clock or a code changed an event is a correction; one with a later entry is an entry; one with scans that
   arrived later, or with a later scan that told its quantity, is a late scan; one that is folded otherwise by a routing or
   another definition that was entered later is a definition. What none of these changed, this version of the software
   computes otherwise than the one that closed.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, and_, or_, select

from server.db.given_values import in_parts, is_one_of
from server.projection.released_orders import RELEASE
from server.projection.tables import event_item, move
from server.queries.as_known_at import past_stock, shop_known_at
from server.queries.closed_periods import ClosedPeriod
from server.queries.stock_listing import ListedStock, listed
from server.queries.valuation import Valuation
from station.core.ledger.costs import MILLI, half_even
from station.core.ledger.moves import FIRST_SEEN

NO_VALUE = ("note", "item.name")  # entries about an item that change no value


class Cause(StrEnum):
    """Why the value of a closed period is another one now."""

    LATE_SCANS = "late_scans"
    CORRECTIONS = "corrections"
    ENTRIES = "entries"
    DEFINITIONS = "definitions"
    COMPUTATION = "computation"
    PRICES = "prices"


class Restated(NamedTuple):
    """One item, or the prices of all (`item` None), in micros."""

    cause: Cause
    item: str | None
    micros: int


class Restatement(NamedTuple):
    """stored + the sum of `causes` = now, and the rows of a cause add up to it; micros."""

    stored: int
    causes: dict[Cause, int]
    rows: tuple[Restated, ...]
    now: int


def restatement(connection: Connection, closed: ClosedPeriod, lines: Iterable[ListedStock]) -> Restatement:
    """The restatement of a closed period with these stored lines."""
    was = list(lines)
    valuation, stock = past_stock(connection, None, closed.closed_us, closed.closed_us + 1)
    now = listed(stock, valuation)
    stored = sum(map(_value, was))
    priced = Counter[str]()
    for line in was:
        priced[line.form.item] += _at_costs_of(line, valuation)
    changed = Counter(priced)
    changed.subtract(_by_item(now))
    by_item = {item: -amount for item, amount in changed.items() if amount}
    causes = _causes(connection, closed, by_item)
    exact = [(causes[item], item, amount) for item, amount in sorted(by_item.items())]
    revalued = sum(priced.values()) - stored
    parts = [*exact, *([(Cause.PRICES, None, revalued)] if revalued else [])]
    return _divided(stored, parts, sum(map(_value, now)))


def _divided(stored: int, parts: list[tuple[Cause, str | None, int]], now: int) -> Restatement:
    """The leaves in micros: each part is rounded, and what the whole still lacks is given to the largest parts."""
    first, last = half_even(stored, MILLI), half_even(now, MILLI)
    micros = [half_even(amount, MILLI) for _, _, amount in parts]
    largest = sorted(range(len(parts)), key=lambda number: -abs(parts[number][2]))
    lacks = last - first - sum(micros)
    for step in range(abs(lacks)):
        micros[largest[step % len(largest)]] += 1 if lacks > 0 else -1
    rows = tuple(Restated(cause, item, part) for (cause, item, _), part in zip(parts, micros, strict=True))
    causes = {cause: sum(row.micros for row in rows if row.cause == cause) for cause in Cause}
    return Restatement(first, causes, rows, last)


def _value(line: ListedStock) -> int:
    return sum(line.leaves.values())


def _by_item(lines: Iterable[ListedStock]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        found[line.form.item] += _value(line)
    return found


def _at_costs_of(line: ListedStock, valuation: Valuation) -> int:
    value = valuation.of(line.form)  # of one thousandth
    return 0 if value is None or line.qty_milli is None else sum(value.leaves.values()) * line.qty_milli


def _causes(connection: Connection, closed: ClosedPeriod, items: Iterable[str]) -> dict[str, Cause]:
    """The cause of each of these items: the first one in this order that concerns it."""
    names = set(items)
    if not names:
        return {}
    with shop_known_at(connection, closed.known) as shop:
        changed = names & shop.changes.changed_items
        counted, told = _with_later_quantities(connection, closed.known, names)
        entered = _with_later_entries(connection, closed, names) | told
        late = (names & shop.changes.late_items(closed.closed_us)[1].keys()) | counted
        left = names - changed - entered - late
        defined = left & shop.changes.items_defined_otherwise() if left else left
    of_cause = {
        Cause.CORRECTIONS: changed,
        Cause.ENTRIES: entered,
        Cause.LATE_SCANS: late,
        Cause.DEFINITIONS: defined,
        Cause.COMPUTATION: names,
    }
    return {name: next(cause for cause, found in of_cause.items() if name in found) for name in names}


def _with_later_entries(connection: Connection, closed: ClosedPeriod, names: set[str]) -> set[str]:
    """Those of some items that an entry after the position concerns which acts on the time before the close.

    A release acts on the scans before it, every other entry from its own time on; a note or a name changes no value.
    """
    c, found = event_item.c, set[str]()
    acts = or_(c.verb == RELEASE, and_(c.key_us <= closed.closed_us, c.verb.not_in(NO_VALUE)))
    for part in in_parts(sorted(names)):
        entered = and_(is_one_of(connection, c.item, part), c.pos > closed.known, c.code.is_(None), acts)
        found.update(connection.execute(select(c.item).where(entered).distinct()).scalars())
    return found


def _with_later_quantities(connection: Connection, known: int, names: set[str]) -> tuple[set[str], set[str]]:
    """Those of some items whose quantity an event after the position told, also for the time before: a scan; an entry."""
    m, i, found = move.c, event_item.c, (set[str](), set[str]())
    for part in in_parts(sorted(names)):
        told = and_(is_one_of(connection, m.item, part), m.pos > known, m.to_state == FIRST_SEEN)
        query = select(m.item, i.code).join(event_item, and_(i.item == m.item, i.pos == m.pos)).where(told).distinct()
        for item, code in connection.execute(query):
            found[code is None].add(item)
    return found
