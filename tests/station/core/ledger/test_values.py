"""The golden values: what a unit is worth by what it entered, reached and was scanned at, and what is charged unscanned."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from shop import Story, definition

from station.core.ledger.costs import UnitCosts, add, in_micros, parcel_value, unit_costs
from station.core.ledger.routing import Operation
from station.core.ledger.rules import CHARGED
from station.core.master_data import MasterData

GOLDEN = json.loads((Path(__file__).parents[3] / "contract" / "v1" / "values.json").read_text())
MASTER_DATA = MasterData(
    [
        definition("routing.define", **GOLDEN["routing"]),
        definition("product.define", **GOLDEN["product"]),
        *(definition("cost.set", **cost) for cost in GOLDEN["costs"]),
    ]
)
OPERATIONS = GOLDEN["routing"]["operations"]


def costs() -> UnitCosts:
    ops = tuple(operation["op"] for operation in OPERATIONS)
    routed = tuple(Operation(**operation) for operation in OPERATIONS)
    return unit_costs("cover", ops, MASTER_DATA, 0, order_milli=4_000, routed=routed)


@pytest.mark.parametrize("unit", GOLDEN["units"], ids=lambda unit: unit["case"])
def test_a_unit_is_worth_what_it_took_up(unit: dict[str, Any]) -> None:
    assert costs().at(unit["entered"], unit["reached"], unit["scanned"]) == unit["micros"]
    value = parcel_value(costs(), 1_000, unit["entered"], unit["reached"], unit["scanned"])
    assert value is not None
    assert in_micros(value) == (sum(unit["micros"].values()), unit["micros"])


@pytest.mark.parametrize("told", GOLDEN["stories"], ids=lambda told: told["case"])
def test_pieces_are_worth_what_their_scans_and_their_routing_say(told: dict[str, Any]) -> None:
    story = Story(MASTER_DATA)
    for stage in told.get("before_release", ()):
        story.scan(stage)
    data = {"order": "WO-1", "product": "cover", "qty_milli": told["pieces"] * 1_000}
    story.tell("order.release", data=data)
    story.scan(*told["scans"])
    parcels = [parcel for parcel in story.end.state.parcels if parcel.stage == told["stage"]]
    values = [parcel_value(costs(), each.qty_milli, each.entered, each.reached, each.scanned) for each in parcels]
    assert in_micros(add(value for value in values if value is not None))[1] == told["micros"]
    charged: Counter[str] = Counter()
    for finding in story.end.findings:
        charged.update({str(op): milli for op, milli in finding.args.get(CHARGED, ())})
    assert charged == told["charged"]
