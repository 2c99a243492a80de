"""Order actions: hold, close, due day and priority of the chosen orders, as entries; the outcome is listed by order.

The chosen orders are those that are ticked, or all that the filter matches. A refused entry keeps its order as it is; the
others are written. Pieces on hold or not started are adjusted away only after the page has asked. The outcome states the
quantities that the written entries move, and those of the chosen orders that they do not move.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from flask import Blueprint, Response, flash, redirect, render_template, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth.gate import caller, needs
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry, EntryRefused, Recorded
from server.ledger.entry_checks import held_or_unstarted
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_of
from server.queries.escape import visible
from server.queries.hold_plan import HoldPlan, hold_plan
from server.queries.order_family import without_members
from server.queries.order_list import names_of
from server.queries.order_progress import open_members
from server.queries.valuation import Valuation
from server.web.form_entries import enter_each
from server.web.form_results import written_once
from server.web.listing import Listing
from server.web.orders import filter_of, query_of
from server.web.template_filters import plural, shop_locale
from station.core.ledger.parcels import ParcelState

blueprint = Blueprint("order_actions", __name__)
HOW = ("complete", "short", "cancelled")
DO = ("close", "hold", "due", "priority")
MOST_AT_ONCE = 5_000  # orders of one action
MOST_LISTED = 500  # refused orders on the page of the outcome
LEAVE = ("", "adjust", "skip")
AT_ONCE = 500  # names in one statement


class Moved(NamedTuple):
    """A quantity of an order, in thousandths of the unit of its product (None: unknown), and what is done with it."""

    order: str
    product: str | None
    what: str
    qty_milli: int | None


class Planned(NamedTuple):
    """The entries of an action; `moved[n]`: what entry n moves. `rest`: what no entry moves, with its state in words."""

    entries: list[Entry]
    moved: list[list[Moved]]
    rest: list[Moved]


@blueprint.post("/orders/close", defaults={"do": "close"})
@blueprint.post("/orders/change", defaults={"do": None})
@needs(Role.SUPERVISE)
@written_once
def act(do: str | None) -> Answer | Response | tuple[str, int] | str:
    """Apply one action to the chosen orders.

    1. Read the choice and the action. 2. Closing as complete: ask where pieces are on hold or not started. 3. Write the
    entries. 4. List the refused ones, or return to the list.
    """
    do = _one_of("do", do or request.form.get("do", ""), DO)
    how = _one_of("how", request.form.get("how", ""), HOW) if do == "close" else ""
    leave = _one_of("leave", request.form.get("leave", ""), LEAVE)
    chosen = chosen_orders()
    left: dict[str, str] = {}
    if do == "close" and how == "complete" and leave != "adjust":
        with current_hub().store.read() as connection:
            left = held_or_unstarted(connection, chosen)
        if left and not leave:
            return _ask(chosen, left), 409
    planned = _planned(do, [order for order in chosen if order not in left], how, leave)
    results = enter_each(planned.entries) if planned.entries else []
    return _outcome(do, how, chosen, planned, results, left)


def chosen_orders(most: int = MOST_AT_ONCE) -> list[str]:
    """The ticked orders, or all that match the filter, at most `most`. Raises `ApiError` 400."""
    word, words = shop_locale().order_word, shop_locale().orders_word
    if request.form.get("all"):
        wanted = filter_of(request.form)
        with current_hub().store.read() as connection:
            valuation = Valuation(master_data(connection), current_hub().clock.utc_us())
            chosen = names_of(connection, valuation, wanted, "due", most + 1)
    else:
        chosen = list(dict.fromkeys(filter(None, request.form.getlist("order"))))
    if not 1 <= len(chosen) <= most:
        came = plural(len(chosen), word, words) if len(chosen) <= most else f"more than {most} {words}"
        raise ApiError(400, came, f"1 to {most}", "Tick at least one, or filter the list to fewer.")
    return chosen


def _one_of(name: str, text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        expected = f"one of {', '.join(filter(None, words))}"
        raise ApiError(400, f"{name} {text[:40]!r}", expected, "Choose one on the page.")
    return text


def _planned(do: str, orders: list[str], how: str, leave: str) -> Planned:
    by = caller().name
    if do == "close":
        more = {"leave": "adjust"} if how == "complete" and leave == "adjust" else {}
        entries = [Entry("order.close", {"order": order, "how": how, **more}, by) for order in orders]
        with current_hub().store.read() as connection:
            moved = _closings(connection, orders, how)
        return Planned(entries, [moved.get(order, []) for order in orders], [])
    if do == "hold":
        return _holds(orders, by)
    value = _due() if do == "due" else _priority()
    entries = [Entry("order.change", {"order": order, do: value}, by) for order in orders]
    return Planned(entries, [[] for _ in entries], [])


def _holds(orders: list[str], by: str) -> Planned:
    """A hold for each place with pieces of an order, with their quantity; what is not started is at no stage."""
    now_us, reason = current_hub().clock.utc_us(), request.form.get("reason", "").strip()
    with current_hub().store.read() as connection:
        plan: HoldPlan = hold_plan(connection, orders, reason, now_us)
        rest = _not_started(connection, orders, now_us)
    rest += [Moved(*left[:2], "at a place that no hold can name alone", left.qty_milli) for left in plan.rest]
    return Planned(
        [Entry("checkin", hold.data, by) for hold in plan.holds],
        [[Moved(hold.order, hold.product, "", hold.qty_milli)] for hold in plan.holds],
        rest,
    )


def _not_started(connection: Connection, orders: list[str], now_us: int) -> list[Moved]:
    """What of each order is not started, without what its begun lots and serials stand for."""
    valuation = Valuation(master_data(connection), now_us)
    stock = [
        row for start in range(0, len(orders), AT_ONCE) for row in stock_of(connection, orders[start : start + AT_ONCE])
    ]
    rows = without_members(connection, stock, valuation)
    return [
        Moved(row.item, row.product, "not started", row.qty_milli) for row in rows if row.state == ParcelState.RELEASED
    ]


def _closings(connection: Connection, orders: list[str], how: str) -> dict[str, list[Moved]]:
    """What the closing of each order moves: complete finishes what is in process, all else is adjusted away."""
    moved: dict[str, list[Moved]] = {}
    for start in range(0, len(orders), AT_ONCE):
        for row in stock_of(connection, orders[start : start + AT_ONCE]):
            finishes = how == "complete" and row.state in (ParcelState.HERE, ParcelState.WAITING)
            what = "finished" if finishes else "adjusted away"
            moved.setdefault(row.item, []).append(Moved(row.item, row.product, what, row.qty_milli))
    return moved


def _due() -> str:
    text = request.form.get("due", "").strip()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ApiError(
            400, f"the day {text[:40]!r}", "a day such as 2026-11-22", "Pick it from the calendar."
        ) from error


def _priority() -> int:
    text = request.form.get("priority", "").strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise ApiError(400, f"the priority {text[:40]!r}", "a whole number from 0", "A smaller number is more urgent.")
    return int(text)


def _ask(chosen: list[str], left: dict[str, str]) -> str:
    """The page that asks what to do with pieces on hold or not started."""
    fields = [
        (name, value) for name, value in request.form.items(multi=True) if name not in ("csrf_token", "order", "all")
    ]
    return render_template(
        "orders_ask.html", page="orders", chosen=chosen, left=left, fields=fields, most=MOST_LISTED, back=back()
    )


def _outcome(
    do: str,
    how: str,
    chosen: list[str],
    planned: Planned,
    results: list[Recorded | EntryRefused],
    left: dict[str, str],
) -> Answer | str:
    moved: list[Moved] = []
    refused: dict[str, str] = {}
    written: dict[str, None] = {}
    for entry, quantities, result in zip(planned.entries, planned.moved, results, strict=True):
        order = quantities[0].order if quantities else str(entry.data["order"])
        if isinstance(result, EntryRefused):
            refused[order] = f"{result.came}; expected {result.expected}. {result.do}"
        else:
            written[order] = None
            moved += quantities
    refused |= {order: f"{amounts}: left open" for order, amounts in left.items()}
    if do == "hold":
        none = [order for order in chosen if order not in written and order not in refused]
        refused |= dict.fromkeys(none, "nothing at a stage that is not on hold")
    done = [order for order in chosen if order in written]
    sentence = _sentence(do, how, done, moved, planned.rest)
    if not refused:
        flash(sentence)
        return redirect(back())
    return render_template(
        "orders_done.html", page="orders", sentence=sentence, done=done, refused=refused, most=MOST_LISTED, back=back()
    )


def _sentence(do: str, how: str, done: list[str], moved: list[Moved], rest: list[Moved]) -> str:
    """What was changed with its quantities, and what of the same orders was not."""
    verb = {
        "close": f"closed as {how}",
        "hold": "put on hold",
        "due": f"given the due day {request.form.get('due', '').strip()}",
        "priority": f"given priority {request.form.get('priority', '').strip()}",
    }[do]
    sentence = f"{plural(len(done), shop_locale().order_word, shop_locale().orders_word)} {verb}"
    with current_hub().store.read() as connection:
        units = _units(connection, [*moved, *rest])
        members = open_members(connection, done) if do != "hold" else []
    amounts = [f"{_amount(of, units)} {what}".rstrip() for what, of in _by_word(moved)]
    sentence += f": {', '.join(amounts)}." if amounts else "."
    for what, of in _by_word(one for one in rest if one.order in done):
        sentence += f" {_amount(of, units)} {what} are not held."
    if members:
        named = ", ".join(map(visible, members[:3])) + (" …" if len(members) > 3 else "")
        one = len(members) == 1
        effect = {"close": "stays open" if one else "stay open"}.get(do, "keeps its own" if one else "keep their own")
        sentence += f" {plural(len(members), 'lot or serial', 'lots or serials')} {effect}: {named}."
    return sentence


def _by_word(quantities: Iterable[Moved]) -> Iterable[tuple[str, list[Moved]]]:
    groups: dict[str, list[Moved]] = {}
    for one in quantities:
        groups.setdefault(one.what, []).append(one)
    return sorted(groups.items(), reverse=True)


def _units(connection: Connection, quantities: list[Moved]) -> dict[str | None, str]:
    """The unit of each product, as of now."""
    definitions, now_us = master_data(connection), current_hub().clock.utc_us()
    products = {one.product: definitions.product(one.product, now_us) for one in quantities}
    return {name: product.unit if product else "pcs" for name, product in products.items()}


def _amount(quantities: list[Moved], units: dict[str | None, str]) -> str:
    """The sum in each unit; an unknown quantity is named beside it."""
    sums: dict[str, int] = {}
    for one in quantities:
        if one.qty_milli is not None:
            unit = units[one.product]
            sums[unit] = sums.get(unit, 0) + one.qty_milli
    parts = [shop_locale().quantity(milli, unit) for unit, milli in sums.items()]
    if any(one.qty_milli is None for one in quantities):
        parts.append("an unknown quantity")
    return " and ".join(parts)


def back() -> str:
    """The list with the filter from which the form was sent."""
    wanted = filter_of(request.form)
    return Listing(1, 0, {"status": wanted.status, **query_of(wanted)}, "/orders").address()
