"""Journal page: the journal of a closed period with its accounts, its export under a number, and its reversal."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, render_template, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Answer

from server.accounting.journal_export import journal_of
from server.api.period_query import FROM, KNOWN, TO
from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.account_check import BALANCE, MAP
from server.ledger.entries import Entry
from server.ledger.journal_check import EXPORT, REVERSE
from server.queries.account_map import mapped
from server.queries.closed_periods import ClosedPeriod, closed_periods
from server.queries.current_master_data import master_data
from server.queries.journal import Journal, JournalLine, Unmapped, WipBalance
from server.queries.recorded_journals import RecordedJournal, journals_recorded, stated_balances
from server.queries.value_entries import ValueLine
from server.query_words import query_words
from server.web.account_form import FIELDS, LINE_WORDS, PREFILLED, WORDS, balance_entry, map_entry
from server.web.costs import components_of
from server.web.display_names import DisplayNames
from server.web.form_entries import enter, refused_status
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.roll_forward import POSTINGS
from server.web.table_file import FORMS, Cell, amount, moment, table_file
from server.web.template_filters import read_lag, shop_locale
from station.core.master_data import MasterData

blueprint = Blueprint("journal", __name__)
PATH = "/journal"
COLUMNS = ("date", "account", "debit", "credit", "text", "reference")
MAP_COLUMNS = ("line", "component", "stage", "account", "valid_from")
LIST_COLUMNS = ("number", "from", "to", "kind", "debit", "recorded", "by", "why", "reversed_by")
ACCOUNT_LIST, NUMBERS = "accounts", "journals"
MOST_ROWS = 150  # of each table of the page; the files have all
_TYPED = dict.fromkeys(FIELDS, "")


class Compared(NamedTuple):
    """An account of work in process, or another one that was stated: its balances, and what the general ledger has at the
    end (None: not stated).
    """

    balance: WipBalance
    stated: int | None

    @property
    def difference(self) -> int | None:
        """The general ledger less the closing."""
        return None if self.stated is None else self.stated - self.balance.closing


class Shown(NamedTuple):
    """The journal of a period: as it was exported, else as it would be. `made` None: an earlier version closed it."""

    closed: ClosedPeriod
    made: Journal | None
    exported: RecordedJournal | None
    compared: list[Compared]

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        """The lines that are shown."""
        if self.exported is not None:
            return self.exported.lines
        return () if self.made is None else self.made.lines


@blueprint.get(PATH)
@readers
@query_words("period", "page", *PREFILLED)
def page() -> str:
    """The journal of a closed period (the position of its close), by default of the last one; its accounts; all journals."""
    given = {name: request.args[name] for name in PREFILLED if request.args.get(name)}
    return _page(_TYPED | given, None)


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("period", "number", "list")
def file(form: str) -> Response:
    """The lines of a journal as a file, by its number or its period; with `list` the accounts or all numbers."""
    asked, number = request.args.get("list", ""), request.args.get("number", "")
    if asked not in ("", ACCOUNT_LIST, NUMBERS):
        raise ApiError(400, f"list {asked[:40]!r}", f"{ACCOUNT_LIST} or {NUMBERS}", f"Use a link of {PATH}.")
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        known, recorded = master_data(connection), journals_recorded(connection)
        if asked:
            rows = _account_rows(known, now_us) if asked == ACCOUNT_LIST else _number_rows(recorded)
            return table_file(form, asked, MAP_COLUMNS if asked == ACCOUNT_LIST else LIST_COLUMNS, rows)
        if number:
            found = next((one for one in recorded if str(one.number) == number), None)
            if found is None:
                raise ApiError(404, f"journal {number[:40]!r}", "the number of a journal", f"{PATH} lists them.")
            return table_file(
                form, f"journal-{found.number}", COLUMNS, _line_rows(found.lines, found.to_us, found.number)
            )
        shown = _shown(connection, closed_periods(connection), recorded, known)
    if shown is None:
        raise ApiError(404, "a journal without a closed period", "a closed period", "Close one on /month-end.")
    exported = None if shown.exported is None else shown.exported.number
    return table_file(form, "journal", COLUMNS, _line_rows(shown.lines, shown.closed.closed_us, exported))


@blueprint.post(f"{PATH}/accounts")
@needs(needed_for(MAP))
@written_once
def set_account() -> Answer | tuple[str, int]:
    """Enter an account. A refused one shows the page again, with what was typed and what was expected."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        known = master_data(connection)
    try:
        enter([map_entry(typed, known, components_of(known, now_us), shop_locale(), caller().name)])
    except ApiError as error:
        return _page(typed, error), refused_status(error)
    ended = f"No account for {WORDS[typed['line']]} from then on."
    flash(ended if typed["withdrawn"] else f"{WORDS[typed['line']]}: account {typed['account']}.")
    return _back()


@blueprint.post(f"{PATH}/export")
@needs(needed_for(EXPORT))
@written_once
def export() -> Answer | tuple[str, int]:
    """Export the journal of the asked period."""
    try:
        enter([Entry(EXPORT, {"period": _period()}, caller().name)])
    except ApiError as error:
        return _page(_TYPED, error), refused_status(error)
    flash("The journal is exported.")
    return _back()


@blueprint.post(f"{PATH}/reverse")
@needs(needed_for(REVERSE))
@written_once
def reverse() -> Answer | tuple[str, int]:
    """Reverse an exported journal, with a reason."""
    number, why = request.form.get("number", ""), request.form.get("why", "").strip()
    asked = int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else 0
    try:
        enter([Entry(REVERSE, {"journal": asked, "why": why}, caller().name)])
    except ApiError as error:
        return _page(_TYPED, error), refused_status(error)
    flash(f"Journal {asked} is reversed. Its period can be exported again.")
    return _back()


@blueprint.post(f"{PATH}/balance")
@needs(needed_for(BALANCE))
@written_once
def set_balance() -> Answer | tuple[str, int]:
    """State what the general ledger has on an account at the end of the period."""
    typed = {name: request.form.get(name, "").strip() for name in ("account", "balance")}
    try:
        enter([balance_entry(typed, _period(), shop_locale(), caller().name)])
    except ApiError as error:
        return _page(_TYPED, error), refused_status(error)
    flash(f"The balance of account {typed['account']} is entered.")
    return _back()


def _back() -> Answer:
    period = request.values.get("period", "")
    return redirect(f"{PATH}?{urlencode({'period': period})}" if period else PATH)


def _period() -> int:
    text = request.form.get("period", "")
    if text.isascii() and text.isdecimal() and 0 < len(text) < 16:
        return int(text)
    raise ApiError(400, f"period {text[:40]!r}", "the position of a close", f"Use a form of {PATH}.")


def _page(typed: Mapping[str, str], trouble: ApiError | None) -> str:
    now_us, number = current_hub().clock.utc_us(), page_number()
    with current_hub().store.read() as connection:
        read_lag(connection)
        known, closes, recorded = master_data(connection), closed_periods(connection), journals_recorded(connection)
        shown = _shown(connection, closes, recorded, known)
    listing = Listing(number, len(recorded), {}, PATH)
    names = DisplayNames(known, now_us)
    return render_template(
        "journal.html",
        page="value",
        now_us=now_us,
        shown=shown,
        words=LINE_WORDS,
        map_words=WORDS,
        rows=[] if shown is None else list(_line_rows(shown.lines[:MOST_ROWS], shown.closed.closed_us, None)),
        postings=lambda line: None if shown is None else _postings(line, shown),
        form_of=lambda one: f"{PATH}?{urlencode(_prefilled(one, shown))}#accounts",
        closes=[closed for closed in closes if closed.holds],
        reopened=_of_reopened(closes, recorded),
        recorded=recorded[listing.start : listing.last],
        listing=listing,
        most=MOST_ROWS,
        accounts=sorted(
            mapped(known, now_us), key=lambda row: list(WORDS).index(row.line) if row.line in WORDS else len(WORDS)
        ),
        typed=typed,
        trouble=trouble.trouble if trouble else None,
        components=components_of(known, now_us),
        stages=names.stages(),
        **names.for_templates(),
    )


def _shown(
    connection: Connection, closes: list[ClosedPeriod], recorded: list[RecordedJournal], known: MasterData
) -> Shown | None:
    """The journal of the period that the request asks for. Raises `ApiError` 404 for one that is no close."""
    text = request.values.get("period", "")
    held = [closed for closed in closes if closed.holds]
    closed = next((one for one in (closes if text else held) if not text or str(one.pos) == text), None)
    if closed is None:
        if text:
            raise ApiError(404, f"period {text[:40]!r}", "the position of a close", f"Follow a link of {PATH}.")
        return None
    made = journal_of(connection, closed)
    exported = next((one for one in recorded if one.period == closed.pos and one.stands), None)
    balances = exported.balances if exported is not None else () if made is None else made.balances
    stated = stated_balances(known, closed.pos, current_hub().clock.utc_us())
    others = sorted(stated.keys() - {balance.account for balance in balances})
    balances = (*balances, *(WipBalance(account, 0, 0) for account in others))
    compared = [Compared(balance, stated.get(balance.account or "")) for balance in balances]
    return Shown(closed, made, exported, compared)


def _of_reopened(closes: Iterable[ClosedPeriod], recorded: Iterable[RecordedJournal]) -> list[RecordedJournal]:
    """The journals that stand although their close was reopened: each is to be reversed before the next export."""
    held = {closed.pos for closed in closes if closed.holds}
    return [one for one in recorded if one.stands and one.period not in held]


def _line_rows(lines: Iterable[JournalLine], to_us: int, number: int | None) -> Iterable[list[Cell]]:
    """The rows of the file: the day is the last one of the period."""
    day = shop_locale().today(to_us - 1)
    for place, line in enumerate(lines, 1):
        debit, credit = (amount(line.micros), None) if line.micros > 0 else (None, amount(-line.micros))
        reference = f"WIP {number}/{place}" if number is not None else None
        yield [day, line.account, debit, credit, LINE_WORDS.get(line.line, line.line), reference]


def _number_rows(recorded: Iterable[RecordedJournal]) -> Iterable[list[Cell]]:
    for one in recorded:
        kind = "export" if one.reverses is None else f"reversal of {one.reverses}"
        debit = amount(sum(line.micros for line in one.lines if line.micros > 0))
        yield [
            one.number, moment(one.from_us) if one.from_us else None, moment(one.to_us), kind, debit,
            moment(one.recorded_us), one.by, one.why, one.reversed_by,
        ]  # fmt: skip


def _account_rows(known: MasterData, now_us: int) -> Iterable[list[Cell]]:
    for row in mapped(known, now_us):
        yield [row.line, row.component, row.stage, row.account, moment(row.holds.holds_from_us)]


def _postings(line: JournalLine, shown: Shown) -> str | None:
    """The address of the postings of a line; None of one that no posting has."""
    if line.line not in set(ValueLine) or shown.made is None:
        return None
    ends = {FROM: str(shown.made.from_us), TO: str(shown.made.to_us), KNOWN: str(shown.made.known)}
    return f"{POSTINGS}?{urlencode({'by': 'stage', 'line': line.line} | ends)}"


def _prefilled(one: Unmapped, shown: Shown | None) -> dict[str, str]:
    period = {} if shown is None else {"period": str(shown.closed.pos)}
    return period | {"line": one.line}
