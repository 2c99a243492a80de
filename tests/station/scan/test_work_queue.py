"""The work queue: scans are bounded, a file waits, a device is refused, and chores come last."""

import threading

import pytest

from station.scan.work_queue import QUEUE_READS, WorkQueue


def test_a_device_finds_no_room_behind_64_scans_and_a_file_waits_for_it() -> None:
    work_queue: WorkQueue[int] = WorkQueue()
    assert [work_queue.put(number, wait=False) for number in range(QUEUE_READS + 1)] == [True] * 64 + [False]
    waiting = threading.Thread(target=lambda: work_queue.put(99, wait=True))
    waiting.start()
    assert work_queue.next_work(1) == 0
    waiting.join(5)
    assert not waiting.is_alive()
    assert [work_queue.next_work(1) for _ in range(64)][-1] == 99
    assert work_queue.quiet


def test_a_chore_wakes_the_thread_and_takes_no_room() -> None:
    work_queue: WorkQueue[int] = WorkQueue(1)
    chore = work_queue.submit(lambda: 7)
    assert work_queue.put(1, wait=False)
    assert work_queue.next_work(1) is None
    assert work_queue.next_work(1) == 1
    found = work_queue.chore()
    assert found is chore
    assert work_queue.chore() is None
    chore.run()
    assert chore.wait() == 7


def test_a_chores_error_reaches_both_sides() -> None:
    work_queue: WorkQueue[int] = WorkQueue()
    chore = work_queue.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        chore.run()
    with pytest.raises(ZeroDivisionError):
        chore.wait()


def test_nothing_waits_for_a_thread_that_has_ended() -> None:
    work_queue: WorkQueue[int] = WorkQueue()
    before = work_queue.submit(lambda: 7)
    work_queue.refuse_rest()
    after = work_queue.submit(lambda: 7)
    for chore in (before, after):
        with pytest.raises(InterruptedError):
            chore.wait()
