"""Findings as sentences: the rule and the arguments of a stored finding, with the names and the money of a time."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.projection.ended_findings import ETAG_CHARACTERS, finding_etag
from server.projection.tables import OPEN, finding
from server.queries.valuation import Valuation
from station.core.ledger.costs import Value, add, parcel_value
from station.core.ledger.rules import CHARGED, Wording, sentence
from station.core.quantity import decimal_text

OFFICE = "the office"
HUB = "hub"  # the station of the hub's own entries
WriteQuantity = Callable[[int, str, int], str]  # thousandths, the unit, the least decimals
_ARGS = msgspec.json.Decoder(dict[str, Any])


def finding_args(encoded: str) -> dict[str, Any]:
    """The arguments of a stored finding."""
    return _ARGS.decode(encoded)


class OpenFinding(NamedTuple):
    """An open finding: the event that it is about, and the tag of its arguments (`finding_etag`)."""

    log: str
    seq: int
    etag: str


def open_findings(connection: Connection, item: str, rule: str) -> list[OpenFinding]:
    """The open findings of a rule about an item, the oldest first."""
    c = finding.c
    query = select(c.log_id, c.seq, c.args).where(and_(c.item == item, c.rule == rule, OPEN))
    return [open_finding(row) for row in connection.execute(query.order_by(c.key_us, c.log_id, c.seq))]


def open_finding(row: Any) -> OpenFinding:
    """A row of `finding` as an answer names it."""
    return OpenFinding(row.log_id.hex(), row.seq, finding_etag(row.args))


def shown_findings(found: Iterable[OpenFinding]) -> str:
    """What tells the findings that a page showed from those that are open when its form comes back."""
    texts = sorted(f"{one.log} {one.seq} {one.etag}" for one in found)
    return sha256("\n".join(texts).encode()).hexdigest()[:ETAG_CHARACTERS]


def plain_quantity(milli: int, unit: str = "", _decimals: int = 0) -> str:
    """Thousandths with their unit, as the API writes them."""
    return f"{decimal_text(milli)} {unit}".rstrip()


def finding_sentence(
    row: Any, product: str | None, valuation: Valuation, quantity: WriteQuantity = plain_quantity
) -> str:
    """A row of `finding` as a sentence, with the stage names and the unit of the product at the time of the valuation."""
    master_data, at_us = valuation.master_data, valuation.at_us

    def stage_name(stage: str) -> str:
        return master_data.stage_name(stage, at_us)

    known = None if product is None else master_data.product(product, at_us)

    def amount(milli: int) -> str:
        return quantity(milli, known.unit, known.decimals) if known is not None else quantity(milli, "", 0)

    place = stage_name(row.stage) if row.stage else OFFICE if row.station in ("", HUB) else row.station
    return sentence(row.rule, finding_args(row.args), row.item, place, Wording(stage_name, amount))


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
    return parcel_value(valuation.costs(of_item), args["qty_milli"], operation, reached, (operation,))


def charged_value(args: dict[str, Any], of_item: Any, valuation: Valuation) -> Value | None:
    """The cost of the mandatory operations that pieces passed without a scan, which their value contains.

    None for a finding about nothing of that kind. `of_item`: the row of `item`.
    """
    charged = args.get(CHARGED)
    if not charged or of_item is None:
        return None
    costs = valuation.costs(of_item)
    values = (parcel_value(costs.of_operations((op,)), milli, op, op, (op,)) for op, milli in charged)
    return add(value for value in values if value is not None and value.leaves)
