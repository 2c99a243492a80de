"""PostgreSQL under a hub ends without a word while events come in: what was acknowledged is there, positions have no gap."""

import random
import secrets
import threading
import time
from pathlib import Path

import pytest
from postgres_server import postgres_server
from running_hub import RunningHub

from tests.faults.hub_ledger import exported
from tests.faults.test_wire import Sender

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

STUCK_S = 90.0
BATCH = 50


@pytest.mark.parametrize("restarts", [5, pytest.param(50, marks=pytest.mark.nightly)])
def test_a_database_server_that_ends_at_once_in_mid_ingest_loses_nothing_that_was_acknowledged(
    tmp_path: Path, restarts: int
) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    with postgres_server() as cluster:
        hub = RunningHub(tmp_path / "hub.db", database=cluster.url())
        token = hub.command("station", "add", "saw-1").stdout.strip()
        hub.start().ready()
        try:
            count = restarts * 400
            events = [b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","mono_ns":%d}' % n for n in range(count)]
            sender = Sender(hub.url, token, events)
            for turn in range(1, restarts + 1):
                restart = threading.Timer(chance.random() * 0.3, cluster.restart_at_once)
                restart.start()
                send_until(sender, turn * 400, f"restart {turn} of {restarts}, seed {seed}")
                restart.join()
            held = [row for row in exported(hub) if row["log"] == sender.log_id.hex()]
            assert [row["seq"] for row in held] == list(range(1, count + 1))
            assert [row["hash"] for row in held] == [own.hex() for own in sender.hashes]
            positions = [row["pos"] for row in exported(hub)]
            assert positions == list(range(1, len(positions) + 1))
            assert hub.command("verify").returncode == 0
        finally:
            hub.stop()
    print(f"{restarts} restarts, {count} events acknowledged: 0 missing, 0 twice")


def send_until(sender: Sender, mark: int, where: str) -> None:
    """Send until so many are acknowledged."""
    deadline = time.monotonic() + STUCK_S
    while sender.accepted < mark:
        assert time.monotonic() < deadline, f"stuck at {sender.accepted}: {where}"
        sender.step(BATCH)
