"""What a parcel is worth: exact leaves, materials where they are issued, unknown stays unknown."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from shop import Story, definition, shop

from station.core.ledger.costs import CostLine, Value, add, in_micros, minute_cost, parcel_value, shares, unit_costs
from station.core.ledger.routing import Operation
from station.core.master_data import Definition, MasterData

OPERATIONS = (10, 20, 30, 40, 50, 60)


def priced(*more: Definition) -> MasterData:
    """A bracket of bar at Saw and two screws at Weld, with labour at Saw and Test and plating outside at Paint."""
    bom = [
        {"component": "bar", "qty_milli": 1_500, "operation": 10},
        {"component": "screw", "qty_milli": 2_000, "operation": 30},
    ]
    return shop(
        definition("product.define", product="bracket", name="Bracket", routing="line", bom=bom),
        definition("cost.set", component="bar", basis="unit", micros=2_000_001),
        definition("cost.set", product="bracket", component="screw", basis="unit", micros=40_000),
        definition("cost.set", product="bracket", op=10, component="labour", basis="unit", micros=1_000_000),
        definition("cost.set", product="bracket", op=50, component="labour", basis="unit", micros=500_000),
        definition("cost.set", product="bracket", op=40, component="outside", basis="order", micros=10_000_000),
        *more,
    )


def test_a_unit_takes_up_its_cost_line_by_line_each_rounded_once_half_to_even() -> None:
    assert unit_costs("bracket", OPERATIONS, priced(), 0, order_milli=4_000).lines == (
        CostLine(10, "bar", 3_000_002, material=True),
        CostLine(10, "labour", 1_000_000, material=False),
        CostLine(30, "screw", 80_000, material=True),
        CostLine(40, "outside", 2_500_000, material=False),
        CostLine(50, "labour", 500_000, material=False),
    )


def test_materials_count_up_to_entered_and_conversion_up_to_reached() -> None:
    costs = unit_costs("bracket", OPERATIONS, priced(), 0, order_milli=4_000)
    assert costs.at(None, None) == {}
    assert costs.at(10, None) == {"bar": 3_000_002}
    assert costs.at(30, 20) == {"bar": 3_000_002, "labour": 1_000_000, "screw": 80_000}
    assert costs.at(60, 60) == {"bar": 3_000_002, "labour": 1_500_000, "screw": 80_000, "outside": 2_500_000}


def test_a_cost_that_nobody_stated_stays_unknown_and_the_rest_is_still_carried() -> None:
    costs = unit_costs("bracket", OPERATIONS, priced(), 0)  # per order, and nobody said how many
    assert parcel_value(costs, 4_000, 60, 60) == Value(
        {"bar": 12_000_008_000, "labour": 6_000_000_000, "screw": 320_000_000}, unvalued_milli=4_000
    )
    assert parcel_value(unit_costs("one-off", (), priced(), 0), 4_000, None, None) == Value({}, unvalued_milli=4_000)
    assert parcel_value(costs, None, 60, 60) is None


def test_an_unknown_cost_further_on_takes_away_nothing_that_was_known_before() -> None:
    by_the_minute = definition("cost.set", product="bracket", op=60, component="labour", basis="minute", micros=900)
    costs = unit_costs("bracket", OPERATIONS, priced(by_the_minute), 0, order_milli=4_000)
    before, after = (parcel_value(costs, 1_000, op, op) for op in (50, 60))
    assert before is not None
    assert after == Value(before.leaves, unvalued_milli=1_000)
    assert before.leaves["labour"] == 1_500_000_000


GOLDEN = json.loads((Path(__file__).parents[3] / "contract" / "v1" / "costs.json").read_text())
MINUTES, RATES = GOLDEN["minutes"], GOLDEN["rates"]


@pytest.mark.parametrize("row", MINUTES, ids=lambda row: row["about"])
def test_a_cost_per_minute_is_that_of_the_run_and_the_share_of_the_set_up(row: dict[str, Any]) -> None:
    times = {name: row[name] for name in ("run_ms", "setup_ms") if name in row}
    by_the_minute = definition("cost.set", product="p", op=10, component="labour", basis="minute", micros=row["micros"])
    master_data = shop(by_the_minute)
    timed = (Operation(10, "saw", **times),)
    (line,) = unit_costs("p", (10,), master_data, 0, row.get("order_milli"), routed=timed).lines
    assert line == CostLine(10, "labour", row["unit_micros"], material=False)


@pytest.mark.parametrize("row", RATES, ids=lambda row: row["about"])
def test_a_rate_of_a_work_centre_holds_where_the_operation_has_no_price(row: dict[str, Any]) -> None:
    times = {name: row[name] for name in ("run_ms", "setup_ms") if name in row}
    rate = {"withdrawn": True} if row["rate"] is None else {"basis": "minute", "micros": row["rate"]}
    centre = {"stage": row.get("stage", "saw"), "component": row.get("component", "labour")}
    prices = [definition("cost.set", **centre, **rate)]
    prices += [definition("cost.set", product="p", op=10, component="labour", **row["own"])] if "own" in row else []
    lines = unit_costs(
        "p", (10,), shop(*prices), 0, row.get("order_milli"), routed=(Operation(10, "saw", **times),)
    ).lines
    found = [line.micros for line in lines if line.component == "labour"]
    assert found == ([] if row["unit_micros"] == "none" else [row["unit_micros"]])


@given(st.integers(0, 2**62), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_cost_per_minute_is_rounded_once(micros: int, run_ms: int, setup_ms: int, order_milli: int) -> None:
    exact = Fraction(micros * run_ms, 60_000) + Fraction(micros * setup_ms * 1_000, 60_000 * order_milli)
    assert minute_cost(micros, run_ms, setup_ms, order_milli) == round(exact)


def test_a_material_has_no_run_time() -> None:
    bar = definition("cost.set", product="bracket", component="bar", basis="minute", micros=900)
    timed = tuple(Operation(op, "saw", run_ms=1_000) for op in OPERATIONS)
    lines = unit_costs("bracket", OPERATIONS, priced(bar), 0, order_milli=4_000, routed=timed).lines
    assert lines[0] == CostLine(10, "bar", None, material=True)


def test_an_order_keeps_the_bill_it_was_released_with_at_the_prices_of_the_day() -> None:
    lighter = Definition(
        "product.define",
        1_000,
        (1_000, "hub", 9),
        {"product": "bracket", "bom": [{"component": "bar", "qty_milli": 1_000, "operation": 10}]},
    )
    dearer = Definition(
        "cost.set", 1_000, (1_000, "hub", 9), {"component": "bar", "basis": "unit", "micros": 4_000_000}
    )
    master_data = priced(lighter, dearer)
    released_before = unit_costs("bracket", (10,), master_data, 2_000, bill_us=500)
    released_after = unit_costs("bracket", (10,), master_data, 2_000, bill_us=1_500)
    assert [line.micros for line in released_before.lines if line.component == "bar"] == [6_000_000]
    assert [line.micros for line in released_after.lines if line.component == "bar"] == [4_000_000]


def test_going_back_lowers_nothing_and_adds_nothing() -> None:
    story = Story(priced())
    story.release(4)
    story.scan("saw", "deburr", "weld", "test")
    costs = unit_costs("bracket", OPERATIONS, story.master_data, 0, order_milli=4_000)

    def worth() -> int:
        parcels = story.end.state.parcels
        return add(
            filter(None, (parcel_value(costs, each.qty_milli, each.entered, each.reached) for each in parcels))
        ).total

    before = worth()
    story.tell("rework", "test", 1, to="deburr")
    assert worth() == before
    story.scan("deburr", "test")
    assert worth() == before


def test_costs_are_looked_up_by_date() -> None:
    dearer = Definition(
        "cost.set", 1_000, (1_000, "hub", 9), {"component": "bar", "basis": "unit", "micros": 4_000_000}
    )
    lines = [unit_costs("bracket", (10,), priced(dearer), at).lines[0].micros for at in (0, 999, 1_000)]
    assert lines == [3_000_002, 3_000_002, 6_000_000]


@given(st.lists(st.integers(0, 10**15), max_size=12))
def test_the_parts_of_an_answer_add_up_to_its_total(leaves: list[int]) -> None:
    parts = shares(leaves)
    total, by_component = in_micros(Value({f"c{index:02}": leaf for index, leaf in enumerate(leaves)}))
    assert sum(parts) == total == sum(by_component.values())
    assert abs(total * 1_000 - sum(leaves)) <= 500
    assert all(abs(part * 1_000 - leaf) < 1_000 for part, leaf in zip(parts, leaves, strict=True))


def test_a_withdrawn_price_is_none_from_its_day_on() -> None:
    withdrawn = Definition("cost.set", 10, (10, "hub", 99), {"component": "bar", "withdrawn": True})
    before, after = (
        unit_costs("bracket", OPERATIONS, priced(withdrawn), at_us, order_milli=4_000) for at_us in (9, 10)
    )
    assert (before.lines[0].micros, after.lines[0].micros) == (3_000_002, None)
    assert parcel_value(before, 1_000, 10, None) == Value({"bar": 3_000_002_000})
    assert parcel_value(after, 1_000, 10, None) == Value({}, unvalued_milli=1_000)


def made(*more: Definition) -> MasterData:
    """A cart of two frames, each of a bracket and a bolt; frames and brackets are made here and have no price."""
    steps = [{"op": 10, "stage": "weld"}, {"op": 20, "stage": "polish", "optional": True}]
    frame = [{"component": "bracket", "qty_milli": 1_000}, {"component": "bolt", "qty_milli": 4_000}]
    return priced(
        definition("routing.define", routing="line", operations=[{"op": op, "stage": "saw"} for op in OPERATIONS]),
        definition("routing.define", routing="weld", operations=steps),
        definition("product.define", product="frame", routing="weld", bom=frame),
        definition("product.define", product="cart", bom=[{"component": "frame", "qty_milli": 2_000}]),
        definition("cost.set", component="bolt", basis="unit", micros=10_000),
        definition("cost.set", product="frame", op=10, component="labour", basis="unit", micros=700_000),
        definition("cost.set", product="frame", op=20, component="labour", basis="unit", micros=9_000_000),
        definition("cost.set", product="bracket", op=40, component="outside", basis="unit", micros=2_000_000),
        *more,
    )


BRACKET = 3_000_002 + 80_000 + 1_500_000 + 2_000_000
FRAME = BRACKET + 4 * 10_000 + 700_000


def material(master_data: MasterData, product: str, at_us: int = 0) -> int | None:
    """The micros of the first material in one unit of a product."""
    return unit_costs(product, (10,), master_data, at_us).lines[0].micros


def test_a_component_that_is_made_here_costs_its_own_bill_through_all_levels_without_optional_work() -> None:
    assert (material(made(), "frame"), material(made(), "cart")) == (BRACKET, 2 * FRAME)


def test_an_entered_price_has_precedence_until_it_is_withdrawn() -> None:
    entered = Definition("cost.set", 10, (10, "hub", 90), {"component": "frame", "basis": "unit", "micros": 5_000_000})
    withdrawn = Definition("cost.set", 20, (20, "hub", 91), {"component": "frame", "withdrawn": True})
    shop_of = made(entered, withdrawn)
    assert [material(shop_of, "cart", at_us) for at_us in (10, 19, 20)] == [10_000_000, 10_000_000, 2 * FRAME]


def test_a_bill_of_a_later_time_changes_what_the_component_costs_from_then_on() -> None:
    frame = {"product": "frame", "routing": "weld", "bom": [{"component": "bolt", "qty_milli": 1_000}]}
    lighter = Definition("product.define", 10, (10, "hub", 90), frame)
    assert [material(made(lighter), "cart", at_us) for at_us in (9, 10)] == [2 * FRAME, 2 * (10_000 + 700_000)]


@pytest.mark.parametrize(
    "lacking",
    [
        definition("cost.set", component="bolt", withdrawn=True),
        definition("cost.set", product="frame", op=10, component="labour", basis="order", micros=1),
        definition("product.define", product="frame", bom=[{"component": "frame", "qty_milli": 1_000}]),
        definition("product.define", product="bracket", bom=[{"component": "cart", "qty_milli": 1_000}]),
        definition("product.define", product="frame"),
    ],
    ids=["a material without price", "a cost per order", "contains itself", "contains itself below", "no bill"],
)
def test_a_component_whose_own_bill_lacks_a_cost_stays_unknown(lacking: Definition) -> None:
    assert material(made(lacking), "cart") is None


def test_bills_of_more_levels_than_any_product_has_leave_the_cost_unknown() -> None:
    levels = [
        definition("product.define", product=f"p{n}", bom=[{"component": f"p{n + 1}", "qty_milli": 1_000}])
        for n in range(2_000)
    ]
    chain = shop(*levels, definition("cost.set", component="p2000", basis="unit", micros=1))
    assert material(chain, "p0") is None
    assert material(chain, "p1950") == 1


def test_many_materials_without_a_price_leave_a_component_that_is_made_here_its_cost() -> None:
    bought = [{"component": f"m{n}", "qty_milli": 1_000} for n in range(300)]
    bom = [*bought, {"component": "frame", "qty_milli": 1_000}]
    lines = unit_costs("kit", (10,), made(definition("product.define", product="kit", bom=bom)), 0).lines
    assert [line.micros for line in lines if line.component == "frame"] == [FRAME]


def test_a_bill_with_many_paths_to_one_component_is_computed_once_for_each_component() -> None:
    levels = [
        definition("product.define", product=f"p{n}", bom=[{"component": f"p{n + 1}", "qty_milli": 1_000}] * 2)
        for n in range(60)
    ]
    bolts = shop(*levels, definition("cost.set", component="p60", basis="unit", micros=1))
    assert material(bolts, "p0") == 2**59
