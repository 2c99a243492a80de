"""Findings as sentences: the rule and the arguments of a stored finding, with the names and the money of a time."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from server.projection.tables import finding
from server.queries.valuation import Valuation
from station.core.ledger.costs import Value, parcel_value
from station.core.ledger.parcels import ItemState
from station.core.ledger.rules import Wording, sentence
from station.core.master_data import MasterData
from station.core.quantity import decimal_text

OFFICE = "the office"
HUB = "hub"  # the station of the hub's own entries
ENDED_BY_SCANS = frozenset({"skipped", "passed_unscanned"})
_ARGS = msgspec.json.Decoder(dict[str, Any])


def finding_args(encoded: str) -> dict[str, Any]:
    """The arguments of a stored finding."""
    return _ARGS.decode(encoded)


def has_ended(row: Any, state: ItemState) -> bool:
    """Whether a finding about operations without a scan has ended: all pieces beyond them were scanned there since then.

    `row`: of `finding`; `state`: the folded state of its item.
    """
    if row.rule not in ENDED_BY_SCANS or state.routing is None:
        return False
    stages = finding_args(row.args).get("stages", ())
    ops = [operation.op for operation in state.routing.operations if operation.stage in stages]
    return not any(
        op not in parcel.scanned and parcel.entered is not None and parcel.entered > op
        for parcel in state.parcels
        for op in ops
    )


def open_findings(connection: Connection, item: str, rule: str) -> list[tuple[str, int]]:
    """The places (log, seq) of the findings of a rule about an item that are not answered."""
    c = finding.c
    query = select(c.log_id, c.seq).where(and_(c.item == item, c.rule == rule, c.answered_us.is_(None)))
    return [(row.log_id.hex(), row.seq) for row in connection.execute(query.order_by(c.key_us, c.id))]


def finding_sentence(
    row: Any, master_data: MasterData, at_us: int, quantity: Callable[[int], str] = decimal_text
) -> str:
    """A row of `finding` as a sentence, with the stage names of a time (UTC us); `quantity` writes thousandths."""

    def stage_name(stage: str) -> str:
        return master_data.stage_name(stage, at_us)

    place = stage_name(row.stage) if row.stage else OFFICE if row.station in ("", HUB) else row.station
    return sentence(row.rule, finding_args(row.args), row.item, place, Wording(stage_name, quantity))


def overrun_value(args: dict[str, Any], of_item: Any, valuation: Valuation) -> Value | None:
    """The value of the pieces of an `overrun` finding as they stood after the scan; None for another finding.

    `of_item`: the row of `item`, for its product and its routing.
    """
    operation = args.get("op")
    if operation is None or of_item is None:
        return None
    routing = valuation.routing(of_item)
    if routing is None:
        return None
    before = routing.before(operation)
    reached = before.op if before else None
    return parcel_value(valuation.costs(of_item), args["qty_milli"], operation, reached)
