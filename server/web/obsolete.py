"""Page of obsolete and excess stock: what in process may be worth less than it costs, why, and its value."""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from server.api.obsolete_query import OBSOLETE_WORDS, AskedObsolete, asked_obsolete
from server.api.past_query import page_past, past_words
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.locale_format import due_day
from server.queries.obsolete_stock import Chosen, ObsoleteRow, Reason, ReasonTotal, obsolete_stock
from server.queries.valuation import Valuation
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, moment, quantity, table_file
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("obsolete", __name__)
PATH = "/obsolete"
COLUMNS = (
    "item", "order", "product", "replaced_by", "stage", "state", "quantity", "unit", "not_moved_since", "days", "due",
    "reasons", "value", "complete",
)  # fmt: skip
REASON_COLUMNS = ("reason", "items", "value", "value_once")
REASONS = {
    Reason.CANCELLED: "order cancelled",
    Reason.CLOSED: "order closed",
    Reason.WITHDRAWN: "product withdrawn",
    Reason.REPLACED: "product replaced",
    Reason.EXCESS: "more than ordered",
    Reason.OVERDUE: "overdue",
    Reason.NOT_MOVED: "not moved",
}


@blueprint.get(PATH)
@readers
@query_words(*OBSOLETE_WORDS, "page")
def page() -> str:
    """The reasons with their totals, and the stock, 100 rows on a page."""
    asked, number = _asked(), page_number()
    table = obsolete_stock(asked.found, asked.chosen, shop_locale().small_micros)
    words, valuation = obsolete_words(asked), asked.valuation
    listing = Listing(number, len(table.rows), words, PATH)
    names = DisplayNames(valuation.master_data, valuation.at_us)
    return render_template(
        "obsolete.html",
        page="value",
        now_us=valuation.at_us,
        asked_us=None if page_past() is None else valuation.at_us,
        days=asked.days,
        chosen=asked.chosen,
        table=table,
        rows=table.rows[listing.start : listing.last],
        listing=listing,
        words=REASONS,
        stages=sorted({one.row.stage for one in asked.found if one.row.stage}),
        product_name=lambda row: valuation.product(row).name or row.product or "",
        product_of=valuation.product,
        due_day=due_day,
        today=shop_locale().today(valuation.at_us),
        opened=lambda total: _with(words, reason=total.reason),
        of_all=_with(words, reason=""),
        every=_with(words, reason="", stage="", product=""),
        write_down=f"{PATH}/write-down?{urlencode(words)}",
        file=f"{PATH}.csv?{urlencode(words)}",
        reasons_file=f"{PATH}.csv?{urlencode(words | {'list': 'reasons'})}",
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words(*OBSOLETE_WORDS, "list")
def file(form: str) -> Response:
    """The stock as a file, all of it, or the `list` of its reasons. Raises `ApiError` 400."""
    name = request.args.get("list", "stock")
    if name not in ("stock", "reasons"):
        raise ApiError(400, f"list {name[:40]!r}", "one of stock, reasons", "Use the link of the page.")
    asked = _asked()
    table = obsolete_stock(asked.found, asked.chosen, shop_locale().small_micros)
    if name == "reasons":
        return table_file(form, "obsolete-reasons", REASON_COLUMNS, [_reason(total) for total in table.reasons])
    return table_file(form, "obsolete", COLUMNS, [_row(one, micros, asked.valuation) for one, micros in table.rows])


def _asked() -> AskedObsolete:
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        return asked_obsolete(connection, now_us)


def obsolete_words(asked: AskedObsolete) -> dict[str, str]:
    """The query words of the same question, for links."""
    chosen: Chosen = asked.chosen
    words = {"reason": chosen.reason or "", "stage": chosen.stage, "product": chosen.product}
    return {"days": str(asked.days)} | {word: str(text) for word, text in words.items() if text} | past_words()


def _with(words: Mapping[str, str], **changed: str) -> str:
    """The address with other words; an empty one is left out."""
    return Listing(1, 0, words, PATH).address(**changed)


def _reason(total: ReasonTotal) -> list[Cell]:
    return [total.reason, total.items, amount(total.value_micros), amount(total.once_micros)]


def _row(one: ObsoleteRow, micros: int, valuation: Valuation) -> list[Cell]:
    row, product = one.row, valuation.product(one.row)
    return [
        row.item, row.order, row.product, product.replaced_by, row.stage, row.state, quantity(row.qty_milli), product.unit,
        moment(row.at_stage_since_us), one.days, due_day(row.due), "; ".join(one.reasons), amount(micros),
        "yes" if one.complete else "no",
    ]  # fmt: skip
