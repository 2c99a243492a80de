"""Orders page: the orders of one status with their progress, late ones first, and the form to close them."""

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import caller, needs, readers
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry
from server.queries.current_master_data import master_data
from server.queries.order_progress import STATUSES, orders
from server.queries.valuation import Valuation
from server.web.display_names import DisplayNames
from server.web.form_entries import enter
from server.web.template_filters import plural, shop_locale

blueprint = Blueprint("orders", __name__)
HOW = ("complete", "short", "cancelled")
MOST_AT_ONCE = 500


@blueprint.get("/orders")
@readers
def page() -> str:
    """The orders of one status."""
    status = request.args.get("status", "open")
    if status not in STATUSES:
        raise ApiError(400, f"status {status[:40]!r}", f"one of {', '.join(STATUSES)}", "Choose one on the page.")
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        valuation = Valuation(master_data(connection), now_us)
        progress_rows = orders(connection, valuation, status)
    today = shop_locale().today(now_us)
    return render_template(
        "orders.html",
        page="orders",
        now_us=now_us,
        today=today,
        status=status,
        orders=progress_rows,
        late=sum(progress.is_late(today) for progress in progress_rows),
        due_today=sum(progress.due == today for progress in progress_rows),
        **DisplayNames(valuation.master_data, now_us).for_templates(),
    )


@blueprint.post("/orders/close")
@needs(Role.SUPERVISE)
def close() -> Response:
    """Close the chosen orders, all of them or none."""
    chosen = list(dict.fromkeys(filter(None, request.form.getlist("order"))))
    how, status = request.form.get("how", ""), request.form.get("status", "open")
    word, words = shop_locale().order_word, shop_locale().orders_word
    if how not in HOW:
        raise ApiError(400, f"how {how[:40]!r}", f"one of {', '.join(HOW)}", "Choose one on the page.")
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        raise ApiError(400, plural(len(chosen), word, words), f"1 to {MOST_AT_ONCE}", "Tick the ones to close.")
    enter([Entry("order.close", {"order": order, "how": how}, caller().name) for order in chosen])
    flash(f"{plural(len(chosen), word, words)} closed as {how}.")
    return redirect(f"/orders?status={status}" if status in STATUSES else "/orders")
