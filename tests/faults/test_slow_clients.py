"""Clients that never finish a request: the hub goes on answering stations and pages, and ends in time.

Each attack is made with real connections to a hub that runs in a process of its own.
"""

import os
import time
from pathlib import Path

import pytest
from running_hub import RunningHub
from slow_clients import PATIENCE_S, SlowClients, StationClient, again, ask

from server.http.connection import MAX_BUFFERED_BYTES
from server.ops.serve import THREADS

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

HEAD = b"GET /api/v1/wip HTTP/1.1\r\nHost: hub\r\nX-Slow: "
POST = b"POST /api/v1/heartbeat HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
ATTACKS = {
    "a head that drips": (HEAD, b"x"),
    "a head of header lines": (HEAD + b"1\r\n", b"A: b\r\n"),
    "a body that drips": (POST + b"Content-Length: 100000\r\n\r\n{", b" "),
    "a body that is shorter than announced": (POST + b"Content-Length: 1000\r\n\r\n{}", b""),
    "chunks that drip": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a trailer that drips": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ", b"x"),
    "kept open without a request": (b"", b""),
    "kept open after a request": (b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n", b""),
    "never closed after the last answer": (b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n", b""),
    "never closed after an error": (b"NO SUCH THING\r\n\r\n", b""),
}
SOURCES = {"its own address": "127.0.0.1", "another address": "127.0.0.2"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = RunningHub(tmp_path_factory.mktemp("hub") / "hub.db").start().ready()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def station(hub):
    """A station that has sent one batch to the idle hub, so that its token is known."""
    client = StationClient(hub.port, hub.command("station", "add", "saw-1").stdout.strip())
    client.send()
    return client


def page(hub):
    def get():
        status, _ = ask(hub.port, "GET", "/")
        assert status == 200

    again(get, PATIENCE_S)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_stations_and_pages_are_answered_while_slow_clients_hold_connections(hub, station, attack, source):
    first, drip = ATTACKS[attack]
    count = THREADS + 8 if source == "its own address" else 200
    with SlowClients(hub.port, count, first, drip, SOURCES[source]) as slow:
        took = [station.send() for _ in range(4)]
        page(hub)
        print(
            f"{slow.held} of {count} held: {attack}, {source}: batches answered after {[round(s, 2) for s in took]} s"
        )


def test_a_head_that_is_not_finished_is_answered_408_and_closed(hub):
    """The head's bound of 15 s, counted from the first byte, whatever goes on dripping."""
    from server.http.connection import HEAD_S

    with SlowClients(hub.port, 1, HEAD, b"x") as slow:
        held = slow.sockets[0]
        held.settimeout(HEAD_S + 15)
        start = time.monotonic()
        assert held.recv(65536).startswith(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")
        assert time.monotonic() - start > HEAD_S - 2


def test_memory_stays_bounded_while_bodies_are_held_back(hub, station):
    """More bytes are sent than the hub may hold: incomplete bodies of 900,000 bytes from three addresses."""
    body = POST + b"Content-Length: 1000000\r\n\r\n" + b" " * 900_000
    before = resident(hub)
    with (
        SlowClients(hub.port, 60, body, b" ", "127.0.0.2") as first,
        SlowClients(hub.port, 60, body, b" ", "127.0.0.3"),
        SlowClients(hub.port, 60, body, b" ", "127.0.0.4"),
    ):
        station.send()
        page(hub)
        grown = resident(hub) - before
        print(
            f"resident memory grew by {grown / 2**20:.0f} MiB of {180 * 900_000 / 2**20:.0f} MiB sent, {first.held} held"
        )
    assert grown < 3 * MAX_BUFFERED_BYTES


def test_the_hub_ends_in_time_while_slow_clients_hold_connections(hub):
    """Whatever the tests before it did, the ledger is whole; the hub is started again for those behind it."""
    assert hub.command("verify").returncode == 0
    with SlowClients(hub.port, 60, *ATTACKS["a body that drips"]):
        assert hub.stop() < 4.5
    hub.start().ready()


def resident(hub):
    """Bytes of memory of the hub's worker."""
    (worker,) = Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
