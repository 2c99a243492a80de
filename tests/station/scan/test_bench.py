"""The bench as a table: each row is a bench, a read, and what the next bench, the event and the answer are."""

from dataclasses import replace
from typing import Any

import pytest

from station.core.event import Place as LogPlace
from station.feedback.messages import State, Why
from station.scan.bench import expire
from station.scan.bench_state import Bench, Done, Fields, Load, Operator, Pending, Place, S, Settings
from tests.station.fixtures.shop_bench import ARMED, DONE, ITEM, LOG, SAVED, Shop, a_step

GREEN_CARD, AMBER_CARD = (State.GREEN, Why.CARD), (State.AMBER, Why.CARD)


# (bench before, scan, fields of the event, (state, why, text), what of the bench differs afterwards)
ROWS: list[tuple[Bench, str, Fields, tuple[State, Why, str], dict[str, Any]]] = [
    (Bench(), ITEM, Fields(), (*SAVED, "saved: WO-1042"), {"done": (Done(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (Bench(), "WIP:IN", Fields(), (*GREEN_CARD, "IN: scan the sheet"),
     {"pending": Pending(action="in", until_ns=120 * S)}),
    (Bench(), "WIP:REWORK:deburr", Fields(), (*GREEN_CARD, "REWORK deburr: scan the sheet"),
     {"pending": Pending(action="rework", to="deburr", until_ns=120 * S)}),
    (Bench(pending=ARMED), "WIP:QTY:2.5", Fields(), (*GREEN_CARD, "SCRAP 2.5: scan the sheet"),
     {"pending": replace(ARMED, qty_milli=2500)}),
    (Bench(pending=replace(ARMED, qty_milli=2500)), "WIP:ALL", Fields(), (*GREEN_CARD, "SCRAP ALL: scan the sheet"),
     {"pending": replace(ARMED, all=True)}),
    (Bench(pending=ARMED), "WIP:REASON:burr", Fields(), (*GREEN_CARD, "SCRAP burr: scan the sheet"),
     {"pending": replace(ARMED, reason="burr")}),
    (Bench(pending=ARMED), "WIP:HOLD", Fields(), (*GREEN_CARD, "HOLD: scan the sheet"),
     {"pending": Pending(action="hold", until_ns=120 * S)}),
    (Bench(pending=ARMED), "WIP:SCRAP", Fields(), (*GREEN_CARD, "SCRAP: scan the sheets, it stays"),
     {"pending": replace(ARMED, held=True, until_ns=220 * S)}),
    (Bench(pending=ARMED), ITEM, Fields(action="scrap"),
     (State.AMBER, Why.ASK, "1 counted: WO-1042 SCRAP. More? UNDO, then SCRAP, QTY and the sheet"),
     {"pending": None, "done": (Done(LogPlace(LOG, 7), "WO-1042 SCRAP", 100 * S),)}),
    (Bench(pending=replace(ARMED, qty_milli=2000, reason="burr")), ITEM,
     Fields(action="scrap", qty_milli=2000, reason="burr"), (*SAVED, "saved: WO-1042 SCRAP 2 burr"),
     {"pending": None, "done": (Done(LogPlace(LOG, 7), "WO-1042 SCRAP 2 burr", 100 * S),)}),
    (Bench(pending=replace(ARMED, all=True)), ITEM, Fields(action="scrap", all=True),
     (*SAVED, "saved: WO-1042 SCRAP ALL"),
     {"pending": None, "done": (Done(LogPlace(LOG, 7), "WO-1042 SCRAP ALL", 100 * S),)}),
    (Bench(pending=Pending(action="hold", held=True, reason="x", until_ns=120 * S)), ITEM,
     Fields(action="hold", reason="x"), (*SAVED, "saved: WO-1042 HOLD x"),
     {"pending": Pending(action="hold", held=True, until_ns=220 * S),
      "done": (Done(LogPlace(LOG, 7), "WO-1042 HOLD x", 100 * S),)}),
    (Bench(), "WIP:COUNT", Fields(), (*GREEN_CARD, "COUNT: scan the sheet"),
     {"pending": Pending(action="count", until_ns=120 * S)}),
    (Bench(), "WIP:MORE", Fields(), (*GREEN_CARD, "MORE: scan the sheet"),
     {"pending": Pending(more=True, until_ns=120 * S)}),
    (Bench(), "WIP:STAGE:mill", Fields(stage="mill"), (*GREEN_CARD, "this bench is at mill"), {"place": Place("mill")}),
    (Bench(place=Place("mill")), ITEM, Fields(stage="mill"), (*SAVED, "saved: WO-1042"),
     {"done": (Done(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (Bench(), "WIP:LOAD", Fields(), (*GREEN_CARD, "one load: scan its sheets"),
     {"load": Load("abababab-7", 220 * S)}),
    (Bench(load=Load("abababab-2", 110 * S)), ITEM, Fields(load="abababab-2"), (*SAVED, "saved: WO-1042"),
     {"load": Load("abababab-2", 220 * S), "done": (Done(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (Bench(), "WIP:CALL:material", Fields(action="call", reason="material"), (*GREEN_CARD, "called: material"), {}),
    (Bench(pending=ARMED, load=Load("x", 110 * S)), "WIP:CANCEL", Fields(), (*GREEN_CARD, "cancelled: SCRAP"),
     {"pending": None, "load": None}),
    (Bench(), "WIP:CANCEL", Fields(), (*GREEN_CARD, "no card was armed"), {}),
    (Bench(), "WIP:BADGE:7", Fields(operator="7"), (*GREEN_CARD, "7 signed in"), {"operator": Operator("7", 1000 * S)}),
    (Bench(operator=Operator("7", 200 * S)), "WIP:BADGE:8", Fields(operator="8"), (*GREEN_CARD, "8 signed in"),
     {"operator": Operator("8", 1000 * S)}),
    (Bench(operator=Operator("7", 200 * S)), "WIP:BADGE:7", Fields(operator="7"), (*GREEN_CARD, "7 signed out"),
     {"operator": None}),
    (Bench(operator=Operator("7", 200 * S)), ITEM, Fields(operator="7"), (*SAVED, "saved: WO-1042"),
     {"operator": Operator("7", 1000 * S), "done": (Done(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (Bench(), "WIP:QTY:none", Fields(),
     (State.AMBER, Why.NOT_UNDERSTOOD,
      "not understood: no quantity: expected 0.001 to 1000000000, at most three digits behind a point"), {}),
    (Bench(done=DONE), "WIP:UNDO", Fields(action="void", void=LogPlace(LOG, 5)), (*GREEN_CARD, "undone: WO-7 SCRAP"),
     {"done": DONE[:1]}),
    (Bench(), "WIP:SETUP:1A:\x1dAQWZYMaqwzym", Fields(), (*GREEN_CARD, "setup sheet: nothing is counted"), {}),
    (Bench(pending=ARMED, operator=Operator("7", 1000 * S), done=DONE), "wip:setup:2d:", Fields(operator="7"),
     (*GREEN_CARD, "setup sheet: nothing is counted"), {}),
    (Bench(), "WIP:UNDO", Fields(), (*AMBER_CARD, "nothing of the last 10 minutes to undo"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "text", "fields", "says", "changes"), ROWS, ids=[row[1] for row in ROWS])
def test_each_transition(
    before: Bench, text: str, fields: Fields, says: tuple[State, Why, str], changes: dict[str, Any]
) -> None:
    taken = a_step(text, before)
    assert (taken.says.state, taken.says.why, taken.says.text) == says
    assert taken.fields == fields
    assert taken.bench == replace(before, **changes)


def test_a_card_is_forgotten_after_20_seconds_and_that_is_said() -> None:
    armed = a_step("WIP:SCRAP", at_s=100).bench
    assert armed.due_ns() == 120 * S
    assert expire(armed, 120 * S - 1) == (armed, None)
    bench, says = expire(armed, 120 * S)
    assert bench == Bench()
    assert says is not None
    assert (says.state, says.why, says.text) == (State.AMBER, Why.CARD, "card forgotten: SCRAP")


def test_a_badge_ends_after_its_idle_time_and_every_read_keeps_it() -> None:
    bench = a_step("WIP:BADGE:7", at_s=0).bench
    bench = a_step(ITEM, bench, at_s=899).bench
    assert expire(bench, (899 + 900) * S - 1)[0].operator == Operator("7", 1799 * S)
    assert expire(bench, (899 + 900) * S)[0].operator is None


def test_a_held_card_ends_after_two_minutes_idle() -> None:
    shop = Shop()
    for text, at_s in (("WIP:HOLD", 0), ("WIP:HOLD", 1), ("WO-1", 100), ("WO-2", 200), ("WO-3", 321)):
        shop.scan(text, at_s)
    assert shop.holds() == [("WO-1", "hold", None), ("WO-2", "hold", None), ("WO-3", None, None)]


def test_a_card_beats_the_readers_own_action_and_a_stage_card_its_stage() -> None:
    assert a_step(ITEM, action="out", stage="saw").fields == Fields(action="out", stage="saw")
    armed = Bench(pending=Pending(action="in", until_ns=120 * S), place=Place("mill"))
    assert a_step(ITEM, armed, action="out", stage="saw").fields == Fields(action="in", stage="mill")


def test_a_bench_of_several_stages_asks_until_a_stage_card_says_which() -> None:
    shop = Shop(settings=Settings(stages=("saw", "mill")))
    asked = shop.scan("WO-1", 10).says
    assert (asked.why, asked.text) == (
        Why.ASK, "saved without a stage: UNDO, then a STAGE card (saw, mill) and the sheet",
    )  # fmt: skip
    elsewhere = shop.scan("WIP:STAGE:drill", 15).says
    assert (elsewhere.why, elsewhere.text) == (Why.CARD, "drill is no stage of this station (saw, mill)")
    shop.scan("WIP:STAGE:mill", 20)
    shop.scan("WIP:STAGE:drill", 25)
    sheet = shop.scan("WO-1", 30)
    assert (sheet.says.why, sheet.fields.stage) == (Why.SAVED, "mill")


@pytest.mark.parametrize("card", ["WIP:QTY:1", "WIP:MORE"])
def test_a_card_read_by_another_reader_of_the_bench_makes_the_same_sheet_count_again(card: str) -> None:
    shop = Shop()
    for at_s in (10, 11, 12):
        shop.scan(card, at_s, reader="beside")
        shop.scan("WO-1", at_s + 0.5, reader="sheet")
    assert len(shop.holds()) == 3
