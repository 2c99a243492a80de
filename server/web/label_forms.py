"""Label forms: the things that a form of a page chooses for labels, and how their labels are printed.

The things of a kind are those that are ticked (`name`), or all of them (`all`). Items are ticked on a list of orders
(`order`, or `all` that its filter matches), at a stage (`at`) or under an order (`of`).
"""

from flask import request
from sqlalchemy import Connection, select

from server.api.print_routes import label_kind
from server.api_errors import ApiError
from server.context import current_hub
from server.printing.label_print import DEFAULT_SHEET, MOST_LABELS, MOST_THINGS, LabelPrint
from server.printing.labels import LabelKind
from server.printing.shop_codes import shop_codes
from server.projection.tables import item
from server.queries.carriers import carrier_codes
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.labelled_things import people, things
from server.queries.order_family import without_members
from server.queries.order_list import OrderFilter
from server.queries.stage_queue import stage_queue
from server.queries.valuation import Valuation
from server.urls import item_url, stage_url
from server.web.order_actions import back, chosen_orders
from station.core.master_data import MasterData
from station.core.printing import SHEETS

DPI = (203, 300, 600)
FORMATS = {
    "pdf": "PDF", "svg": "SVG, one page", **{f"zpl-{dpi}": f"ZPL, {dpi} dpi" for dpi in DPI},
}  # fmt: skip
MOST_SECOND = 200  # characters


def sheet_names() -> list[str]:
    """The label sheets of hub.toml, then the common ones."""
    return [*(sheet.name for sheet in current_hub().config.label_sheet), *SHEETS]


def source_fields() -> list[tuple[str, str]]:
    """The fields of the form that say on which list its things were chosen."""
    return [(name, value) for name in ("at", "of", *OrderFilter._fields) if (value := request.form.get(name))]


def label_print() -> LabelPrint:
    """The choice of the form. Raises `ApiError` 400, 403, 404."""
    kind = label_kind(request.form.get("kind", ""))
    words = request.form.get("format") or "pdf"
    if words not in FORMATS:
        raise ApiError(400, f"format {words[:40]!r}", f"one of {', '.join(FORMATS)}", "Choose one on the page.")
    form, _, dpi = words.partition("-")
    copies, names = number_of(request.form.get("copies", ""), "copies", MOST_LABELS), _names(kind)
    return _checked(
        LabelPrint(
            kind,
            names,
            request.form.get("sheet") or DEFAULT_SHEET,
            number_of(request.form.get("start", ""), "start", 10_000),
            copies,
            request.form.get("second", "").strip()[:MOST_SECOND],
            form,
            int(dpi or DPI[0]),
        )
    )


def _checked(wanted: LabelPrint) -> LabelPrint:
    """The same, where the number of labels is within the limits. Raises `ApiError` 400."""
    if not 1 <= len(wanted.names) <= MOST_THINGS:
        came = "nothing to print" if not wanted.names else f"more than {MOST_THINGS} things"
        raise ApiError(400, came, f"1 to {MOST_THINGS}", "Tick at least one, or print the rest with the command.")
    if len(wanted.names) * wanted.copies > MOST_LABELS:
        came = f"{len(wanted.names)} things with {wanted.copies} copies"
        raise ApiError(400, came, f"at most {MOST_LABELS} labels", "Print fewer at once.")
    return wanted


def number_of(text: str, name: str, most: int) -> int:
    """A whole number from 1 to `most`; 1 for an empty text. Raises `ApiError` 400."""
    text = text.strip() or "1"
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= most):
        raise ApiError(400, f"{name} {text[:40]!r}", f"a number from 1 to {most}", "Leave it out for 1.")
    return int(text)


def source_url(kind: LabelKind) -> str:
    """The address of the page on which the things were chosen."""
    if kind == LabelKind.ITEM:
        if request.form.get("at"):
            return stage_url(request.form["at"])
        return item_url(request.form["of"]) if request.form.get("of") else back()
    return {LabelKind.BADGE: "/people", LabelKind.CARRIER: "/carriers"}.get(kind, f"/labels?kind={kind}")


def _names(kind: LabelKind) -> tuple[str, ...]:
    """The chosen things, each once, at most one more than can be printed at once."""
    if not request.form.get("all"):
        ticked = dict.fromkeys(filter(None, (*request.form.getlist("name"), *request.form.getlist("order"))))
        return tuple(ticked)[: MOST_THINGS + 1]
    if kind == LabelKind.ITEM and not request.form.get("at") and not request.form.get("of"):
        return tuple(chosen_orders(MOST_THINGS))
    hub = current_hub()
    now_us = hub.clock.utc_us()
    with hub.store.read() as connection:
        names = _all_of(connection, master_data(connection), kind, now_us)
    return tuple(names)[: MOST_THINGS + 1]


def _all_of(connection: Connection, shop: MasterData, kind: LabelKind, now_us: int) -> list[str]:
    """Everything of one kind; of items, those at the stage `at`, or the lots and serials under the order `of`."""
    if kind == LabelKind.ITEM:
        return _items(connection, Valuation(shop, now_us))
    if kind == LabelKind.CARRIER:
        return list(carrier_codes(connection, shop_codes(connection, shop, now_us)))
    if kind == LabelKind.BADGE:
        return [person.person for person in people(shop, now_us) if person.badge]
    return [thing.id for thing in things(shop, kind, now_us)]


def _items(connection: Connection, valuation: Valuation) -> list[str]:
    order, stage = request.form.get("of", ""), request.form.get("at", "")
    if order:
        under = select(item.c.item).where((item.c.order_ == order) & (item.c.item != order)).order_by(item.c.item)
        return list(connection.execute(under.limit(MOST_THINGS + 1)).scalars())
    lists = stage_queue(without_members(connection, stock_now(connection), valuation), stage, valuation)
    return list(dict.fromkeys(row.item for row in (*lists.run_next, *lists.held)))
