"""The hub's web worker at its bounds: threads, connections, bytes and deadlines, over real sockets."""

import contextlib
import json
import socket
import time
from contextlib import ExitStack
from functools import partial

import pytest
from worker_client import PATIENCE_S, Connections, answer, request, start_worker

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]


@pytest.fixture
def start():
    """Start a worker with these bounds; its port."""
    with ExitStack() as stack:
        yield partial(start_worker, stack)


@pytest.fixture
def connect():
    with ExitStack() as stack:
        yield Connections(stack)


def is_open(connection):
    """Whether nothing comes from the other end within half a second, neither an answer nor its end."""
    connection.settimeout(0.5)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(PATIENCE_S)
    return False


def test_a_station_is_answered_while_pages_hold_all_their_threads(start, connect):
    port = start()
    pages = [connect(port, request("/wait")) for _ in range(8)]
    late = connect(port, request("/echo", body=b"page"))
    for _ in range(3):
        assert answer(connect(port, request("/echo", token="station", body=b"scan")))[::2] == (200, b"scan")  # noqa: S106
    assert is_open(late), "a page took a thread of the stations"
    stranger = connect(port, request("/echo", token="stranger"))  # noqa: S106
    assert is_open(stranger), "a token that is no station's took a thread of the stations"
    assert answer(connect(port, request("/go", token="station")))[0] == 200  # noqa: S106
    assert [answer(each)[0] for each in (*pages, late, stranger)] == [200] * 10


def test_stations_hold_no_thread_of_the_pages(start, connect):
    port = start()
    stations = [connect(port, request("/wait", token="station")) for _ in range(12)]  # noqa: S106
    assert answer(connect(port, request("/echo", body=b"page")))[::2] == (200, b"page")
    assert answer(connect(port, request("/go")))[0] == 200
    assert [answer(each)[0] for each in stations] == [200] * 12


def test_a_stream_takes_no_thread_of_the_stations(start, connect):
    port = start()
    for path in ("/api/v1/events", "/api/v1/event%73"):
        assert answer(connect(port, request(path, token="station")))[0] == 200  # noqa: S106
    pages = [connect(port, request("/wait")) for _ in range(8)]
    stream = connect(port, request("/api/v1/event%73", token="station"))  # noqa: S106
    assert is_open(stream)
    answer(connect(port, request("/go", token="station")))  # noqa: S106
    assert [answer(each)[0] for each in (*pages, stream)] == [200] * 9


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        (b"POST /echo HTTP/1.1\r\nHost:", "part of a request head"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "part of a body"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "part of a body"),
    ],
)
def test_an_incomplete_request_is_answered_408_at_its_deadline(start, connect, sent, came):
    port = start(head_s=1.0, request_s=2.0)
    status, headers, body = answer(connect(port, sent))
    assert (status, headers["connection"]) == (408, "close")
    assert json.loads(body)["error"] == {
        "came": came,
        "expected": "the head within 1 s and all of a request within 2 s",
        "do": "Send it again, at once.",
    }


@pytest.mark.parametrize(
    "first", [b"POST /echo HTTP/1.1\r\nX: ", b"POST /echo HTTP/1.1\r\nContent-Length: 999\r\n\r\n"]
)
def test_bytes_that_drip_do_not_move_the_deadline(start, connect, first):
    port = start(head_s=1.0, request_s=2.0)
    dripping, begun = connect(port, first), time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - begun < PATIENCE_S:
            dripping.sendall(b"x")
            time.sleep(0.2)
    assert time.monotonic() - begun < PATIENCE_S


def test_a_connection_without_a_request_is_closed_without_a_word(start, connect):
    assert answer(connect(start(head_s=1.0))) == (0, {}, b"")


def test_one_connection_too_many_closes_the_one_that_has_waited_longest(start, connect):
    port = start(address_connections=4)
    idle = [connect(port) for _ in range(4)]
    assert answer(connect(port, request("/echo", body=b"new")))[::2] == (200, b"new")
    assert [is_open(each) for each in idle] == [False, True, True, True]
    elsewhere = [connect(port, source="127.0.0.2") for _ in range(4)]
    assert all(is_open(each) for each in (*idle[1:], *elsewhere)), "addresses are counted apart"


def test_an_idle_connection_is_closed_before_one_that_sends(start, connect):
    # A thread may rest between its answer and its end; the only one has ended when it has answered the next request.
    port = start(address_connections=3, threads=1)
    sending = connect(port, request("/echo", body=b"abc")[:-1])
    kept, station = connect(port, request("/echo")), connect(port, request("/echo", token="station"))  # noqa: S106
    assert [answer(each)[0] for each in (kept, station)] == [200, 200]
    for host in range(2, 7):  # and the worker has taken both connections back when it has read the request after that
        assert answer(connect(port, request("/echo"), f"127.0.0.{host}"))[0] == 200
    connect(port)
    assert not is_open(kept)
    assert is_open(station), "a station's connection is closed last"
    sending.sendall(b"c")
    assert answer(sending)[::2] == (200, b"abc")


def test_where_all_connections_of_an_address_are_answered_one_more_is_refused(start, connect):
    port = start(address_connections=4)
    waiting = [connect(port, request("/wait")) for _ in range(4)]
    status, headers, _ = answer(connect(port))
    assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
    answer(connect(port, request("/go", token="station"), "127.0.0.3"))  # noqa: S106
    assert [answer(each)[0] for each in waiting] == [200] * 4


def test_all_connections_together_are_bounded_too(start, connect):
    port = start(connections=5)
    idle = [connect(port, source=f"127.0.0.{n + 2}") for n in range(5)]
    assert answer(connect(port, request("/echo", body=b"new")))[::2] == (200, b"new")
    assert [is_open(each) for each in idle].count(False) == 1


def test_incomplete_bodies_together_are_bounded(start, connect):
    """A quarter of the bytes is kept for stations; the largest incomplete request is dropped first."""
    port = start(buffered_bytes=400_000)
    large = connect(port, request("/echo", body=b"x" * 250_000)[:-1])
    station = connect(port, request("/echo", token="station", body=b"y" * 90_000)[:-1])  # noqa: S106
    answer(connect(port, request("/echo")))  # what came before it is read
    small = connect(port, request("/echo", body=b"z" * 100_000)[:-1])
    assert not is_open(large)
    for each, last in ((station, b"y"), (small, b"z")):
        each.sendall(last)
        assert answer(each)[0] == 200


def test_readers_that_are_slow_give_their_threads_back(start, connect):
    """All four threads send 64 MiB each, in small parts, to clients that read some of it now and then."""
    port = start(send_s=1.0)
    slow, begun = [connect(port, request("/long")) for _ in range(4)], time.monotonic()
    for each in slow:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    page = connect(port, request("/echo", body=b"page"))
    page.settimeout(0.1)
    while time.monotonic() - begun < PATIENCE_S:
        for each in slow:
            with contextlib.suppress(OSError):
                each.recv(65536)
        with contextlib.suppress(TimeoutError):
            assert page.recv(12) == b"HTTP/1.1 200"
            return
    pytest.fail("no thread was given back")


def test_an_answer_of_any_length_arrives_whole(start, connect):
    status, _, body = answer(connect(start(), request("/long")))
    assert (status, len(body)) == (200, 64 * 2**20)
