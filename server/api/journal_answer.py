"""The API's answer about the journal of a period: its structs, and their construction."""

from collections.abc import Iterable

import msgspec

from server.api.format import time
from server.queries.journal import Journal, JournalLine, WipBalance
from server.queries.recorded_journals import RecordedJournal


class JournalQuery(msgspec.Struct):
    """`period`: the `id` of a close, by default of the last one. `number`: of an exported or reversing journal instead."""

    period: str = ""
    number: str = ""


class JournalLineAnswer(msgspec.Struct):
    """One side of a posting; one of `debit_micros` and `credit_micros` is 0.

    `date`: the last day of the period. `line`: of the roll-forward, or `account_changed` or `rounding`. `account` null: none
    is entered. `reference`: null before the export.
    """

    date: str
    account: str | None
    debit_micros: int
    credit_micros: int
    line: str
    reference: str | None


class JournalBalanceAnswer(msgspec.Struct):
    """An account of work in process. Its lines add up to closing_micros - opening_micros."""

    account: str | None
    opening_micros: int
    closing_micros: int


class UnmappedAnswer(msgspec.Struct):
    """What has no account; `stage` null: between stages."""

    line: str
    component: str
    stage: str | None
    value_micros: int


class JournalAnswer(msgspec.Struct):
    """The journal of a period. The sum of the debits is that of the credits.

    `number` null: not exported. `period`: the `id` of the close, null of a reversal. `reverses` and `reversed_by`: numbers.
    `from` null: from the first event.
    """

    period: int | None
    number: int | None
    reverses: int | None
    reversed_by: int | None
    from_: str | None = msgspec.field(name="from")
    to: str
    currency: str
    lines: list[JournalLineAnswer]
    balances: list[JournalBalanceAnswer]
    unmapped: list[UnmappedAnswer]


def made_answer(made: Journal, period: int, currency: str, day: str) -> JournalAnswer:
    """The answer about a journal that is not exported. `day`: the last one of the period."""
    return JournalAnswer(
        period, None, None, None, _begin(made.from_us), time(made.to_us), currency, _lines(made.lines, None, day),
        _balances(made.balances), [UnmappedAnswer(*one) for one in made.unmapped],
    )  # fmt: skip


def recorded_answer(one: RecordedJournal, day: str) -> JournalAnswer:
    """The answer about a journal under its number. `day`: the last one of the period."""
    return JournalAnswer(
        one.period, one.number, one.reverses, one.reversed_by, _begin(one.from_us), time(one.to_us), one.currency,
        _lines(one.lines, one.number, day), _balances(one.balances), [],
    )  # fmt: skip


def _begin(from_us: int) -> str | None:
    return time(from_us) if from_us else None


def _lines(lines: Iterable[JournalLine], number: int | None, day: str) -> list[JournalLineAnswer]:
    return [
        JournalLineAnswer(
            day, line.account, max(line.micros, 0), max(-line.micros, 0), line.line,
            None if number is None else f"WIP {number}/{place}",
        )
        for place, line in enumerate(lines, 1)
    ]  # fmt: skip


def _balances(balances: Iterable[WipBalance]) -> list[JournalBalanceAnswer]:
    return [JournalBalanceAnswer(*balance) for balance in balances]
