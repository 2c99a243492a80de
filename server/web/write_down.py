"""Page of the proposed write-down of obsolete stock, as lines for a journal. Nothing is booked, and no value changes."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.obsolete_query import OBSOLETE_WORDS, AskedObsolete, asked_obsolete
from server.api.past_query import page_past
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.ledger.account_check import ROUNDING
from server.queries.account_map import account_map
from server.queries.journal import JournalLine
from server.queries.obsolete_stock import chosen_rows
from server.queries.value_slices import ValueBy
from server.queries.write_down import (
    FROM_DAYS,
    PPM,
    PROPOSED,
    Rate,
    WriteDown,
    WriteDownPart,
    WriteDownRow,
    write_down,
    write_down_lines,
)
from server.query_words import query_words
from server.web.cost_form import percent
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.obsolete import PATH as OBSOLETE
from server.web.obsolete import REASONS, obsolete_words
from server.web.table_file import FORMS, Cell, amount, quantity, table_file
from server.web.template_filters import read_lag, shop_locale
from server.web.value import key_name

blueprint = Blueprint("write_down", __name__)
PATH = f"{OBSOLETE}/write-down"
COLUMNS = ("date", "account", "debit", "credit", "text", "reference")
PART_COLUMNS = ("reason", "component", "stage", "value", "percent", "write_down")
STOCK_COLUMNS = ("item", "order", "product", "stage", "quantity", "unit", "days", "reasons", "percent", "write_down")
LISTS = ("lines", "parts", "stock")
RATES = {Rate(reason.value): words for reason, words in REASONS.items()} | {
    rate: f"not moved for {days} days or more" for rate, days in FROM_DAYS.items()
}


class _Proposal(NamedTuple):
    """A write-down with its journal."""

    asked: AskedObsolete
    found: WriteDown
    lines: list[JournalLine]


@blueprint.get(PATH)
@readers
@query_words(*OBSOLETE_WORDS, *Rate, "page")
def page() -> tuple[str, int]:
    """The form of the percentages, the journal, its parts, and the stock, 100 rows on a page."""
    rates, trouble = _rates_or_trouble()
    proposal, number = _proposal(rates), page_number()
    asked, found, valuation = proposal.asked, proposal.found, proposal.asked.valuation
    words = obsolete_words(asked) | _typed()
    listing = Listing(number, len(found.rows), words, PATH)
    names = DisplayNames(valuation.master_data, valuation.at_us)
    answer = render_template(
        "write_down.html",
        page="value",
        now_us=valuation.at_us,
        asked_us=None if page_past() is None else valuation.at_us,
        kept=obsolete_words(asked),
        typed=_typed(),
        trouble=trouble.trouble if trouble else None,
        rates=RATES,
        found=found,
        lines=[(_text(line), line) for line in proposal.lines],
        debit=sum(line.micros for line in proposal.lines if line.micros > 0),
        rows=found.rows[listing.start : listing.last],
        listing=listing,
        component=lambda key: key_name(ValueBy.COMPONENT, key, names, valuation.master_data, valuation.at_us),
        product_of=valuation.product,
        obsolete=f"{OBSOLETE}?{urlencode(obsolete_words(asked))}",
        file=lambda name: f"{PATH}.csv?{urlencode(words | {'list': name})}",
        **names.for_templates(),
    )
    return answer, trouble.status if trouble else 200


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words(*OBSOLETE_WORDS, *Rate, "list")
def file(form: str) -> Response:
    """The journal as a file, or the `list` of its parts or of the stock. Raises `ApiError` 400."""
    name = request.args.get("list", LISTS[0])
    if name not in LISTS:
        raise ApiError(400, f"list {name[:40]!r}", f"one of {', '.join(LISTS)}", "Use the link of the page.")
    proposal = _proposal(_rates())
    if name == "stock":
        rows = (_stock(row, proposal.asked) for row in proposal.found.rows)
        return table_file(form, "write-down-stock", STOCK_COLUMNS, rows)
    if name == "parts":
        return table_file(form, "write-down-parts", PART_COLUMNS, map(_part, proposal.found.parts))
    return table_file(form, "write-down", COLUMNS, _lines(proposal.lines, proposal.asked.valuation.at_us))


def _proposal(rates: dict[Rate, int]) -> _Proposal:
    now_us, step = current_hub().clock.utc_us(), shop_locale().small_micros
    with current_hub().store.read() as connection:
        read_lag(connection)
        asked = asked_obsolete(connection, now_us)
    found = write_down(chosen_rows(asked.found, asked.chosen), rates, step)
    accounts = account_map(asked.valuation.master_data, asked.valuation.costs_us)
    return _Proposal(asked, found, write_down_lines(found, accounts, step))


def _typed() -> dict[str, str]:
    """The percentages by rate, as typed. A query without any has the proposed ones."""
    if not any(rate in request.args for rate in Rate):
        locale = shop_locale()
        return {rate.value: locale.exact(PROPOSED[rate] // 10) if rate in PROPOSED else "" for rate in Rate}
    return {rate.value: request.args.get(rate, "").strip() for rate in Rate}


def _rates() -> dict[Rate, int]:
    """The percentages of the query in millionths. Raises `ApiError` 400."""
    locale = shop_locale()
    return {Rate(word): percent(text, locale, RATES[Rate(word)], PPM) for word, text in _typed().items() if text}


def _rates_or_trouble() -> tuple[dict[Rate, int], ApiError | None]:
    """The same for the page: a percentage that cannot be read is stated there, and nothing is written down."""
    try:
        return _rates(), None
    except ApiError as error:
        return {}, error


def _text(line: JournalLine) -> str:
    return "rounding" if line.line == ROUNDING else RATES[Rate(line.line)]


def _lines(lines: Iterable[JournalLine], at_us: int) -> Iterator[list[Cell]]:
    day = shop_locale().today(at_us - 1)
    for line in lines:
        debit, credit = (line.micros, None) if line.micros > 0 else (None, -line.micros)
        text = f"Proposed write-down: {_text(line)}"
        yield [day, line.account, amount(debit), amount(credit), text, "proposal"]


def _part(part: WriteDownPart) -> list[Cell]:
    return [
        part.rate, part.component, part.stage, amount(part.value_micros), _percent(part.ppm), amount(part.micros),
    ]  # fmt: skip


def _stock(one: WriteDownRow, asked: AskedObsolete) -> list[Cell]:
    row = one.stock.row
    return [
        row.item, row.order, row.product, row.stage, quantity(row.qty_milli), asked.valuation.product(row).unit,
        one.stock.days, "; ".join(one.stock.reasons), _percent(one.ppm), amount(one.micros),
    ]  # fmt: skip


def _percent(ppm: int) -> Cell:
    return quantity(ppm // 10)
