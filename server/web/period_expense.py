"""Page of the expense of a period, beside its roll-forward: abnormal scrap by reason, and work that was done again."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.period_query import FROM, KNOWN, PERIOD_WORDS, TO, asked_period
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.period_expense import KINDS, ExpenseCause, ExpenseRow, period_expense
from server.queries.roll_forward import Period
from server.queries.value_entries import ValueLine
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.roll_forward import LINES, POSTINGS
from server.web.table_file import FORMS, Cell, amount, quantity, table_file
from server.web.template_filters import read_lag, shop_locale
from station.core.master_data import MasterData

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


@blueprint.get(PATH)
@readers
@query_words(*PERIOD_WORDS)
def page() -> str:
    """Both tables with their totals."""
    period, rows, shop = _expense()
    locale, words = shop_locale(), _words(period)
    names = DisplayNames(shop, period.to_us)
    return render_template(
        "period_expense.html",
        page="value",
        now_us=period.now_us,
        period=period,
        scrap=[row for row in rows if row.key.cause == ExpenseCause.SCRAP],
        rework=[row for row in rows if row.key.cause == ExpenseCause.REWORK],
        kinds=[(kind, LINES[kind].removesuffix(" issued")) for kind in KINDS],
        ends=[locale.local(us).strftime("%Y-%m-%dT%H:%M") for us in (period.from_us, period.to_us)],
        rollforward=f"/rollforward?{urlencode(words)}",
        postings=f"{POSTINGS}?{urlencode(words | {'line': ValueLine.SCRAPPED.value})}",
        scrap_file=f"{PATH}.csv?{urlencode(words | {'list': ExpenseCause.SCRAP.value})}",
        rework_file=f"{PATH}.csv?{urlencode(words | {'list': ExpenseCause.REWORK.value})}",
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("list", *PERIOD_WORDS)
def file(form: str) -> Response:
    """One of the tables as a file, or both. Amounts are in the currency of the site. Raises `ApiError` 400."""
    cause = request.args.get("list", "")
    if cause not in ("", *ExpenseCause):
        raise ApiError(400, f"list {cause[:40]!r}", f"one of {', '.join(ExpenseCause)}", "Use the link of the page.")
    _, found, _ = _expense()
    rows: list[list[Cell]] = [
        [
            row.key.cause, row.key.reason, row.key.routing, row.key.op, row.key.stage, quantity(row.qty_milli), row.key.unit,
            *(amount(row.kinds.get(kind, 0)) for kind in KINDS), amount(row.micros), quantity(row.uncosted_milli),
        ]
        for row in found
        if cause in ("", row.key.cause)
    ]  # fmt: skip
    return table_file(form, "expense", COLUMNS, rows)


def _words(period: Period) -> dict[str, str]:
    """The query words of the same period, for links."""
    return {FROM: str(period.from_us), TO: str(period.to_us), KNOWN: str(period.known)}


def _expense() -> tuple[Period, list[ExpenseRow], MasterData]:
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        period = asked_period(connection, now_us)
        return period, period_expense(connection, period, shop_locale(connection).small_micros), master_data(connection)
