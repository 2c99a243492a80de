"""Entry schema: the required fields of each kind of entry, and the types of its optional fields.

A field that the schema does not name is refused by its name: a misspelled field would be recorded and have no effect.
Recorded entries are not checked again, so those of older versions keep their fields and are folded as before.

>>> mistakes("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 40_000})
>>> mistakes("order.close", {"order": "WO-1"})[0]
'order.close, of which: Object missing required field `how`'
"""

import re
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import msgspec

from server.ledger.account_check import ACCOUNTS, BALANCE, MAP, account_mistake, map_mistake
from server.ledger.calendar_check import CALENDAR, PARTS, CalendarFields, calendar_mistake
from server.ledger.cost_check import COSTS, cost_mistake
from server.ledger.count_check import COUNTS, LIMITS
from server.ledger.journal_check import JOURNALS
from server.ledger.print_schema import PRINTS, Name
from server.ledger.site_check import site_mistake
from server.text import nearest, with_nul
from station.core.codes import CodeType, Pattern, PatternError
from station.core.codes.command_cards import read_card
from station.core.event import MAX_QTY_MILLI
from station.core.site import MINUTES_OF_DAY

Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
Log = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Seq = Annotated[int, msgspec.Meta(ge=1)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=MAX_QTY_MILLI)]
Stated = Annotated[int, msgspec.Meta(ge=1, le=MAX_QTY_MILLI)]  # of a scan
Action = Literal["in", "start", "out", "done", "scrap", "rework", "hold", "release", "finish"]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=10**12)]  # at most some 30 years


class _Fields(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a kind of entry, or of a part of it."""


class _Material(_Fields):
    component: Name
    qty_milli: Quantity
    operation: Whole | None = None


class _Product(_Fields):
    product: Name
    name: Text | None = None
    unit: str | None = None
    decimals: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    routing: str | None = None
    bom: list[_Material] | None = None
    withdrawn: bool | None = None
    replaced_by: Name | None = None


class _Operation(_Fields):
    op: Whole
    stage: Name
    optional: bool | None = None
    scan_means: Literal["arrived", "done", "both"] | None = None
    transfer_qty_milli: Quantity | None = None
    run_ms: Milliseconds | None = None
    setup_ms: Milliseconds | None = None
    scrap_ppm: Annotated[int, msgspec.Meta(ge=0, le=999_999)] | None = None


class _Routing(_Fields):
    routing: Name
    operations: Annotated[list[_Operation], msgspec.Meta(min_length=1)]


class _Station(_Fields):
    station: Name
    stage: Name | None = None


class _Stage(_Fields):
    stage: Name
    name: Text | None = None
    type: Literal["waiting", "process", "test", "outside", "done"] | None = None
    limit: Whole | None = None
    target_s: Whole | None = None
    strict: bool | None = None


class _Site(_Fields):
    zone: Name | None = None
    currency: Name | None = None
    locale: Name | None = None
    day_start: Annotated[int, msgspec.Meta(ge=0, lt=MINUTES_OF_DAY)] | None = None


class _Person(_Fields):
    person: Name
    name: Text | None = None
    badge: Name | None = None
    roles: list[Literal["view", "supervise", "account", "administer"]] | None = None


class _Reason(_Fields):
    reason: Name
    name: Text | None = None
    for_: list[Literal["scrap", "rework", "hold", "call"]] | None = msgspec.field(default=None, name="for")


class _CardDefinition(_Fields):
    card: Name
    name: Text | None = None


class _RuleDefinition(_Fields):
    rule: Name
    on: bool


class _Pattern(_Fields):
    name: Name
    regex: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    as_: Literal["item", "product", "badge", "command", "carrier"] = msgspec.field(name="as")


class _Release(_Fields):
    order: Name
    product: Name | None = None
    qty_milli: Quantity | None = None
    due: str | None = None
    priority: int | None = None
    customer: str | None = None
    reference: str | None = None
    items: list[str | dict[str, Any]] | None = None
    why: str | None = None


class _Change(_Fields):
    order: Name
    product: Name | None = None
    qty_milli: Quantity | None = None
    due: str | None = None
    priority: int | None = None
    customer: str | None = None
    reference: str | None = None
    why: str | None = None


class _Close(_Fields):
    order: Name
    how: Literal["complete", "short", "cancelled"]
    leave: Literal["adjust"] | None = None  # what `complete` does with pieces on hold or not started
    why: str | None = None


class _Adjust(_Fields):
    item: Name
    qty_milli: Annotated[int, msgspec.Meta(ge=-MAX_QTY_MILLI, le=MAX_QTY_MILLI)]
    stage: str | None = None
    why: str | None = None


class _CheckIn(_Fields):
    item: Name | None = None
    code: Name | None = None
    action: Action | None = None
    qty_milli: Stated | None = None
    all: bool | None = None
    stage: Name | None = None
    operator: Name | None = None
    reason: Name | None = None
    to: Name | None = None
    caused_at: Name | None = None
    carrier: Name | None = None
    work_centre: Name | None = None
    station: Name | None = None
    why: str | None = None


class _ItemName(_Fields):
    item: Name
    name: str | None = None  # absent or empty: the item has no name any more


class _Note(_Fields):
    item: Name
    text: Text


class _Reread(_Fields):
    code: Name | None = None
    item: Name | None = None
    log: Log | None = None
    from_seq: Seq | None = None
    to_seq: Seq | None = None
    why: str | None = None


class _Period(_Fields):
    """`last_us`: the end of the last closed period that the person saw (UTC us), 0: none; 409 where it is not."""

    why: Text
    last_us: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None


class _Bind(_Fields):
    code: Name
    to: str | None = None
    as_: Literal["item", "product", "badge", "command", "carrier"] | None = msgspec.field(default=None, name="as")


class _Set(_Fields):
    stage: Name | None = None
    operator: Name | None = None
    action: Action | None = None
    item: Name | None = None
    qty_milli: Stated | None = None


class _Correct(_Fields):
    log: Log
    from_seq: Seq
    to_seq: Seq
    set: _Set
    why: str | None = None


class _Void(_Fields):
    log: Log
    seq: Seq
    why: str | None = None


class _Answer(_Fields):
    stage: Name | None = None
    station: Name | None = None
    item: Name | None = None
    text: str | None = None


class _FindingAnswer(_Fields):
    item: Name
    rule: Name
    log: Log
    seq: Seq
    etag: Name | None = None
    note: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class _Anything(msgspec.Struct):
    pass


# The fields of the kinds of entries that are checked before they are written.
FIELDS: dict[str, type[msgspec.Struct]] = {
    "product.define": _Product,
    "routing.define": _Routing,
    "stage.define": _Stage,
    "station.define": _Station,
    "site.define": _Site,
    CALENDAR: CalendarFields,
    "person.define": _Person,
    "pattern.define": _Pattern,
    "reason.define": _Reason,
    "card.define": _CardDefinition,
    "rule.define": _RuleDefinition,
    **COSTS,
    **ACCOUNTS,
    **JOURNALS,
    "order.release": _Release,
    "order.change": _Change,
    "order.close": _Close,
    "item.name": _ItemName,
    "code.bind": _Bind,
    "checkin": _CheckIn,
    "adjust": _Adjust,
    "correct": _Correct,
    "void": _Void,
    "answer": _Answer,
    "finding.answer": _FindingAnswer,
    **PRINTS,
    **COUNTS,
    **LIMITS,
    "note": _Note,
    "reread": _Reread,
    "period.close": _Period,
    "period.reopen": _Period,
}
_PARTS: dict[str, type[msgspec.Struct]] = {"set": _Set, "operations": _Operation, "bom": _Material, **PARTS}
# These kinds are recorded and not used yet; their fields are not fixed.
_OTHERS = ("cost.actual",)
WHATS = frozenset((*FIELDS, *_OTHERS))
_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.(\w+))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def mistakes(what: str, data: dict[str, Any]) -> tuple[str, str, str] | None:
    """Validate an entry: (what came, what was expected, what to do) for an invalid one, None for a valid one."""
    if what not in WHATS:
        return f"entry {what!r}", "a kind of entry that is known here", nearest(what, WHATS)
    if (name := with_nul(data)) is not None:
        return f"{what} with a NUL character in {name}", "text without control characters", "Remove that character."
    shape = FIELDS.get(what, _Anything)
    try:
        msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.search(str(error))
        part = _PARTS.get(unknown[2] or "", shape) if unknown else shape
        names = [field.encode_name for field in msgspec.structs.fields(part)]
        do = "Correct that field and send the entry again."
        if unknown and (close := get_close_matches(unknown[1], names, n=1)):
            do = f"Did you mean {close[0]}?"
        return f"{what}, of which: {error}", f"the fields {', '.join(names)}", do
    if what in ("order.release", "order.change"):
        return _ordered(what, data)
    of_kind = {
        "pattern.define": _pattern, "answer": _answer, "routing.define": _routing, "site.define": site_mistake,
        "correct": _correct, "checkin": _checkin, "cost.set": cost_mistake, MAP: map_mistake,
        BALANCE: account_mistake, CALENDAR: calendar_mistake,
    }.get(what)  # fmt: skip
    if of_kind is not None:
        return of_kind(data)
    return _command(data) if what == "code.bind" and data.get("as") == CodeType.COMMAND else None


def _answer(data: dict[str, Any]) -> tuple[str, str, str] | None:
    if any(isinstance(data.get(name), str) and data[name] for name in ("stage", "station", "item")):
        return None
    return (
        "answer without a stage",
        "the stage whose calls are answered, or the station where it has no stage",
        'Send {"stage": "saw"}, or {"station": "saw-1"}.',
    )


def _routing(data: dict[str, Any]) -> tuple[str, str, str] | None:
    numbers = [operation["op"] for operation in data["operations"]]
    twice = next((op for op in numbers if numbers.count(op) > 1), None)
    if twice is None:
        return None
    return f"routing.define with operation {twice} twice", "a number for each operation", "Give one another number."


def _ordered(what: str, data: dict[str, Any]) -> tuple[str, str, str] | None:
    if data.get("qty_milli") == 0:
        return f"{what} of quantity 0", "a quantity above 0", "Leave it out, or close the order as short or cancelled."
    if data.get("due") is not None and not _is_day(data["due"]):
        came, do = f"{what} with the due day {data['due']!r}", "Write year, month and day."
        return came, "a day of the calendar such as 2026-11-30", do
    if what == "order.change" and not any(
        name not in ("order", "why") and value is not None for name, value in data.items()
    ):
        return "order.change without a changed field", "a field with a new value", "Send what changes."
    return None


def _is_day(text: str) -> bool:
    """Whether a text is a day of the calendar in the form of ISO 8601 with hyphens."""
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _checkin(data: dict[str, Any]) -> tuple[str, str, str] | None:
    if data.get("item") is None and data.get("code") is None:
        return "checkin without an item", "`item`, or the scanned `code`", "Send the item that was not scanned."
    if data.get("stage") is None and data.get("action") != "finish":
        return "checkin without a stage", "the stage of the scan", "Send the stage at which it happened."
    return None


def _correct(data: dict[str, Any]) -> tuple[str, str, str] | None:
    if data["from_seq"] > data["to_seq"]:
        came = f"correct from seq {data['from_seq']} to {data['to_seq']}"
        return came, "a range of events", "Send the smaller number as from_seq."
    if not any(name in data["set"] for name in _Set.__struct_fields__):
        return "correct without a changed field", f"one of {', '.join(_Set.__struct_fields__)}", "Say what it was."
    return None


def _command(data: dict[str, Any]) -> tuple[str, str, str] | None:
    to = str(data.get("to") or "")
    card = read_card(to)
    if not to or (card is not None and card.unread is None):
        return None
    why = card.unread if card else "it does not begin with WIP:"
    expected = "a card such as WIP:SCRAP or WIP:QTY:10"
    return f"code.bind to {to!r}: {why}", expected, "Write it as on the operator's card."


def _pattern(data: dict[str, Any]) -> tuple[str, str, str] | None:
    try:
        Pattern(data["name"], data["regex"], data["as"])
    except PatternError as error:
        expected = "one that is matched in linear time (docs/codes.md)"
        return f"a pattern that is not usable. {error}", expected, "Correct the expression."
    return None
