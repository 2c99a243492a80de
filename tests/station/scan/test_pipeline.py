"""The recording thread: every read becomes one event, and no answer comes before its fact."""

import threading
from dataclasses import asdict, replace
from typing import Any

import msgspec
import pytest
from waiting import until

from drivers import Dropped
from station.core.codes import Code, Pattern
from station.core.event import Event, LogPosition, Reader
from station.core.snapshot import read_snapshot
from station.feedback.messages import NOT_RECORDED, AnswerText, Green, Look, Notice, Red
from station.rules.interface import Advice, NoRules
from station.rules.snapshot import StationDefinitions
from station.scan.bench_state import BenchSettings, BenchState
from station.scan.deduplication import MAX_READERS, ScanSignature
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ReaderSettings
from station.scan.restart_state import RestartState
from station.system.clock import boot_ns
from tests.station.fixtures.scan_pipeline import LOG_ID, Bench, a_read, numbers

S = 10**9
NAMED = StationDefinitions(
    read_snapshot(
        b"""{"separators": {"decimal": ",", "group": "."}, "definitions": [
        {"what": "person.define", "data": {"person": "kim", "name": "A. Kim", "badge": "K7"}},
        {"what": "stage.define", "data": {"stage": "saw", "name": "Saw"}},
        {"what": "reason.define", "data": {"reason": "burr", "name": "Burr left"}}]}"""
    )
)


class Stops(NoRules):
    """Rules that stop the work on each item."""

    def judge(self, code: Code, event: Event, seq: int) -> Advice:  # noqa: ARG002 - the port's signature
        """Stop."""
        return Advice(look="goes to Test first", stop=True)


def test_a_read_becomes_an_event_whose_fields_are_those_of_the_contract() -> None:
    bench = Bench(more={"reader_settings": lambda _reader: ReaderSettings("left", "saw", "in")})
    (answer,) = bench.take(a_read(b"]C1WO-\xe9", 10, sym="]C1"))
    assert bench.journal.decoded() == [
        Event(
            kind="scan", station="saw-1", sw="0.1.0", boot="boot-a", mono_ns=10 * S, wall_us=1_000_000, clk="never",
            raw=b"]C1WO-\xe9", sym="]C1", reader=Reader("replay", "replay-1"), scheme="text", code="WO-é",
            stage="saw", bench="left", action="in",
        )
    ]  # fmt: skip
    assert isinstance(answer, Green)
    assert (answer.why, answer.text, answer.code, answer.receipt.seq, answer.receipt.log_id) == (
        "saved", "saved: WO-é IN", "WO-é", 1, LOG_ID,
    )  # fmt: skip


def test_the_code_is_absent_where_the_raw_bytes_say_it() -> None:
    bench = Bench()
    bench.take(a_read(b"WO-1"), a_read(b"wip:badge:7", 11), a_read(b"WO-2", 12))
    first, card, last = bench.journal.decoded()
    assert (first.code, first.scheme) == (None, "text")
    assert (card.code, card.scheme, card.action, card.operator) == ("WIP:BADGE:7", "badge", None, "7")
    assert last.operator == "7"


def test_a_scan_that_was_cut_is_stored_as_too_long_to_read() -> None:
    bench = Bench()
    (answer,) = bench.take(a_read(b"x" * 4296, raw_len=9000, sha256="ab" * 32))
    (event,) = bench.journal.decoded()
    assert (event.raw_len, event.raw_sha256, event.unread, event.scheme, event.code) == (
        9000, "ab" * 32, "too long", None, None,
    )  # fmt: skip
    assert isinstance(answer, Look)
    assert (answer.why, answer.text) == ("not_understood", "not understood: too long")


def test_a_scan_whose_event_would_be_too_long_is_stored_without_its_code() -> None:
    bench = Bench(patterns=())
    raw = b"\x01" * 4296  # each becomes four characters
    reads = [a_read(b"WIP:REASON:" + "\u00e9".encode() * 55), a_read(b"WIP:BADGE:" + b"7" * 110), a_read(raw)]
    bench.take(*reads)
    assert len(bench.journal.events[-1]) < 32 * 1024
    assert bench.journal.decoded()[-1].raw == raw


def test_a_dropped_scan_is_red_and_is_no_event() -> None:
    bench = Bench()
    assert bench.take(Dropped("keyboard", "usb-1", 5, "keys were lost")) == [
        Red("not_saved", f"{NOT_RECORDED} (keys were lost)")
    ]
    assert bench.journal.events == []


def test_scans_of_unknown_number_that_were_lost_are_one_red_that_asks_for_all_of_them() -> None:
    bench = Bench()
    assert bench.take(Dropped("keyboard", "usb-1", 5, "Keys were lost.", many=True)) == [
        Red("not_saved", "one or more scans lost, scan them again (Keys were lost.)")
    ]
    assert bench.journal.events == []


def test_an_empty_read_is_nothing() -> None:
    bench = Bench()
    assert bench.take(a_read(b"")) == []
    assert bench.journal.events == []


def test_undo_names_the_place_of_what_it_takes_back() -> None:
    bench = Bench()
    answers = bench.take(a_read(b"WO-1"), a_read(b"WIP:UNDO", 11))
    assert bench.journal.decoded()[1].action == "void"
    assert bench.journal.decoded()[1].ref == LogPosition(LOG_ID.hex(), 1)
    assert answers[1].text == "undone: WO-1"


def test_a_repeat_is_stored_and_marked() -> None:
    bench = Bench()
    answers = bench.take(a_read(b"WO-1", 10), a_read(b"WO-1", 12.9), a_read(b"WO-1", 15.9))
    assert [event.repeat for event in bench.journal.decoded()] == [False, True, False]
    assert [answer.why for answer in answers] == ["saved", "repeat", "saved"]
    assert numbers(answers) == [1, 2, 3]


@pytest.mark.parametrize(
    ("cards", "state", "shown"),
    [
        ([b"WIP:SCRAP", b"WIP:QTY:5"], Green, AnswerText(item="WO-1", action="SCRAP 5")),
        ([b"WIP:SCRAP", b"WIP:REASON:burr"], Green, AnswerText(item="WO-1", action="SCRAP 1", detail="Burr left")),
        ([b"WIP:REWORK:saw", b"WIP:ALL"], Green, AnswerText(item="WO-1", action="REWORK Saw ALL")),
        ([b"WIP:QTY:2.5"], Green, AnswerText(item="WO-1", action="QTY 2,5")),
        ([b"WIP:HOLD"], Green, AnswerText(item="WO-1", action="HOLD")),
        ([], Green, AnswerText(item="WO-1")),
        ([b"WIP:SCRAP"], Look, AnswerText(item="WO-1", action="SCRAP 1",
         detail="1 counted: WO-1 SCRAP. More? UNDO, then SCRAP, QTY and the sheet")),
    ],
    ids=["quantity", "one with a reason", "a stage", "quantity alone", "action alone", "bare", "one without a reason"],
)  # fmt: skip
def test_the_screen_has_the_verb_and_the_quantity_that_were_saved(
    cards: list[bytes], state: type[Green | Look], shown: AnswerText
) -> None:
    bench = Bench(names=NAMED)
    *_, answer = bench.take(*(a_read(card, 10 + n) for n, card in enumerate(cards)), a_read(b"WO-1", 20))
    assert isinstance(answer, state)
    assert answer.shown == shown


def test_the_screen_has_names_in_place_of_the_texts_of_cards_and_badges() -> None:
    bench = Bench(names=NAMED)
    cards = (b"WIP:BADGE:K7", b"WIP:STAGE:saw", b"WIP:SCRAP", b"WIP:REASON:burr", b"WIP:CANCEL", b"WIP:PAUSE")
    answers = bench.take(*(a_read(card, 10 + 2 * n) for n, card in enumerate(cards)))
    assert [answer.shown.item for answer in answers] == ["A. Kim", "Saw", "SCRAP", "SCRAP", "CANCEL", "WIP:PAUSE"]


def test_a_repeat_has_no_verb_because_nothing_more_was_saved() -> None:
    bench = Bench()
    answers = bench.take(a_read(b"WIP:IN", 10), a_read(b"WIP:IN", 12), a_read(b"WO-1", 14), a_read(b"WO-1", 15))
    assert [answer.shown.action for answer in answers[2:]] == ["IN", ""]


def test_the_scan_after_idling_ended_a_badge_is_amber_and_recorded_without_it() -> None:
    bench = Bench(names=NAMED)
    answers = bench.take(a_read(b"WIP:BADGE:K7", 10), a_read(b"WO-1", 911), a_read(b"WO-2", 912))
    assert [event.operator for event in bench.journal.decoded()] == ["K7", None, None]
    notice = "no badge: that of A. Kim ended without scans. Scan it again"
    late, after = answers[1:]
    assert isinstance(late, Look)
    assert (late.why, late.text, late.shown) == (
        "look", f"saved: WO-1. {notice}", AnswerText(item="WO-1", detail=notice),
    )  # fmt: skip
    assert isinstance(after, Green)


def test_a_notice_about_the_badge_leaves_a_stop_a_stop() -> None:
    bench = Bench(names=NAMED, judge=Stops())
    answers = bench.take(a_read(b"WIP:BADGE:K7", 10), a_read(b"WO-1", 911))
    assert (answers[1].why, answers[1].shown.detail) == (
        "stop", "goes to Test first. no badge: that of A. Kim ended without scans. Scan it again",
    )  # fmt: skip


def without_expiry(bench: Bench) -> tuple[str | None, BenchState]:
    """The bench of one reader: its operator, and the rest. Each read puts the end of the sign-on off."""
    (state,) = bench.scan.benches.values()
    return state.operator and state.operator.badge, replace(state, operator=None)


@pytest.mark.parametrize(
    "card", [b"WIP:BADGE:A1", b"WIP:SCRAP", b"WIP:UNDO", b"WIP:LOAD", b"WIP:CALL:x", b"WIP:ANSWER", b"WIP:STAGE:saw"]
)
def test_the_same_card_twice_within_a_second_acts_once(card: bytes) -> None:
    once, twice = Bench(), Bench()
    before = [a_read(b"WO-1", 10), a_read(b"WO-2", 20)]
    once.take(*before, a_read(card, 30))
    *_, again = twice.take(*before, a_read(card, 30), a_read(card, 30.9))
    assert without_expiry(twice) == without_expiry(once)
    last = twice.journal.decoded()[-1]
    assert (last.raw, last.repeat, last.ref, last.action) == (card, True, None, None), "recorded, and without effect"
    assert (again.why, again.text) == ("repeat", "the same card twice within a second: it counts once")


@pytest.mark.parametrize(
    ("reads", "held"),
    [
        ([a_read(b"WIP:SCRAP", 10), a_read(b"WIP:SCRAP", 11)], True),
        ([a_read(b"WIP:SCRAP", 10), a_read(b"WIP:REASON:x", 10.3), a_read(b"WIP:SCRAP", 10.6)], True),
        ([a_read(b"WIP:SCRAP", 10), a_read(b"WIP:SCRAP", 10.3, reader="replay-2")], True),
        ([a_read(b"WIP:SCRAP", 10), a_read(b"WIP:SCRAP", 10.5), a_read(b"WIP:SCRAP", 11.2)], False),
    ],
    ids=["a second later", "another card between", "another reader", "three times"],
)
def test_a_card_scanned_twice_on_purpose_is_held(reads: list[Any], held: bool) -> None:
    bench = Bench()
    bench.take(*reads)
    (state,) = bench.scan.benches.values()
    assert state.pending is not None
    assert state.pending.held is held


def test_two_readers_do_not_repeat_each_other_and_benches_do_not_share_cards() -> None:
    places = {"a": ReaderSettings("left"), "b": ReaderSettings("right")}
    bench = Bench(more={"reader_settings": places.__getitem__})
    bench.take(
        a_read(b"WIP:SCRAP", 1, reader="a"), a_read(b"WO-1", 2, reader="b"), a_read(b"WO-1", 2.5, reader="a"),
    )  # fmt: skip
    _, right, left = bench.journal.decoded()
    assert (right.action, right.repeat, left.action, left.repeat) == (None, False, "scrap", False)


def test_an_undo_at_one_reader_lets_the_same_sheet_count_again_at_another() -> None:
    bench = Bench()
    bench.take(
        a_read(b"WO-1", 10, reader="a"), a_read(b"WIP:UNDO", 10.5, reader="b"), a_read(b"WO-1", 11, reader="a"),
    )  # fmt: skip
    assert [event.repeat for event in bench.journal.decoded()] == [False, False, False]


def test_the_first_scan_after_a_restart_may_be_a_repeat_for_two_minutes() -> None:
    for at_s, repeats in ((100, True), (121, False)):
        bench = Bench(more={"restart": RestartState({"replay-1": ScanSignature("WO-1")})})
        bench.work_queue.close()
        bench.scan.run()  # ready at 0
        bench.take(a_read(b"WO-1", at_s))
        assert bench.journal.decoded()[0].repeat is repeats


def test_with_the_sheet_first_three_events_stand_for_sheet_and_card() -> None:
    bench = Bench(settings=BenchSettings(cards_after=True))
    answers = bench.take(a_read(b"WO-1", 10), a_read(b"WIP:SCRAP", 11))
    sheet, card, again, void = bench.journal.decoded()
    assert (sheet.raw, sheet.action, card.action) == (b"WO-1", None, None)
    assert (again.raw, again.action, again.ref) == (b"WO-1", "scrap", None)
    assert (void.raw, void.action, void.ref) == (None, "void", LogPosition(LOG_ID.hex(), 1))
    assert numbers(answers) == [1, 3]


class Rules:
    """A judge that says what it is told to."""

    def __init__(self, said: Advice | Exception) -> None:
        self.said = said

    def pieces(self, code: Code, stage: str | None) -> bool:  # noqa: ARG002 - the port's signature
        """No pieces."""
        return False

    def knows(self, code: Code) -> bool:  # noqa: ARG002 - the port's signature
        """No order."""
        return False

    def unknown(self, code: Code) -> str | None:  # noqa: ARG002 - the port's signature
        """Each code names something."""
        return None

    def remark(self, code: Code) -> str | None:  # noqa: ARG002 - the port's signature
        """Nothing."""
        return None

    def void(self, seq: int, by_seq: int) -> None:
        """Nothing to take back."""

    def judge(self, code: Code, event: Event, seq: int) -> Advice:  # noqa: ARG002 - the port's signature
        """Say it."""
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def test_the_rules_are_said_behind_the_commit_and_never_colour_a_card() -> None:
    bench = Bench(judge=Rules(Advice(look="goes to Deburr first", name="WO-1 bracket")))
    look, card = bench.take(a_read(b"WO-1"), a_read(b"WIP:IN", 11))
    assert isinstance(look, Look)
    assert (look.why, look.text, look.receipt.seq) == ("look", "WO-1: goes to Deburr first", 1)
    assert look.shown == AnswerText(item="WO-1 bracket", detail="goes to Deburr first")
    assert isinstance(card, Green)
    bench = Bench(judge=Rules(Advice(look="goes to Deburr first", stop=True)))
    (stop,) = bench.take(a_read(b"WO-1"))
    assert isinstance(stop, Look)
    assert (stop.why, stop.receipt.seq) == ("stop", 1)
    bench = Bench(judge=Rules(Advice(next_stage="Deburr")))
    (green,) = bench.take(a_read(b"WO-1"))
    assert (green.why, green.text) == ("saved", "saved: WO-1 -> Deburr next")


def test_rules_that_fail_cost_the_green_and_nothing_else() -> None:
    bench = Bench(judge=Rules(ValueError("no")))
    (answer,) = bench.take(a_read(b"WO-1"))
    assert isinstance(answer, Look)
    assert answer.text == "WO-1: saved, but the rules could not be asked"
    assert len(bench.journal.events) == 1


def test_a_forgotten_card_is_said_without_a_scan() -> None:
    bench = Bench(settings=BenchSettings(command_ns=S // 5), clock=boot_ns)
    thread = threading.Thread(target=bench.scan.run)
    thread.start()
    bench.work_queue.put(a_read(b"WIP:SCRAP", boot_ns() / S), wait=False)
    until(lambda: len(bench.said) == 2)
    bench.work_queue.close()
    thread.join(5)
    assert bench.said[1] == Notice("card", "card forgotten: SCRAP")
    assert msgspec.json.decode(bench.said[1].line(7)) == {
        "state": "amber", "why": "card", "text": "card forgotten: SCRAP", "log": None, "seq": None, "code": None,
        "boot_ns": 7,
    }  # fmt: skip


def test_an_order_of_the_shop_is_saved_by_its_own_scheme() -> None:
    bench = Bench(patterns=(Pattern("order", r"WO-(?P<id>\d+)", "item"),))
    bench.take(a_read(b"WO-1042"))
    (event,) = bench.journal.decoded()
    assert (event.scheme, event.code) == ("own", None)
    assert asdict(bench.scan.benches[None])["done"][0]["label"] == "1042"


def test_a_device_with_a_new_name_for_each_scan_costs_bounded_memory_and_the_readers_heard_last_are_known() -> None:
    bench = Bench(more={"repeat_s": 1_000_000})
    names = [f"usb-05e0-1200-S{number}" for number in range(3 * MAX_READERS)]
    for number, name in enumerate(names):
        bench.take(a_read(b"WO-1042", at_s=10 + number, reader=name))
    again = [a_read(b"WO-1042", at_s=1000, reader=names[place]) for place in (-1, -MAX_READERS, -MAX_READERS - 1)]
    assert [answer.why for answer in bench.take(*again)] == ["repeat", "repeat", "saved"]
    assert {event.reader.id for event in bench.journal.decoded() if event.reader} == set(names)


def test_the_readers_of_the_event_builder_are_bounded_and_those_that_scanned_last_are_kept() -> None:
    events = EventBuilder("saw-1", "0.1.0", "boot-a", lambda: 0, lambda: 0)
    first = events.reader("keyboard", "usb-0")
    for number in range(1, MAX_READERS):
        events.reader("keyboard", f"usb-{number}")
    assert events.reader("keyboard", "usb-0") is first
    for number in range(MAX_READERS):
        events.reader("keyboard", f"usb-new-{number}")
    forgotten = events.reader("keyboard", "usb-0")
    assert (forgotten, forgotten is first) == (first, False)


def test_a_set_up_code_of_a_scanner_is_recorded_and_answered_amber() -> None:
    bench = Bench()
    (answer,) = bench.take(a_read(b"@SETUPE1"))
    assert (answer.state, answer.why) == ("amber", "not_understood")
    assert answer.text == "not understood: a set-up code of Newland scanners; did your scanner change?"
    (event,) = bench.journal.decoded()
    assert (event.raw, event.scheme, event.unread) == (
        b"@SETUPE1", None, "a set-up code of Newland scanners; did your scanner change?",
    )  # fmt: skip
