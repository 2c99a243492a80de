"""Framing of serial tag readers: finds frames in a stream of bytes and checks them.

A protocol is a `TagProtocol` with a few small functions, which `FrameDecoder` calls. An incomplete frame is kept until more
bytes come. Of an invalid frame only the first byte is dropped, because the next frame may begin inside it; dropped bytes are
counted.

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
"""Bytes added to the buffer at a time; with the longest frame of a protocol they bound its memory."""
HEAD_BYTES = 16
"""The first bytes of a frame, which contain its length."""


@dataclass(frozen=True, slots=True)
class TagSighting:
    """One detection of a tag: its number in upper-case hex, and the signal in dBm if the reader reports it.

    If the reader reports more of the tag's memory, `uid` is all of it: checksum, PC word, number. `why` is a sentence if the
    number cannot identify the tag; `uid` is then the number that was reported.
    """

    uid: str
    signal_dbm: int | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class TagProtocol:
    """The protocol of one family of readers.

    `start` begins every frame (b"" without a fixed start). `size` returns the length of the frame at the start of these
    bytes: 0 if more bytes are needed, None if no frame begins so. `whole` checks a complete frame. `tags` returns the tags
    in a valid frame. `answers`: whether this frame identifies such a reader. `query` is the probe; it changes no setting of
    any reader. `begin` is sent once to an identified reader, `poll` repeatedly (b"" if the reader sends unprompted).
    `leave_s`: a tag that is not detected for so long has left.
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
    """Finds the frames in the stream of one reader. `dropped` counts the bytes that belong to no valid frame."""

    def __init__(self, protocol: TagProtocol) -> None:
        self._protocol = protocol
        self._buffer = bytearray()
        self.dropped = 0

    def __len__(self) -> int:
        """Bytes of an incomplete frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Process the next bytes; yield each frame that is now complete."""
        for begin in range(0, len(data), PIECE_BYTES):
            self._buffer += data[begin : begin + PIECE_BYTES]
            yield from self._cut()

    def quiet(self) -> Iterator[bytes]:
        """Give up an incomplete frame, after silence; yield the complete frames inside it."""
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
        """Drop bytes up to the next start of a frame; whether more bytes are needed to recognise it."""
        index = self._buffer.find(start)
        if index < 0:  # the buffer may end with the first bytes of a start
            lengths = range(min(len(start) - 1, len(self._buffer)), 0, -1)
            index = len(self._buffer) - next((n for n in lengths if self._buffer.endswith(start[:n])), 0)
        self._drop(index)
        return len(self._buffer) < len(start)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self.dropped += count
