"""Account form: the entries `account.map` and `account.balance` of the page of the journal, from what a person typed."""

from collections.abc import Mapping
from datetime import date

from server.api_errors import ApiError
from server.ledger.account_check import ALLOWANCE, BALANCE, MAP, MOST_MICROS, ROUNDING, WIP, WRITE_DOWN
from server.ledger.entries import Entry
from server.locale_format import LocaleFormat
from server.queries.journal import ACCOUNT_CHANGED
from server.queries.value_entries import ValueLine
from server.text import nearest
from server.web.cost_form import amount
from server.web.roll_forward import LINES
from station.core.master_data import MasterData

FIELDS = ("line", "component", "stage", "account", "day", "withdrawn")
PREFILLED = ("line", "component", "stage")
# The lines of the map in the order of the form, and of a journal.
WORDS: dict[str, str] = {
    WIP: "Work in process",
    **{line.value: words for line, words in LINES.items() if line != ValueLine.MOVED},
    ROUNDING: "Rounding",
    WRITE_DOWN: "Write-down of obsolete stock",
    ALLOWANCE: "Allowance for obsolete stock",
}
LINE_WORDS = WORDS | {ValueLine.MOVED.value: "Between stages", ACCOUNT_CHANGED: "To another account"}
MOST_SHOWN = 80
_MINUS = ("-", "\u2212")


def map_entry(
    typed: Mapping[str, str], master_data: MasterData, components: list[str], locale: LocaleFormat, by: str
) -> Entry:
    """The entry of the form of an account. Raises `ApiError` 400 for the first field that is not valid."""
    line, component, stage = typed["line"], typed["component"], typed["stage"]
    if line not in WORDS:
        raise ApiError(400, f"the line {line[:MOST_SHOWN]!r}", "a line of the journal", "Choose one on the page.")
    if component and component not in components:
        do = nearest(component, components) if components else "Leave it empty for all components."
        raise ApiError(400, f"the component {component[:MOST_SHOWN]!r}", "a component of a bill, or work", do)
    stages = master_data.names("stage.define")
    if stage and stage not in stages:
        raise ApiError(400, f"the stage {stage[:MOST_SHOWN]!r}", "a stage of the shop", nearest(stage, stages))
    data: dict[str, object] = {"line": line}
    data |= {name: typed[name] for name in ("component", "stage", "account") if typed[name]}
    if typed["withdrawn"]:
        data["withdrawn"] = True
    return Entry(MAP, data, by, _from(typed["day"], locale))


def balance_entry(typed: Mapping[str, str], period: int, locale: LocaleFormat, by: str) -> Entry:
    """The entry of the form of a balance, which may be negative. Raises `ApiError` 400."""
    text = typed["balance"].strip()
    negative = text.startswith(_MINUS)
    micros = amount(text[1:] if negative else text, locale, MOST_MICROS)
    return Entry(
        BALANCE, {"account": typed["account"], "period": period, "micros": -micros if negative else micros}, by
    )


def _from(text: str, locale: LocaleFormat) -> int | None:
    """The first instant of a typed day; None for an empty text: from now on, and before where there is no other."""
    if not text:
        return None
    try:
        return locale.day_start_us(date.fromisoformat(text))
    except ValueError:
        came = f"the day {text[:MOST_SHOWN]!r}"
        raise ApiError(400, came, "a day such as 2026-11-22", "Pick it from the calendar.") from None
