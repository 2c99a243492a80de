"""Journal: the movements of a period as lines with accounts, in the smallest unit of the currency.

Each line of the roll-forward is posted between the account of work in process and the account that stands against it, one
amount on both sides. What goes from one stage to another is posted where the two have different accounts, and what was there
is posted from the account on which the journal before left it to the one that it has now. A line of rounding makes each
account of work in process close with its divided value, so its lines add up to the change of its value.

>>> accounts = AccountMap({("wip", "", ""): "1300", ("material", "", ""): "1200", ("finished", "", ""): "1400"})
>>> cell = ("bar", "saw")
>>> rolled = Movements(0, 9, 0, {}, {(ValueLine.MATERIAL, cell): 7_000_000, (ValueLine.FINISHED, cell): -2_000_000})
>>> [(line.account, line.micros) for line in journal(rolled, accounts, 1000).lines]
[('1300', 7000), ('1200', -7000), ('1400', 2000), ('1300', -2000)]
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from server.ledger.account_check import ROUNDING, WIP
from server.queries.account_map import AccountMap
from server.queries.roll_forward import divided_to
from server.queries.value_entries import ValueLine
from server.queries.value_movements import Cell, Movements
from station.core.ledger.costs import MILLI, half_even, shares

ACCOUNT_CHANGED = "account_changed"
Account = str | None
"""None: no account is entered."""


class JournalLine(NamedTuple):
    """An amount on an account in micros: positive debit, negative credit. `line`: of the roll-forward, or its own word."""

    line: str
    account: Account
    micros: int


class WipBalance(NamedTuple):
    """The value on an account of work in process at both ends of the period, in micros."""

    account: Account
    opening: int
    closing: int


class Unmapped(NamedTuple):
    """What has no account: the line, component and stage, and its micros."""

    line: str
    component: str
    stage: str | None
    micros: int


class Journal(NamedTuple):
    """The lines, which add up to 0; the accounts of work in process; and what has no account, the largest first.

    `both`: accounts of work in process that are also the account against a line, so that neither has a balance of its own.
    The sum of the lines on an account of work in process is its closing less its opening. Ends UTC us; `known`: the position
    of the ledger at which the opening was known.
    """

    from_us: int
    to_us: int
    known: int
    lines: tuple[JournalLine, ...]
    balances: tuple[WipBalance, ...]
    unmapped: tuple[Unmapped, ...]
    both: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether each line has an account, and no account of work in process stands against itself."""
        return not self.both and all(line.account is not None for line in self.lines)

    @property
    def debit(self) -> int:
        """The sum of the debits, which is that of the credits."""
        return sum(line.micros for line in self.lines if line.micros > 0)


def journal(
    movements: Movements, accounts: AccountMap, step: int, opened: Mapping[Account, int] | None = None
) -> Journal:
    """The journal of a period. `step`: micros of the currency's smallest unit.

    `opened`: the closing balances of the journal before, which was posted; None: the opening is on the accounts of now.
    """
    divisor = MILLI * step
    pairs: Counter[tuple[ValueLine, Account, Account]] = Counter()
    moved: Counter[Account] = Counter()
    for (line, (component, stage)), amount in movements.lines.items():
        own = accounts.of(WIP, component, stage)
        if line == ValueLine.MOVED:
            moved[own] += amount
        else:
            pairs[line, own, accounts.of(line, component, stage)] += amount
    lines = [*_pairs(pairs, divisor), *_transfers(moved, divisor)]
    lines = [line._replace(micros=line.micros * step) for line in lines if line.micros]
    opening, closing = (
        _divided(_on_accounts(cells, accounts), step) for cells in (movements.opening, movements.closing)
    )
    before = opening if opened is None else opened
    lines = [*_changed(before, opening), *lines]
    balances = [
        WipBalance(account, before.get(account, 0), closing.get(account, 0))
        for account in sorted(before.keys() | opening.keys() | closing.keys(), key=_place)
    ]
    both = {balance.account for balance in balances} & ({account for _, _, account in pairs} | {accounts.of(ROUNDING)})
    if None not in opening.keys() | closing.keys() and not both - {None}:
        lines += _rounding(lines, balances, accounts)
    unmapped = sorted(_unmapped(movements, accounts), key=lambda one: (-abs(one.micros), one[:2], one.stage or ""))
    return Journal(
        movements.from_us, movements.to_us, movements.known, tuple(lines), tuple(balances), tuple(unmapped),
        tuple(sorted(account for account in both if account is not None)),
    )  # fmt: skip


def _pairs(pairs: Mapping[tuple[ValueLine, Account, Account], int], divisor: int) -> Iterator[JournalLine]:
    """Both sides of each amount, the debit first."""
    order = list(ValueLine)
    for line, own, against in sorted(pairs, key=lambda key: (order.index(key[0]), _place(key[1]), _place(key[2]))):
        units = half_even(pairs[line, own, against], divisor)
        sides = [JournalLine(line, own, units), JournalLine(line, against, -units)]
        yield from sides if units > 0 else reversed(sides)


def _transfers(amounts: Mapping[Account, int], divisor: int) -> Iterator[JournalLine]:
    """What went between accounts of work in process, which adds up to 0, divided so that it still does."""
    named = sorted((account for account, amount in amounts.items() if amount), key=_place)
    parts = divided_to([amounts[account] for account in named], 0, divisor)
    return (JournalLine(ValueLine.MOVED, account, part) for account, part in zip(named, parts, strict=True))


def _on_accounts(cells: Mapping[Cell, int], accounts: AccountMap) -> Counter[Account]:
    sums: Counter[Account] = Counter()
    for (component, stage), amount in cells.items():
        sums[accounts.of(WIP, component, stage)] += amount
    return sums


def _divided(amounts: Mapping[Account, int], step: int) -> dict[Account, int]:
    """The value by account in multiples of `step` micros, whose sum is the divided value of all."""
    named = sorted(amounts, key=_place)
    parts = shares((amounts[account] for account in named), MILLI * step)
    return {account: part * step for account, part in zip(named, parts, strict=True)}


def _changed(before: Mapping[Account, int], opening: Mapping[Account, int]) -> Iterator[JournalLine]:
    """What was posted to other accounts than those on which it is now."""
    for account in sorted(before.keys() | opening.keys(), key=_place):
        more = opening.get(account, 0) - before.get(account, 0)
        if more:
            yield JournalLine(ACCOUNT_CHANGED, account, more)


def _rounding(
    lines: Iterable[JournalLine], balances: Iterable[WipBalance], accounts: AccountMap
) -> Iterator[JournalLine]:
    posted: Counter[Account] = Counter()
    for line in lines:
        posted[line.account] += line.micros
    sum_micros = 0
    for balance in balances:
        lacks = balance.closing - balance.opening - posted[balance.account]
        sum_micros += lacks
        if lacks:
            yield JournalLine(ROUNDING, balance.account, lacks)
    if sum_micros:
        yield JournalLine(ROUNDING, accounts.of(ROUNDING), -sum_micros)


def _unmapped(movements: Movements, accounts: AccountMap) -> Iterator[Unmapped]:
    closing = movements.closing
    for component, stage in movements.opening.keys() | {cell for _, cell in movements.lines}:
        if accounts.of(WIP, component, stage) is None:
            yield Unmapped(WIP, component, stage, half_even(closing.get((component, stage), 0), MILLI))
    for (line, (component, stage)), amount in movements.lines.items():
        if line != ValueLine.MOVED and accounts.of(line, component, stage) is None:
            yield Unmapped(line, component, stage, half_even(amount, MILLI))


def _place(account: Account) -> tuple[bool, str]:
    return (account is None, account or "")
