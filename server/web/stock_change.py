"""Two dates side by side: the table of what came and went at each stage, its sentence, and the table as a file."""

from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response

from server.api.past_query import asked_against, asked_past
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import LocaleFormat
from server.queries.board_state import board_state_at
from server.queries.stage_summary import UnitQuantity
from server.queries.stock_change import BEGUN, PlaceChange, StockChange, balanced, stock_change
from server.query_words import AS_OF, query_words
from server.web.table_file import FORMS, Cell, amount, quantity, table_file
from server.web.template_filters import shop_locale

blueprint = Blueprint("stock_change", __name__)
MICROS = 1_000_000
DAY_US = 86_400_000_000
COLUMNS = (
    "stage", "name", "unit", "was", "came", "went", "finished", "scrapped", "is", "items_was", "items_came", "items_went",
    "items_is", "value_was", "value_came", "value_went", "value_revalued", "value_is",
)  # fmt: skip


class ChangeRow(NamedTuple):
    """One place: items and money as numbers, None where nothing is to be shown."""

    place: PlaceChange
    stage: str
    money: tuple[int, int, int, int, int] | None


class ChangeTable(NamedTuple):
    """The rows of the page and the row of the whole line; whether any was revalued; the sentence; the CSV file."""

    from_us: int
    to_us: int
    rows: tuple[ChangeRow, ...]
    whole: ChangeRow
    revalued: bool
    sentence: str
    file: str


def change_table(change: StockChange, locale: LocaleFormat) -> ChangeTable:
    """The table of a change. Money is in whole units of the currency, and adds up as it is shown."""
    rows = tuple(map(_row, change.places))
    whole = _row(change.whole)
    words = {"as_of": _local(locale, change.to_us), "against": _local(locale, change.from_us)}
    revalued = any(row.money is not None and row.money[3] for row in (*rows, whole))
    file = f"/change.csv?{urlencode(words)}"
    return ChangeTable(change.from_us, change.to_us, rows, whole, revalued, _sentence(whole, locale), file)


def _local(locale: LocaleFormat, at_us: int) -> str:
    return locale.local(at_us).replace(tzinfo=None).isoformat(timespec="microseconds")


def _row(place: PlaceChange) -> ChangeRow:
    money = None
    if place.micros is not None:
        was, came, went, _, now = place.micros
        money = balanced((was, came, went, now), MICROS)
        money = tuple(part * MICROS for part in money)  # type: ignore[assignment]
    return ChangeRow(place, place.place[1] or "" if place.place[0] == BEGUN else "", money)


def _sentence(whole: ChangeRow, locale: LocaleFormat) -> str:
    """What came into the line, left it, and how its value changed."""
    _, came, went, now = whole.place.items
    parts = [f"{locale.plural(came, 'item')} came into the line and {locale.number(went)} left it"]
    ended = [(whole.place.finished, "finished"), (whole.place.scrapped, "scrapped")]
    parts += [f"{_amounts(amounts, locale)} {word}" for amounts, word in ended if amounts]
    value = ""
    if whole.money is not None:
        more = whole.money[4] - whole.money[0]
        text = locale.money(abs(more), whole=True)
        value = f", worth {text} {'more' if more > 0 else 'less'}" if more else ", worth the same"
    parts.append(f"{locale.plural(now, 'item')} in process{value}")
    return "; ".join(parts) + "."


def _amounts(amounts: tuple[UnitQuantity, ...], locale: LocaleFormat) -> str:
    return " + ".join(locale.quantity(amount.milli, amount.unit, amount.decimals) for amount in amounts)


@blueprint.get(f"/change.{FORMS}")
@readers
@query_words(AS_OF, "against")
def file(form: str) -> Response:
    """The change between two times as a file: a row for each place and unit. Without `against`, of the last day."""
    hub = current_hub()
    now_us = hub.clock.utc_us()
    with hub.store.read() as connection:
        locale = shop_locale(connection)
        past, against_us = asked_past(connection, now_us), asked_against(connection, now_us)
        before_us = past.time_us - DAY_US if against_us is None else against_us
        from_us, to_us = sorted((before_us, past.time_us))
        was, now = (board_state_at(connection, locale, us) for us in (from_us, to_us))
        change = stock_change(connection, was, now)
    return table_file(
        form, "change", COLUMNS, [line for place in (*change.places, change.whole) for line in _lines(place)]
    )


def _lines(place: PlaceChange) -> list[list[Cell]]:
    """A row for each unit; items and money are in the first row, because they are of all units."""
    columns = (place.was, place.came, place.went, place.finished, place.scrapped, place.now)
    by_unit = [{amount.unit: amount.milli for amount in amounts} for amounts in columns]
    units = sorted({unit for milli in by_unit for unit in milli}) or [""]
    money = [None] * 5 if place.micros is None else [amount(part) for part in place.micros]
    rows: list[list[Cell]] = []
    for number, unit in enumerate(units):
        stage = place.place[1] if place.place[0] == BEGUN else None
        amounts = [quantity(milli.get(unit, 0)) for milli in by_unit]
        first = [*place.items, *money] if number == 0 else [None] * 9
        rows.append([stage, place.name, unit, *amounts, *first])
    return rows
