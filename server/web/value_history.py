"""Value over time: the value of work in process in a period as a picture, a sentence, a table and a file."""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template

from server.api.period_query import FROM, TO, asked_ends
from server.auth.gate import readers
from server.context import current_hub
from server.queries.value_history import CostKind, ValuePoint, points, value_history
from server.query_words import query_words
from server.web.table_file import FORMS, Cell, amount, moment, table_file
from server.web.template_filters import read_lag, shop_locale
from server.web.value_picture import history_picture

blueprint = Blueprint("value_history", __name__)
PATH = "/value/history"
STEPS = 30
KINDS = {
    CostKind.MATERIAL: "Material", CostKind.LABOUR: "Labour", CostKind.OVERHEAD: "Overhead",
    CostKind.OUTSIDE: "Outside work",
}  # fmt: skip


@blueprint.get(PATH)
@readers
@query_words(FROM, TO)
def page() -> str:
    """The value at 31 times of a period, by default of the last 30 days."""
    found, now_us = _history()
    locale = shop_locale()
    ends = (found[0].at_us, found[-1].at_us)
    words = {FROM: str(ends[0]), TO: str(ends[1])}
    return render_template(
        "value_history.html",
        page="value",
        now_us=now_us,
        found=list(reversed(found)),
        ends=ends,
        typed=[locale.local(us).strftime("%Y-%m-%dT%H:%M") for us in ends],
        kinds=KINDS,
        picture=history_picture(found, locale),
        rollforward=f"/rollforward?{urlencode(words)}",
        file=f"{PATH}.csv?{urlencode(words)}",
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words(FROM, TO)
def file(form: str) -> Response:
    """The same table as a file."""
    found, _ = _history()
    rows: list[list[Cell]] = [
        [moment(point.at_us), *(amount(point.kinds[kind]) for kind in CostKind), amount(point.micros), point.items,
         point.unvalued_items]
        for point in found
    ]  # fmt: skip
    return table_file(form, "value-history", ("time", *CostKind, "value", "items", "items_without_cost"), rows)


def _history() -> tuple[list[ValuePoint], int]:
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        read_lag(connection)
        from_us, to_us = asked_ends(connection, now_us)
        times = points(from_us, to_us, STEPS)
        return value_history(connection, times, now_us, shop_locale(connection).small_micros), now_us
