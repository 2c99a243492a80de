"""Several processes write one ledger on PostgreSQL: each acknowledged entry is in it once, at a position of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_server import postgres_server
from sqlalchemy import func, select

from server.db import schema
from server.db.store import Store
from server.ledger.verify import verify
from server.ops.bootstrap import initialise
from station.core.event import decode

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

ROOT = Path(__file__).parents[2]
PROCESSES = 4
WRITER = """
import json, sys
from server.db.store import Store
from server.ledger.entries import record
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(url)
for number in range(count):
    log_id, seq, pos = record(store, "note", {"item": "WO-1", "text": f"{name}-{number}"}, name)
    print(json.dumps([log_id.hex(), seq, pos, f"{name}-{number}"]), flush=True)
store.close()
"""


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_what_four_processes_get_acknowledged_is_in_the_ledger_without_a_fork_or_a_gap(count: int) -> None:
    with postgres_server() as server:
        store = Store(server.url())
        initialise(store)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, server.url(), f"w{number}", str(count)],
                stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )
            for number in range(PROCESSES)
        ]  # fmt: skip
        answers = [writer.communicate()[0] for writer in writers]
        acknowledged = {
            (log, seq, pos): text for answer in answers for log, seq, pos, text in map(json.loads, answer.splitlines())
        }
        with store.read() as connection:
            rows = connection.execute(select(schema.ledger).order_by(schema.ledger.c.pos)).all()
            forks = connection.execute(select(func.count()).select_from(schema.fork)).scalar_one()
            breaks = verify(connection)
        store.close()
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    notes = {
        (row.log_id.hex(), row.seq, row.pos): event.data["text"]
        for row in rows
        if (event := decode(row.bytes)).kind == "entry" and event.data is not None
    }
    print(f"{PROCESSES} processes: {len(acknowledged)} entries acknowledged, {len(notes)} in the ledger, {forks} forks")
    assert len(acknowledged) == PROCESSES * count
    assert (notes, forks, breaks) == (acknowledged, 0, [])
    assert [row.pos for row in rows] == list(range(1, len(rows) + 1))
