"""A wish: what a command on this machine asks of the hub that runs here, and how it gets there.

`<db>.sock` lies beside the database and may be opened by its owner only. A message is its length (4 bytes, big-endian) and
JSON; a connection carries one wish and one reply.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # a whole shop's entries
PATIENCE_S = 60.0
KNOCK_S = 3.0  # a hub that just started opens its socket within this
_LENGTH = struct.Struct(">I")


class ControlRequest(msgspec.Struct):
    """A named wish with its arguments, as it travels."""

    name: str
    arguments: dict[str, Any]


class ControlReply(msgspec.Struct):
    """What came of a wish: a value, or why not. `refused` holds an entry's came, expected and do."""

    value: Any = None
    error: str | None = None
    refused: tuple[str, str, str] | None = None


@contextmanager
def address_of(db: Path) -> Iterator[str]:
    """A short name for the socket: the kernel takes 107 bytes, and a folder's path may be longer than that."""
    folder = os.open(db.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{db.name}.sock"
    finally:
        os.close(folder)


def ask(db: str, wish: ControlRequest) -> ControlReply | None:
    """Ask the hub that runs on this database; None where nobody listens."""
    path = Path(db).resolve()  # the socket lies beside the real file
    deadline = time.monotonic() + KNOCK_S
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            try:
                with address_of(path) as address:
                    connection.connect(address)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.05)
                continue
            send(connection, wish)
            return msgspec.json.decode(receive(connection), type=ControlReply)


def send(connection: socket.socket, message: ControlRequest | ControlReply) -> None:
    """Put a message on the line."""
    encoded = msgspec.json.encode(message)
    connection.sendall(_LENGTH.pack(len(encoded)) + encoded)


def receive(connection: socket.socket) -> bytes:
    """The JSON of the next message. Raises OSError where it is too long or breaks off."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > MAX_MESSAGE_BYTES:
        msg = f"a message of {length} bytes; expected at most {MAX_MESSAGE_BYTES}"
        raise OSError(msg)
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = connection.recv(min(length, 1024 * 1024))
        if not part:
            msg = "the other side hung up in the middle of a message"
            raise OSError(msg)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
