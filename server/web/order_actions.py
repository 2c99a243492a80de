"""Order actions: hold, close, due day and priority of the chosen orders, as entries; the outcome is listed by order.

The chosen orders are those that are ticked, or all that the filter matches. A refused entry keeps its order as it is; the
others are written. Pieces on hold or not started are adjusted away only after the page has asked.
"""

from datetime import date

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from server.api_errors import ApiError
from server.auth.gate import caller, needs
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry, EntryRefused, Recorded
from server.ledger.entry_checks import held_or_unstarted
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_of
from server.queries.order_list import names_of
from server.queries.valuation import Valuation
from server.web.form_entries import enter_each
from server.web.listing import Listing
from server.web.orders import filter_of, query_of
from server.web.template_filters import plural, shop_locale

blueprint = Blueprint("order_actions", __name__)
HOW = ("complete", "short", "cancelled")
DO = ("close", "hold", "due", "priority")
MOST_AT_ONCE = 5_000  # orders of one action
MOST_LISTED = 500  # refused orders on the page of the outcome
LEAVE = ("", "adjust", "skip")


@blueprint.post("/orders/close", defaults={"do": "close"})
@blueprint.post("/orders/change", defaults={"do": None})
@needs(Role.SUPERVISE)
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
    entries = _entries(do, [order for order in chosen if order not in left], how, leave)
    results = enter_each(entries) if entries else []
    return _outcome(do, how, chosen, entries, results, left)


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


def _entries(do: str, orders: list[str], how: str, leave: str) -> list[Entry]:
    by = caller().name
    if do == "close":
        more = {"leave": "adjust"} if how == "complete" and leave == "adjust" else {}
        return [Entry("order.close", {"order": order, "how": how, **more}, by) for order in orders]
    if do == "hold":
        return _holds(orders, by)
    value = _due() if do == "due" else _priority()
    return [Entry("order.change", {"order": order, do: value}, by) for order in orders]


def _holds(orders: list[str], by: str) -> list[Entry]:
    """A hold at each stage where pieces of an order wait or are in work; without a stage there is nothing to hold."""
    reason = request.form.get("reason", "").strip()
    with current_hub().store.read() as connection:
        places = {
            (row.item, row.stage): None
            for start in range(0, len(orders), 500)
            for row in stock_of(connection, orders[start : start + 500])
            if row.stage and row.state != "held"
        }
    more = {"reason": reason} if reason else {}
    return [Entry("checkin", {"item": order, "stage": stage, "action": "hold", **more}, by) for order, stage in places]


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
    entries: list[Entry],
    results: list[Recorded | EntryRefused],
    left: dict[str, str],
) -> Answer | str:
    word, words = shop_locale().order_word, shop_locale().orders_word
    refused = {
        _order(entry): f"{result.came}; expected {result.expected}. {result.do}"
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, EntryRefused)
    }
    refused |= {order: f"{amounts}: left open" for order, amounts in left.items()}
    if do == "hold":
        held = {_order(entry) for entry in entries}
        refused |= {order: "nothing at a stage that is not on hold" for order in chosen if order not in held}
    done = [order for order in chosen if order not in refused]
    verb = {"close": f"closed as {how}", "hold": "put on hold", "due": "given another due day"}.get(
        do, "given another priority"
    )
    sentence = f"{plural(len(done), word, words)} {verb}."
    if not refused:
        flash(sentence)
        return redirect(back())
    return render_template(
        "orders_done.html", page="orders", sentence=sentence, done=done, refused=refused, most=MOST_LISTED, back=back()
    )


def _order(entry: Entry) -> str:
    return str(entry.data.get("order") or entry.data.get("item"))


def back() -> str:
    """The list with the filter from which the form was sent."""
    wanted = filter_of(request.form)
    return Listing(1, 0, {"status": wanted.status, **query_of(wanted)}, "/orders").address()
