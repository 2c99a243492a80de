"""Request and reply protocol of the local control socket.

`<db>.sock` lies beside the database; only its owner may open it. A connection carries one request and one reply, each a
message of JSON. `multiprocessing.connection` frames the messages; nothing is pickled.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # a whole shop's entries
TIMEOUT_S = 60
CONNECT_S = 3.0  # a hub that has just started opens its socket within this


class ControlRequest(msgspec.Struct):
    """A named request with its arguments."""

    name: str
    arguments: dict[str, Any]


class ControlReply(msgspec.Struct):
    """The result of a request: a value, or the error. `refused` holds an entry's came, expected and do."""

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


def ask(db: str, request: ControlRequest, connect_s: float = CONNECT_S) -> ControlReply | None:
    """Send a request to the hub that runs on this database; None where no hub listens within `connect_s`.

    Raises OSError.
    """
    path = Path(db).resolve()  # the socket lies beside the real file
    deadline = time.monotonic() + connect_s
    while True:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(path) as address:
                client.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
            continue
        with framed(client) as connection:
            connection.send_bytes(msgspec.json.encode(request))
            return msgspec.json.decode(receive(connection), type=ControlReply)


def framed(connected: socket.socket) -> Connection:
    """The connection over a connected socket, which it takes over; each read and write lasts at most `TIMEOUT_S`."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connected.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", TIMEOUT_S, 0))  # struct timeval
    connected.setblocking(True)
    return Connection(connected.detach())


def receive(connection: Connection) -> bytes:
    """The next message. Raises OSError where it is longer than `MAX_MESSAGE_BYTES`, late, or breaks off."""
    try:
        return connection.recv_bytes(MAX_MESSAGE_BYTES)
    except EOFError as error:
        msg = "the other side closed the connection before a whole message came"
        raise OSError(msg) from error
