"""Page of products: what each is counted in and which routing it travels, and the form that withdraws or replaces one.

A change is an entry `product.define` with all other fields of the product as they are.
"""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import needed_for
from server.context import current_hub
from server.ledger.entries import Entry
from server.queries.current_master_data import master_data
from server.queries.escape import short, visible
from server.query_words import query_words
from server.text import nearest
from server.web.form_entries import enter, refused_status
from server.web.form_results import written_once
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, table_file
from server.web.template_filters import read_lag
from station.core.ledger.routing import Product
from station.core.master_data import MasterData

blueprint = Blueprint("products", __name__)
PATH = "/products"
WHAT = "product.define"
COLUMNS = ("product", "name", "unit", "decimals", "routing", "withdrawn", "replaced_by")
FIELDS = ("product", "withdrawn", "replaced_by")


@blueprint.get(PATH)
@readers
@query_words("product", "page")
def page() -> str:
    """The products by number, 100 on a page, and the form, filled with the product of the query."""
    typed = dict.fromkeys(FIELDS, "") | {"product": request.args.get("product", "")}
    with current_hub().store.read() as connection:
        known = master_data(connection).product(typed["product"], current_hub().clock.utc_us())
    if known is not None:
        typed |= {"withdrawn": "yes" if known.withdrawn else "", "replaced_by": known.replaced_by or ""}
    return _page(typed, None)


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words()
def file(form: str) -> Response:
    """All products as a file."""
    with current_hub().store.read() as connection:
        found = _products(master_data(connection), current_hub().clock.utc_us())
    rows: list[list[Cell]] = [
        [
            one.product, one.name, one.unit, one.decimals, one.routing, "yes" if one.withdrawn else "no",
            one.replaced_by,
        ]
        for one in found
    ]  # fmt: skip
    return table_file(form, "products", COLUMNS, rows)


@blueprint.post(PATH)
@needs(needed_for(WHAT))
@written_once
def change() -> Answer | tuple[str, int]:
    """Withdraw or replace a product, or take that back. A refused form shows the page again, with what was typed."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    with current_hub().store.read() as connection:
        shop = master_data(connection)
    try:
        enter([entry_of(typed, shop, current_hub().clock.utc_us(), caller().name)])
    except ApiError as error:
        return _page(typed, error), refused_status(error)
    flash(f"Product {short(visible(typed['product']))} is changed from now on.")
    return redirect(PATH)


def entry_of(typed: Mapping[str, str], shop: MasterData, now_us: int, by: str) -> Entry:
    """The product with the typed fields and its others as they are. Raises `ApiError` 400."""
    name = typed["product"]
    definition = shop.at(WHAT, name, now_us)
    if definition is None:
        do = nearest(name, shop.names(WHAT)) if shop.names(WHAT) else "Define a product first."
        raise ApiError(400, f"the product {name[:80]!r}", "a product of the shop", do)
    data: dict[str, Any] = {field: value for field, value in definition.data.items() if field not in FIELDS[1:]}
    if typed["withdrawn"]:
        data["withdrawn"] = True
    if typed["replaced_by"]:
        data["replaced_by"] = typed["replaced_by"]
    return Entry(WHAT, data, by)


def _products(shop: MasterData, at_us: int) -> list[Product]:
    return [product for name in shop.names(WHAT) if (product := shop.product(name, at_us)) is not None]


def _page(typed: Mapping[str, str], trouble: ApiError | None) -> str:
    number, now_us = page_number(), current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        found = _products(master_data(connection), now_us)
    listing = Listing(number, len(found), {}, PATH)
    return render_template(
        "products.html",
        page="value",
        now_us=now_us,
        products=found[listing.start : listing.last],
        listing=listing,
        typed=typed,
        trouble=trouble.trouble if trouble else None,
    )
