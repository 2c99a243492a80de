"""Request buffer: assemble whole HTTP requests from the bytes of one connection, without a socket and without blocking.

`RequestBuffer` is fed with received bytes and returns a request when its head and body are complete. gunicorn's own parser
parses the head, so there is only one interpretation of it; this module only finds the end of the body (RFC 9112 sections 6
and 7). The parser gets exactly the bytes of one request: if it finds another end, it reaches the end of its input and never
reads into the next request.

>>> from gunicorn.config import Config
>>> buffer = RequestBuffer(Config(), ("192.0.2.7", 40000))
>>> buffer.feed(b"POST /x HTTP/1.1\\r\\nHost: hub\\r\\nContent-Length: 5\\r\\n\\r\\nab")
>>> buffer.next_request() is None
True
>>> buffer.feed(b"cde" + b"GET /y")
>>> request = buffer.next_request()
>>> request.message.path, request.message.body.read(), buffer.size
('/x', b'abcde', 6)
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import IterUnreader

from server.api.request_body import MAX_BODY_BYTES, too_long

MAX_HEAD_BYTES = 64 * 1024  # request line and header fields
MAX_CHUNKED_BYTES = 2 * MAX_BODY_BYTES  # a chunked body with the lines of its chunks
MAX_CHUNK_LINE_BYTES = 1024
MAX_TRAILER_BYTES = 8 * 1024
_HEX = frozenset(b"0123456789abcdefABCDEF")


class RequestRefused(Exception):
    """A refused request. The client gets `status` as the answer, then the connection is closed."""

    def __init__(self, status: int, came: str, expected: str, do: str) -> None:
        super().__init__(f"{came}; expected {expected}. {do}")
        self.status, self.came, self.expected, self.do = status, came, expected, do


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A complete request of `size` bytes. `parser` is gunicorn's; it holds no byte of a later request."""

    parser: Any
    message: Any
    size: int

    def unchunk(self) -> None:
        """Decode a chunked body into one of known length. Raises gunicorn's errors for a malformed one.

        It is called before the application gets the request, so the application never reads a malformed body.
        """
        if isinstance(self.message.body.reader, ChunkedReader):
            body = self.message.body.read()
            self.message.body = Body(LengthReader(IterUnreader([body]), len(body)))

    @property
    def ended_cleanly(self) -> bool:
        """Whether the parser consumed exactly the request's bytes, so that another one may follow on the connection."""
        return bool(self.parser.finish_body()) and not self.parser.unreader.buf.getvalue()


class RequestBuffer:
    """The received bytes of a connection that do not form a whole request yet.

    `config` is gunicorn's configuration, `peer` the client's address in gunicorn's form.
    """

    def __init__(self, config: Any, peer: Any) -> None:
        self._config = config
        self._peer = peer
        self._bytes = bytearray()
        self._searched = 0  # offset up to which the end of the head was searched
        self._parts: deque[bytes] = deque()  # the input of the parser
        self._parser: Any = None  # set when the head is complete
        self._end: Iterator[int | None] | None = None
        self._continue = False
        self._head_size = 0

    @property
    def size(self) -> int:
        """The number of buffered bytes, including the parsed head of an incomplete request."""
        return len(self._bytes) + (self._head_size if self._parser is not None else 0)

    @property
    def message(self) -> Any:
        """gunicorn's message of a request with a complete head and an incomplete body; None otherwise."""
        return None if self._parser is None else self._parser.mesg

    def feed(self, arrived: bytes) -> None:
        """Append received bytes."""
        self._bytes += arrived

    def next_request(self) -> WholeRequest | None:
        """The next whole request, or None while bytes are missing.

        Raises `RequestRefused`, or gunicorn's `ParseException` for a malformed head. After an error the connection is not
        readable any more.
        """
        if self._parser is None and not self._read_head():
            return None
        assert self._end is not None
        end = next(self._end)
        if end is None:
            return None
        self._parts.append(bytes(self._bytes[:end]))
        del self._bytes[:end]
        request = WholeRequest(self._parser, self._parser.mesg, self._head_size + end)
        self._reset()
        return request

    def clear(self) -> None:
        """Release the memory now: the suspended search for the body's end refers to the buffer in a cycle."""
        self._bytes = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._parser, self._end, self._parts, self._searched = None, None, deque(), 0
        self._continue = False

    def take_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; True only once for each request."""
        expected, self._continue = self._continue, False
        return expected

    def _read_head(self) -> bool:
        if self._searched == 0 and self._bytes[:2] == b"\r\n":
            del self._bytes[:2]  # one empty line before a request is ignored (RFC 9112 section 2.2)
        blank_line = self._bytes.find(b"\r\n\r\n", max(0, self._searched - 3))
        # A head with a bare LF has no valid end: the parser gets it unchanged and reports the error.
        complete = blank_line >= 0 or self._has_bare_lf()
        end = blank_line + 4 if blank_line >= 0 else len(self._bytes)
        if end > MAX_HEAD_BYTES:
            raise RequestRefused(
                431,
                f"a request head of more than {MAX_HEAD_BYTES} bytes",
                f"at most {MAX_HEAD_BYTES} bytes of request line and header fields",
                "Send fewer or shorter header fields.",
            )
        if not complete:
            self._searched = len(self._bytes)
            return False
        self._parts.append(bytes(self._bytes[:end]))
        del self._bytes[:end]
        self._head_size = end
        self._parser = RequestParser(self._config, _Parts(self._parts), self._peer)
        message = next(self._parser)
        # gunicorn would send `100 Continue` from a thread, which starts only after the body has arrived.
        self._continue, message._expected_100_continue = message._expected_100_continue, False  # noqa: SLF001
        self._end = self._body_end(message)
        return True

    def _has_bare_lf(self) -> bool:
        """Whether a line ends in LF alone."""
        at = self._bytes.find(b"\n", self._searched)
        while at >= 0:
            if at == 0 or self._bytes[at - 1] != 0x0D:
                return True
            at = self._bytes.find(b"\n", at + 1)
        return False

    def _body_end(self, message: Any) -> Iterator[int | None]:
        """A generator of the body's end in the buffer; it yields None while bytes are missing."""
        if isinstance(message.body.reader, ChunkedReader):
            return self._chunked_end()
        length = int(message.body.reader.length)
        if length > MAX_BODY_BYTES:
            raise _too_long(length)
        return self._length_end(length)

    def _length_end(self, length: int) -> Iterator[int | None]:
        while len(self._bytes) < length:
            yield None
        yield length

    def _chunked_end(self) -> Iterator[int | None]:
        """Follow the chunk sizes. The generator keeps its offset, so slowly arriving bytes are scanned only once."""
        at = received = 0
        while True:
            while (line_end := self._bytes.find(b"\r\n", at, at + MAX_CHUNK_LINE_BYTES)) < 0:
                if len(self._bytes) - at >= MAX_CHUNK_LINE_BYTES:
                    raise _bad_chunk(bytes(self._bytes[at : at + 40]))
                yield None
            size = _chunk_size(bytes(self._bytes[at:line_end]))
            at = line_end + 2
            if size == 0:
                break
            received += size
            if received > MAX_BODY_BYTES or at + size > MAX_CHUNKED_BYTES:
                raise _too_long(received)
            while len(self._bytes) < at + size + 2:
                yield None
            at += size
            if self._bytes[at : at + 2] != b"\r\n":
                raise _bad_chunk(bytes(self._bytes[at : at + 40]))
            at += 2
        # Trailer fields end with an empty line, which is the only line if there are no trailer fields.
        while self._bytes[at : at + 2] != b"\r\n":
            end = self._bytes.find(b"\r\n\r\n", at, at + MAX_TRAILER_BYTES)
            if end >= 0:
                at = end + 2
            elif len(self._bytes) - at >= MAX_TRAILER_BYTES:
                raise _bad_chunk(bytes(self._bytes[at : at + 40]))
            else:
                yield None
        yield at + 2


class _Parts:
    """The input of a parser: the head, later the body. It never blocks and ends after the bytes of one request."""

    def __init__(self, parts: deque[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> "_Parts":
        return self

    def __next__(self) -> bytes:
        if not self._parts:
            raise StopIteration
        return self._parts.popleft()


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits or len(digits) > 16 or not _HEX.issuperset(digits):
        raise _bad_chunk(line)
    return int(digits, 16)


def _bad_chunk(line: bytes) -> RequestRefused:
    return RequestRefused(
        400,
        f"a chunk that begins with {line[:40]!r}",
        "the size in hexadecimal, CRLF, the bytes, CRLF",
        "Send it again.",
    )


def _too_long(size: int) -> RequestRefused:
    error = too_long(str(size))
    return RequestRefused(error.status, error.trouble.came, error.trouble.expected, error.trouble.do)
