"""Item page: where an item is and has been, its events as recorded, and the forms to correct them."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, flash, redirect, render_template, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from server.api.past_query import Past, asked_past
from server.api_errors import ApiError
from server.auth.gate import needs, readers
from server.auth.roles import Role
from server.context import current_hub
from server.ledger.entries import Entry
from server.locale_format import due_day
from server.queries.as_known_at import past_stock
from server.queries.current_master_data import master_data
from server.queries.current_stock import merged, run_stages, running_stages, stock_of
from server.queries.escape import visible_bytes
from server.queries.findings import open_findings, shown_findings
from server.queries.item_detail import ItemDetail, item_detail
from server.queries.item_moves import item_stays
from server.queries.past_items import past_item
from server.queries.search import item_named
from server.queries.valuation import Valuation
from server.queries.working_times import working_times
from server.query_words import PAST_WORDS, query_words
from server.urls import before_pos, item_url, segments
from server.web.corrections import entry_of
from server.web.display_names import DisplayNames
from server.web.form_entries import enter
from server.web.form_results import written_once
from server.web.path_picture import PathWords, path_picture
from server.web.template_filters import STATES, lag, shop_locale
from station.core.ledger.parcels import Account
from station.core.master_data import MasterData
from station.core.site import FIRST_DAY, LAST_DAY

blueprint = Blueprint("item", __name__)
segments(blueprint)
blueprint.add_app_template_filter(visible_bytes)
MOST_ROWS, MOST_FORMS = 100, 50  # rows of one list on the page; rows with a form of their own
DONE = {"put-right": "Put right", "add": "Added", "void": "Taken back", "note": "Written down"}


@blueprint.get("/items/<segment:item>", merge_slashes=False)
@blueprint.get("/items", defaults={"item": None})
@readers
@query_words("code", "before", *PAST_WORDS)
def page(item: str | None) -> str:
    """The page of one item, now or as of a past time and as known at a position."""
    item = _named(item)
    before = before_pos()
    with current_hub().store.read() as connection:
        locale = shop_locale(connection)
        past = asked_past(connection, current_hub().clock.utc_us())
        now_us = past.time_us
        with item_tables(connection, item, past) as (tables, shop):
            valuation = Valuation(shop, now_us)
            detail = item_detail(tables, item, valuation, before, locale.quantity)
            open_rules = {found.rule for found in detail.findings if found.is_open} if detail else ()
            stays = item_stays(tables, item) if detail else []
            shown_of = {rule: shown_findings(open_findings(tables, item, rule)) for rule in open_rules}
        stages = [row.stage for row in detail.stock] if detail else []
        if past.is_past:
            _, stock = past_stock(connection, past.known, past.at_us, past.now_us)
            runs_at = running_stages(stock, stages)
        else:
            runs_at = run_stages(connection, stages)
    if detail is None:
        raise ApiError(
            404,
            f"the item {item[:80]!r}",
            "one that was scanned, released or bound" + (" by then" if past.is_past else ""),
            f"{lag().words}: try again." if lag().events else "Scan it in the box above.",
        )
    detail = _first(detail)
    names = DisplayNames(valuation.master_data, now_us)
    due = due_day(detail.row.due)
    due_us = None if due is None else shop_locale().day_end_us(min(max(due, FIRST_DAY), LAST_DAY))
    working = working_times(valuation.master_data)
    words = PathWords(STATES, names.stage, shop_locale(), working)
    return render_template(
        "item.html",
        page="item",
        now_us=now_us,
        asked_us=now_us if past.is_past else None,
        today=shop_locale().today(now_us),
        item=item,
        detail=detail,
        shown_of=shown_of,
        stock=merged(detail.stock),
        runs_at=runs_at,
        due=due,
        working=working,
        picture=path_picture(stays, detail.state.routing, due_us, now_us, words),
        accounts=_accounts(detail),
        shown_events={event.pos for event in detail.events},
        unit=detail.product.unit if detail.product else "pcs",
        decimals=detail.product.decimals if detail.product else 0,
        older=detail.events[-1].pos if detail.more_events else None,
        action=item_url(item),
        latest=shop_locale().local(now_us).strftime("%Y-%m-%dT%H:%M"),
        stages=names.stages(),
        people=names.people(),
        **names.for_templates(),
    )


@contextmanager
def item_tables(connection: Connection, item: str, past: Past) -> Iterator[tuple[Connection, MasterData]]:
    """The tables that hold the item as the request asks for it, and the definitions that apply to it."""
    if not past.is_past:
        yield connection, master_data(connection)
        return
    with past_item(connection, item, past.known_pos, past.at_us) as shop:
        yield shop.scratch, shop.master_data


@blueprint.post("/items/<segment:item>", merge_slashes=False)
@blueprint.post("/items", defaults={"item": None})
@needs(Role.SUPERVISE)
@query_words("code")
@written_once
def put_right(item: str | None) -> Response:
    """Write the entry of a submitted form."""
    item = _named(item)
    now_us = current_hub().clock.utc_us()
    entry = entry_of(request.form, item, shop_locale(), now_us)
    before = _places(item, now_us)
    enter([entry])
    after = _places(item, now_us)
    flash(_outcome(entry, before, after))
    return redirect(item_url(item))


def _first(detail: ItemDetail) -> ItemDetail:
    """The newest rows of each list: a page of bounded size, with links to older events and to the files of all."""
    return detail._replace(
        visits=detail.visits[:MOST_ROWS],
        moves=detail.moves[:MOST_ROWS],
        events=detail.events[:MOST_ROWS],
        more_events=detail.more_events or len(detail.events) > MOST_ROWS,
        findings=detail.findings[:MOST_FORMS],
        changes=detail.changes[:MOST_FORMS],
        more_changes=detail.more_changes or len(detail.changes) > MOST_FORMS,
    )


def _accounts(detail: ItemDetail) -> list[tuple[str, int | None, str | None, int]]:
    """The accounts of an item: (state, operation, stage, thousandths), the outer ones first; they sum to zero."""
    sums = {Account(name): milli for name, milli in detail.state.outer.items() if milli}
    for parcel in detail.state.parcels:
        if parcel.qty_milli:
            sums[parcel.account] = sums.get(parcel.account, 0) + parcel.qty_milli
    return [(account.state, account.op, account.stage, milli) for account, milli in sums.items()]


def _places(item: str, now_us: int) -> str:
    """Where the item is, in words."""
    with current_hub().store.read() as connection:
        valuation = Valuation(master_data(connection), now_us)
        names = DisplayNames(valuation.master_data, now_us)
        words = []
        for row in merged(stock_of(connection, [item])):
            product = valuation.product(row)
            quantity = shop_locale().quantity(row.qty_milli, product.unit, product.decimals)
            state = STATES[row.state] if row.run_since_us is None else "running"
            words.append(f"{names.stage(row.stage) or 'no stage'}, {state}, {quantity}")
    return "; ".join(sorted(words)) or "nothing in process"


def _outcome(entry: Entry, before: str, after: str) -> str:
    """What an entry changed, in one line."""
    done = DONE[request.form["do"]]
    if entry.what == "note":
        return f"{done}."
    if before == after:
        return f"{done}. Where it is did not change: {after}."
    return f"{done}. Before: {before}. Now: {after}."


def _named(item: str | None) -> str:
    """The item of the address, which may have another spelling of its code."""
    name = request.args.get("code", "") if item is None else item
    if not name:
        raise ApiError(404, "no item", "/items/ and its code", "Scan it in the box, or search for it there.")
    hub = current_hub()
    with hub.store.read() as connection:
        return item_named(connection, master_data(connection), name, hub.clock.utc_us())
