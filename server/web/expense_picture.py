"""Expense picture: scrap and rework by reason in money, of a period above the one before it, as bars with their sentence.

Each bar is a link to the expense of its period. Coordinates are attributes, because the content security policy allows no
inline styles.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from server.locale_format import LocaleFormat
from server.queries.period_expense import ExpenseCause

WIDTH = 960.0
LEFT = 260.0  # of the names
RIGHT = 130.0  # of the amounts behind the bars
BAR = 14.0
ROW = 44.0
MOST_ROWS = 12  # a shop has few reasons; the table below the picture has all of them
LONGEST_NAME = 32
CAUSES = {ExpenseCause.SCRAP: "Scrap", ExpenseCause.REWORK: "Rework"}
Reason = tuple[ExpenseCause, str | None]


class ExpenseBar(NamedTuple):
    """The bar of one period: its top and width, the text behind it, and its words."""

    y: float
    width: float
    text: str
    title: str


class ExpenseReason(NamedTuple):
    """A cause with a reason: its name, and its micros in the period and in the one before it."""

    cause: ExpenseCause
    reason: str | None
    name: str
    micros: int
    before_micros: int


class ExpensePicture(NamedTuple):
    """`rows`: by reason (name, bar of the period, bar of the one before it). `more`: the reasons that have no bars."""

    rows: tuple[tuple[str, ExpenseBar, ExpenseBar], ...]
    height: float
    more: int


def compared(
    now: Mapping[Reason, int], before: Mapping[Reason, int], reason_name: Callable[[str], str]
) -> list[ExpenseReason]:
    """Each cause and reason of two periods, the greatest amount of both first."""
    found = [
        ExpenseReason(
            cause,
            reason,
            f"{CAUSES[cause]}: {reason_name(reason) if reason else 'no reason'}",
            now.get((cause, reason), 0),
            before.get((cause, reason), 0),
        )
        for cause, reason in now.keys() | before.keys()
    ]
    return sorted(found, key=lambda one: (-max(one.micros, one.before_micros), one.name, one.reason or ""))


def expense_picture(reasons: list[ExpenseReason], locale: LocaleFormat) -> ExpensePicture | None:
    """Two bars for each of the first reasons; None where no reason costs anything."""
    most = max((max(one.micros, one.before_micros) for one in reasons), default=0)
    if most <= 0:
        return None
    shown = reasons[:MOST_ROWS]
    rows = tuple(
        (
            one.name if len(one.name) <= LONGEST_NAME else f"{one.name[: LONGEST_NAME - 1]}\u2026",
            _bar(one.name, "in the period", one.micros, number * ROW + 5, most, locale),
            _bar(one.name, "before", one.before_micros, number * ROW + 5 + BAR + 2, most, locale),
        )
        for number, one in enumerate(shown)
    )
    return ExpensePicture(rows, len(shown) * ROW, len(reasons) - len(shown))


def _bar(name: str, when: str, micros: int, y: float, most: int, locale: LocaleFormat) -> ExpenseBar:
    width = round((WIDTH - LEFT - RIGHT) * max(micros, 0) / most, 1)
    return ExpenseBar(y, width, locale.money(micros), f"{name}, {when}: {locale.money(micros)}")


def expense_sentence(reasons: list[ExpenseReason], before: str, locale: LocaleFormat) -> str:
    """The sums of both periods, and the reason that costs most. `before`: the earlier period in words."""
    now, was = sum(one.micros for one in reasons), sum(one.before_micros for one in reasons)
    change = "as much as" if now == was else f"{locale.money(abs(now - was))} {'more' if now > was else 'less'} than"
    text = f"Scrap and rework cost {locale.money(now)}, {change} {before} ({locale.money(was)})"
    first = max(reasons, key=lambda one: one.micros, default=None)
    if first is not None and first.micros > 0:
        text += f". Most of it is {first.name} with {locale.money(first.micros)}"
    return f"{text}."
