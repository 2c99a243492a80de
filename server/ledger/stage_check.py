"""Stage check: an entry may refer only to stages that the shop has defined.

A stage that exists in an entry alone becomes a column of the board that no station and no routing has. A shop without any
definition of a stage is not checked: its stages are those that are scanned.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from server.db import schema
from server.projection.tables import definition
from server.text import nearest
from station.core.codes.command_cards import Card, read_card
from station.core.event import EventError, decode

STAGE = "stage.define"


class UnknownStage(NamedTuple):
    """A stage that is not defined: what came, what was expected, what to do."""

    came: str
    expected: str
    do: str


def unknown_stage(connection: Connection, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> UnknownStage | None:
    """The first reference of these entries, (kind, fields), to an undefined stage; None without one.

    An entry may refer to a stage that another entry of the group defines.
    """
    references = [(what, stage) for what, data in entries for stage in _stages_of(what, data)]
    if not references:
        return None
    defined = {str(data.get("stage")) for what, data in entries if what == STAGE}
    rows = connection.execute(select(definition.c.name).where(definition.c.what == STAGE).distinct())
    defined |= set(rows.scalars())
    if all(stage in defined for _, stage in references):
        return None
    defined |= _recorded(connection)  # the projection may lag behind the ledger
    if not defined:
        return None
    for what, stage in references:
        if stage not in defined:
            do = f"{nearest(stage, defined)} Or define the stage first."
            return UnknownStage(f"{what} with the stage {stage!r}", f"a stage of the shop: {_listed(defined)}", do)
    return None


def _stages_of(what: str, data: Mapping[str, Any]) -> Iterator[str]:
    """The stages to which an entry refers."""
    values: list[Any] = []
    if what in ("station.define", "adjust", "cost.set", "account.map", "calendar.define"):
        values = [data.get("stage")]
    elif what == "checkin":
        values = [data.get("stage"), data.get("caused_at"), data.get("to") if data.get("action") == "rework" else None]
    elif what == "correct":
        change = data.get("set")
        values = [change.get("stage")] if isinstance(change, Mapping) else []
    elif what == "routing.define":
        operations = data.get("operations")
        rows = operations if isinstance(operations, list) else []
        values = [row.get("stage") for row in rows if isinstance(row, Mapping)]
    elif what == "count.open":
        scope = data.get("stages")
        values = scope if isinstance(scope, list) else []
    elif what == "code.bind" and data.get("as") == "command":
        values = [_card_stage(data.get("to"))]
    elif what == "card.define":
        values = [_card_stage(data.get("card"))]
    yield from (value for value in values if isinstance(value, str) and value)


def _card_stage(text: Any) -> str | None:
    """The stage of a STAGE or REWORK card."""
    card = read_card(text) if isinstance(text, str) else None
    return card.argument if card is not None and card.card in (Card.STAGE, Card.REWORK) else None


def _recorded(connection: Connection) -> set[str]:
    """The stages that the hub's own logs define, read from the ledger."""
    ledger, log = schema.ledger.c, schema.log.c
    own = select(ledger.bytes).join(schema.log, log.log_id == ledger.log_id).where(log.device.is_(None))
    stages = set()
    for encoded in connection.execute(own).scalars():
        if b'"stage.define"' not in encoded:
            continue
        try:
            event = decode(encoded)
        except EventError:
            continue  # an entry of a later version
        if event.kind == "entry" and event.what == STAGE:
            stages.add(str((event.data or {}).get("stage")))
    return stages


def _listed(stages: set[str], most: int = 12) -> str:
    names = sorted(stages)
    return ", ".join(names[:most]) + (" and others" if len(names) > most else "")
