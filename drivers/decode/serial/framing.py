"""Frames of serial tag readers: cut out of a stream of bytes, checked, and nothing else believed.

A reader's protocol is five small functions in a `TagProtocol`; `FrameDecoder` feeds them. A frame that is too short is
waited for. A frame that is wrong costs its first byte, for the next one may begin inside it; dropped bytes are counted.

>>> from drivers.decode.serial.em4100 import EM4100
>>> frames = FrameDecoder(EM4100)
>>> [EM4100.tags(frame) for frame in frames.feed(b"noise" + bytes.fromhex("02") + b"3C00CE754CCB" + bytes.fromhex("03"))]
[(TagSighting(uid='3C00CE754C', signal_dbm=None, why=None),)]
>>> frames.dropped
5
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

PIECE_BYTES = 1024
"""Bytes taken into the buffer at a time: with the longest frame of a protocol, the bound of its memory."""
HEAD_BYTES = 16
"""The first bytes of a frame, in which its length is told."""


@dataclass(frozen=True, slots=True)
class TagSighting:
    """A reader says that it sees a tag: its number in upper-case hex, the signal where it tells one.

    Where the reader tells more of the tag's memory than the number, `uid` is all of it: checksum, PC word, number. `why` is
    a sentence where the number cannot stand for the tag; `uid` is then what came.
    """

    uid: str
    signal_dbm: int | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class TagProtocol:
    """How one family of readers speaks.

    `start` leads every frame ("" where nothing fixed does). `size` is asked for bytes that begin with it: the length of the
    frame, 0 while that cannot be said, None where no frame begins so. `whole` checks a frame of that length to its last
    byte. `answers`: the frame proves that such a reader is there. `query` only asks and changes nothing in any reader;
    `begin` and `poll` are sent to a reader that has answered, at the start and then again and again ("": it speaks by
    itself). `leave_s`: a tag that was not seen for so long has left.
    """

    name: str
    baud: int
    start: bytes
    size: Callable[[bytes], int | None]
    whole: Callable[[bytes], bool]
    tags: Callable[[bytes], tuple[TagSighting, ...]]
    query: bytes = b""
    answers: Callable[[bytes], bool] = bool
    begin: bytes = b""
    poll: bytes = b""
    leave_s: float = 1.0


class FrameDecoder:
    """The stream of one reader. `dropped` counts the bytes that belong to no whole frame."""

    def __init__(self, protocol: TagProtocol) -> None:
        self._protocol = protocol
        self._buffer = bytearray()
        self.dropped = 0

    def __len__(self) -> int:
        """Bytes of a frame that has begun."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they arrive; yield each frame that is now whole."""
        for begin in range(0, len(data), PIECE_BYTES):
            self._buffer += data[begin : begin + PIECE_BYTES]
            yield from self._cut()

    def quiet(self) -> Iterator[bytes]:
        """Nothing comes any more: what is begun will not be finished; yield the whole frames that it hid."""
        while self._buffer:
            self._drop(1)
            yield from self._cut()

    def _cut(self) -> Iterator[bytes]:
        protocol = self._protocol
        while self._buffer:
            if protocol.start and not self._buffer.startswith(protocol.start) and self._seek(protocol.start):
                return
            size = protocol.size(bytes(self._buffer[:HEAD_BYTES]))
            if size == 0 or (size is not None and size > len(self._buffer)):
                return
            frame = bytes(self._buffer[:size])
            if size is not None and protocol.whole(frame):
                del self._buffer[:size]
                yield frame
            else:
                self._drop(1)

    def _seek(self, start: bytes) -> bool:
        """Go on to where a frame may begin; whether more bytes are needed there."""
        found = self._buffer.find(start)
        if found < 0:  # its first bytes may be the last that came
            ends = (count for count in range(min(len(start) - 1, len(self._buffer)), 0, -1))
            found = len(self._buffer) - next((count for count in ends if self._buffer.endswith(start[:count])), 0)
        self._drop(found)
        return len(self._buffer) < len(start)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self.dropped += count
