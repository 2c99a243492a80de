"""The inbox: scans are bounded, a file waits, a device is refused, and chores come last."""

import threading

import pytest

from station.scan.work_queue import QUEUE_READS, WorkQueue


def test_a_device_finds_no_room_behind_64_scans_and_a_file_waits_for_it() -> None:
    inbox: WorkQueue[int] = WorkQueue()
    assert [inbox.put(number, wait=False) for number in range(QUEUE_READS + 1)] == [True] * 64 + [False]
    waiting = threading.Thread(target=lambda: inbox.put(99, wait=True))
    waiting.start()
    assert inbox.next_work(1) == 0
    waiting.join(5)
    assert not waiting.is_alive()
    assert [inbox.next_work(1) for _ in range(64)][-1] == 99
    assert inbox.quiet


def test_a_chore_wakes_the_thread_and_takes_no_room() -> None:
    inbox: WorkQueue[int] = WorkQueue(1)
    chore = inbox.submit(lambda: 7)
    assert inbox.put(1, wait=False)
    assert inbox.next_work(1) is None
    assert inbox.next_work(1) == 1
    found = inbox.chore()
    assert found is chore
    assert inbox.chore() is None
    chore.run()
    assert chore.wait() == 7


def test_a_chores_error_reaches_both_sides() -> None:
    inbox: WorkQueue[int] = WorkQueue()
    chore = inbox.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        chore.run()
    with pytest.raises(ZeroDivisionError):
        chore.wait()


def test_nothing_waits_for_a_thread_that_has_ended() -> None:
    inbox: WorkQueue[int] = WorkQueue()
    before = inbox.submit(lambda: 7)
    inbox.refuse_rest()
    after = inbox.submit(lambda: 7)
    for chore in (before, after):
        with pytest.raises(InterruptedError):
            chore.wait()
