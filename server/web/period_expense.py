"""Page of the expense of a period: scrap and work that was done again by reason, beside those of the period before."""

from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.period_query import FROM, KNOWN, PERIOD_WORDS, TO, asked_period, period_before
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.period_expense import KINDS, ExpenseCause, ExpenseRow, by_reason, period_expense
from server.queries.roll_forward import Period
from server.queries.value_entries import ValueLine
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.expense_picture import ExpenseReason, compared, expense_picture, expense_sentence
from server.web.roll_forward import LINES, POSTINGS
from server.web.table_file import FORMS, Cell, amount, quantity, table_file
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("period_expense", __name__)
PATH = "/rollforward/expense"
COLUMNS = (
    "cause",
    "reason",
    "routing",
    "operation",
    "stage",
    "quantity",
    "unit",
    *KINDS,
    "amount",
    "quantity_without_cost",
)
COMPARED = "reasons"  # the table of the picture
COMPARED_COLUMNS = ("cause", "reason", "amount", "before")


class Expense(NamedTuple):
    """The rows of the period and of the one before it, and the names of the shop."""

    period: Period
    rows: list[ExpenseRow]
    before: Period
    rows_before: list[ExpenseRow]
    names: DisplayNames

    def compared(self) -> list[ExpenseReason]:
        """Both periods by reason."""
        return compared(by_reason(self.rows), by_reason(self.rows_before), self.names.reason)


@blueprint.get(PATH)
@readers
@query_words(*PERIOD_WORDS)
def page() -> str:
    """The picture against the period before, and both tables with their totals."""
    found = _expense()
    period, rows, before = found.period, found.rows, found.before
    locale, words, reasons = shop_locale(), _words(period), found.compared()
    return render_template(
        "period_expense.html",
        page="value",
        now_us=period.now_us,
        period=period,
        before=before,
        reasons=reasons,
        picture=expense_picture(reasons, locale),
        sentence=expense_sentence(reasons, _said(before), locale),
        pages=[f"{PATH}?{urlencode(_words(one))}" for one in (period, before)],
        reasons_file=f"{PATH}.csv?{urlencode(words | {'list': COMPARED})}",
        scrap=[row for row in rows if row.key.cause == ExpenseCause.SCRAP],
        rework=[row for row in rows if row.key.cause == ExpenseCause.REWORK],
        kinds=[(kind, LINES[kind].removesuffix(" issued")) for kind in KINDS],
        ends=[locale.local(us).strftime("%Y-%m-%dT%H:%M") for us in (period.from_us, period.to_us)],
        rollforward=f"/rollforward?{urlencode(words)}",
        postings=f"{POSTINGS}?{urlencode(words | {'line': ValueLine.SCRAPPED.value})}",
        scrap_file=f"{PATH}.csv?{urlencode(words | {'list': ExpenseCause.SCRAP.value})}",
        rework_file=f"{PATH}.csv?{urlencode(words | {'list': ExpenseCause.REWORK.value})}",
        **found.names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("list", *PERIOD_WORDS)
def file(form: str) -> Response:
    """One of the tables as a file, or both of the period. Amounts are in the currency of the site. Raises `ApiError` 400."""
    asked = request.args.get("list", "")
    if asked not in ("", COMPARED, *ExpenseCause):
        lists = ", ".join((COMPARED, *ExpenseCause))
        raise ApiError(400, f"list {asked[:40]!r}", f"one of {lists}", "Use the link of the page.")
    found = _expense()
    if asked == COMPARED:
        reasons: list[list[Cell]] = [
            [one.cause, one.reason, amount(one.micros), amount(one.before_micros)] for one in found.compared()
        ]
        return table_file(form, "expense-by-reason", COMPARED_COLUMNS, reasons)
    rows: list[list[Cell]] = [
        [
            row.key.cause, row.key.reason, row.key.routing, row.key.op, row.key.stage, quantity(row.qty_milli), row.key.unit,
            *(amount(row.kinds.get(kind, 0)) for kind in KINDS), amount(row.micros), quantity(row.uncosted_milli),
        ]
        for row in found.rows
        if asked in ("", row.key.cause)
    ]  # fmt: skip
    return table_file(form, "expense", COLUMNS, rows)


def _said(before: Period) -> str:
    """The period before in words."""
    locale = shop_locale()
    return f"from {locale.at(before.from_us)} to {locale.at(before.to_us)}"


def _words(period: Period) -> dict[str, str]:
    """The query words of the same period, for links."""
    return {FROM: str(period.from_us), TO: str(period.to_us), KNOWN: str(period.known)}


def _expense() -> Expense:
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        locale = shop_locale(connection)
        period, names = asked_period(connection, now_us), master_data(connection)
        from_us, to_us = period_before(period.from_us, period.to_us, locale)
        before = period._replace(from_us=from_us, to_us=to_us)
        rows, was = (period_expense(connection, one, locale.small_micros) for one in (period, before))
        return Expense(period, rows, before, was, DisplayNames(names, period.to_us))
