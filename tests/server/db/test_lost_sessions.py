"""Sessions that a database server ended while nothing used them: the next transaction gets a new one."""

import engines
import psycopg
import pytest
from sqlalchemy import text

from server.db.postgresql import QUIET_S, is_doubtful
from server.ledger.hub_log import hub_row

pytestmark = pytest.mark.host
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'wipline-hub'"


@pytest.fixture
def engine():
    return engines.POSTGRESQL


@pytest.fixture
def administrator(store):
    with psycopg.connect(store.url.render_as_string(hide_password=False).replace("+psycopg", "")) as raw:
        yield raw


def test_the_transaction_after_the_server_ended_every_session_passes(store, administrator):
    with store.read() as reader, store.write() as writer:
        before = hub_row(reader).hub_id, hub_row(writer).hub_id
    ended = administrator.execute(END_ALL).fetchall()
    assert len(ended) >= 2
    assert all(done for (done,) in ended)
    with store.read() as reader, store.write() as writer:
        assert (hub_row(reader).hub_id, hub_row(writer).hub_id) == before
        assert writer.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"


def test_a_session_is_asked_after_a_quiet_time_or_where_it_has_something_to_read(administrator, store):
    with psycopg.connect(administrator.info.dsn) as raw:
        raw.execute("SELECT 1").close()
        assert not is_doubtful(raw, 0.0)
        assert is_doubtful(raw, QUIET_S + 0.1)
        administrator.execute("SELECT pg_terminate_backend(%s, 5000)", (raw.info.backend_pid,))
        assert is_doubtful(raw, 0.0)
        raw.close()
        assert is_doubtful(raw, 0.0)
