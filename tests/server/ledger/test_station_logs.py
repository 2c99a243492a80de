"""Sessions: what a station hears of its log."""

import pytest
from sqlalchemy import func, select

from server.db import schema
from server.ledger import station_logs
from server.ledger.station_logs import ForeignLog, LogTip, SessionComparison, compare_tips

NOW_US = 1


@pytest.fixture
def open_session(store, append_batch, a_log):
    """Open a session for a log of which the hub has three events."""
    append_batch(a_log.batch(1, 3))

    def met(tip):
        with store.write() as connection:
            log = station_logs.log_of(connection, a_log.log_id, device=None, station="saw-1", now_us=NOW_US)
            return compare_tips(connection, log, tip, NOW_US)

    return met


def test_a_station_ahead_goes_on_from_what_the_hub_has(open_session, a_log):
    assert open_session(LogTip(4, a_log.hashes[3])) == SessionComparison(3, a_log.hashes[2], 0, None)


def test_a_station_at_the_same_place_has_nothing_to_do(open_session, a_log):
    assert open_session(LogTip(3, a_log.hashes[2])).do is None


def test_a_station_put_back_to_an_older_card_opens_a_new_log(open_session, a_log):
    assert open_session(LogTip(2, a_log.hashes[1])).do == "log_ahead"
    assert open_session(LogTip(0, a_log.hash_at(0))).do == "log_ahead"


def test_a_station_with_another_past_is_told_to_identify_itself_anew(open_session, a_log):
    assert open_session(LogTip(3, bytes(32))).do == "reidentify"


def test_a_branch_that_is_known_as_a_fork_is_told_to_identify_itself_anew(open_session, append_batch, a_log):
    other = a_log.forked(2).write("other", "and more")
    append_batch(other.batch(3))
    assert open_session(LogTip(4, other.hashes[3])).do == "reidentify"
    assert open_session(LogTip(4, a_log.hashes[3])).do is None


def test_what_a_station_pruned_before_the_hub_had_it_is_written_down_as_lost(
    store, open_session, append_batch, a_log, rows
):
    assert open_session(LogTip(9, bytes(32), pruned_thru=8)) == SessionComparison(8, b"", 0, None)
    assert rows(select(schema.gap.c.from_seq, schema.gap.c.to_seq)) == [(4, 8)]
    a_log.events += [b"lost"] * 4
    a_log.hashes += [bytes([n]) * 32 for n in range(4)]
    assert [each.verdict for each in append_batch(a_log.write("nine").batch(9)).verdicts] == ["ok"]
    with store.read() as connection:
        from server.ledger.verify import verify

        assert verify(connection) == []


def test_another_devices_log_is_not_taken_and_a_revoked_ones_is(store, a_log):
    with store.write() as connection:
        from server.auth import devices

        def added(name):
            devices.add(connection, name, NOW_US)
            return connection.execute(select(func.max(schema.device.c.id))).scalar_one()

        first, second = added("saw-1"), added("saw-2")
        station_logs.log_of(connection, a_log.log_id, device=first, station="saw-1", now_us=NOW_US)
        with pytest.raises(ForeignLog, match=f"log {a_log.log_id.hex()} belongs to station 'saw-1', on another device"):
            station_logs.log_of(connection, a_log.log_id, device=second, station="saw-2", now_us=NOW_US)
        devices.revoke(connection, "saw-1", NOW_US)
        again = added("saw-1")
        taken = station_logs.log_of(connection, a_log.log_id, device=again, station="saw-1", now_us=NOW_US)
        assert taken.device == again
