"""Whole requests out of any pieces: what is read does not depend on how it arrived."""

import random

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException

from server.http.request_buffer import RequestBuffer, RequestRefused

PEER = ("192.0.2.7", 40_000)
STREAM = (
    b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
    b"\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12\r\n5"
    b'POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\r\n\r\r\nA;n="v"\r\n0123456789\r\n0\r\n\r\n'
    b"POST /4 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n"
    b"GET /5 HTTP/1.0\r\n\r\n"
)
REQUESTS = [("/1", b""), ("/2", b"12\r\n5"), ("/3", b"\r\n\r0123456789"), ("/4", b""), ("/5", b"")]


def read(pieces):
    """(path, body) of every request in the pieces, and the bytes that are left."""
    buffer, found = RequestBuffer(Config(), PEER), []
    for piece in pieces:
        buffer.feed(piece)
        while (request := buffer.next_request()) is not None:
            request.unchunk()
            found.append((request.message.path, request.message.body.read()))
            assert request.ended_cleanly
    return found, buffer.size


def test_a_stream_is_read_alike_whole_and_byte_by_byte():
    assert read([STREAM]) == (REQUESTS, 0)
    assert read([STREAM[at : at + 1] for at in range(len(STREAM))]) == (REQUESTS, 0)


def test_a_stream_is_read_alike_in_any_pieces():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(300):
        cuts = sorted(chance.sample(range(len(STREAM)), chance.randint(1, 12)))
        pieces = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert read(pieces) == (REQUESTS, 0), f"seed {seed}"


def test_every_cut_leaves_the_rest_for_later():
    for end in range(len(STREAM)):
        found, _ = read([STREAM[:end]])
        assert found == REQUESTS[: len(found)]


def test_damaged_streams_are_read_or_refused_and_nothing_else():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    refused = 0
    for _ in range(3_000):
        damaged = bytearray(STREAM)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(damaged))
            change = chance.randrange(3)
            if change == 0:
                damaged[at] = chance.choice(b"\r\n:; \0\xff09aGP")
            elif change == 1:
                del damaged[at : at + chance.randint(1, 30)]
            else:
                damaged[at:at] = chance.choice([b"\r\n", b"\n", b"0", b"Content-Length: 7\r\n", b"\x80"])
        try:
            found, _ = read([bytes(damaged)])
        except (RequestRefused, ParseException):
            refused += 1
        else:
            assert len(found) <= 8, f"seed {seed}"
    print(f"{refused} of 3000 refused")
    assert 0 < refused < 3_000


def test_a_cleared_buffer_holds_nothing():
    buffer = RequestBuffer(Config(), PEER)
    buffer.feed(b"POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
    assert buffer.next_request() is None
    assert buffer.message.path == "/2"
    buffer.clear()
    assert (buffer.size, buffer.message) == (0, None)


@pytest.mark.parametrize("head", [b"\n", b"G\n", b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost: x\n"])
def test_a_line_that_ends_in_lf_alone_is_refused_at_once(head):
    with pytest.raises(ParseException):
        read([head])
    with pytest.raises(ParseException):
        read([head[at : at + 1] for at in range(len(head))])
