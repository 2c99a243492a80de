"""One item: where it is and has been, every event as it came, and one form that puts right what was scanned wrong."""

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import needs, readers
from server.auth.roles import Role
from server.context import running
from server.locale_format import due_day
from server.queries.current_master_data import catalogue
from server.queries.current_stock import together
from server.queries.escape import visible_bytes
from server.queries.item_detail import one_item
from server.queries.valuation import Valuation
from server.urls import item_url, segments
from server.web.corrections import entry_of
from server.web.display_names import DisplayNames
from server.web.form_entries import enter
from server.web.template_filters import tongue

blueprint = Blueprint("item", __name__)
segments(blueprint)
blueprint.add_app_template_filter(visible_bytes)
SAID = {"put-right": "Put right.", "void": "Taken back.", "note": "Written down."}


@blueprint.get("/items/<segment:item>", merge_slashes=False)
@blueprint.get("/items", defaults={"item": None})
@readers
def page(item: str | None) -> str:
    """The page of one item."""
    item = _named(item)
    now_us = running().clock.utc_us()
    before = request.args.get("before", "")
    with running().store.read() as connection:
        valuation = Valuation(catalogue(connection), now_us)
        found = one_item(connection, item, valuation, int(before) if before.isdecimal() and len(before) < 18 else None)
    if found is None:
        raise ApiError(
            404,
            f"the item {item[:80]!r}",
            "one that was scanned, released or bound",
            "Scan it in the box above.",
        )
    names = DisplayNames(valuation.catalogue, now_us)
    return render_template(
        "item.html",
        page="item",
        now_us=now_us,
        today=tongue().today(now_us),
        item=item,
        found=found,
        stands=together(found.stands),
        due=due_day(found.row.due),
        unit=found.product.unit if found.product else "pcs",
        decimals=found.product.decimals if found.product else 0,
        older=found.events[-1].pos if found.more_events else None,
        action=item_url(item),
        stages=names.stages(),
        people=names.people(),
        **names.for_templates(),
    )


@blueprint.post("/items/<segment:item>", merge_slashes=False)
@blueprint.post("/items", defaults={"item": None})
@needs(Role.SUPERVISE)
def put_right(item: str | None) -> Response:
    """Write what a form on the page says about the item, as one entry."""
    item = _named(item)
    enter([entry_of(request.form, item, tongue())])
    flash(SAID[request.form["do"]])
    return redirect(item_url(item))


def _named(item: str | None) -> str:
    name = request.args.get("code", "") if item is None else item
    if not name:
        raise ApiError(404, "no item", "/items/ and its code", "Scan it in the box, or look for it there.")
    return name
