"""Heartbeats that wait: the last one of each station is written, once, also after an error and at the stop of the hub."""

import threading

import engines
import pytest
from sqlalchemy import select

from server.db import schema
from server.ledger import heartbeats
from server.ledger.heartbeats import WaitingHeartbeats

engine = engines.both
EMPTY = dict.fromkeys(column.name for column in schema.heartbeat.columns)


def beat(station, seen_us):
    return {**EMPTY, "station": station, "seen_us": seen_us}


def stored(store):
    with store.read() as connection:
        rows = connection.execute(select(schema.heartbeat.c.station, schema.heartbeat.c.seen_us))
        return {row.station: row.seen_us for row in rows}


class Turns:
    """A stop event that is set after so many turns; `between` is called in each."""

    def __init__(self, *between):
        self._between, self.pauses_s = list(between), []

    def wait(self, pause_s):
        self.pauses_s.append(pause_s)
        if not self._between:
            return True
        self._between.pop(0)()
        return False


def test_the_last_heartbeat_of_each_station_is_written_at_the_next_turn_and_at_the_stop(store):
    waiting, seen = WaitingHeartbeats(store), []
    for station, seen_us in (("saw-1", 1), ("mill-1", 2), ("saw-1", 3)):
        waiting.keep(beat(station, seen_us))
    assert stored(store) == {}
    waiting.run(Turns(lambda: None, lambda: (seen.append(stored(store)), waiting.keep(beat("mill-1", 9)))))
    assert seen == [{"saw-1": 3, "mill-1": 2}]
    waiting.keep(beat("saw-1", 10))
    waiting.run(Turns())
    assert stored(store) == {"saw-1": 10, "mill-1": 9}


def test_after_an_error_they_wait_on_and_newer_ones_replace_them(store, monkeypatch: pytest.MonkeyPatch):
    written, waiting, full = heartbeats.write, WaitingHeartbeats(store), OSError("the disk is full")

    def fail(_store, _rows):
        waiting.keep(beat("saw-1", 2))  # it came during the write
        monkeypatch.setattr(heartbeats, "write", written)
        raise full

    monkeypatch.setattr(heartbeats, "write", fail)
    for station in ("saw-1", "mill-1"):
        waiting.keep(beat(station, 1))
    turns = Turns(lambda: None, lambda: None)
    waiting.run(turns)
    assert turns.pauses_s == [heartbeats.WRITE_S, heartbeats.AFTER_ERROR_S, heartbeats.WRITE_S]
    assert stored(store) == {"saw-1": 2, "mill-1": 1}


def test_heartbeats_of_several_threads_are_all_written(store):
    waiting = WaitingHeartbeats(store)
    threads = [threading.Thread(target=waiting.keep, args=(beat(f"saw-{n}", n),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.run(Turns())
    assert stored(store) == {f"saw-{n}": n for n in range(20)}
