"""Several processes fold one ledger on PostgreSQL: one at a time, and the next one goes on where that one ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer, postgres_server
from sqlalchemy import select
from waiting import until

from server.db.listener import PositionListener
from server.db.position_signal import PositionSignal
from server.db.store import ProjectedElsewhere, Store
from server.ledger.entries import record
from server.ops.bootstrap import initialise
from server.projection.rebuild import compare, rebuild
from server.projection.tables import item
from server.projection.worker import Projector, projected_pos

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

ROOT = Path(__file__).parents[2]
PROJECTOR = """
import sys, threading
from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.projection.worker import Projector
store = Store(sys.argv[1])
projector = Projector(store, PositionSignal())
projector.drain()
print("drained", flush=True)
projector.run(threading.Event())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module."""
    with postgres_server() as started:
        yield started


@pytest.fixture
def hub_url(server: PostgresServer) -> Iterator[str]:
    """The address of a new hub."""
    url = server.create()
    with closing(Store(url)) as store:
        initialise(store)
    yield url
    server.drop(url)


@pytest.fixture
def stores(hub_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' stores of this hub."""
    with closing(Store(hub_url)) as one, closing(Store(hub_url)) as other:
        yield one, other


def note(store: Store, number: int) -> int:
    """Append an entry about an item of its own; its position."""
    return record(store, "order.release", {"order": f"WO-{number}", "product": "p", "qty_milli": 1000}, "Kim")[2]


def items(store: Store) -> list[str]:
    with store.read() as connection:
        return sorted(connection.execute(select(item.c.item)).scalars())


def test_a_second_projector_is_refused_and_goes_on_after_the_first(stores: tuple[Store, Store]) -> None:
    one, other = stores
    first, second = Projector(one, PositionSignal()), Projector(other, PositionSignal())
    note(one, 1)
    first.drain()
    for refused in (second.step, lambda: rebuild(other)):
        with pytest.raises(ProjectedElsewhere, match="Another process folds the ledger"):
            refused()
    one.close()
    note(other, 2)
    second.drain()
    assert (items(other), compare(other)) == (["WO-1", "WO-2"], [])


def test_a_projector_that_lost_its_session_reads_again_what_another_one_did(
    server: PostgresServer, stores: tuple[Store, Store]
) -> None:
    one, other = stores
    first, second = Projector(one, PositionSignal()), Projector(other, PositionSignal())
    note(one, 1)
    first.drain()
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    note(one, 2)
    second.drain()
    other.close()
    note(one, 3)
    first.drain()
    assert (items(one), compare(one)) == (["WO-1", "WO-2", "WO-3"], [])


def test_the_other_process_takes_over_when_the_projector_is_killed(hub_url: str) -> None:
    with closing(Store(hub_url)) as store:
        note(store, 1)
        process = subprocess.Popen([sys.executable, "-c", PROJECTOR, hub_url], stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"drained\n"
            stop, signals = threading.Event(), PositionSignal()
            thread = threading.Thread(target=Projector(store, signals).run, args=(stop,))
            thread.start()
            until(lambda: signals.pos >= 1)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        pos = note(store, 2)
        until(lambda: signals.pos >= pos)
        stop.set()
        thread.join()
        assert items(store) == ["WO-1", "WO-2"]


def test_positions_of_one_process_are_announced_in_the_other(stores: tuple[Store, Store]) -> None:
    one, other = stores
    projected, stop = PositionSignal(), threading.Event()
    projector = Projector(one, PositionSignal())
    pos = note(one, 1)
    projector.drain()

    def position() -> int:
        with other.read() as connection:
            return projected_pos(connection)

    thread = threading.Thread(target=PositionListener(other, projected, position).run, args=(stop,))
    thread.start()
    until(lambda: (other.arrived.pos, projected.pos) == (pos, pos))
    later = note(one, 2)
    until(lambda: other.arrived.pos == later)
    assert projected.pos == pos
    projector.drain()
    until(lambda: projected.pos == later)
    stop.set()
    thread.join()
