"""`wipline-hub doctor`: one line for each finding and each long work, beside a running hub."""

from click.testing import CliRunner
from sqlalchemy import insert

from server.cli.commands import main
from server.db.long_work import REBUILD
from server.db.schema import known_break, long_work


def doctor(store):
    result = CliRunner().invoke(main, ["doctor", "--db", str(store.path)])
    return result.exit_code, result.output.splitlines()


def test_a_hub_without_a_fault_is_said_to_be_so(store):
    code, lines = doctor(store)
    assert code == 0
    assert lines[-1] == "Nothing is wrong: 0 events in the ledger, 0 of them on the pages."


def test_long_work_of_the_running_hub_and_faults_have_a_line_each(store):
    now_us = store.clock.utc_us()
    times = {"started_us": now_us - 10_000_000, "seen_us": now_us}
    with store.write() as connection:
        row = {"work": REBUILD, "title": "Rebuild", "unit": "event", "done": 30, "total": 40, **times}
        connection.execute(insert(long_work), [row])
        connection.execute(insert(known_break), [{"text": "pos 1: changed"}])
    code, lines = doctor(store)
    assert code == 1
    assert lines[0].startswith("Running: Rebuild: 30 of 40 events, 3 a second, 3 s left.")
    assert lines[-1].startswith("Wrong: The ledger has a break: pos 1: changed.")
