"""The wire's bad luck, for real: sockets, gunicorn, SIGKILL, and a proxy that loses, cuts, repeats and lies.

Whatever happens between a station and its hub, the ledger ends up with every answered event exactly once.
"""

import base64
import http.client
import json
import os
import random
import secrets
import subprocess
import threading
import time
from contextlib import closing, contextmanager

import pytest
from bad_wire import BadWire
from running_hub import BIN, RunningHub
from sqlalchemy import func, select

from server.db.schema import fork, ledger, log
from server.db.store import GROWN, Store
from server.ledger.verify import verify
from server.ops.bootstrap import open_read_only
from station.core.hash_chain import genesis, link
from station.journal import JournalReader

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]


FAULTS = ("none", "request cut", "repeated", "500", "html", "half a json", "half a reply", "none")


@pytest.fixture
def hub(tmp_path):
    running = RunningHub(tmp_path / "hub.db").start().ready()
    yield running
    running.stop()


class Sender:
    """The least that a faithful station does: it sends from what the hub has, and believes only whole, fitting answers."""

    def __init__(self, url, token, events):
        self._port = int(url.rpartition(":")[2])
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.log_id = secrets.token_bytes(16)
        self.events, self.hashes = events, []
        before = genesis(self.log_id)
        for event in events:
            before = link(before, event)
            self.hashes.append(before)
        self.accepted = 0

    def ask(self, path, body):
        """The answer where it is one; None for everything else."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def step(self, count):
        """Open a session, then send one batch; marks move only for verdicts that answer what was sent."""
        last = self.hashes[-1].hex()
        session = {"log": self.log_id.hex(), "tip_seq": len(self.events), "tip_hash": last}
        opened = self.ask("session", session)
        if not opened or "accepted_thru" not in opened:
            return
        start = opened["accepted_thru"]
        assert start >= self.accepted, "accepted_thru never shrinks in an epoch"
        batch = self.events[start : start + count]
        if not batch:
            self.accepted = start
            return
        answer = self.ask(
            f"logs/{self.log_id.hex()}/events",
            {
                "from_seq": start + 1,
                "prev": (self.hashes[start - 1] if start else genesis(self.log_id)).hex(),
                "tip": self.hashes[start + len(batch) - 1].hex(),
                "events": [base64.b64encode(event).decode() for event in batch],
            },
        )
        wanted = list(range(start + 1, start + 1 + len(batch)))
        if answer and [each.get("seq") for each in answer.get("verdicts", ())] == wanted:
            self.accepted = answer["accepted_thru"]


def wrong_with(db, sender):
    """What the ledger has otherwise than the sender was told: events missing, twice or changed, forks, broken chains."""
    wrong = []
    with open_read_only(db) as store, store.read() as connection:
        rows = select(ledger.c.seq, ledger.c.bytes, ledger.c.hash).where(ledger.c.log_id == sender.log_id)
        held = sorted(tuple(row) for row in connection.execute(rows))
        wrong += [f"fork {row.seq}" for row in connection.execute(select(fork))]
        wrong += [str(each) for each in verify(connection)]
    told = zip(sender.events[: sender.accepted], sender.hashes, strict=False)
    expected = [(seq, event, own) for seq, (event, own) in enumerate(told, 1)]
    wrong += [f"missing {seq}" for seq, *_ in expected if seq not in {row[0] for row in held}]
    return wrong if held == expected else wrong or ["changed or twice"]


class EarlyStore(Store):
    """A store with a planted defect: the third batch is rolled back, but the log continues as if it were stored."""

    batches = 0

    @contextmanager
    def write(self, *, lock=True):
        with super().write(lock=lock) as connection:
            inner = connection.begin_nested()
            yield connection
            if GROWN not in connection.info:
                return
            self.batches += 1
            if self.batches == 3:
                of_station = log.c.station == "saw-1"
                reached = connection.execute(select(log.c.accepted_thru, log.c.tip).where(of_station)).one()
                inner.rollback()
                connection.execute(log.update().where(of_station).values(reached._asdict()))


def test_the_net_catches_a_hub_that_acknowledges_before_its_commit(tmp_path):
    """The planted defect: a batch is acknowledged and then rolled back."""
    from werkzeug.serving import make_server

    from server.app import create_app
    from server.auth import devices
    from server.config import HubConfig
    from server.ops.bootstrap import initialise

    store = EarlyStore(tmp_path / "hub.db")
    initialise(store)
    with store.write() as connection:
        token = devices.add(connection, "saw-1", 1)
    served = make_server("127.0.0.1", 0, create_app(HubConfig(), store), threaded=True)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    sender = Sender(f"http://127.0.0.1:{served.port}", token, [b'{"v":1,"n":%d}' % n for n in range(200)])
    for _ in range(40):
        sender.step(20)
    served.shutdown()
    served.server_close()
    store.close()
    assert sender.accepted == 200
    assert [f"missing {seq}" for seq in range(41, 61)] == [
        found for found in wrong_with(tmp_path / "hub.db", sender) if found.startswith("missing")
    ]


def test_5000_events_over_a_bad_wire_are_in_the_ledger_once(hub, tmp_path):
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    batches = 0

    def plan(request):
        nonlocal batches
        if b"/events" not in request.partition(b"\r\n")[0]:
            return chance.choice(("none", "none", "none", "reply lost", "half a reply", "html"))
        batches += 1
        return "reply lost" if batches % 2 == 0 else chance.choice(FAULTS)

    wire = BadWire(lambda: hub.port, plan)
    token = hub.command("station", "add", "saw-1").stdout.strip()
    events = [b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","mono_ns":%d}' % n for n in range(5_000)]
    sender = Sender(wire.url, token, events)
    kills = {1_000, 2_500, 4_000}
    deadline = time.monotonic() + 100
    while sender.accepted < len(events):
        assert time.monotonic() < deadline, f"stuck at {sender.accepted}, seed {seed}: {wire.met}"
        sender.step(chance.randint(1, 200))
        due = {mark for mark in kills if mark <= sender.accepted}
        if due:
            kills -= due
            killer = threading.Timer(chance.random() * 0.05, hub.kill)
            killer.start()
            sender.step(200)
            killer.join()
            hub.start().ready()
    wire.close()
    hub.stop()
    assert wrong_with(hub.db, sender) == []
    print(f"seed {seed}: 5000 events, {batches} batches, 3 kills, faults {dict(wire.met)}: 0 missing, 0 twice")


def test_a_real_station_behind_a_bad_wire_brings_in_all_that_it_answered(hub, tmp_path):
    """`wipline-station run` with a FIFO, its own sync, and the same wire: every answered scan, once."""
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    batches = 0

    def plan(request):
        nonlocal batches
        if b"/events" not in request.partition(b"\r\n")[0]:
            return "none"
        batches += 1
        return "reply lost" if batches % 2 == 0 else chance.choice(FAULTS)

    wire = BadWire(lambda: hub.port, plan)
    (tmp_path / "token").write_text(hub.command("station", "add", "saw-1").stdout)
    fifo, answers, journal = tmp_path / "scans", tmp_path / "answers", tmp_path / "journal.db"
    os.mkfifo(fifo)
    config = tmp_path / "station.toml"
    config.write_text(
        f'station = "saw-1"\nstage = "saw"\njournal = "{journal}"\nstatus = "{tmp_path / "status.json"}"\n'
        f'[hub]\nurl = "{wire.url}"\ntoken_file = "{tmp_path / "token"}"\n'
        f'[[reader]]\nkind = "replay"\npath = "{fifo}"\n[[signal]]\nkind = "lines"\npath = "{answers}"\n'
    )
    with (tmp_path / "station.err").open("w") as errors:
        station = subprocess.Popen([str(BIN / "wipline-station"), "run", "--config", str(config)], stderr=errors)
    try:
        with fifo.open("w") as scans:
            for n in range(5_000):
                scans.write(f"WO-{n}\n")
                if n % 100 == 99:
                    scans.flush()
                    time.sleep(0.06)
                if n == 2_000:
                    hub.kill()
                if n == 2_600:
                    hub.start().ready()
        wait_until(lambda: journal.exists() and tip_of(journal) >= 5_000, 30)
        wait_until(lambda: accepted(hub) >= tip_of(journal), 90)
    finally:
        station.terminate()
        station.wait(20)
    wire.close()
    hub.stop()
    with open_read_only(hub.db) as store, store.read() as connection:
        assert verify(connection) == []
        held = {
            (row.log_id.hex(), row.seq): row.hash
            for row in connection.execute(select(ledger))
            if row.bytes.find(b'"hub"') < 0
        }
        assert connection.execute(select(func.count()).select_from(fork)).scalar() == 0
    answered = [json.loads(line) for line in answers.read_text().splitlines()]
    promised = {(each["log"], each["seq"]) for each in answered if each.get("seq")}
    assert len(promised) == 5_000
    assert promised <= set(held), "an answered scan is missing"
    with closing(JournalReader(journal)) as reader:
        ours = {(reader.state().log_id.hex(), each.seq): each.hash for each in reader.events(0, 6_000, 10**9)}
    assert held == ours
    print(f"seed {seed}: 5000 scans answered, {batches} batches, faults {dict(wire.met)}: 0 missing, 0 twice")


def tip_of(journal):
    with closing(JournalReader(journal)) as reader:
        return reader.state().tip.seq


def accepted(hub):
    stations = hub.get("/api/v1/stations")["stations"]
    return max((log["accepted_thru"] for log in stations[0]["logs"]), default=0)


def wait_until(true, timeout_s):
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)
