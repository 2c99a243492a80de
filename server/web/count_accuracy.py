"""The accuracy of the ledger per stage over time: what the lines of finished counts said, count by count."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.count_accuracy import (
    CountAccuracy,
    StageAccuracy,
    count_accuracy,
    finished_counts,
    share_ppm,
    together,
)
from server.queries.counts import Count
from server.queries.current_master_data import master_data
from server.query_words import query_words
from server.web.display_names import DisplayNames
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, amount, moment, table_file
from server.web.template_filters import read_lag, shop_locale

blueprint = Blueprint("count_accuracy", __name__)
PATH = "/count-accuracy"
COUNT_LIST, STAGE_LIST = "counts", "stages"
COUNTS = 12  # on one page: each is compared with the moves of its time
COLUMNS = (
    "count", "opened", "ended", "stage", "lines", "agree", "agree_percent", "net_value", "absolute_value", "without_value",
)  # fmt: skip


@blueprint.get(PATH)
@readers
@query_words("stage", "page")
def page() -> str:
    """The finished counts, 12 on a page, the newest first, by stage; and these stages together. Raises `ApiError` 400."""
    now_us, stage = current_hub().clock.utc_us(), request.args.get("stage") or None
    with current_hub().store.read() as connection:
        read_lag(connection)
        names, counts = DisplayNames(master_data(connection), now_us), finished_counts(connection)
        listing = Listing(page_number(), len(counts), {"stage": stage or ""}, PATH, size=COUNTS)
        shown = [count_accuracy(connection, count, stage) for count in counts[listing.start : listing.last]]
    sums = together(shown)
    return render_template(
        "count_accuracy.html",
        page="value",
        now_us=now_us,
        counts=shown,
        sums=sums,
        sentence=_sentence(sums, len(shown), names) if sums else "",
        listing=listing,
        stage=stage,
        stages=names.stages(),
        **names.for_templates(),
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("stage", "list", "page")
def file(form: str) -> Response:
    """All finished counts by stage as a file, or the stages over the counts of a page. Raises `ApiError` 400."""
    listed, stage = request.args.get("list", COUNT_LIST), request.args.get("stage") or None
    if listed not in (COUNT_LIST, STAGE_LIST):
        raise ApiError(400, f"list {listed[:40]!r}", f"{COUNT_LIST} or {STAGE_LIST}", "Follow the links on the page.")
    with current_hub().store.read() as connection:
        counts = finished_counts(connection)
    if listed == STAGE_LIST:
        part = Listing(page_number(), len(counts), {}, PATH, size=COUNTS)
        counts = counts[part.start : part.last]

    found = _compared(counts, stage)
    if listed == STAGE_LIST:
        return table_file(form, "count-accuracy", COLUMNS[3:], map(_figures, together(found)))
    rows = (_row(count, one) for count in found for one in count.stages)
    return table_file(form, "count-accuracy", COLUMNS, rows)


def _compared(counts: Iterable[Count], stage: str | None) -> Iterator[CountAccuracy]:
    """Each count with a snapshot of its own: a file of many counts keeps none open."""
    for count in counts:
        with current_hub().store.read() as connection:
            found = count_accuracy(connection, count, stage)
        yield found


def _row(count: CountAccuracy, one: StageAccuracy) -> list[Cell]:
    return [count.of.name, moment(count.of.opened_us), moment(count.of.ended_us), *_figures(one)]


def _figures(one: StageAccuracy) -> list[Cell]:
    share = Decimal(one.agree_ppm // 1_000).scaleb(-1)
    return [one.stage, one.lines, one.agree, share, amount(one.net_micros), amount(one.absolute_micros), one.uncosted]


def _sentence(sums: list[StageAccuracy], counts: int, names: DisplayNames) -> str:
    """What the page says first: the whole of the shown counts, and the stage that agrees least."""
    locale, agree, lines = shop_locale(), sum(one.agree for one in sums), sum(one.lines for one in sums)
    share = locale.percent(share_ppm(agree, lines))
    verb = "agrees" if lines == 1 else "agree"
    said = f"{share} of {locale.plural(lines, 'line')} in {locale.plural(counts, 'count')} {verb}"
    least = sums[0]
    if len(sums) == 1 or least.agree == least.lines:
        return f"{said}."
    return f"{said}; least at {names.stage(least.stage)}, {locale.percent(least.agree_ppm)}."
