"""While a migration runs the hub's port answers with its progress, and afterwards the hub serves on the same socket."""

import json
import socket
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from server.db.migrations import upgrade
from server.db.store import Store
from server.ops.waiting_page import WaitingPage
from station.system.progress import Progress


def bind():
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(8)
    return listening


@pytest.fixture
def page():
    """A waiting page in the middle of a migration, its address, and the progress that its listener got."""
    heard = []
    bound = bind()
    waiting = WaitingPage(lambda: bound, heard.append)
    waiting.show("Migration", "step")(2, 5)
    yield waiting, f"http://127.0.0.1:{bound.getsockname()[1]}", heard
    waiting.close()


def answer(address, body=None):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(address, body, timeout=10)  # noqa: S310 - loopback
    with error.value as found:
        return found.code, found.headers["Retry-After"], found.read().decode()


def test_a_browser_is_shown_what_runs_and_asks_again(page):
    _, address, heard = page
    code, retry, body = answer(f"{address}/")
    assert (code, retry) == (503, "3")
    assert "<h1>The hub is being updated</h1>" in body
    assert "Migration: 2 of 5 steps, after 0 s." in body
    assert '<meta http-equiv="refresh" content="3">' in body
    assert [(progress.done, progress.total) for progress in heard] == [(2, 5)]


def test_healthz_and_stations_get_their_own_fields(page):
    _, address, _ = page
    code, _, body = answer(f"{address}/healthz")
    running = {
        "work": "migration",
        "text": "Migration: 2 of 5 steps, after 0 s.",
        "unit": "step",
        "done": 2,
        "total": 5,
    }
    assert code == 503
    assert json.loads(body)["running"] == [running | {"left_s": None}]
    code, retry, body = answer(f"{address}/api/v1/logs/{'0' * 32}/events", b"{}")
    assert (code, retry, json.loads(body)["error"]["do"]) == (503, "3", "Try again later.")


def test_the_socket_stays_open_for_the_hub(page):
    waiting, address, _ = page
    with closing(waiting.release()) as listening:
        assert f"http://127.0.0.1:{listening.getsockname()[1]}" == address
        with socket.create_connection(listening.getsockname(), timeout=5) as client:
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getpeername() == client.getsockname()


def test_without_a_migration_the_port_is_bound_at_the_end():
    order = []
    waiting = WaitingPage(lambda: order.append("bound") or bind(), lambda _progress: None)
    assert order == []
    with closing(waiting.release()):
        assert order == ["bound"]


def test_a_migration_counts_its_steps(tmp_path):
    seen: list[Progress] = []

    def show(work, unit):
        return lambda done, total: seen.append(Progress(work, unit, done, total, 0.0))

    with closing(Store(tmp_path / "hub.db")) as store:
        with store.write() as connection:
            upgrade(connection, show)
        with store.write() as connection:
            upgrade(connection, show)
    steps = seen[-1].total
    assert [(progress.done, progress.total) for progress in seen] == [(done, steps) for done in range(steps + 1)]
    assert seen[-1].text == f"Migration: {steps} of {steps} steps"
