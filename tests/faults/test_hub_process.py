"""The hub as a process: killed, ended with streams open, refused a port, asked by commands, held up by silent senders."""

import http.client
import socket
import time

import pytest
from running_hub import RunningHub

from server.ops.serve import GRACE_S, THREADS

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]


@pytest.fixture
def hub(tmp_path):
    running = RunningHub(tmp_path / "hub.db").start().ready()
    yield running
    running.stop()


def test_a_hub_whose_parent_is_killed_starts_again_at_once_on_the_same_port(hub):
    for _ in range(3):
        hub.kill()
        hub.start().ready()
    assert hub.command("verify").returncode == 0


def test_open_streams_do_not_hold_up_the_end(hub):
    floor_s = hub.stop()
    hub.start().ready()
    streams = [http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30) for _ in range(3)]
    for stream in streams:
        stream.request("GET", "/api/v1/events")
        assert stream.getresponse().status == 200
    seconds = hub.stop()
    for stream in streams:
        stream.close()
    print(f"ended in {seconds:.1f} s with 3 streams open, in {floor_s:.1f} s without")
    assert seconds < floor_s + GRACE_S  # a worker that waits for its streams is killed after its grace


def test_a_taken_port_and_a_taken_database_are_said(hub, tmp_path):
    (tmp_path / "second").mkdir()
    second = RunningHub(tmp_path / "second" / "hub.db")
    said = second.command("run", "--port", str(hub.port), check=False)
    assert (said.returncode, said.stderr.splitlines()[-1]) == (
        1,
        (
            f"Error: 127.0.0.1:{hub.port} is used by another program; expected a free port."
            " Choose another with --port, or --port 0 for any."
        ),
    )
    said = hub.command("run", "--port", "0", check=False)
    assert said.returncode == 1
    assert f"{hub.db} is in use by process" in said.stderr


def test_commands_that_write_go_to_the_running_hub(hub):
    token = hub.command("station", "add", "saw-9").stdout
    assert len(token.strip()) == 43
    twice = hub.command("station", "add", "saw-9", check=False)
    assert (twice.returncode, twice.stderr) == (
        1,
        "Error: Station 'saw-9' already exists. For a new device: wipline-hub station revoke saw-9, then add it.\n",
    )
    hub.command("station", "revoke", "saw-9")
    assert hub.command("station", "list").stdout == "saw-9\trevoked\taccepted 0\n"
    for refused in ("rebuild", "restore"):
        arguments = (refused, "x.db") if refused == "restore" else (refused,)
        said = hub.command(*arguments, check=False)
        assert said.returncode == 1, refused


def test_senders_that_fall_silent_give_their_threads_back(hub):
    """More of them than the hub has threads, some in the middle of a header and some in the middle of a body."""
    token = hub.command("station", "add", "saw-1").stdout.strip()
    body = b"Authorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{" % token.encode()
    slow = []
    for number in range(THREADS + 8):
        connection = socket.create_connection(("127.0.0.1", hub.port))
        connection.sendall(b"POST /api/v1/heartbeat HTTP/1.1\r\nHost: x\r\n" + (body if number % 2 else b"X-Sl"))
        slow.append(connection)
    start = time.monotonic()
    assert hub.get("/healthz", timeout_s=60)["status"] == "ok"
    print(f"{len(slow)} silent senders: answered after {time.monotonic() - start:.1f} s")
    for connection in slow:
        connection.close()
