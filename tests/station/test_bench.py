"""The bench as a table: each row is a bench, a read, and what the next bench, the event and the answer are."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from station.answers import State, Why
from station.bench import expire, step
from station.bench_state import Bench, Done, Fields, Heard, Load, Operator, Pending, Place, S, Settings, Step
from station.core.codes import Pattern, read_code
from station.core.event import Place as LogPlace
from station.repeats import Memory, Said, forget, heard, is_repeat, owing

LOG = "ab" * 16
ORDERS = (Pattern("order", r"WO-\d+", "item"), Pattern("product", "P-.*", "product"))
GREEN_CARD, AMBER_CARD = (State.GREEN, Why.CARD), (State.AMBER, Why.CARD)
SAVED = (State.GREEN, Why.SAVED)


@dataclass
class Shop:
    """A bench that hears scans one after another, at seconds of boottime, through one reader a name."""

    settings: Settings = field(default_factory=Settings)
    bench: Bench = field(default_factory=Bench)
    seq: int = 0
    memories: dict[str, Memory] = field(default_factory=dict)
    voided: list[int] = field(default_factory=list)
    counted: list[tuple[str, str | None, int | None]] = field(default_factory=list)

    def scan(self, text: str, at_s: float, reader: str = "r", **changes: Any) -> Step:
        """One scan, kept as the recording thread keeps it."""
        now_ns, code = int(at_s * S), read_code(text.encode(), None, ORDERS)
        self.seq += 1
        memory = self.memories.get(reader, Memory())
        said = lambda fields: Said(code.code, fields.action, fields.qty_milli, fields.reason, fields.operator)  # noqa: E731
        bench, _ = expire(self.bench, now_ns)
        place = LogPlace(LOG, self.seq)
        heard_ = Heard(code, now_ns, place, is_repeat=lambda f: is_repeat(memory, said(f), now_ns, 3 * S), **changes)
        taken = step(bench, heard_, self.settings)
        self.bench = taken.bench
        self.memories[reader] = heard(memory, said(taken.fields), now_ns)
        if taken.undone:
            self.memories = {name: forget(each) for name, each in self.memories.items()}
        self._count(code.item, taken.fields)
        if taken.again is not None:
            self.seq += 1
            self._count(taken.again.code.item, taken.again.fields)
            if taken.again.void is not None:
                self.seq += 1
                self.voided.append(taken.again.void.seq)
        return taken

    def _count(self, item: str | None, fields: Fields) -> None:
        if fields.void is not None:
            self.voided.append(fields.void.seq)
        counts = item is not None and not fields.repeat
        self.counted.append((item or "", fields.action, fields.qty_milli) if counts else ("", None, None))

    def holds(self) -> list[tuple[str, str | None, int | None]]:
        """What counts in the end: (item, action, quantity) of every item scan that is neither a repeat nor void."""
        return [each for each in self.counted if each[0]]


def a_step(text: str, bench: Bench | None = None, at_s: float = 100, **changes: Any) -> Step:
    """One scan at a bench."""
    heard_ = Heard(read_code(text.encode(), None, ORDERS), int(at_s * S), LogPlace(LOG, 7), **changes)
    return step(bench or Bench(), heard_, Settings())


ARMED = Pending(action="scrap", until_ns=120 * S)
ITEM = "WO-1042"
DONE = (Done(LogPlace(LOG, 3), ITEM, 90 * S), Done(LogPlace(LOG, 5), "WO-7 SCRAP", 95 * S))

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


def test_in_then_scrap_then_the_same_sheet_at_once_swallows_nothing() -> None:
    shop = Shop()
    shop.scan("WO-1", 10.0)
    shop.scan("WIP:SCRAP", 10.4)
    scrapped = shop.scan("WO-1", 10.8)
    assert scrapped.fields == Fields(action="scrap")
    assert shop.holds() == [("WO-1", None, None), ("WO-1", "scrap", None)]


def test_scan_then_undo_then_the_same_scan_swallows_nothing() -> None:
    for reader in ("r", "another reader of the bench"):
        shop = Shop()
        shop.scan("WO-1", 10.0)
        undone = shop.scan("WIP:UNDO", 10.5, reader=reader)
        again = shop.scan("WO-1", 11.0)
        assert undone.fields == Fields(action="void", void=LogPlace(LOG, 1))
        assert again.fields == Fields(repeat=False)
        assert shop.voided == [1]


def test_counting_pieces_by_scanning_the_sheet_once_a_piece_swallows_nothing() -> None:
    pieces = Shop()
    for second in range(5):  # the operation has a transfer quantity: each scan is a piece
        assert pieces.scan("WO-1", 10 + second, pieces=True).says.why == Why.SAVED
    assert len(pieces.holds()) == 5

    told = Shop()  # without one, a scan that is not counted is said to be not counted
    assert told.scan("WO-1", 10).says.why == Why.SAVED
    repeat = told.scan("WO-1", 11)
    assert (repeat.fields.repeat, repeat.says.state, repeat.says.why) == (True, State.AMBER, Why.REPEAT)
    assert repeat.says.text == "already saved: WO-1. Another one? Card MORE, then scan"
    told.scan("WIP:MORE", 12)
    assert told.scan("WO-1", 13).fields == Fields(repeat=False)
    assert len(told.holds()) == 2


def test_explicit_quantities_and_products_are_never_repeats() -> None:
    shop = Shop()
    for second in range(0, 6, 2):
        shop.scan("WIP:QTY:1", 10 + second)
        shop.scan("WO-1", 10.5 + second)
    assert shop.holds() == [("WO-1", None, 1000)] * 3
    for second in range(3):
        assert shop.scan("P-77", 30 + second, pieces=True).fields.repeat is False


def test_undo_goes_back_one_further_each_time_and_skips_repeats() -> None:
    shop = Shop()
    for text, at_s in (("WO-1", 1), ("WO-2", 5), ("WO-2", 6), ("WIP:UNDO", 7), ("WIP:UNDO", 8), ("WIP:UNDO", 9)):
        last = shop.scan(text, at_s)
    assert shop.voided == [2, 1]
    assert last.says.text == "nothing of the last 10 minutes to undo"


def test_undo_reaches_back_ten_minutes() -> None:
    assert a_step("WIP:UNDO", Bench(done=DONE), at_s=95 + 600).fields.void == LogPlace(LOG, 5)
    assert a_step("WIP:UNDO", Bench(done=DONE), at_s=95 + 600.1).fields.void is None


def test_with_the_sheet_first_a_card_records_the_sheet_anew_and_voids_what_it_said_before() -> None:
    shop = Shop(settings=Settings(cards_after=True))
    shop.scan("WO-1", 10)  # 1
    scrapped = shop.scan("WIP:SCRAP", 12)  # 2 the card, 3 the sheet again, 4 the void of 1
    assert scrapped.again is not None
    assert (scrapped.again.fields, scrapped.again.void) == (Fields(action="scrap"), LogPlace(LOG, 1))
    assert scrapped.says.text == "1 counted: WO-1 SCRAP. More? Card QTY"
    shop.scan("WIP:QTY:5", 14)  # 5, 6 the sheet again, 7 the void of 3
    shop.scan("WIP:REASON:burr", 16)  # 8, 9, 10 the void of 6
    assert shop.voided == [1, 3, 6]
    shop.scan("WIP:UNDO", 18)
    assert shop.voided == [1, 3, 6, 9]
    assert shop.scan("WIP:SCRAP", 19).says.text == "scan the sheet first, then the card"


def test_with_the_sheet_first_a_card_comes_too_late_after_20_seconds() -> None:
    shop = Shop(settings=Settings(cards_after=True))
    shop.scan("WO-1", 10)
    late = shop.scan("WIP:SCRAP", 30)
    assert (late.again, late.says.state, late.says.text) == (None, State.AMBER, "scan the sheet first, then the card")
    assert shop.holds() == [("WO-1", None, None)]


def test_with_the_sheet_first_more_counts_a_scan_that_was_a_repeat() -> None:
    shop = Shop(settings=Settings(cards_after=True))
    for text, at_s in (("WO-1", 10), ("WO-1", 11), ("WIP:MORE", 12)):
        shop.scan(text, at_s)
    assert shop.voided == []
    assert len(shop.holds()) == 2


def test_what_was_answered_red_and_came_through_makes_the_next_equal_scan_its_repeat_once() -> None:
    said = Said("WO-1", "scrap")
    memory = heard(owing(Memory(), said, 0), Said("WIP:SCRAP"), 50 * S)
    assert is_repeat(memory, said, 119 * S, 3 * S)
    assert not is_repeat(memory, said, 120 * S, 3 * S)
    assert not is_repeat(heard(memory, said, 60 * S), said, 64 * S, 3 * S)


def test_the_first_scan_after_a_restart_repeats_the_readers_last_one_before_it() -> None:
    memory = Memory(before=Said("WO-1", operator="7"), before_until_ns=120 * S)
    assert is_repeat(memory, Said("WO-1"), 100 * S, 3 * S)
    assert not is_repeat(memory, Said("WO-1"), 120 * S, 3 * S)
    assert not is_repeat(memory, Said("WO-2"), 100 * S, 3 * S)
    assert not is_repeat(heard(memory, Said("WIP:IN"), 90 * S), Said("WO-1"), 100 * S, 3 * S)


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
