"""Orders page: one page of the orders that a filter matches, late ones first, and the list as a file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from server.api.past_query import Past, asked_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.as_known_at import shop_known_at
from server.queries.current_master_data import master_data
from server.queries.order_list import (
    AT_ONCE,
    DESCENDING,
    PRINTED,
    SORTS,
    DueCounts,
    OrderFilter,
    default_sort,
    due_counts,
    matching,
    names_of,
    order_page,
    progress_of,
)
from server.queries.order_progress import STATUSES, OrderProgress
from server.queries.past_items import load_orders
from server.queries.valuation import Valuation
from server.query_words import PAST_WORDS, query_words
from server.web.display_names import DisplayNames
from server.web.listing import MOST_TEXT, Listing, page_number
from server.web.table_file import FORMS, Cell, quantity, table_file
from server.web.template_filters import STATES, read_lag, shop_locale
from station.core.ledger.parcels import LIVE
from station.core.master_data import MasterData
from station.core.quantity import decimal_text

blueprint = Blueprint("orders", __name__)
FILTERS = tuple(name for name in OrderFilter._fields if name != "status")
COLUMNS = (
    "order", "reference", "customer", "product", "product name", "due", "priority", "status", "closed as", "unit", "ordered",
    "finished", "scrapped", "where",
)  # fmt: skip


@blueprint.get("/orders")
@readers
@query_words("status", *FILTERS, "sort", "page", *PAST_WORDS)
def page() -> str:
    """One page of the orders of one status that match the filter."""
    wanted, sort, number = filter_of(request.args), sort_of(), page_number()
    with current_hub().store.read() as connection:
        locale = shop_locale(connection)
        past = asked_past(connection, current_hub().clock.utc_us())
        now_us = past.time_us
        today = locale.today(now_us)
        read_lag(connection)
        with _tables(connection, past, wanted) as (tables, shop):
            valuation = Valuation(shop, now_us)
            listed = order_page(tables, valuation, wanted, sort, (number - 1) * Listing._field_defaults["size"])
            dues = due_counts(tables, valuation, wanted, today) if wanted.status == "open" else DueCounts(0, 0)
            of_status = matching(tables, valuation, OrderFilter(wanted.status))
    listing = Listing(number, listed.total, query_of(wanted, sort) | past_words(), "/orders")
    names = DisplayNames(valuation.master_data, now_us)
    return render_template(
        "orders.html",
        page="orders",
        now_us=now_us,
        asked_us=now_us if past.is_past else None,
        today=today,
        wanted=wanted,
        sort=sort,
        sorted_by={"-ended": "ended", "-due": "due"}.get(sort, sort.removeprefix(DESCENDING)),
        listing=listing,
        filtered=any(getattr(wanted, name) for name in FILTERS),
        orders=listed.orders,
        dues=dues,
        of_status=of_status,
        stages=names.stages(),
        states=[(state, STATES[state]) for state in sorted(LIVE)],
        reasons=names.reasons(),
        **names.for_templates(),
    )


@blueprint.get(f"/orders.{FORMS}")
@readers
@query_words("status", *FILTERS, "sort", *PAST_WORDS)
def file(form: str) -> Response:
    """All orders that the filter matches, in the order of the page."""
    wanted, sort = filter_of(request.args), sort_of()
    now_us = current_hub().clock.utc_us()
    store = current_hub().store
    with store.read() as connection:
        past = asked_past(connection, now_us)
        if past.is_past:
            with _tables(connection, past, wanted) as (tables, shop):
                valuation = Valuation(shop, past.time_us)
                orders = progress_of(tables, valuation, names_of(tables, valuation, wanted, sort))
            return table_file(form, f"orders-{wanted.status}", COLUMNS, [_row(order) for order in orders])
        valuation = Valuation(master_data(connection), now_us)
        names = names_of(connection, valuation, wanted, sort)

    def rows() -> Iterator[list[Cell]]:
        # Each group has its own read transaction: a slow client must not keep an old state of the database open.
        for start in range(0, len(names), AT_ONCE):
            with store.read() as connection:
                group = progress_of(connection, valuation, names[start : start + AT_ONCE])
            yield from map(_row, group)

    return table_file(form, f"orders-{wanted.status}", COLUMNS, rows())


@contextmanager
def _tables(connection: Connection, past: Past, wanted: OrderFilter) -> Iterator[tuple[Connection, MasterData]]:
    """The tables that hold the orders as the request asks for them, and the definitions that apply to them."""
    if not past.is_past:
        yield connection, master_data(connection)
        return
    with shop_known_at(connection, past.known_pos, past.at_us) as shop:
        load_orders(connection, shop, past.at_us, with_prints=bool(wanted.printed))
        yield shop.scratch, shop.master_data


def filter_of(words: Mapping[str, str]) -> OrderFilter:
    """The filter in a query or a form. Raises `ApiError` 400."""
    wanted = OrderFilter(words.get("status") or "open", *(words.get(name, "").strip()[:MOST_TEXT] for name in FILTERS))
    if wanted.status not in STATUSES:
        raise ApiError(
            400, f"status {wanted.status[:40]!r}", f"one of {', '.join(STATUSES)}", "Choose one on the page."
        )
    if wanted.state and wanted.state not in LIVE:
        raise ApiError(
            400, f"state {wanted.state[:40]!r}", f"one of {', '.join(sorted(LIVE))}", "Choose one on the page."
        )
    if wanted.printed and wanted.printed not in PRINTED:
        raise ApiError(
            400, f"printed {wanted.printed[:40]!r}", f"one of {', '.join(PRINTED)}", "Choose one on the page."
        )
    return wanted


def sort_of() -> str:
    """The sorting in the query; by default that of the status. Raises `ApiError` 400."""
    sort = request.args.get("sort") or default_sort(request.args.get("status") or "open")
    if sort.removeprefix(DESCENDING) not in SORTS:
        raise ApiError(400, f"sort {sort[:40]!r}", f"one of {', '.join(SORTS)}", "Choose a heading of the table.")
    return sort


def query_of(wanted: OrderFilter, sort: str = "") -> dict[str, str]:
    """The query words of a filter and a sorting, without the defaults."""
    words = {name: value for name, value in wanted._asdict().items() if value and (name, value) != ("status", "open")}
    return words if sort in ("", default_sort(wanted.status)) else {**words, "sort": sort}


def _row(order: OrderProgress) -> list[Cell]:
    where = (
        f"{location.stage or STATES[location.state]}"
        f" {'of unknown quantity' if location.qty_milli is None else decimal_text(location.qty_milli)}"
        for location in order.where
    )
    return [
        order.order, order.reference, order.customer, order.product, order.product_name,
        order.due, order.priority, order.status, order.how, order.unit,
        quantity(order.ordered_milli or None), quantity(order.finished_milli), quantity(order.scrapped_milli),
        "; ".join(where),
    ]  # fmt: skip
