"""Request and reply protocol of the local control socket.

The socket `<db>.sock` is in the folder of the database; only its owner may open it. A connection carries one request and one
reply, each one JSON message. `multiprocessing.connection` frames the messages; no message is pickled.
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

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # all entries of one shop folder
TIMEOUT_S = 60
CONNECT_S = 3.0  # a starting hub opens its socket within this time


class ControlRequest(msgspec.Struct):
    """A named request with its arguments."""

    name: str
    arguments: dict[str, Any]


class ControlReply(msgspec.Struct):
    """The result of a request: a value or an error message. `refused`: came, expected and do of a refused entry."""

    value: Any = None
    error: str | None = None
    refused: tuple[str, str, str] | None = None


@contextmanager
def address_of(db: Path) -> Iterator[str]:
    """A short path to the socket: the kernel limits the address to 107 bytes, and the folder's path may be longer."""
    folder = os.open(db.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{db.name}.sock"
    finally:
        os.close(folder)


def ask(
    db: str, request: ControlRequest, connect_s: float = CONNECT_S, answer_s: int = TIMEOUT_S
) -> ControlReply | None:
    """Send a request to the running hub of this database. None if no hub listens within `connect_s`.

    Raises OSError, also where the answer takes longer than `answer_s`.
    """
    path = Path(db).resolve()  # the socket is beside the real file, not beside a link to it
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
        except PermissionError as error:  # of a short address, which names no file
            client.close()
            raise PermissionError(error.errno, error.strerror, f"{path}.sock") from error
        with framed(client, answer_s) as connection:
            connection.send_bytes(msgspec.json.encode(request))
            return msgspec.json.decode(receive(connection), type=ControlReply)


def framed(connected: socket.socket, read_s: int = TIMEOUT_S) -> Connection:
    """A framed connection, which owns the connected socket. A read times out after `read_s`, a write after `TIMEOUT_S`."""
    for option, timeout_s in ((socket.SO_RCVTIMEO, read_s), (socket.SO_SNDTIMEO, TIMEOUT_S)):
        connected.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", timeout_s, 0))  # struct timeval
    connected.setblocking(True)
    return Connection(connected.detach())


def receive(connection: Connection) -> bytes:
    """Receive one message. Raises OSError for more than `MAX_MESSAGE_BYTES`, a timeout, or a closed connection."""
    try:
        return connection.recv_bytes(MAX_MESSAGE_BYTES)
    except EOFError as error:
        msg = "the peer closed the connection before the message was complete"
        raise OSError(msg) from error
