"""Roll-forward page: how the value of work in process changed from one time to another; each figure opens its postings."""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.period_query import FROM, KNOWN, PERIOD_WORDS, TO, asked_by, asked_period
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import LocaleFormat
from server.queries.current_master_data import master_data
from server.queries.roll_forward import (
    Period,
    RollBy,
    RollForward,
    RollRow,
    entries_of,
    grain_of,
    key_of,
    roll_forward,
)
from server.queries.stage_order import line_of
from server.queries.value_entries import ValueEntry, ValueLine
from server.queries.value_slices import ValueBy
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, amount, moment, quantity, table_file
from server.web.template_filters import read_lag, shop_locale
from server.web.value import WORDS, key_name
from station.core.ledger.costs import MILLI, shares
from station.core.master_data import MasterData

blueprint = Blueprint("roll_forward", __name__)
PATH = "/rollforward"
POSTINGS = f"{PATH}/postings"
LINES = {
    ValueLine.LATE: "Late scans of earlier periods", ValueLine.MATERIAL: "Material issued", ValueLine.LABOUR: "Labour",
    ValueLine.OVERHEAD: "Overhead", ValueLine.OUTSIDE: "Outside work", ValueLine.FINISHED: "Finished",
    ValueLine.NORMAL_SCRAP: "Normal scrap", ValueLine.SCRAPPED: "Abnormal scrap", ValueLine.COUNTS: "Counts",
    ValueLine.CLOSES: "Short and over closes", ValueLine.REVALUED: "Revaluation", ValueLine.MOVED: "Between rows",
}  # fmt: skip
_ADDED = (ValueLine.MATERIAL, ValueLine.LABOUR, ValueLine.OVERHEAD, ValueLine.OUTSIDE)
_SCRAPPED = (ValueLine.NORMAL_SCRAP, ValueLine.SCRAPPED)
COLUMNS = ("time", "line", "item", "product", "order", "component", "from", "to", "quantity", "amount", "event")


class Question(NamedTuple):
    """The rows and the period that a page is about, and the names of the shop."""

    by: RollBy
    period: Period
    master_data: MasterData

    @property
    def value_by(self) -> ValueBy:
        """The same attribute on the value page."""
        return ValueBy(self.by.value)

    def words(self) -> dict[str, str]:
        """The query words of the same period, exactly, for links."""
        ends = {FROM: str(self.period.from_us), TO: str(self.period.to_us)}
        return {"by": self.by.value, **ends, KNOWN: str(self.period.known)}

    def name(self, key: str | None) -> str:
        """A key in the words of the shop."""
        names = DisplayNames(self.master_data, self.period.to_us)
        return key_name(self.value_by, key, names, self.master_data, self.period.to_us)


@blueprint.get(PATH)
@readers
@query_words("by", "page", *PERIOD_WORDS)
def page() -> str:
    """The roll-forward of a period in rows by an attribute (`RollBy`); 100 rows on a page."""
    question, roll = _rolled()
    locale = shop_locale()
    rows = sorted(roll.rows, key=_order(question)) if question.by == RollBy.STAGE else roll.rows
    listing = Listing(page_number(), len(rows), _typed(question.by), PATH)
    return render_template(
        "rollforward.html",
        page="value",
        now_us=question.period.now_us,
        question=question,
        roll=roll,
        words=WORDS,
        lines=[(line, LINES[line]) for line in ValueLine if line in roll.total.lines or _is_used(line, roll)],
        rows=rows[listing.start : listing.last],
        listing=listing,
        tabs=[(ValueBy(by.value), Listing(1, 0, _typed(by), PATH).address()) for by in RollBy],
        ends=[locale.local(us).strftime("%Y-%m-%dT%H:%M") for us in (roll.from_us, roll.to_us)],
        expense=f"{PATH}/expense?{urlencode({word: text for word, text in question.words().items() if word != 'by'})}",
        sentence=_sentence(roll.total, locale),
        postings=lambda line, row: _postings(question, line, row),
        value_at=lambda at_us, row, known: _value_at(question, at_us, row, known),
        file=f"{PATH}.csv?{urlencode(question.words())}",
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("by", *PERIOD_WORDS)
def file(form: str) -> Response:
    """The same table as a file. Amounts are in the currency of the site."""
    question, roll = _rolled()
    lines = list(ValueLine)
    rows = [
        [row.key, amount(row.opening), *(amount(row.lines.get(line, 0)) for line in lines), amount(row.closing)]
        for row in roll.rows
    ]
    return table_file(form, f"rollforward-by-{question.by}", [question.by, "opening", *lines, "closing"], rows)


@blueprint.get(POSTINGS)
@readers
@query_words("by", "key", "line", "page", *PERIOD_WORDS)
def postings() -> str:
    """The postings of one line, of one row or of all; 100 on a page."""
    question, line, entries = _entries()
    key = request.args.get("key")
    words = question.words() | {"line": line.value} | ({} if key is None else {"key": key})
    listing = Listing(page_number(), len(entries), words, POSTINGS)
    amounts = shares((entry.amount for entry in entries), MILLI * shop_locale().small_micros)
    amounts = [part * shop_locale().small_micros for part in amounts]
    shown = slice(listing.start, listing.last)
    names = DisplayNames(question.master_data, question.period.to_us)
    return render_template(
        "rollforward_postings.html",
        page="value",
        now_us=question.period.now_us,
        question=question,
        line=LINES[line],
        key=key,
        words=WORDS,
        entries=list(zip(entries[shown], amounts[shown], strict=True)),
        total=sum(amounts),
        listing=listing,
        component=lambda name: key_name(ValueBy.COMPONENT, name, names, question.master_data, question.period.to_us),
        back=f"{PATH}?{urlencode(question.words())}",
        file=f"{POSTINGS}.csv?{urlencode(words)}",
    )


@blueprint.get(f"{POSTINGS}.{FORMS}")
@readers
@query_words("by", "key", "line", *PERIOD_WORDS)
def postings_file(form: str) -> Response:
    """The same postings as a file: all of them, with amounts in millionths that add up."""
    _, line, entries = _entries()
    parts = shares((entry.amount for entry in entries), MILLI)
    rows = [
        [
            moment(entry.at_us), line.value, entry.form.item, entry.form.product,
            entry.form.order, entry.component,
            *((None,) * 3 if entry.posting is None else (entry.posting.source, entry.posting.target,
              quantity(entry.posting.milli))),
            amount(part), None if entry.posting is None else entry.posting.pos,
        ]
        for entry, part in zip(entries, parts, strict=True)
    ]  # fmt: skip
    return table_file(form, f"postings-{line}", COLUMNS, rows)


def _rolled() -> tuple[Question, RollForward]:
    now_us, by = current_hub().clock.utc_us(), asked_by()
    with current_hub().store.read() as connection:
        read_lag(connection)
        question = Question(by, asked_period(connection, now_us), master_data(connection))
        return question, roll_forward(connection, question.period, by, shop_locale(connection).small_micros)


def _entries() -> tuple[Question, ValueLine, list[ValueEntry]]:
    """The entries of the asked line and row, by time and item. Raises `ApiError` 400."""
    now_us, by, text = current_hub().clock.utc_us(), asked_by(), request.args.get("line", "")
    if text not in list(ValueLine):
        raise ApiError(
            400, f"line {text[:40]!r}", f"one of {', '.join(ValueLine)}", "Follow the links of /rollforward."
        )
    line, key = ValueLine(text), request.args.get("key")
    grain = grain_of(by, item=True)._replace(order=True)
    with current_hub().store.read() as connection:
        read_lag(connection)
        question = Question(by, asked_period(connection, now_us), master_data(connection))
        found = [
            entry
            for entry in entries_of(connection, question.period, grain)
            if entry.line == line and (key is None or (key_of(entry, by) or "") == key)
        ]
    found.sort(key=_when)
    return question, line, found


def _when(entry: ValueEntry) -> tuple[Any, ...]:
    return (entry.at_us or 0, entry.form.item, entry.posting.number if entry.posting else 0, entry.component)


def _typed(by: RollBy) -> dict[str, str]:
    """The query words of this page with rows by another attribute; the period as it was asked for."""
    return {"by": by.value} | {word: request.args[word] for word in PERIOD_WORDS if request.args.get(word)}


def _order(question: Question) -> Callable[[RollRow], tuple[bool, int, str]]:
    """The order of stages along the line."""
    line = line_of(question.master_data, question.period.to_us)
    places = {stage: number for number, stage in enumerate(line)}
    return lambda row: (row.key is None, places.get(row.key or "", len(line)), row.key or "")


def _is_used(line: ValueLine, roll: RollForward) -> bool:
    return any(line in row.lines for row in roll.rows)


def _postings(question: Question, line: ValueLine, row: RollRow | None) -> str:
    """The address of the postings of a line, in one row or in all."""
    key = {} if row is None else {"key": row.key or ""}
    return f"{POSTINGS}?{urlencode(question.words() | {'line': line.value} | key)}"


def _value_at(question: Question, at_us: int, row: RollRow | None, known: int | None) -> str:
    """The address of the items whose value a figure of the opening or of the closing is."""
    selected = {} if row is None else {question.by.value: row.key or ""}
    position = {} if known is None else {KNOWN: str(known)}
    by = question.by.value if row is None else ValueBy.ITEM.value
    return f"/value?{urlencode({'by': by, 'as_of': str(at_us)} | position | selected)}"


def _sentence(total: RollRow, locale: LocaleFormat) -> str:
    """What became of the value, with what was added and what left."""
    more = total.closing - total.opening
    change = f"{locale.money(abs(more))} {'more' if more > 0 else 'less'}" if more else "the same"
    added = sum(total.lines.get(line, 0) for line in _ADDED)
    parts = [f"{locale.money(added)} of material and work was added"]
    for lines, word in (((ValueLine.FINISHED,), "finished"), (_SCRAPPED, "scrapped")):
        if any(line in total.lines for line in lines):
            parts.append(f"{locale.money(-sum(total.lines.get(line, 0) for line in lines))} was {word}")
    return f"{locale.money(total.opening)} became {locale.money(total.closing)}, {change}: {', '.join(parts)}."
