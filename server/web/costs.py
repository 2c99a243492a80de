"""Page of costs: each entered price with the one before it and its person, and the form that enters one."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.entries import Entry
from server.queries.as_known_at import past_stock
from server.queries.current_master_data import master_data
from server.queries.escape import short, visible
from server.queries.price_differences import PPM, TOLERANCE, price_differences, tolerance_ppm
from server.queries.price_list import COST, Price, PricedAt, entered_by, price_list
from server.queries.valuation import StockValue, Valuation
from server.query_words import query_words
from server.web.component_bill import bill_address
from server.web.cost_form import BASES, FIELDS, PREFILLED, entry_of, percent
from server.web.display_names import DisplayNames
from server.web.form_entries import enter, refused_status
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, moment, table_file
from server.web.template_filters import read_lag, shop_locale
from station.core.ledger.costs import CONVERSION
from station.core.master_data import Definition, MasterData

blueprint = Blueprint("costs", __name__)
PATH = "/costs"
COLUMNS = (
    "component", "product", "operation", "work_centre", "amount", "basis", "before", "before_basis", "by_its_bill",
    "valid_from", "holds", "entered_by",
)  # fmt: skip
WORK = {"labour": "Labour", "overhead": "Overhead", "outside": "Outside work"}
_NEWEST = "~"  # of two prices with one time the later recorded one holds
_TYPED = dict.fromkeys(FIELDS, "") | {"basis": "unit"}


@blueprint.get(PATH)
@readers
@query_words(*PREFILLED, "page")
def page() -> str:
    """The prices, 100 on a page, and the form with what the query fills in."""
    given = {name: request.args[name] for name in PREFILLED if request.args.get(name)}
    return _page(_TYPED | given, None)


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All prices as a file. Amounts are in the currency of the site; that of a withdrawn price is empty."""
    with current_hub().store.read() as connection:
        shop, now_us = master_data(connection), current_hub().clock.utc_us()
        prices = price_list(shop, now_us)
        people = entered_by(connection, prices)
    bills = {one.price.place: one.bill_micros for one in price_differences(shop, now_us)}
    rows: list[list[Cell]] = [
        [
            price.component, price.product, price.op, price.stage, *_cells(price.amount), *_cells(price.before),
            amount(bills.get(price.place)), moment(price.from_us), "later" if price.later else "now",
            people.get(price.place),
        ]
        for price in prices
    ]  # fmt: skip
    return table_file(form, "costs", COLUMNS, rows)


@blueprint.post(PATH)
@needs(needed_for(COST))
@written_once
def set_price() -> Answer | tuple[str, int]:
    """Enter a price. A refused one shows the page again, with what was typed and what was expected."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    locale, now_us = shop_locale(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        valuation, stock = past_stock(connection, None, None, now_us)
    try:
        entry = entry_of(typed, valuation.master_data, locale, now_us, caller().name)
        enter([entry])
    except ApiError as error:
        return _page(typed, error), refused_status(error)
    from_us = now_us if entry.holds_from_us is None else entry.holds_from_us
    priced = valuation.master_data.extended(Definition(COST, from_us, (now_us, _NEWEST, 0), entry.data))
    in_process = [row for row in stock if row.in_process]
    flash(_said(entry, valuation.total(in_process), Valuation(priced, now_us + 1).total(in_process)))
    return redirect(PATH)


@blueprint.post(f"{PATH}/tolerance")
@needs(needed_for(TOLERANCE))
@written_once
def set_tolerance() -> Answer:
    """Enter from which difference on an entered price is shown beside the cost by its own bill."""
    locale = shop_locale()
    ppm = percent(request.form.get("tolerance", ""), locale, "tolerance", PPM)
    enter([Entry(TOLERANCE, {"ppm": ppm}, caller().name)])
    flash(f"A price is shown where it differs by more than {locale.percent(ppm)} from its bill.")
    return redirect(PATH)


def _page(typed: Mapping[str, str], trouble: ApiError | None) -> str:
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        shop = master_data(connection)
        prices = price_list(shop, now_us)
        listing = Listing(number, len(prices), {}, PATH)
        shown = prices[listing.start : listing.last]
        people = entered_by(connection, shown)
    names = DisplayNames(shop, now_us)
    return render_template(
        "costs.html",
        page="value",
        now_us=now_us,
        prices=shown,
        listing=listing,
        person=lambda price: names.person(people.get(price.place)),
        product_name=lambda name: _product_name(shop, name, now_us),
        stage_of=lambda price: _stage_of(shop, price, now_us),
        amount_text=_amount_text,
        WORK=WORK,
        bases=BASES,
        differences={one.price.place: one for one in price_differences(shop, now_us)},
        tolerance=tolerance_ppm(shop, now_us),
        bill=bill_address,
        typed=typed,
        trouble=trouble.trouble if trouble else None,
        components=components_of(shop, now_us),
        products=shop.names("product.define"),
        stages=names.stages(),
        today=shop_locale().today(now_us).isoformat(),
        **names.for_templates(),
    )


def components_of(shop: MasterData, at_us: int) -> list[str]:
    """What a price may be of: the work, and the materials of all bills."""
    products = (shop.product(name, at_us) for name in shop.names("product.define"))
    return [*CONVERSION, *sorted({line.component for product in products if product for line in product.bom})]


def _product_name(shop: MasterData, name: str, at_us: int) -> str:
    product = shop.product(name, at_us)
    return (product.name if product else "") or name


def _stage_of(shop: MasterData, price: Price, at_us: int) -> str | None:
    """The stage of the operation of a price, or the one whose rate it is."""
    if price.stage:
        return price.stage
    product = shop.product(price.product, at_us)
    routing = shop.routing(product.routing, at_us) if product and product.routing else None
    operation = routing.operation(price.op) if routing else None
    return operation.stage if operation else None


def _amount_text(of: PricedAt) -> str:
    if of.micros is None:
        return "withdrawn"
    return f"{_exact(of.micros)} {BASES.get(of.basis, of.basis)}"


def _exact(micros: int) -> str:
    """An amount in the currency; one that has more decimals than the currency with all of them."""
    locale = shop_locale()
    return (
        locale.money(micros) if micros % locale.small_micros == 0 else f"{locale.currency} {locale.exact_money(micros)}"
    )


def _cells(of: PricedAt | None) -> list[Cell]:
    return [None, None] if of is None else [amount(of.micros), None if of.micros is None else of.basis]


def _priced(entry: Entry) -> str:
    """What was entered, in words."""
    data: dict[str, Any] = entry.data
    of = WORK.get(data["component"], short(visible(data["component"])))
    of += f" at {short(visible(data['stage']))}" if data.get("stage") else ""
    of += f" of operation {data['op']}" if data.get("op") else ""
    of += f" of {short(visible(data['product']))}" if data.get("product") else ""
    since = "" if entry.holds_from_us is None else f" from {shop_locale().local(entry.holds_from_us):%Y-%m-%d} on"
    if data.get("withdrawn"):
        return f"The price of {of} is withdrawn{since or ' from now on'}."
    return f"{of} costs {_amount_text(PricedAt(data['micros'], data['basis']))}{since or ' from now on'}."


def _said(entry: Entry, before: StockValue, after: StockValue) -> str:
    """What was entered, and what it made of the value of work in process."""
    locale = shop_locale()
    was, now = before.micros or 0, after.micros or 0
    if was == now:
        change = f"The value of work in process stays {locale.money(now)}."
    else:
        more = f"{locale.money(abs(now - was))} {'more' if now > was else 'less'}"
        change = f"The value of work in process was {locale.money(was)} and is {locale.money(now)}: {more}."
    fewer = before.unvalued_items - after.unvalued_items
    if not fewer:
        return f"{_priced(entry)} {change}"
    items = locale.plural(abs(fewer), "item")
    rest = f"{items} {'fewer' if fewer > 0 else 'more'} without full cost."
    return f"{_priced(entry)} {change} {rest}"
