"""Template filters: numbers, times, scanned text and links as HTML. All text is escaped here or by Jinja."""

from contextlib import nullcontext
from typing import Any, cast
from urllib.parse import quote

from flask import Blueprint, g
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from server.api.past_query import keep_past, page_past, past_words, present_address
from server.auth.gate import visitor
from server.context import current_hub
from server.locale_format import LocaleFormat, ago, duration, locale_of, working_hours
from server.queries.alerts import RunningTime, Word
from server.queries.escape import isolated, short, visible
from server.queries.item_events import TagPresence
from server.queries.lag import Lag, lag_of
from server.queries.long_work_words import sentences
from server.queries.site import site_definitions
from server.urls import item_url, stage_url
from server.web.form_results import form_key
from station.core.codes.lookalike import shown_code
from station.core.master_data import Definition

blueprint = Blueprint("wording", __name__)
MOST_SHOWN = 48  # characters of a code in a list
STATES = {
    "released": "not started",
    "waiting": "waiting",
    "here": "in work",
    "held": "on hold",
    "finished": "finished",
    "scrapped": "scrapped",
}
OUTCOMES = {
    "finished": "finished",
    "scrapped": "scrapped",
    "adjusted": "adjusted away",
    "closed": "closed",
    "complete": "closed as complete",
    "short": "closed short",
    "cancelled": "cancelled",
}
VERBS = {
    "": "scan",
    "in": "in",
    "out": "out",
    "start": "start",
    "done": "done",
    "scrap": "scrap",
    "rework": "rework",
    "hold": "on hold",
    "release": "hold ended",
    "finish": "finished",
    "count": "count",
    "checkin": "added by hand",
    "order.release": "released",
    "order.change": "changed",
    "order.close": "closed",
    "item.name": "named",
    "adjust": "adjusted",
    "note": "note",
    "answer": "answer",
    "finding.answer": "finding answered",
    "call": "call",
    "traveller.print": "traveller printed",
    "label.print": "label printed",
}
FIELD_WORDS = {"stage": "stage", "action": "what", "operator": "by", "item": "item", "qty_milli": "quantity"}


def read_site(connection: Connection) -> list[Definition]:
    """The entries `site.define`, read once a request."""
    if "site" not in g:
        g.site = site_definitions(connection)
    return cast("list[Definition]", g.site)


def shop_locale(connection: Connection | None = None) -> LocaleFormat:
    """The locale format of the shop, read once a request; `connection`: of the caller, where it has one."""
    if "shop_locale" not in g:
        hub = current_hub()
        try:
            with nullcontext(connection) if connection is not None else hub.store.read() as reading:
                definitions = read_site(reading)
        except DBAPIError:  # the page of that error needs a locale, too
            return locale_of(hub.config)
        g.shop_locale = locale_of(hub.config, definitions, hub.clock.utc_us())
    return cast("LocaleFormat", g.shop_locale)


def code(text: str | None, *, whole: bool = False) -> Markup:
    """A scanned or typed text with every character visible, isolated from the text direction of the page."""
    full = visible(text or "")
    shown = full if whole else short(full, MOST_SHOWN)
    if shown == full:
        return Markup('<bdi class="code">{}</bdi>').format(shown)
    return Markup('<bdi class="code" title="{}">{}</bdi>').format(full, shown)


def link(text: str) -> Markup:
    """An item's code as a link to its page, of the same past time as this page."""
    return Markup('<a href="{}">{}</a>').format(item_href(text), code(text))


def item_href(text: str) -> str:
    """The address of an item's page, of the same past time as this page."""
    return keep_past(item_url(text))


@pass_context  # else Jinja would compute it for a constant address once, when it compiles the template
def _kept(_context: Context, address: str) -> str:
    """An address with the past time of this page."""
    return keep_past(address)


def stage_href(stage: str) -> str:
    """The address of a stage's page, of the same past time as this page."""
    return keep_past(stage_url(stage))


def when(at_us: int | None, now_us: int, *, approx: bool = False) -> Markup:
    """A time relative to now; its title is the absolute time."""
    if at_us is None:
        return Markup("")
    mark = "≈ " if approx else ""
    return Markup('<time datetime="{}" title="{}{}">{}{}</time>').format(
        shop_locale().iso(at_us), mark, shop_locale().at(at_us), mark, ago(at_us, now_us)
    )


def presence(of: TagPresence, now_us: int) -> Markup:
    """The presence of a tag in words: "seen 212 times, until 14:05, best -41 dBm"."""
    times = f"{of.seen} times" if of.seen != 1 else "once"
    signal = "" if of.signal_dbm is None else f", best {of.signal_dbm} dBm"
    return Markup('seen {}, until <time datetime="{}" title="{}">{}</time>{}').format(
        times,
        shop_locale().iso(of.until_us),
        shop_locale().at(of.until_us),
        shop_locale().clock(of.until_us, now_us),
        signal,
    )


def since(at_us: int | None, now_us: int, *, approx: bool = False) -> Markup:
    """The duration since a time; its title is the absolute time."""
    if at_us is None:
        return Markup("")
    mark = "≈ " if approx else ""
    return Markup('<time datetime="{}" title="since {}{}">{}{}</time>').format(
        shop_locale().iso(at_us), mark, shop_locale().at(at_us), mark, duration((now_us - at_us) // 1_000_000)
    )


def clock_s() -> str:
    """The clock of the hub, in seconds of UTC, as running times have it; in a shared page `g.page_now` has its place."""
    return str(current_hub().clock.utc_us() // 1_000_000)


def running(since_us: int, text: str) -> Markup:
    """A duration up to now that the page lets run (`live.js`), with the time of its beginning as the title."""
    return Markup(
        '<time class="running" datetime="{}" title="since {}" data-since="{}" data-now="{}">{}</time>'
    ).format(
        shop_locale().iso(since_us),
        shop_locale().at(since_us),
        since_us // 1_000_000,
        g.get("page_now") or clock_s(),
        text,
    )


def shown(text: str) -> str:
    """Visible text whose right-to-left letters are isolated: the filter `visible` of the templates."""
    return isolated(visible(text))


def shortened(text: str, most: int = 60) -> str:
    """The filter `short` of the templates, which cuts no isolated run open."""
    return isolated(short(text.replace("\u2068", "").replace("\u2069", ""), most))


def sentence(words: tuple[Word, ...]) -> Markup:
    """A sentence with its linked words as links and its running times."""
    return Markup("").join(_word(word) for word in words)


def _word(word: Word) -> Markup:
    if isinstance(word, str):
        return escape(shown(word))
    if isinstance(word, RunningTime):
        return running(word.since_us, word.text)
    if word.kind == "item":
        return link(word.text)
    if word.kind == "changes":
        return Markup('<a href="/changes">{}</a>').format(word.text)
    href = stage_href(word.id) if word.kind == "stage" else f"/stations#{quote(word.id, safe='')}"
    return Markup('<a href="{}">{}</a>').format(href, shown(word.text)) if word.id else escape(shown(word.text))


def picture_time(at_us: int) -> str:
    """The day and the time to the second at which a page was true, beside the live word."""
    return f"{shop_locale().local(at_us):%d %b %H:%M:%S}"


def reader_name(reader: str) -> str:
    """The name of a reader: an id without the kind before it, where the rest is a name that a person gave (`replay`).

    >>> reader_name("replay-Saw scanner"), reader_name("usb-05e0-1200-SN77")
    ('Saw scanner', 'usb-05e0-1200-SN77')
    """
    return reader.removeprefix("replay-").rpartition("/")[2] if reader.startswith("replay-") else reader


def long_work() -> list[str]:
    """The sentences about long work of this hub; none where the database cannot be read, whose error is on the page."""
    hub = current_hub()
    try:
        with hub.store.read() as connection:
            return sentences(hub.store, connection)
    except DBAPIError:
        return []


def lag() -> Lag:
    """How far the page is behind the ledger; read once a request, by the snapshot of the page where it did so itself."""
    if "lag" not in g:
        with current_hub().store.read() as connection:
            read_lag(connection)
    return g.lag  # type: ignore[no-any-return]


def read_lag(connection: Connection) -> None:
    """Read the lag of the page's own snapshot of the database, for `lag`."""
    g.lag = lag_of(connection, current_hub().clock.utc_us())


def whole_money(micros: int, total: int) -> str:
    """An amount in whole units of the currency; `total`: its exact value, which is not shown as zero when it is above.

    `total` is in thousandths of micros.
    """
    if not micros and total > 0:
        return f"< {shop_locale().money(1_000_000, whole=True)}"
    return shop_locale().money(micros, whole=True)


def counted_now(count: int) -> str:
    """A number of the present; a zero is not known while newest events are not included."""
    return "…" if not count and lag().events else shop_locale().number(count)


def plural(count: int, one: str, several: str | None = None) -> str:
    """A number with its noun, in the shop's locale."""
    return shop_locale().plural(count, one, several)


@blueprint.app_context_processor
def words() -> dict[str, Any]:
    """The variables of every template."""
    return {
        "visitor": visitor(),
        "now_us": current_hub().clock.utc_us(),
        "shop_locale": shop_locale(),
        "order_word": shop_locale().order_word,
        "orders_word": shop_locale().orders_word,
        "STATES": STATES,
        "OUTCOMES": OUTCOMES,
        "VERBS": VERBS,
        "FIELD_WORDS": FIELD_WORDS,
        "presence": presence,
        "lag": lag,
        "long_work": long_work,
        "whole_money": whole_money,
        "counted_now": counted_now,
    }


for _filter in (
    code,
    link,
    when,
    since,
    picture_time,
    reader_name,
    running,
    sentence,
    duration,
    working_hours,
    isolated,
):
    blueprint.add_app_template_filter(_filter)
blueprint.add_app_template_filter(_kept, "keep_past")
blueprint.add_app_template_filter(item_href, "item_url")
blueprint.add_app_template_filter(stage_href, "stage_url")
blueprint.add_app_template_filter(shown, "visible")
blueprint.add_app_template_filter(shown_code)
blueprint.add_app_template_filter(shortened, "short")
blueprint.add_app_template_global(page_past)
blueprint.add_app_template_global(past_words)
blueprint.add_app_template_global(present_address)
blueprint.add_app_template_global(plural)
blueprint.add_app_template_global(form_key)
