"""Write-down: obsolete stock at a percentage for each reason, as lines of a journal. Nothing is booked by it.

A piece is written down by the highest percentage that holds for it. All amounts are exact; only the answer divides them, so
that the parts add up to the total, and so do the rows and the lines of the journal.

>>> from server.queries.obsolete_stock import Reason
>>> held_rate((Reason.OVERDUE, Reason.NOT_MOVED), 200, {Rate.NOT_MOVED: 100_000, Rate.NOT_MOVED_180: 500_000})
(<Rate.NOT_MOVED_180: 'not_moved_180'>, 500000)
>>> held_rate((Reason.OVERDUE,), 200, {Rate.NOT_MOVED: 100_000}) is None
True
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from server.ledger.account_check import ALLOWANCE, ROUNDING, WRITE_DOWN
from server.queries.account_map import AccountMap
from server.queries.journal import Account, JournalLine
from server.queries.obsolete_stock import ObsoleteRow, Reason
from station.core.ledger.costs import MILLI, half_even, shares

PPM = 1_000_000


class Rate(StrEnum):
    """What has a percentage: each reason, and stock that did not move for so many days."""

    CANCELLED = "cancelled"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    EXCESS = "excess"
    OVERDUE = "overdue"
    NOT_MOVED = "not_moved"
    NOT_MOVED_180 = "not_moved_180"
    NOT_MOVED_365 = "not_moved_365"


FROM_DAYS = {Rate.NOT_MOVED_180: 180, Rate.NOT_MOVED_365: 365}
# A first proposal, which each shop replaces by its own policy: no standard names percentages.
PROPOSED = {
    Rate.CANCELLED: 1_000_000,
    Rate.CLOSED: 1_000_000,
    Rate.WITHDRAWN: 500_000,
    Rate.REPLACED: 500_000,
    Rate.EXCESS: 500_000,
    Rate.NOT_MOVED: 250_000,
    Rate.NOT_MOVED_180: 500_000,
    Rate.NOT_MOVED_365: 1_000_000,
}


class WriteDownPart(NamedTuple):
    """The write-down of one component at one stage at one rate. `stage` None: between stages.

    `amount`: what it is of exactly, in millionths of thousandths of micros.
    """

    rate: Rate
    ppm: int
    component: str
    stage: str | None
    value_micros: int
    micros: int
    amount: int


class WriteDownRow(NamedTuple):
    """The write-down of a row of obsolete stock."""

    stock: ObsoleteRow
    rate: Rate
    ppm: int
    micros: int


class WriteDown(NamedTuple):
    """The parts and the rows, each of which add up to `micros`; `value_micros`: what the written-down stock costs.

    `unvalued_items`: items with a rate and without full cost, of which only the known part is written down.
    """

    parts: tuple[WriteDownPart, ...]
    rows: tuple[WriteDownRow, ...]
    value_micros: int
    micros: int
    unvalued_items: int


def held_rate(reasons: Iterable[Reason], days: int, rates: Mapping[Rate, int]) -> tuple[Rate, int] | None:
    """The rate of pieces with these reasons, and its millionths: the highest, the first of equal ones; None without any."""
    holds = [Rate(reason.value) for reason in reasons]
    if Rate.NOT_MOVED in holds:
        holds += [rate for rate, from_days in FROM_DAYS.items() if days >= from_days]
    highest = max(holds, key=lambda rate: rates.get(rate, 0), default=None)
    return None if highest is None or not rates.get(highest) else (highest, rates[highest])


def write_down(stock: Iterable[ObsoleteRow], rates: Mapping[Rate, int], step: int = 1) -> WriteDown:
    """The write-down of some stock at `rates` in millionths, 0 to 1,000,000. Amounts are multiples of `step` micros."""
    rated = [(one, *held) for one in stock if (held := held_rate(one.reasons, one.days, rates)) is not None]
    values = Counter[tuple[Rate, str, str | None]]()
    for one, rate, _ in rated:
        for component, amount in one.leaves.items():
            values[rate, component, one.row.stage] += amount
    keys = sorted(values, key=lambda key: (list(Rate).index(key[0]), key[1], key[2] or ""))
    amounts = [values[key] * rates[key[0]] for key in keys]
    worth = shares((values[key] for key in keys), MILLI * step)
    divided = shares(amounts, MILLI * PPM * step)
    of_rows = shares((one.amount * ppm for one, _, ppm in rated), MILLI * PPM * step)
    parts = tuple(
        WriteDownPart(key[0], rates[key[0]], *key[1:], value * step, part * step, amount)
        for key, value, part, amount in zip(keys, worth, divided, amounts, strict=True)
    )
    rows = tuple(
        WriteDownRow(one, rate, ppm, part * step) for (one, rate, ppm), part in zip(rated, of_rows, strict=True)
    )
    unvalued = len({one.row.item for one, _, _ in rated if not one.complete})
    return WriteDown(parts, rows, sum(worth) * step, sum(divided) * step, unvalued)


def write_down_lines(found: WriteDown, accounts: AccountMap, step: int) -> list[JournalLine]:
    """The journal of a write-down, which adds up to 0; `line` is the rate, or `rounding`.

    Each amount is rounded half to even. A line of rounding makes each account of the allowance have its divided amount.
    """
    divisor = MILLI * PPM * step
    pairs = Counter[tuple[Rate, Account, Account]]()
    allowed = Counter[Account]()
    for part in found.parts:
        debit, credit = (accounts.of(line, part.component, part.stage) for line in (WRITE_DOWN, ALLOWANCE))
        pairs[part.rate, debit, credit] += part.amount
        allowed[credit] += part.amount
    lines = []
    for (rate, debit, credit), amount in pairs.items():
        if micros := half_even(amount, divisor) * step:
            lines += [JournalLine(rate, debit, micros), JournalLine(rate, credit, -micros)]
    return [*lines, *_rounding(lines, allowed, accounts, step)]


def _rounding(
    lines: Iterable[JournalLine], allowed: Mapping[Account, int], accounts: AccountMap, step: int
) -> Iterator[JournalLine]:
    named = sorted(allowed, key=lambda account: (account is None, account or ""))
    divided = shares((allowed[account] for account in named), MILLI * PPM * step)
    credited = Counter[Account]()
    for line in lines:
        credited[line.account] -= min(line.micros, 0)
    sum_micros = 0
    for account, part in zip(named, divided, strict=True):
        lacks = part * step - credited[account]
        sum_micros += lacks
        if lacks:
            yield JournalLine(ROUNDING, account, -lacks)
    if sum_micros:
        yield JournalLine(ROUNDING, accounts.of(ROUNDING), sum_micros)
