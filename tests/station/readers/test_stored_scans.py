"""Stored scans are told from scans made by hand, and wait in their order for room."""

import threading

import pytest
from waiting import until

from station.readers.stored_scans import MS, OVER_NS, QUICK_NS, QUICK_ONES, SPOOL_BYTES, ReadPace, ReadSpool

MINUTE_NS = 60_000 * MS


def heard(pace: ReadPace, at_ns: int, pause_ns: int, count: int, raw: bytes = b"WO-%d") -> list[int | None]:
    return [pace.record_read(raw % n if b"%" in raw else raw, at_ns + n * pause_ns) for n in range(count)]


def test_what_comes_faster_than_a_hand_was_made_since_the_reader_was_heard_last() -> None:
    pace = ReadPace()
    assert pace.record_read(b"WO-X", MINUTE_NS) is None
    assert heard(pace, 10 * MINUTE_NS, 80 * MS, 50) == [None] * QUICK_ONES + [MINUTE_NS] * (50 - QUICK_ONES)
    assert pace.bursts
    last_ns = 10 * MINUTE_NS + 49 * 80 * MS
    assert pace.record_read(b"WO-Y", last_ns + OVER_NS) is None  # the burst is over
    assert not pace.bursts


def test_of_a_reader_that_was_never_heard_nobody_knows_since_when() -> None:
    assert heard(ReadPace(), MINUTE_NS, 80 * MS, 5) == [None, None, None, 0, 0]


@pytest.mark.parametrize(("pause_ns", "stored"), [(QUICK_NS - 1, True), (QUICK_NS, False)])
def test_a_hand_is_slower_than_four_a_second(pause_ns: int, stored: bool) -> None:
    assert (heard(ReadPace(), MINUTE_NS, pause_ns, 20)[-1] is not None) is stored


def test_a_scanner_on_a_stand_reads_one_label_over_and_over() -> None:
    assert heard(ReadPace(), MINUTE_NS, 50 * MS, 100, b"WO-1") == [None] * 100


def test_a_code_that_stands_twice_in_a_memory_is_a_stored_scan_twice() -> None:
    pace = ReadPace()
    heard(pace, MINUTE_NS, 50 * MS, 5)
    assert pace.record_read(b"WO-4", MINUTE_NS + 250 * MS) == 0


def test_a_pause_within_a_burst_does_not_end_it_and_a_slow_hand_begins_none() -> None:
    pace = ReadPace()
    heard(pace, MINUTE_NS, 50 * MS, 5)
    assert pace.record_read(b"WO-9", MINUTE_NS + 200 * MS + OVER_NS - 1) == 0
    slow = ReadPace()
    assert heard(slow, MINUTE_NS, 400 * MS, 10) == [None] * 10
    assert heard(slow, MINUTE_NS + 4_000 * MS, 50 * MS, 5)[-1] == MINUTE_NS + 3_600 * MS


def test_a_spool_keeps_the_order_and_says_where_it_is_full() -> None:
    let, taken, done = threading.Semaphore(0), [], threading.Event()

    def hand_over(number: int) -> None:
        let.acquire()
        taken.append(number)
        if len(taken) == 4:
            done.set()

    spool = ReadSpool[int](hand_over, "test", room=3)
    assert [spool.put(n) for n in range(5)] == [True, True, True, False, False]
    let.release()
    while len(spool) == 3:
        threading.Event().wait(0.001)
    assert spool.put(9)
    let.release(3)
    assert done.wait(5)
    assert taken == [0, 1, 2, 9]
    while len(spool):
        threading.Event().wait(0.001)


def test_a_spool_holds_so_many_bytes_and_takes_more_when_some_are_gone() -> None:
    gate, handed = threading.Semaphore(0), list[bytes]()

    def hand_over(thing: bytes) -> None:
        gate.acquire()
        handed.append(thing)

    spool, longest = ReadSpool[bytes](hand_over, "storm", size_of=len), b"\xff" * 4096
    most = SPOOL_BYTES // len(longest)
    assert [spool.put(longest) for _ in range(most + 1)] == [True] * most + [False]
    assert spool.put(b"")
    gate.release()
    until(lambda: len(handed) == 1 and spool.put(longest))
    gate.release(most + 2)
    until(lambda: not len(spool))
    assert len(handed) == most + 2
    assert spool.put(longest)


def test_a_spool_for_which_there_was_no_thread_is_emptied_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    spool = ReadSpool[int](taken.append, "test")

    def none_left(_thread: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as system:
        system.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError):
            spool.put(1)
    assert spool.put(2)
    until(lambda: taken == [1, 2])
