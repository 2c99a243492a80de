"""Every answer knows the reader whose scan it answers."""

from drivers import Dropped
from station.feedback.messages import DISK_FULL, NOT_RECORDED, WAIT_TEXT, Notice, Reason, Red
from station.journal.records import JournalFull, JournalLost
from station.scan.bench_state import BenchSettings
from station.scan.commit_watchdog import RED_NS, WAIT_NS
from tests.station.fixtures.scan_pipeline import Bench, at


def test_every_answer_knows_the_reader_whose_scan_it_answers() -> None:
    bench = Bench()
    said = bench.take(
        at("left"), at("right", at_s=11), at("left", b"wip:scrap", 12), at("left", at_s=13), at("right", b"WIP:PAUSE", 14),
        at("left", at_s=15), at("left", at_s=16), Dropped("keyboard", "right", 17 * 10**9, "a key was lost"),
    )  # fmt: skip
    assert [(each.state.value, each.why, each.reader) for each in said] == [
        ("green", "saved", "left"), ("green", "saved", "right"), ("green", "card", "left"), ("amber", "ask", "left"),
        ("amber", "not_understood", "right"), ("green", "saved", "left"), ("amber", "repeat", "left"),
        ("red", "not_saved", "right"),
    ]  # fmt: skip


def test_a_sheet_that_a_later_card_gives_its_meaning_is_answered_where_the_card_was_read() -> None:
    bench = Bench(BenchSettings(cards_after=True))
    said = bench.take(at("left"), at("right", b"wip:scrap", 11))
    assert [(each.state.value, each.code, each.reader) for each in said] == [
        ("green", "WO-1042", "left"), ("amber", "WO-1042", "right"),
    ]  # fmt: skip


def test_a_medium_that_is_full_or_fails_or_hangs_is_answered_at_the_reader_that_scanned() -> None:
    bench = Bench()

    def full(_encoded: bytes) -> None:
        raise JournalFull

    bench.journal.misbehave = full
    bench.take(at("left"))

    def hangs(_encoded: bytes) -> None:
        for late_ns in (WAIT_NS, RED_NS):
            bench.now_ns = 11 * 10**9 + late_ns
            bench.scan.watchdog.check()

    bench.journal.misbehave = hangs
    bench.take(at("right", at_s=11))

    def lost(_encoded: bytes) -> None:
        raise JournalLost

    bench.journal.misbehave = lost
    bench.work_queue.put(at("left", at_s=20), wait=False)
    bench.work_queue.close()
    bench.scan.run()
    assert [(each.state.value, each.text, each.reader) for each in bench.said] == [
        ("red", DISK_FULL, "left"), ("amber", WAIT_TEXT, "right"), ("red", NOT_RECORDED, "right"),
        ("red", NOT_RECORDED, "left"),
    ]  # fmt: skip


def test_a_card_that_is_forgotten_beeps_at_no_reader() -> None:
    bench = Bench()
    bench.take(at("left", b"wip:scrap"), at("right", at_s=40))
    forgotten = [each for each in bench.said if isinstance(each, Notice)]
    assert [(each.why, each.reader) for each in forgotten] == [("card", "")]


def test_two_answers_that_say_the_same_are_equal_whichever_reader_they_are_for() -> None:
    assert Red(Reason.NOT_SAVED, "x", reader="a") == Red(Reason.NOT_SAVED, "x", reader="b")
