"""The bench as a table: each row is a bench, a read, and what the next bench, the event and the answer are."""

from dataclasses import replace
from typing import Any

import pytest

from station.core.event import LogPosition as LogPlace
from station.core.snapshot import read_snapshot
from station.feedback.messages import Reason, State
from station.rules.snapshot import StationDefinitions
from station.scan.bench import expire
from station.scan.bench_state import (
    ArmedAction,
    ArmedLoad,
    BenchSettings,
    BenchState,
    S,
    ScanFields,
    SignedOnOperator,
    StageOverride,
    UndoableScan,
)
from tests.station.fixtures.shop_bench import ARMED, DONE, ITEM, LOG, SAVED, Shop, a_step

GREEN_CARD, AMBER_CARD = (State.GREEN, Reason.CARD), (State.AMBER, Reason.CARD)
COUNTING = ArmedAction(action="count", held=True, until_ns=220 * S)


# (bench before, scan, fields of the event, (state, why, text), what of the bench differs afterwards)
ROWS: list[tuple[BenchState, str, ScanFields, tuple[State, Reason, str], dict[str, Any]]] = [
    (BenchState(), ITEM, ScanFields(), (*SAVED, "saved: WO-1042"),
     {"done": (UndoableScan(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (BenchState(), "WIP:IN", ScanFields(), (*GREEN_CARD, "IN: scan the sheet"),
     {"pending": ArmedAction(action="in", until_ns=120 * S)}),
    (BenchState(), "WIP:REWORK:deburr", ScanFields(), (*GREEN_CARD, "REWORK deburr: scan the sheet"),
     {"pending": ArmedAction(action="rework", to="deburr", until_ns=120 * S)}),
    (BenchState(pending=ARMED), "WIP:QTY:2.5", ScanFields(), (*GREEN_CARD, "SCRAP 2.5: scan the sheet"),
     {"pending": replace(ARMED, qty_milli=2500)}),
    (BenchState(pending=replace(ARMED, qty_milli=2500)), "WIP:ALL", ScanFields(), (*GREEN_CARD, "SCRAP ALL: scan the sheet"),
     {"pending": replace(ARMED, all=True)}),
    (BenchState(pending=ARMED), "WIP:REASON:burr", ScanFields(), (*GREEN_CARD, "SCRAP burr: scan the sheet"),
     {"pending": replace(ARMED, reason="burr")}),
    (BenchState(pending=ARMED), "WIP:HOLD", ScanFields(), (*GREEN_CARD, "HOLD: scan the sheet"),
     {"pending": ArmedAction(action="hold", until_ns=120 * S)}),
    (BenchState(pending=ARMED), "WIP:SCRAP", ScanFields(), (*GREEN_CARD, "SCRAP: scan the sheets, it stays"),
     {"pending": replace(ARMED, held=True, until_ns=220 * S)}),
    (BenchState(pending=ARMED), ITEM, ScanFields(action="scrap"),
     (State.AMBER, Reason.ASK, "1 counted: WO-1042 SCRAP. More? UNDO, then SCRAP, QTY and the sheet"),
     {"pending": None, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 SCRAP", 100 * S),)}),
    (BenchState(pending=replace(ARMED, qty_milli=2000, reason="burr")), ITEM,
     ScanFields(action="scrap", qty_milli=2000, reason="burr"), (*SAVED, "saved: WO-1042 SCRAP 2 burr"),
     {"pending": None, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 SCRAP 2 burr", 100 * S),)}),
    (BenchState(pending=replace(ARMED, reason="burr")), ITEM, ScanFields(action="scrap", reason="burr"),
     (*SAVED, "saved: WO-1042 SCRAP burr"),
     {"pending": None, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 SCRAP burr", 100 * S),)}),
    (BenchState(pending=ArmedAction(action="rework", reason="burr", until_ns=120 * S)), ITEM,
     ScanFields(action="rework", reason="burr"), (*SAVED, "saved: WO-1042 REWORK burr"),
     {"pending": None, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 REWORK burr", 100 * S),)}),
    (BenchState(pending=replace(ARMED, all=True)), ITEM, ScanFields(action="scrap", all=True),
     (*SAVED, "saved: WO-1042 SCRAP ALL"),
     {"pending": None, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 SCRAP ALL", 100 * S),)}),
    (BenchState(pending=ArmedAction(action="hold", held=True, reason="x", until_ns=120 * S)), ITEM,
     ScanFields(action="hold", reason="x"), (*SAVED, "saved: WO-1042 HOLD x"),
     {"pending": ArmedAction(action="hold", held=True, until_ns=220 * S),
      "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 HOLD x", 100 * S),)}),
    (BenchState(), "WIP:COUNT", ScanFields(), (*GREEN_CARD, "COUNT: scan the sheets, it stays"),
     {"pending": COUNTING}),
    (BenchState(pending=COUNTING), "WIP:QTY:12", ScanFields(), (*GREEN_CARD, "COUNT 12: scan the sheets, it stays"),
     {"pending": replace(COUNTING, qty_milli=12_000)}),
    (BenchState(pending=COUNTING), "WIP:STAGE:mill", ScanFields(stage="mill"), (*GREEN_CARD, "this bench is at mill"),
     {"stage_override": StageOverride("mill")}),
    (BenchState(pending=COUNTING), "WIP:SCRAP", ScanFields(), (*GREEN_CARD, "SCRAP: scan the sheet"), {"pending": ARMED}),
    (BenchState(pending=COUNTING), ITEM, ScanFields(action="count"), (*SAVED, "counted: WO-1042"),
     {"pending": COUNTING, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 COUNT", 100 * S),)}),
    (BenchState(pending=replace(COUNTING, qty_milli=12_000)), ITEM, ScanFields(action="count", qty_milli=12_000),
     (*SAVED, "counted: WO-1042 12"),
     {"pending": COUNTING, "done": (UndoableScan(LogPlace(LOG, 7), "WO-1042 COUNT 12", 100 * S),)}),
    (BenchState(), "WIP:MORE", ScanFields(), (*GREEN_CARD, "MORE: scan the sheet"),
     {"pending": ArmedAction(more=True, until_ns=120 * S)}),
    (BenchState(), "WIP:STAGE:mill", ScanFields(stage="mill"), (*GREEN_CARD, "this bench is at mill"),
     {"stage_override": StageOverride("mill")}),
    (BenchState(stage_override=StageOverride("mill")), ITEM, ScanFields(stage="mill"), (*SAVED, "saved: WO-1042"),
     {"done": (UndoableScan(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (BenchState(), "WIP:LOAD", ScanFields(), (*GREEN_CARD, "one load: scan its sheets"),
     {"load": ArmedLoad("abababab-7", 220 * S)}),
    (BenchState(load=ArmedLoad("abababab-2", 110 * S)), ITEM, ScanFields(load="abababab-2"), (*SAVED, "saved: WO-1042"),
     {"load": ArmedLoad("abababab-2", 220 * S), "done": (UndoableScan(LogPlace(LOG, 7), ITEM, 100 * S),)}),
    (BenchState(), "WIP:CALL:material", ScanFields(action="call", reason="material"), (*GREEN_CARD, "called: material"), {}),
    (BenchState(pending=ARMED, operator=SignedOnOperator("7", 1000 * S)), "WIP:ANSWER",
     ScanFields(action="answer", operator="7"), (*GREEN_CARD, "calls of this stage: answered"), {}),
    (BenchState(pending=ARMED, load=ArmedLoad("x", 110 * S)), "WIP:CANCEL", ScanFields(), (*GREEN_CARD, "cancelled: SCRAP"),
     {"pending": None, "load": None}),
    (BenchState(), "WIP:CANCEL", ScanFields(), (*GREEN_CARD, "no card was armed"), {}),
    (BenchState(), "WIP:BADGE:7", ScanFields(operator="7"), (*GREEN_CARD, "7 signed in"),
     {"operator": SignedOnOperator("7", 1000 * S)}),
    (BenchState(operator=SignedOnOperator("7", 200 * S)), "WIP:BADGE:8", ScanFields(operator="8"),
     (*GREEN_CARD, "8 signed in"),
     {"operator": SignedOnOperator("8", 1000 * S)}),
    (BenchState(operator=SignedOnOperator("7", 200 * S)), "WIP:BADGE:7", ScanFields(operator="7"),
     (*GREEN_CARD, "7 signed out"),
     {"operator": None}),
    (BenchState(operator=SignedOnOperator("7", 200 * S)), ITEM, ScanFields(operator="7"), (*SAVED, "saved: WO-1042"),
     {"operator": SignedOnOperator("7", 1000 * S), "done": (UndoableScan(LogPlace(LOG, 7), ITEM, 100 * S, "7"),)}),
    (BenchState(), "WIP:QTY:none", ScanFields(),
     (State.AMBER, Reason.NOT_UNDERSTOOD,
      "not understood: no quantity: expected 0.001 to 1000000000, at most three digits behind a point"), {}),
    (BenchState(done=DONE), "WIP:UNDO", ScanFields(action="void", void=LogPlace(LOG, 5)),
     (*GREEN_CARD, "undone: WO-7 SCRAP"),
     {"done": DONE[:1]}),
    (BenchState(), "WIP:SETUP:1A:\x1dAQWZYMaqwzym", ScanFields(), (*GREEN_CARD, "setup sheet: nothing is counted"), {}),
    (BenchState(pending=ARMED, operator=SignedOnOperator("7", 1000 * S), done=DONE),
     "wip:setup:2d:", ScanFields(operator="7"),
     (*GREEN_CARD, "setup sheet: nothing is counted"), {}),
    (BenchState(), "WIP:UNDO", ScanFields(), (*AMBER_CARD, "nothing of the last 10 minutes to undo"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "text", "fields", "says", "changes"), ROWS, ids=[row[1] for row in ROWS])
def test_each_transition(
    before: BenchState, text: str, fields: ScanFields, says: tuple[State, Reason, str], changes: dict[str, Any]
) -> None:
    taken = a_step(text, before)
    assert (taken.answer.state, taken.answer.why, taken.answer.text) == says
    assert taken.fields == fields
    assert taken.bench == replace(before, **changes)


def test_a_card_is_forgotten_after_20_seconds_and_that_is_said() -> None:
    armed = a_step("WIP:SCRAP", at_s=100).bench
    assert armed.due_ns() == 120 * S
    assert expire(armed, 120 * S - 1) == (armed, None)
    bench, says = expire(armed, 120 * S)
    assert bench == BenchState()
    assert says is not None
    assert (says.state, says.why, says.text) == (State.AMBER, Reason.CARD, "card forgotten: SCRAP")


SHOP_NAMES = StationDefinitions(
    read_snapshot(
        b"""{"separators": {"decimal": ",", "group": "."}, "definitions": [
        {"what": "person.define", "data": {"person": "kim", "name": "A. Kim", "badge": "K7"}},
        {"what": "stage.define", "data": {"stage": "deburr", "name": "Deburr"}},
        {"what": "reason.define", "data": {"reason": "burr", "name": "Burr left"}}]}"""
    )
)


@pytest.mark.parametrize(
    ("before", "text", "answer", "title"),
    [
        (BenchState(), "WIP:BADGE:K7", "A. Kim signed in", "A. Kim"),
        (BenchState(operator=SignedOnOperator("K7", 200 * S)), "WIP:BADGE:K7", "A. Kim signed out", "A. Kim"),
        (BenchState(), "WIP:STAGE:deburr", "this bench is at Deburr", "Deburr"),
        (BenchState(), "WIP:REWORK:deburr", "REWORK Deburr: scan the sheet", "REWORK Deburr"),
        (BenchState(pending=ARMED), "WIP:QTY:2.5", "SCRAP 2,5: scan the sheet", "SCRAP 2,5"),
        (BenchState(pending=ARMED), "WIP:REASON:burr", "SCRAP Burr left: scan the sheet", "SCRAP"),
        (BenchState(), "WIP:REASON:burr", "Burr left: scan the sheet", "Burr left"),
        (BenchState(), "WIP:CALL:burr", "called: Burr left", ""),
        (BenchState(pending=replace(ARMED, reason="burr")), "WIP:CANCEL", "cancelled: SCRAP Burr left", ""),
        (BenchState(pending=replace(ARMED, reason="burr")), ITEM, "saved: WO-1042 SCRAP Burr left", ""),
        (BenchState(done=(UndoableScan(LogPlace(LOG, 5), "WO-7", 90 * S, "K7"),)), "WIP:UNDO",
         "not undone: WO-7 is the scan of A. Kim, who can undo it", ""),
    ],
)  # fmt: skip
def test_the_answer_has_the_shops_names(before: BenchState, text: str, answer: str, title: str) -> None:
    taken = a_step(text, before, names=SHOP_NAMES)
    assert (taken.answer.text, taken.answer.title) == (answer, title)


def test_stages_to_choose_from_and_a_forgotten_card_have_the_shops_names() -> None:
    settings = BenchSettings(stages=("deburr", "saw"))
    assert a_step("WIP:STAGE:mill", settings=settings, names=SHOP_NAMES).answer.text == (
        "mill is no stage of this station (Deburr, saw)"
    )
    assert "a STAGE card (Deburr, saw)" in a_step(ITEM, settings=settings, names=SHOP_NAMES).answer.text
    _, answer = expire(BenchState(pending=replace(ARMED, reason="burr")), 900 * S, SHOP_NAMES)
    assert answer is not None
    assert answer.text == "card forgotten: SCRAP Burr left"


def test_a_badge_that_idling_ended_is_reported_at_the_next_scan_and_once() -> None:
    bench, _ = expire(a_step("WIP:BADGE:K7", at_s=0).bench, 900 * S)
    assert bench == BenchState(ended_badge="K7")
    unread = a_step("WIP:QTY:none", bench, at_s=901, names=SHOP_NAMES)
    assert (unread.answer.notice, unread.bench.ended_badge) == ("", "K7")
    for text in (ITEM, "WIP:SCRAP", "WIP:CALL:x"):
        taken = a_step(text, bench, at_s=901, names=SHOP_NAMES)
        assert taken.answer.notice == "no badge: that of A. Kim ended without scans. Scan it again"
        assert a_step(ITEM, taken.bench, at_s=902).answer.notice == ""
    signed_in = a_step("WIP:BADGE:K7", bench, at_s=901)
    assert (signed_in.answer.notice, signed_in.bench.ended_badge) == ("", None)
    signed_out = a_step("WIP:BADGE:K7", signed_in.bench, at_s=902)
    assert a_step(ITEM, signed_out.bench, at_s=903).answer.notice == ""


def test_a_badge_ends_after_its_idle_time_and_every_read_keeps_it() -> None:
    bench = a_step("WIP:BADGE:7", at_s=0).bench
    bench = a_step(ITEM, bench, at_s=899).bench
    assert expire(bench, (899 + 900) * S - 1)[0].operator == SignedOnOperator("7", 1799 * S)
    assert expire(bench, (899 + 900) * S)[0].operator is None


def test_a_held_card_ends_after_two_minutes_idle() -> None:
    shop = Shop()
    for text, at_s in (("WIP:HOLD", 0), ("WIP:HOLD", 1), ("WO-1", 100), ("WO-2", 200), ("WO-3", 321)):
        shop.scan(text, at_s)
    assert shop.holds() == [("WO-1", "hold", None), ("WO-2", "hold", None), ("WO-3", None, None)]


def test_a_card_beats_the_readers_own_action_and_a_stage_card_its_stage() -> None:
    assert a_step(ITEM, action="out", stage="saw").fields == ScanFields(action="out", stage="saw")
    armed = BenchState(pending=ArmedAction(action="in", until_ns=120 * S), stage_override=StageOverride("mill"))
    assert a_step(ITEM, armed, action="out", stage="saw").fields == ScanFields(action="in", stage="mill")


def test_a_bench_of_several_stages_asks_until_a_stage_card_says_which() -> None:
    shop = Shop(settings=BenchSettings(stages=("saw", "mill")))
    asked = shop.scan("WO-1", 10).answer
    assert (asked.why, asked.text) == (
        Reason.ASK, "saved without a stage: UNDO, then a STAGE card (saw, mill) and the sheet",
    )  # fmt: skip
    elsewhere = shop.scan("WIP:STAGE:drill", 15).answer
    assert (elsewhere.why, elsewhere.text) == (Reason.CARD, "drill is no stage of this station (saw, mill)")
    shop.scan("WIP:STAGE:mill", 20)
    shop.scan("WIP:STAGE:drill", 25)
    sheet = shop.scan("WO-1", 30)
    assert (sheet.answer.why, sheet.fields.stage) == (Reason.SAVED, "mill")


@pytest.mark.parametrize("card", ["WIP:QTY:1", "WIP:MORE"])
def test_a_card_read_by_another_reader_of_the_bench_makes_the_same_sheet_count_again(card: str) -> None:
    shop = Shop()
    for at_s in (10, 11, 12):
        shop.scan(card, at_s, reader="beside")
        shop.scan("WO-1", at_s + 0.5, reader="sheet")
    assert len(shop.holds()) == 3


def test_with_cards_after_the_sheet_a_count_stays_on_until_another_action_card() -> None:
    shop, seen = Shop(settings=BenchSettings(cards_after=True)), []
    for number, text in enumerate(("WIP:COUNT", "WO-1", "WIP:QTY:5", "WO-2", "WIP:OUT", "WO-3"), 1):
        taken = shop.scan(text, 10 * number)
        fields = taken.rescan.fields if taken.rescan else taken.fields
        seen.append((fields.action, fields.qty_milli, taken.answer.text))
    assert seen == [
        (None, None, "COUNT: scan the sheets, it stays"),
        ("count", None, "counted: WO-1"),
        ("count", 5000, "counted: WO-1 5"),
        ("count", None, "counted: WO-2"),
        (None, None, "OUT: scan the sheet"),
        ("out", None, "saved: WO-3 OUT"),
    ]


def test_a_code_that_names_nothing_is_counted_too_and_the_count_goes_on() -> None:
    shop = Shop()
    shop.scan("WIP:COUNT", 1)
    shop.scan("WIP:QTY:5", 2)
    taken = shop.scan("XYZ-1", 3, unknown="not known here")
    assert (taken.fields.action, taken.fields.qty_milli) == ("count", 5_000)
    assert (taken.answer.state, taken.answer.why) == (State.AMBER, Reason.LOOK)
    shop.scan("WO-2", 100)
    assert shop.holds()[-2:] == [("XYZ-1", "count", 5_000), ("WO-2", "count", None)]


def test_a_code_that_names_nothing_takes_no_other_card() -> None:
    shop = Shop()
    shop.scan("WIP:SCRAP", 1)
    assert shop.scan("XYZ-1", 2, unknown="not known here").fields.action is None
    assert shop.scan("WO-2", 3).fields.action == "scrap"
