"""Writes of several threads in one transaction: each is committed before its call returns, and has its own error."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import engines
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from statements import counted_statements
from waiting import until

from server.db import schema
from server.db.group_commit import GroupCommit

engine = engines.both
NAMES = [f"saw-{number}" for number in range(5)]


def add(name):
    """A write that adds a station."""
    return lambda connection: connection.execute(
        schema.station.insert().returning(schema.station.c.name), [{"name": name, "added_us": 1}]
    ).scalar_one()


def stored(store):
    with store.read() as connection:
        return set(connection.execute(select(schema.station.c.name)).scalars())


class Busy:
    """A store whose transactions wait until `free` is set."""

    def __init__(self, store):
        self._store, self.free = store, threading.Event()

    @contextmanager
    def begin(self):
        assert self.free.wait(30)
        with self._store.write() as connection:
            yield connection


@pytest.fixture
def busy(store):
    return Busy(store)


@pytest.fixture
def together(store, busy):
    """Run writes from a thread each; all of them are queued before a transaction begins. Their results or errors."""

    def run(*writes):
        group = GroupCommit(busy.begin)

        def call(write):
            try:
                return group.run(write), stored(store)
            except (ValueError, IntegrityError) as error:
                return error, stored(store)

        with ThreadPoolExecutor(len(writes)) as threads:
            calls = [threads.submit(call, write) for write in writes]
            until(lambda: group.waiting == len(writes))
            busy.free.set()
            return [each.result(30) for each in calls]

    return run


def test_writes_that_wait_share_one_transaction_and_are_stored_when_their_calls_return(store, together):
    with counted_statements() as counted:
        results = together(*map(add, NAMES))
    assert [name for name, _ in results] == NAMES
    assert all(name in seen for name, seen in results)
    assert counted.commits == 1 + len(NAMES)  # the one that wrote, and the reading one of each call
    assert stored(store) >= set(NAMES)


def test_a_write_that_fails_is_rolled_back_alone(store, together):
    def fail(connection):
        add("lost-1")(connection)
        msg = "no such log"
        raise ValueError(msg)

    results = [result for result, _ in together(add(NAMES[0]), fail, add(NAMES[1]), add(NAMES[0]))]
    assert (results[0], str(results[1]), results[2]) == (NAMES[0], "no such log", NAMES[1])
    assert isinstance(results[3], IntegrityError)  # the name exists already
    assert stored(store) == {NAMES[0], NAMES[1]}


def test_a_transaction_that_cannot_begin_or_commit_fails_its_own_writes(store):
    errors = [OSError("the disk is full"), None]

    @contextmanager
    def begin():
        error = errors.pop(0)
        if error is not None:
            raise error
        with store.write() as connection:
            yield connection

    group = GroupCommit(begin)
    with pytest.raises(OSError, match="the disk is full"):
        group.run(add("saw-1"))
    assert group.run(add("saw-2")) == "saw-2"
    assert (stored(store), group.waiting) == ({"saw-2"}, 0)


def test_a_thread_that_ends_in_its_turn_leaves_its_writes_to_the_others(store):
    def end(_connection):
        if threading.current_thread() is not main:
            raise SystemExit
        return "ran"

    main = threading.current_thread()
    group = GroupCommit(store.write)
    with pytest.raises(SystemExit):
        ThreadPoolExecutor(1).submit(group.run, end).result(10)
    assert group.waiting == 1
    assert group.run(add("saw-1")) == "saw-1"
    assert (stored(store), group.waiting) == ({"saw-1"}, 0)


def test_a_write_shortly_after_a_transaction_waits_for_those_that_come_meanwhile(store):
    threads, calls, pauses = ThreadPoolExecutor(1), [], []

    def pause(_seconds):
        pauses.append(group.waiting)
        if len(pauses) == 1:
            calls.append(threads.submit(group.run, add("saw-3")))
            until(lambda: group.waiting == 2)

    group = GroupCommit(store.write, now_s=lambda: 7.0, pause=pause)
    assert group.run(add("saw-1")) == "saw-1"
    assert pauses == []  # after a quiet time at once
    with counted_statements() as counted:
        assert group.run(add("saw-2")) == "saw-2"
        assert calls[0].result(30) == "saw-3"
    assert pauses == [1, 2]  # the second pause brought no further write
    assert counted.commits == 1
    threads.shutdown()
