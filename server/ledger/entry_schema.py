"""Entry schema: the required fields of each kind of entry, and the types of its optional fields.

A field that the schema does not name is stored unchanged: fields are only added, and an older hub must accept the entries of
a newer page. A field that the schema names is validated.

>>> mistakes("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 40_000})
>>> mistakes("order.close", {"order": "WO-1"})[0]
'order.close, of which: Object missing required field `how`'
"""

from typing import Annotated, Any, Literal

import msgspec

from server.text import nearest
from station.core.codes import CodeType, Pattern, PatternError
from station.core.codes.command_cards import read_card
from station.core.event import MAX_QTY_MILLI

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4_296)]
Log = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Seq = Annotated[int, msgspec.Meta(ge=1)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=MAX_QTY_MILLI)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Price = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Material(msgspec.Struct):
    component: Name
    qty_milli: Quantity
    operation: Whole | None = None


class _Product(msgspec.Struct):
    product: Name
    name: str | None = None
    unit: str | None = None
    decimals: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    routing: str | None = None
    bom: list[_Material] | None = None


class _Operation(msgspec.Struct):
    op: Whole
    stage: Name
    optional: bool | None = None
    scan_means: Literal["arrived", "done", "both"] | None = None
    transfer_qty_milli: Quantity | None = None


class _Routing(msgspec.Struct):
    routing: Name
    operations: Annotated[list[_Operation], msgspec.Meta(min_length=1)]


class _Station(msgspec.Struct):
    station: Name
    stage: Name | None = None


class _Stage(msgspec.Struct):
    stage: Name
    name: str | None = None
    type: Literal["waiting", "process", "test", "outside", "done"] | None = None
    limit: Whole | None = None
    target_s: Whole | None = None
    strict: bool | None = None


class _Person(msgspec.Struct):
    person: Name
    name: str | None = None
    badge: str | None = None
    roles: list[str] | None = None


class _Pattern(msgspec.Struct):
    name: Name
    regex: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    as_: Literal["item", "product", "badge", "command", "carrier"] = msgspec.field(name="as")


class _Cost(msgspec.Struct):
    micros: Price | None = None
    withdrawn: bool | None = None
    product: str | None = None
    op: Whole | None = None
    component: str | None = None
    basis: Literal["unit", "order", "minute"] | None = None


class _Release(msgspec.Struct):
    order: Name
    product: str | None = None
    qty_milli: Quantity | None = None
    due: str | int | None = None
    priority: int | None = None
    customer: str | None = None
    reference: str | None = None
    items: list[str | dict[str, Any]] | None = None


class _Change(msgspec.Struct):
    order: Name
    qty_milli: Quantity | None = None
    due: str | None = None
    priority: int | None = None


class _Close(msgspec.Struct):
    order: Name
    how: Literal["complete", "short", "cancelled"]
    leave: Literal["adjust"] | None = None  # what `complete` does with pieces on hold or not started


class _Bind(msgspec.Struct):
    code: Name
    to: str | None = None
    as_: Literal["item", "product", "badge", "command", "carrier"] | None = msgspec.field(default=None, name="as")


class _Set(msgspec.Struct):
    stage: str | None = None
    operator: str | None = None
    action: str | None = None
    item: str | None = None
    qty_milli: Quantity | None = None


class _Correct(msgspec.Struct):
    log: Log
    from_seq: Seq
    to_seq: Seq
    set: _Set


class _Void(msgspec.Struct):
    log: Log
    seq: Seq
    why: str | None = None


class _Answer(msgspec.Struct):
    stage: Name | None = None
    station: Name | None = None
    item: Name | None = None
    text: str | None = None


class _FindingAnswer(msgspec.Struct):
    item: Name
    rule: Name
    log: Log
    seq: Seq
    etag: Name | None = None
    note: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class _TravellerPrint(msgspec.Struct):
    item: Name


class _Anything(msgspec.Struct):
    pass


# The fields of the kinds of entries that are checked before they are written.
FIELDS: dict[str, type[msgspec.Struct]] = {
    "product.define": _Product,
    "routing.define": _Routing,
    "stage.define": _Stage,
    "station.define": _Station,
    "person.define": _Person,
    "pattern.define": _Pattern,
    "cost.set": _Cost,
    "order.release": _Release,
    "order.change": _Change,
    "order.close": _Close,
    "code.bind": _Bind,
    "correct": _Correct,
    "void": _Void,
    "answer": _Answer,
    "finding.answer": _FindingAnswer,
    "traveller.print": _TravellerPrint,
}
# The fold validates the fields of these kinds; an entry that it cannot read changes nothing and leaves a finding.
_OTHERS = (
    "reason.define card.define rule.define cost.actual account.map item.name checkin adjust count.open"
    " count.accept period.close period.reopen note reread"
)
WHATS = frozenset((*FIELDS, *_OTHERS.split()))


def mistakes(what: str, data: dict[str, Any]) -> tuple[str, str, str] | None:
    """Validate an entry: (what came, what was expected, what to do) for an invalid one, None for a valid one."""
    if what not in WHATS:
        return f"entry {what!r}", "a kind of entry that is known here", nearest(what, WHATS)
    shape = FIELDS.get(what, _Anything)
    try:
        msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        names = ", ".join(field.encode_name for field in msgspec.structs.fields(shape))
        return f"{what}, of which: {error}", f"the fields {names}", "Correct that field and send the entry again."
    if what == "pattern.define":
        return _pattern(data)
    if what == "answer":
        return _answer(data)
    if what == "routing.define":
        return _routing(data)
    if what == "correct":
        return _correct(data)
    if what in ("order.release", "order.change"):
        return _ordered(what, data)
    if what == "cost.set":
        return _cost(data)
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
    if what == "order.change" and not any(name != "order" and value is not None for name, value in data.items()):
        return "order.change without a changed field", "a field with a new value", "Send what changes."
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
    return (
        f"code.bind to {to!r}: {why}",
        "a card such as WIP:SCRAP or WIP:QTY:10",
        "Write it as on the operator's card.",
    )


def _cost(data: dict[str, Any]) -> tuple[str, str, str] | None:
    if (data.get("micros") is None) == (data.get("withdrawn") is True):
        return None
    came = "cost.set with an amount that is withdrawn" if data.get("withdrawn") else "cost.set without an amount"
    return came, "`micros`, or `withdrawn` true", "Send one of the two: a price, or that from then on there is none."


def _pattern(data: dict[str, Any]) -> tuple[str, str, str] | None:
    try:
        Pattern(data["name"], data["regex"], data["as"])
    except PatternError as error:
        return (
            f"a pattern that is not usable. {error}",
            "one that is matched in linear time (docs/codes.md)",
            "Correct the expression.",
        )
    return None
