"""A hub of an earlier version is brought up to this one when it is opened, and keeps what it had."""

import sqlite3
from contextlib import closing

from shop_writer import ShopWriter
from sqlalchemy import inspect, select

from server.db.migrations import HEAD, version_of
from server.db.store import Store
from server.ledger.hub_log import append_own
from server.ops.bootstrap import open_hub
from server.projection.fold_version import RefoldedItem, refolds
from server.projection.internal_tables import tag_number
from server.projection.rebuild import compare, rebuild
from server.projection.tables import event_state, flow_day, flow_duration
from server.queries.calls import open_calls
from station.system import clock


def test_a_hub_from_before_stored_scans_gets_their_column_and_keeps_its_events(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    with store.read() as connection:
        before = connection.execute(select(event_state.c.pos, event_state.c.key_us)).all()
    path = store.path
    store.close()
    _made_by_version_one(path)
    open_hub(path).close()
    with closing(Store(path)) as again, again.read() as connection:
        assert version_of(connection) == HEAD
        assert connection.execute(select(event_state.c.pos, event_state.c.key_us)).all() == before
        assert set(connection.execute(select(event_state.c.since_ns)).scalars()) == {None}


def _made_by_version_one(path):
    """The file as a hub of version 1 left it: no stored scans, and no tags by the ends of their numbers."""
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE event_state DROP COLUMN since_ns")
        raw.execute("DROP TABLE tag_number")
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
    raw.close()


def test_a_hub_from_before_printed_numbers_finds_the_tags_that_it_has_and_projects_on(store, rows):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.scan("3C00CE754C", "saw", shop_writer.ago(hours=1), scheme="uid")
    shop_writer.settle()
    path = store.path
    store.close()
    _made_by_version_one(path)
    later = open_hub(path)
    with later.read() as connection:
        assert connection.execute(select(tag_number.c.number, tag_number.c.tail)).all() == [("3C00CE754C", "CE754C")]
    again = ShopWriter(later)
    again.scan("3C00CE754D", "saw", again.ago(minutes=1), station="saw-2", scheme="uid")
    again.settle()
    with later.read() as connection:
        assert len(connection.execute(select(tag_number.c.number)).all()) == 2
    later.close()


def test_a_stored_scan_stands_in_its_interval_live_and_folded_anew(store, rows):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    at_us = shop_writer.ago(hours=1)
    shop_writer.scan("WO-1", "saw", at_us, since_ns=shop_writer.mono_ns(shop_writer.ago(hours=5)))
    shop_writer.settle()
    wanted = select(event_state.c.key_us, event_state.c.lo_us, event_state.c.hi_us).where(event_state.c.kind == "scan")
    ((key_us, lo_us, hi_us),) = live = rows(wanted)
    minute_us = 60_000_000
    assert abs(key_us - at_us) < minute_us
    assert abs(lo_us - shop_writer.ago(hours=5)) < minute_us
    assert abs(hi_us - at_us) < minute_us
    rebuild(store)
    assert rows(wanted) == live


def test_a_hub_that_a_number_stopped_is_folded_anew_and_goes_on(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    huge = (
        b'{"v":1,"kind":"entry","station":"hub","sw":"t","what":"checkin","by":"a","data":{"code":"X","qty_milli":%d}}'
    )
    with store.write() as connection:
        append_own(connection, [huge % (2**63 - 1)] * 2, clock.utc_us())
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    path = store.path
    store.close()
    with sqlite3.connect(path) as raw:  # as the version before left it, which took the first and stopped at the second
        raw.execute("UPDATE event_state SET status = 'ok' WHERE status = 'not_understood'")
        raw.execute("DROP TABLE set_aside")
        raw.execute("DELETE FROM projection WHERE k = 'fold_version'")
        raw.execute("UPDATE alembic_version SET version_num = '0003'")
    raw.close()
    later = open_hub(path)
    again = ShopWriter(later)
    again.settle()
    with later.read() as connection:
        found = list(connection.execute(select(event_state.c.status).order_by(event_state.c.pos)).scalars())
    assert found.count("not_understood") == 2
    assert compare(later) == []
    later.close()


def test_a_hub_with_a_pattern_that_is_refused_now_is_folded_anew(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    event = (
        b'{"v":1,"kind":"entry","station":"hub","sw":"t","what":"pattern.define","by":"a","holds_from_us":0,'
        b'"data":{"name":"slow","regex":"AB-(?P<id>(?:a{,})+b)","as":"item"}}'
    )
    with store.write() as connection:
        append_own(connection, [event], clock.utc_us())
    shop_writer.scan("AB-ab", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    path = store.path
    store.close()
    with sqlite3.connect(path) as raw:  # as the version before left it, which read the code by the pattern
        assert raw.execute("UPDATE event_item SET item = 'ab' WHERE item = 'AB-ab'").rowcount == 1
        assert raw.execute("UPDATE item SET item = 'ab' WHERE item = 'AB-ab'").rowcount == 1
        assert raw.execute("UPDATE parcel SET item = 'ab' WHERE item = 'AB-ab'").rowcount == 1
        raw.execute("DROP TABLE set_aside")
        raw.execute("DELETE FROM projection WHERE k = 'fold_version'")
        raw.execute("UPDATE alembic_version SET version_num = '0006'")
    raw.close()
    later = open_hub(path)
    ShopWriter(later).settle()
    with later.read() as connection:
        (changed,) = refolds(connection)
    assert changed.items == (
        RefoldedItem("AB-ab", "", "open, ? here at saw"),
        RefoldedItem("ab", "open, ? here at saw", ""),
    )
    assert compare(later) == []
    later.close()


def test_a_hub_from_before_calls_has_the_calls_that_it_recorded(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    called = {"action": "call", "reason": "supervisor", "scheme": "command"}
    shop_writer.scan("WIP:CALL:supervisor", "saw", shop_writer.ago(hours=1), **called)
    shop_writer.settle()
    path = store.path
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE call_mark")
        raw.execute("DELETE FROM projection WHERE k = 'fold_version'")
        raw.execute("UPDATE alembic_version SET version_num = '0008'")
    raw.close()
    later = open_hub(path)
    ShopWriter(later).settle()
    with later.read() as connection:
        (call,) = open_calls(connection, shop_writer.now_us)
    assert (call.call.stage, call.call.reason) == ("saw", "supervisor")
    assert compare(later) == []
    later.close()


OLD_EVENTS = """
CREATE TABLE event_state (pos INTEGER PRIMARY KEY, log_id BLOB NOT NULL, seq BIGINT NOT NULL, kind VARCHAR,
  status VARCHAR NOT NULL, key_us BIGINT NOT NULL, lo_us BIGINT NOT NULL, hi_us BIGINT NOT NULL, approx BOOLEAN NOT NULL,
  at_log BLOB NOT NULL, at_seq BIGINT NOT NULL, at_hash BLOB NOT NULL, boot VARCHAR, mono_ns BIGINT, since_ns BIGINT);
CREATE INDEX event_state_at ON event_state (at_log, at_seq);
CREATE INDEX event_state_not_permitted ON event_state (log_id) WHERE status = 'not_permitted';
CREATE TABLE event_item (item VARCHAR NOT NULL, key_us BIGINT NOT NULL, log_id BLOB NOT NULL, seq BIGINT NOT NULL,
  pos BIGINT NOT NULL, code VARCHAR, verb VARCHAR NOT NULL, PRIMARY KEY (item, log_id, seq, pos)) WITHOUT ROWID;
CREATE INDEX event_item_code ON event_item (code);
CREATE INDEX event_item_pos ON event_item (pos);
CREATE TABLE binding (code VARCHAR NOT NULL, item VARCHAR, as_ VARCHAR NOT NULL, from_office BOOLEAN NOT NULL,
  key_us BIGINT NOT NULL, log_id BLOB NOT NULL, seq BIGINT NOT NULL, pos INTEGER PRIMARY KEY);
INSERT INTO event_state SELECT pos, log_id, seq, 'scan', 'ok', 1, 1, 1, 0, log_id, seq, hash, 'b', 1, NULL FROM ledger;
INSERT INTO event_item SELECT 'WO-1', 1, log_id, seq, pos, 'WO-1', '' FROM ledger;
"""


def test_a_hub_from_before_words_gets_the_smaller_tables_and_is_folded_anew(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    events = select(event_state.c.pos, event_state.c.status, event_state.c.key_us).order_by(event_state.c.pos)
    with store.read() as connection:
        before = connection.execute(events).all()
    path = store.path
    store.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(
            "DROP TABLE event_state; DROP TABLE event_item; DROP TABLE word; DROP TABLE binding;" + OLD_EVENTS
        )
        raw.execute("UPDATE projection SET v = 4 WHERE k = 'fold_version'")
        raw.execute("UPDATE alembic_version SET version_num = '0015'")
        raw.commit()
    later = open_hub(path)
    ShopWriter(later).settle()
    with later.read() as connection:
        assert version_of(connection) == HEAD
        assert connection.execute(events).all() == before
    assert compare(later) == []
    later.close()


def test_a_hub_from_before_late_events_were_found_in_an_index_gets_their_time_there(store):
    path = store.path
    store.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP INDEX event_item_pos")
        raw.execute("CREATE INDEX event_item_pos ON event_item (pos)")
        raw.execute("UPDATE alembic_version SET version_num = '0019'")
        raw.commit()
    later = open_hub(path)
    with later.read() as connection:
        assert version_of(connection) == HEAD
        columns = {index["name"]: index["column_names"] for index in inspect(connection).get_indexes("event_item")}
        assert columns["event_item_pos"] == ["pos", "key_us"]
    later.close()


def test_a_hub_from_before_counting_scans_had_an_index_gets_it(store):
    path = store.path
    store.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP INDEX event_item_count")
        raw.execute("UPDATE alembic_version SET version_num = '0021'")
        raw.commit()
    later = open_hub(path)
    with later.read() as connection:
        assert version_of(connection) == HEAD
        assert "event_item_count" in {index["name"] for index in inspect(connection).get_indexes("event_item")}
    later.close()


def test_a_hub_from_before_the_flow_of_each_day_has_that_of_the_moves_that_it_recorded(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=1))
    shop_writer.settle()
    path = store.path
    store.close()
    with sqlite3.connect(path) as raw:
        for table in ("flow_class", "flow_day", "flow_duration"):
            raw.execute(f"DROP TABLE {table}")
        raw.execute("UPDATE projection SET v = 4 WHERE k = 'fold_version'")
        raw.execute("UPDATE alembic_version SET version_num = '0015'")
    raw.close()
    later = open_hub(path)
    ShopWriter(later).settle()
    with later.read() as connection:
        assert sum(connection.execute(select(flow_day.c.count)).scalars()) == 2
        assert list(connection.execute(select(flow_duration.c.count)).scalars()) == [1]
    assert compare(later) == []
    later.close()
