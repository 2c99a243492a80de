"""The bench's second thoughts: undo, repeats, and the sheet before its card."""

from station.core.event import LogPosition as LogPlace
from station.feedback.messages import Reason, State
from station.scan.bench_state import BenchSettings, BenchState, S, ScanFields
from station.scan.deduplication import RepeatFilter, ScanSignature, is_repeat, mark_unconfirmed, record_read
from tests.station.fixtures.shop_bench import DONE, LOG, Shop, a_step


def test_in_then_scrap_then_the_same_sheet_at_once_swallows_nothing() -> None:
    shop = Shop()
    shop.scan("WO-1", 10.0)
    shop.scan("WIP:SCRAP", 10.4)
    scrapped = shop.scan("WO-1", 10.8)
    assert scrapped.fields == ScanFields(action="scrap")
    assert shop.holds() == [("WO-1", None, None), ("WO-1", "scrap", None)]


def test_scan_then_undo_then_the_same_scan_swallows_nothing() -> None:
    for reader in ("r", "another reader of the bench"):
        shop = Shop()
        shop.scan("WO-1", 10.0)
        undone = shop.scan("WIP:UNDO", 10.5, reader=reader)
        again = shop.scan("WO-1", 11.0)
        assert undone.fields == ScanFields(action="void", void=LogPlace(LOG, 1))
        assert again.fields == ScanFields(repeat=False)
        assert shop.voided == [1]


def test_counting_pieces_by_scanning_the_sheet_once_a_piece_swallows_nothing() -> None:
    pieces = Shop()
    for second in range(5):  # the operation has a transfer quantity: each scan is a piece
        assert pieces.scan("WO-1", 10 + second, pieces=True).answer.why == Reason.SAVED
    assert len(pieces.holds()) == 5

    told = Shop()  # without one, a scan that is not counted is said to be not counted
    assert told.scan("WO-1", 10).answer.why == Reason.SAVED
    repeat = told.scan("WO-1", 11)
    assert (repeat.fields.repeat, repeat.answer.state, repeat.answer.why) == (True, State.AMBER, Reason.REPEAT)
    assert repeat.answer.text == "already saved: WO-1. Another one? Card MORE, then scan"
    told.scan("WIP:MORE", 12)
    assert told.scan("WO-1", 13).fields == ScanFields(repeat=False)
    assert len(told.holds()) == 2


def test_explicit_quantities_and_products_are_never_repeats() -> None:
    shop = Shop()
    for second in range(0, 6, 2):
        shop.scan("WIP:QTY:1", 10 + second)
        shop.scan("WO-1", 10.5 + second)
    assert shop.holds() == [("WO-1", None, 1000)] * 3
    for second in range(3):
        assert shop.scan("P-77", 30 + second, pieces=True).fields.repeat is False


def test_undo_takes_back_the_own_newest_scan_and_names_whose_the_rest_is() -> None:
    shop = Shop()
    for text, at_s in (("WIP:BADGE:A1", 1), ("WO-2", 3), ("WIP:BADGE:B2", 5), ("WO-3", 7)):
        shop.scan(text, at_s)
    assert shop.scan("WIP:UNDO", 9).answer.text == "undone: WO-3"
    others = shop.scan("WIP:UNDO", 11)
    assert (others.answer.state, others.answer.why) == (State.AMBER, Reason.CARD)
    assert others.answer.text == "not undone: WO-2 is the scan of A1, who can undo it"
    assert others.fields.void is None
    shop.scan("WIP:BADGE:A1", 13)
    assert shop.scan("WIP:UNDO", 15).answer.text == "undone: WO-2"
    assert shop.voided == [4, 2]


def test_undo_goes_over_the_scan_of_another_to_the_own_one_before_it() -> None:
    shop = Shop()
    for text, at_s in (("WIP:BADGE:A1", 1), ("WO-2", 3), ("WIP:BADGE:B2", 5), ("WO-3", 7), ("WIP:BADGE:A1", 9)):
        shop.scan(text, at_s)
    assert shop.scan("WIP:UNDO", 11).answer.text == "undone: WO-2"
    assert shop.scan("WIP:UNDO", 13).answer.text == "not undone: WO-3 is the scan of B2, who can undo it"
    assert shop.voided == [2]


def test_a_scan_without_a_badge_is_undone_without_a_badge() -> None:
    shop = Shop()
    for text, at_s in (("WO-1", 1), ("WIP:BADGE:A1", 3)):
        shop.scan(text, at_s)
    told = shop.scan("WIP:UNDO", 5).answer.text
    assert told == "not undone: WO-1 was scanned without a badge. Sign out, then UNDO"
    shop.scan("WIP:BADGE:A1", 7)
    assert shop.scan("WIP:UNDO", 9).answer.text == "undone: WO-1"


def test_after_ten_minutes_nothing_is_undone_and_nobody_is_named() -> None:
    shop = Shop()
    for text, at_s in (("WIP:BADGE:A1", 1), ("WO-1", 3), ("WIP:BADGE:B2", 604)):
        shop.scan(text, at_s)
    assert shop.scan("WIP:UNDO", 606).answer.text == "nothing of the last 10 minutes to undo"


def test_undo_goes_back_one_further_each_time_and_skips_repeats() -> None:
    shop = Shop()
    for text, at_s in (("WO-1", 1), ("WO-2", 5), ("WO-2", 6), ("WIP:UNDO", 7), ("WIP:UNDO", 8), ("WIP:UNDO", 9)):
        last = shop.scan(text, at_s)
    assert shop.voided == [2, 1]
    assert last.answer.text == "nothing of the last 10 minutes to undo"


def test_undo_reaches_back_ten_minutes() -> None:
    assert a_step("WIP:UNDO", BenchState(done=DONE), at_s=95 + 600).fields.void == LogPlace(LOG, 5)
    assert a_step("WIP:UNDO", BenchState(done=DONE), at_s=95 + 600.1).fields.void is None


def test_with_the_sheet_first_a_card_records_the_sheet_anew_and_voids_what_it_said_before() -> None:
    shop = Shop(settings=BenchSettings(cards_after=True))
    shop.scan("WO-1", 10)  # 1
    scrapped = shop.scan("WIP:SCRAP", 12)  # 2 the card, 3 the sheet again, 4 the void of 1
    assert scrapped.rescan is not None
    assert (scrapped.rescan.fields, scrapped.rescan.void) == (ScanFields(action="scrap"), LogPlace(LOG, 1))
    assert scrapped.answer.text == "1 counted: WO-1 SCRAP. More? Card QTY"
    shop.scan("WIP:QTY:5", 14)  # 5, 6 the sheet again, 7 the void of 3
    shop.scan("WIP:REASON:burr", 16)  # 8, 9, 10 the void of 6
    assert shop.voided == [1, 3, 6]
    shop.scan("WIP:UNDO", 18)
    assert shop.voided == [1, 3, 6, 9]
    assert shop.scan("WIP:SCRAP", 19).answer.text == "scan the sheet first, then the card"


def test_with_the_sheet_first_a_card_comes_too_late_after_20_seconds() -> None:
    shop = Shop(settings=BenchSettings(cards_after=True))
    shop.scan("WO-1", 10)
    late = shop.scan("WIP:SCRAP", 30)
    assert (late.rescan, late.answer.state, late.answer.text) == (
        None,
        State.AMBER,
        "scan the sheet first, then the card",
    )
    assert shop.holds() == [("WO-1", None, None)]


def test_with_the_sheet_first_more_counts_a_scan_that_was_a_repeat() -> None:
    shop = Shop(settings=BenchSettings(cards_after=True))
    for text, at_s in (("WO-1", 10), ("WO-1", 11), ("WIP:MORE", 12)):
        shop.scan(text, at_s)
    assert shop.voided == []
    assert len(shop.holds()) == 2


def test_what_was_answered_red_and_came_through_makes_the_next_equal_scan_its_repeat_once() -> None:
    said = ScanSignature("WO-1", "scrap")
    memory = record_read(mark_unconfirmed(RepeatFilter(), said, 0), ScanSignature("WIP:SCRAP"), 50 * S)
    assert is_repeat(memory, said, 119 * S, 3 * S)
    assert not is_repeat(memory, said, 120 * S, 3 * S)
    assert not is_repeat(record_read(memory, said, 60 * S), said, 64 * S, 3 * S)


def test_the_first_scan_after_a_restart_repeats_the_readers_last_one_before_it() -> None:
    memory = RepeatFilter(before_start=ScanSignature("WO-1", operator="7"), before_start_until_ns=120 * S)
    assert is_repeat(memory, ScanSignature("WO-1"), 100 * S, 3 * S)
    assert not is_repeat(memory, ScanSignature("WO-1"), 120 * S, 3 * S)
    assert not is_repeat(memory, ScanSignature("WO-2"), 100 * S, 3 * S)
    assert not is_repeat(record_read(memory, ScanSignature("WIP:IN"), 90 * S), ScanSignature("WO-1"), 100 * S, 3 * S)
