"""Value page: what the work in process is worth, now or at a past time, by any attribute and by two of them crossed."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.past_query import asked_past, page_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.as_known_at import past_stock
from server.queries.component_bill import made_here
from server.queries.roll_forward import RollBy
from server.queries.valuation import Valuation
from server.queries.value_slices import ValueBy, ValueRow, ValueSlices, chosen, leaves, ranked, value_slices
from server.query_words import PAST_WORDS, query_words
from server.web.component_bill import bill_address
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, amount, quantity, table_file
from server.web.template_filters import item_href, read_lag, shop_locale
from server.web.value_picture import age_picture
from station.core.master_data import MasterData

blueprint = Blueprint("value", __name__)
PATH = "/value"
WORDS = {
    ValueBy.STAGE: "Stage", ValueBy.OPERATION: "Operation", ValueBy.PRODUCT: "Product", ValueBy.ORDER: "Order",
    ValueBy.CUSTOMER: "Customer", ValueBy.AGE: "Age", ValueBy.ITEM: "Item", ValueBy.COMPONENT: "Component",
}  # fmt: skip
ACROSS = (ValueBy.COMPONENT, ValueBy.STAGE, ValueBy.AGE, ValueBy.PRODUCT, ValueBy.CUSTOMER)
WITHOUT = {
    ValueBy.STAGE: "between stages", ValueBy.OPERATION: "at no operation", ValueBy.PRODUCT: "of no known product",
    ValueBy.CUSTOMER: "no customer", ValueBy.AGE: "age not known", ValueBy.COMPONENT: "no cost known",
}  # fmt: skip
MOST_COLUMNS = 8  # those with the highest values; the others are one column, and all are in the file
_WORK = {"labour": "Labour", "overhead": "Overhead", "outside": "Outside work"}


class Asked(NamedTuple):
    """The question: rows, columns, and the keys that select."""

    by: ValueBy
    across: ValueBy
    wanted: dict[ValueBy, str]


@blueprint.get(PATH)
@readers
@query_words("by", "across", "page", *ValueBy, *PAST_WORDS)
def page() -> str:
    """The value by one attribute, crossed with another one; 100 rows on a page."""
    asked, number, now_us = _asked(), page_number(), current_hub().clock.utc_us()
    slices, valuation = _sliced(asked, now_us)
    rows = ranked(slices, valuation)
    listing = Listing(number, len(rows), _query(asked), PATH)
    columns, rest = _columns(slices.total.parts)
    names = DisplayNames(valuation.master_data, valuation.costs_us)

    def name(by: ValueBy, key: str | None) -> str:
        return key_name(by, key, names, valuation.master_data, valuation.costs_us)

    return render_template(
        "value.html",
        page="value",
        now_us=now_us,
        asked_us=None if page_past() is None else valuation.at_us,
        question=asked,
        words=WORDS,
        across_words={by: WORDS[by] for by in ACROSS},
        tabs=[(by, Listing(1, 0, {**_query(asked), "by": by}, PATH).address()) for by in ValueBy],
        total=slices.total,
        rows=rows[listing.start : listing.last],
        columns=columns,
        rest=rest,
        listing=listing,
        opened=lambda row: _opened(asked, row.key),
        ages=age_picture(rows, shop_locale()) if asked.by == ValueBy.AGE else None,
        age_address=lambda age: _opened(asked, age),
        postings=lambda item: f"{item_href(item)}#accounts",
        made_here=_made_here(asked.by, rows, valuation),
        bill=bill_address,
        selected=[(by, name(by, key or None), _without(asked, by)) for by, key in asked.wanted.items()],
        name=name,
        against=_against(asked, valuation.at_us),
        decimals=lambda row: _decimals(asked.by, row, valuation),
        file=f"{PATH}.csv?{urlencode(_query(asked))}",
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("by", "across", *ValueBy, *PAST_WORDS)
def file(form: str) -> Response:
    """The same table as a file: all of it, in the order of the page. Amounts are decimal, in the site's currency."""
    asked, now_us = _asked(), current_hub().clock.utc_us()
    slices, valuation = _sliced(asked, now_us)
    names = list(slices.total.parts)
    heading = (
        asked.by,
        "items",
        "quantity",
        "unit",
        "value",
        *(name or WITHOUT.get(asked.across, "") for name in names),
    )
    rows = [
        [
            row.key, row.items, quantity(row.qty_milli), row.unit,
            amount(row.value_micros), *(amount(row.parts.get(name, 0)) for name in names),
        ]
        for row in ranked(slices, valuation)
    ]  # fmt: skip
    return table_file(form, f"value-by-{asked.by}", heading, rows)


def _asked() -> Asked:
    """The question of the query. Raises `ApiError` 400."""
    wanted = {by: request.args[by] for by in ValueBy if by in request.args}
    by = _by("by", ValueBy.STAGE)
    across = _by("across", ValueBy.STAGE if by == ValueBy.COMPONENT else ValueBy.COMPONENT)
    return Asked(by, across, wanted)


def _by(word: str, default: ValueBy) -> ValueBy:
    text = request.args.get(word) or default
    try:
        return ValueBy(text)
    except ValueError:
        raise ApiError(
            400, f"{word} {text[:40]!r}", f"one of {', '.join(ValueBy)}", "Choose one on the page."
        ) from None


def _query(asked: Asked) -> dict[str, str]:
    words: dict[str, str] = {"by": asked.by, "across": asked.across}
    words |= {by.value: key for by, key in asked.wanted.items()}
    return words | past_words()


def _sliced(asked: Asked, now_us: int) -> tuple[ValueSlices, Valuation]:
    with current_hub().store.read() as connection:
        read_lag(connection)
        past = asked_past(connection, now_us)
        valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    found = chosen(leaves(stock, valuation), asked.wanted, valuation.at_us)
    return value_slices(found, asked.by, asked.across, valuation, shop_locale().small_micros), valuation


def _columns(parts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """The keys that have a column of their own, in their order, and the others."""
    shown = set(sorted(parts, key=lambda key: -parts[key])[:MOST_COLUMNS])
    return [key for key in parts if key in shown], [key for key in parts if key not in shown]


def _opened(asked: Asked, key: str | None) -> str:
    """The address of the items behind a row."""
    return f"{PATH}?{urlencode({**_query(asked), 'by': ValueBy.ITEM, asked.by: key or ''})}"


def _made_here(by: ValueBy, rows: Iterable[ValueRow], valuation: Valuation) -> frozenset[str]:
    """The components of the rows that have a bill of their own."""
    components = (row.key for row in rows if row.key) if by == ValueBy.COMPONENT else ()
    return made_here(components, valuation.master_data, valuation.costs_us)


def _against(asked: Asked, at_us: int) -> str:
    """The address of the roll-forward that ends at the time of this page, by the same attribute where it has it."""
    by = {"by": asked.by.value} if asked.by.value in list(RollBy) else {}
    to = {} if page_past() is None else {"to": str(at_us)}
    return f"/rollforward?{urlencode(by | to)}" if by or to else "/rollforward"


def _without(asked: Asked, by: ValueBy) -> str:
    """The address without one of the keys that select."""
    return f"{PATH}?{urlencode({word: text for word, text in _query(asked).items() if word != by})}"


def key_name(by: ValueBy, key: str | None, names: DisplayNames, definitions: MasterData, at_us: int) -> str:
    """A key in the words of the shop."""
    if not key:
        return WITHOUT.get(by, "none")
    if by == ValueBy.STAGE:
        return names.stage(key)
    if by == ValueBy.AGE:
        return f"{key.replace('-', ' to ')} days"
    if by == ValueBy.OPERATION:
        routing, _, number = key.rpartition("/")
        return f"{number}, {routing}" if routing else number
    if by in (ValueBy.PRODUCT, ValueBy.COMPONENT):
        product = definitions.product(key, at_us)
        return _WORK.get(key) or (product.name if product else "") or key
    return key


def _decimals(by: ValueBy, row: ValueRow, valuation: Valuation) -> int:
    """The least decimals of a row's quantity: those of its product or component."""
    known = (
        valuation.master_data.product(row.key, valuation.at_us) if by in (ValueBy.PRODUCT, ValueBy.COMPONENT) else None
    )
    return known.decimals if known else 0
