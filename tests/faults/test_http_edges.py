"""HTTP at its edges, over real sockets: pipelining, Expect, two framings at once, heads and bodies that are too long."""

from contextlib import ExitStack

import pytest
from worker_client import Connections, answer, request, start_worker

from server.api.request_body import MAX_BODY_BYTES
from server.http.request_buffer import MAX_HEAD_BYTES

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

CHUNKED = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def port():
    with ExitStack() as stack:
        yield start_worker(stack)


@pytest.fixture
def connect(port):
    with ExitStack() as stack:
        connections = Connections(stack)
        yield lambda sent=b"": connections(port, sent)


def closed(connection):
    return answer(connection) == (0, {}, b"")


def test_requests_that_are_sent_together_are_answered_in_their_order(connect):
    sent = b"".join(request("/echo", body=b"%d" % n) for n in range(20))
    line = connect(sent + b"POST /echo HT")
    assert [answer(line)[2] for _ in range(20)] == [b"%d" % n for n in range(20)]
    line.sendall(b"TP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlast")
    assert answer(line)[2] == b"last"


def test_a_request_in_single_bytes_is_one_request(connect):
    line = connect()
    for sent in (request("/echo", body=b"abc"), CHUNKED + b"2;x=1\r\nde\r\n1\r\nf\r\n0\r\nT: r\r\n\r\n"):
        for at in range(len(sent)):
            line.sendall(sent[at : at + 1])
    assert [answer(line)[2] for _ in range(2)] == [b"abc", b"def"]


def test_a_client_that_expects_100_continue_is_answered_before_it_sends_the_body(connect):
    line = connect(request("/echo", body=b"abc", more="Expect: 100-continue\r\n")[:-3])
    assert answer(line)[0] == 100
    line.sendall(b"abc")
    assert answer(line)[::2] == (200, b"abc")
    line.sendall(request("/echo", body=b"whole", more="Expect: 100-continue\r\n"))
    assert answer(line)[::2] == (200, b"whole"), "no 100 where the body is here already"


def test_a_client_that_closes_its_sending_side_is_answered(connect):
    import socket

    line = connect(request("/echo", body=b"abc"))
    line.shutdown(socket.SHUT_WR)
    assert answer(line)[::2] == (200, b"abc")
    assert closed(line)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 4\n",
        "X: a\r\n b\r\n",
        "No colon\r\n",
    ],
)
def test_a_request_with_two_readings_of_its_length_is_refused_and_nothing_behind_it_is_read(connect, head):
    line = connect(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + head.encode() + b"\r\n0\r\n\r\n" + SMUGGLED)
    assert answer(line)[0] == 400
    assert closed(line)


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\nabc\r\n0\r\n\r\n",
        b"\r\n",
        b"-1\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n" + b" " * 2000,
        b"3;=\r\nabc\r\n0\r\n\r\n",
        b"3;\rx\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"1;" + b"x" * 2000,
        b"0\r\nHost: y\r\n\r\n",
        b"0\r\n" + b"T: r\r\n" * 2000,
    ],
)
def test_a_malformed_chunk_is_refused_and_nothing_behind_it_is_read(connect, body):
    line = connect(CHUNKED + body + SMUGGLED)
    assert answer(line)[0] == 400
    assert closed(line)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"x" * MAX_HEAD_BYTES, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, 431),
        (b"GET /" + b"x" * 33_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % 10**30, 413),
        (CHUNKED + b"%x\r\n" % (MAX_BODY_BYTES + 1), 413),
        (CHUNKED + b"80000\r\n" + b"x" * 0x80000 + b"\r\n80001\r\n", 413),
        (CHUNKED + b"1;x=" + b"y" * 900 + b"\r\n", None),
        (b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % MAX_BODY_BYTES + b"x" * MAX_BODY_BYTES, 200),
    ],
)
def test_what_is_too_long_is_refused_as_soon_as_that_is_known(connect, sent, status):
    line = connect(sent)
    if status is None:
        line.sendall(b"z\r\n0\r\n\r\n")
        assert answer(line)[::2] == (200, b"z")
    else:
        assert answer(line)[0] == status


def test_a_connection_is_closed_where_the_client_says_so(connect):
    for sent in (request("/echo", more="Connection: close\r\n"), b"GET /echo HTTP/1.0\r\n\r\n"):
        line = connect(sent)
        status, headers, _ = answer(line)
        assert (status, headers["connection"]) == (200, "close")
        assert closed(line)
