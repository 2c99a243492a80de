"""A hub of an earlier version is brought up to this one when it is opened, and keeps what it had."""

import sqlite3

from sqlalchemy import select
from told import Told

from server.migrations import HEAD, version_of
from server.opening import open_hub
from server.projection.rebuild import rebuild
from server.projection.tables import event_state
from server.store import Store


def test_a_hub_from_before_stored_scans_gets_their_column_and_keeps_its_events(store):
    told = Told(store)
    told.small_shop()
    told.scan("WO-1", "saw", told.ago(hours=1))
    told.settle()
    with store.read() as connection:
        before = connection.execute(select(event_state.c.pos, event_state.c.key_us)).all()
    path = store.path
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE event_state DROP COLUMN since_ns")
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
    raw.close()
    open_hub(path).close()
    with Store(path).read() as connection:
        assert version_of(connection) == HEAD
        assert connection.execute(select(event_state.c.pos, event_state.c.key_us)).all() == before
        assert set(connection.execute(select(event_state.c.since_ns)).scalars()) == {None}


def test_a_stored_scan_stands_in_its_interval_live_and_folded_anew(store, rows):
    told = Told(store)
    told.small_shop()
    at_us = told.ago(hours=1)
    told.scan("WO-1", "saw", at_us, since_ns=told.mono_ns(told.ago(hours=5)))
    told.settle()
    wanted = select(event_state.c.key_us, event_state.c.lo_us, event_state.c.hi_us).where(event_state.c.kind == "scan")
    ((key_us, lo_us, hi_us),) = live = rows(wanted)
    minute_us = 60_000_000
    assert abs(key_us - at_us) < minute_us
    assert abs(lo_us - told.ago(hours=5)) < minute_us
    assert abs(hi_us - at_us) < minute_us
    rebuild(store)
    assert rows(wanted) == live
