"""The recording thread and its medium: full, failed, slow, late; and what it does between scans."""

import threading
from pathlib import Path

import pytest
from waiting import until

from station.core.codes import CodeBinding, CodeType
from station.feedback.messages import DISK_FULL, NOT_RECORDED, ROOM_AGAIN, Green, Notice, Red
from station.journal.records import JournalFull, JournalLost
from station.rules.interface import NoRules, RuleContext
from station.system.clock import boot_ns
from tests.station.fixtures.scan_pipeline import Bench, a_read, numbers

S = 10**9


def test_a_full_disk_is_red_and_the_station_goes_on() -> None:
    bench = Bench()

    def full(_encoded: bytes) -> None:
        raise JournalFull

    bench.take(a_read(b"WIP:SCRAP", 9))
    bench.journal.misbehave = full
    assert bench.take(a_read(b"WO-1")) == [Red("not_saved", DISK_FULL, "WO-1")]
    bench.journal.misbehave = lambda _encoded: None
    (answer,) = bench.take(a_read(b"WO-2", 11))
    assert isinstance(answer, Green)
    assert bench.journal.decoded()[-1].action is None  # the red scan used the card up, whatever its answer


def test_a_full_disk_is_looked_at_every_two_seconds_and_the_operator_reads_when_there_is_room() -> None:
    room, looks = [False], list[int]()

    def has_room() -> bool:
        looks.append(bench.now_ns // S)
        return room[0]

    bench = Bench(more={"has_room": has_room})

    def full(_encoded: bytes) -> None:
        raise JournalFull

    bench.journal.misbehave = full
    bench.take(a_read(b"WO-1", 10, reader="left"), a_read(b"WO-2", 11, reader="left"))
    for second in (12, 13, 14, 15, 16, 17):
        bench.now_ns, room[0] = second * S, second >= 15
        bench.scan.work_between_scans()
    assert looks == [13, 15]
    assert bench.said[2:] == [Notice("look", ROOM_AGAIN)]
    assert bench.said[2].reader == "left"
    assert [what for what, _ in bench.log] == ["the disk is full", "there is room again; scans are recorded"]


def test_a_scan_that_finds_room_again_is_green_and_needs_no_notice() -> None:
    bench = Bench(more={"has_room": lambda: True})

    def full(_encoded: bytes) -> None:
        raise JournalFull

    bench.journal.misbehave = full
    bench.take(a_read(b"WO-1", 10))
    bench.journal.misbehave = lambda _encoded: None
    assert numbers(bench.take(a_read(b"WO-1", 11))) == [1]
    bench.now_ns = 20 * S
    bench.scan.work_between_scans()
    assert len(bench.said) == 2


def test_a_failed_medium_is_red_and_ends_the_thread() -> None:
    bench = Bench()

    def lost(_encoded: bytes) -> None:
        raise JournalLost

    bench.journal.misbehave = lost
    bench.work_queue.put(a_read(b"WO-1"), wait=False)
    bench.work_queue.put(a_read(b"WO-2"), wait=False)
    bench.scan.run()
    assert bench.said == [Red("not_saved", NOT_RECORDED)]
    assert isinstance(bench.scan.died, JournalLost)


class BrokenBindings(dict[str, CodeBinding]):
    """Bindings whose look-up fails."""

    def get(self, *_code: object) -> CodeBinding:  # type: ignore[override]
        raise ZeroDivisionError


def test_a_mistake_of_ours_is_red_and_the_station_goes_on() -> None:
    bench = Bench()
    rules = bench.scan.rules
    bench.scan.use_rules(RuleContext((), NoRules(), BrokenBindings(A=CodeBinding(CodeType.ITEM, "A"))))
    assert bench.take(a_read(b"WO-1")) == [Red("not_saved", NOT_RECORDED)]
    bench.scan.use_rules(rules)
    assert numbers(bench.take(a_read(b"WO-2"))) == [1]


def slow(bench: Bench, *waits_ms: int) -> None:
    """Each commit takes so long, and the watchdog looks after each of these waits."""

    def misbehave(_encoded: bytes) -> None:
        for waited_ms in waits_ms:
            bench.now_ns += waited_ms * 1_000_000
            bench.scan.watchdog.check()

    bench.journal.misbehave = misbehave


def test_a_slow_commit_says_wait_and_then_exactly_one_more_answer() -> None:
    bench = Bench()
    slow(bench, 399, 1, 500)
    answers = bench.take(a_read(b"WO-1"))
    assert [(each.why, type(each)) for each in answers] == [("wait", Notice), ("saved", Green)]


def test_a_commit_that_comes_through_after_red_gets_no_green_and_is_named_in_the_next_event() -> None:
    bench = Bench()
    slow(bench, 400, 2600, 900)
    assert [each.why for each in bench.take(a_read(b"WO-1", 10))] == ["wait", "not_saved"]
    bench.journal.misbehave = lambda _encoded: None
    bench.take(a_read(b"WO-9", 20), a_read(b"WO-1", 30), a_read(b"WO-1", 40))
    first, late, repeat, fresh = bench.journal.decoded()
    assert (first.late, late.late, repeat.late) == (None, [1], None)
    assert (late.repeat, repeat.repeat, fresh.repeat) == (False, True, False)


def test_a_chore_waits_for_scans_and_its_error_goes_to_who_asked() -> None:
    bench = Bench()
    order: list[str] = []
    bench.journal.misbehave = lambda _encoded: order.append("scan")
    chore = bench.work_queue.submit(lambda: order.append("chore"))
    for number in range(3):
        bench.work_queue.put(a_read(b"WO-%d" % number), wait=False)
    bench.work_queue.close()
    bench.scan.run()
    chore.wait()
    assert order == ["scan", "scan", "scan", "chore"]
    with pytest.raises(InterruptedError):
        bench.work_queue.submit(lambda: None).wait()


def test_a_chore_that_fails_ends_no_recording_and_one_that_lost_the_medium_does() -> None:
    for error, ends in ((ValueError, False), (JournalFull, False), (JournalLost, True)):
        bench = Bench()

        def fail(error: type[Exception] = error) -> None:
            raise error

        chore = bench.work_queue.submit(fail)
        bench.work_queue.put(a_read(), wait=False)
        bench.work_queue.close()
        bench.scan.run()
        assert isinstance(bench.scan.died, JournalLost) is ends
        with pytest.raises(error):
            chore.wait()


def test_the_journal_is_tidied_when_the_bench_rests() -> None:
    bench = Bench(clock=boot_ns)
    thread = threading.Thread(target=bench.scan.run)
    thread.start()
    bench.work_queue.put(a_read(b"WO-1", boot_ns() / S), wait=False)
    until(lambda: any(idle_s >= 1 for idle_s in bench.journal.tidied))
    bench.work_queue.close()
    thread.join(5)
    assert not thread.is_alive()


def test_the_thread_sleeps_when_nothing_can_happen(tmp_path: Path) -> None:
    bench = Bench()
    assert bench.scan.pause_s() is None
    bench.take(a_read(b"WIP:SCRAP", 10))
    bench.now_ns = 12 * S
    pause_s = bench.scan.pause_s()
    assert pause_s is not None
    assert 17.9 < pause_s < 18.1
