"""The local socket: how a command on this machine reaches the hub that runs here.

`<db>.sock` lies beside the database and may be opened by its owner only. A message is its length (4 bytes, big-endian) and
JSON; a connection carries one wish and one reply.
"""

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from server.office import Reply, Wish, grant
from server.store import Store

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # a whole shop's entries
PATIENCE_S = 60.0
KNOCK_S = 3.0  # a hub that just started opens its socket within this
_LENGTH = struct.Struct(">I")
_log = logging.getLogger(__name__)


@contextmanager
def _address(db: Path) -> Iterator[str]:
    """A short name for the socket: the kernel takes 107 bytes, and a folder's path may be longer than that."""
    folder = os.open(db.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{db.name}.sock"
    finally:
        os.close(folder)


class Control(threading.Thread):
    """The running hub's end of the socket: it listens from construction on and grants one wish at a time."""

    def __init__(self, store: Store) -> None:
        super().__init__(name="control", daemon=True)
        assert store.path is not None
        self._store = store
        self._path = store.path.with_name(store.path.name + ".sock")
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path.unlink(missing_ok=True)  # of a hub that was killed: whoever holds the lock owns the name
        before = os.umask(0o177)
        try:
            with _address(store.path) as address:
                self._listening.bind(address)
        finally:
            os.umask(before)
        self._listening.listen(8)

    def run(self) -> None:
        """Answer until the socket is closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE_S)
                try:
                    _send(connection, grant(self._store, msgspec.json.decode(_receive(connection), type=Wish)))
                except (OSError, msgspec.MsgspecError) as error:
                    _log.warning("a local wish broke off: %s", error)
                except Exception:  # noqa: BLE001  the next wish must find somebody listening
                    _log.exception("a local wish failed")

    def close(self) -> None:
        """Listen no longer."""
        self._path.unlink(missing_ok=True)
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def ask(db: str, wish: Wish) -> Reply | None:
    """Ask the hub that runs on this database; None where nobody listens."""
    path = Path(db).absolute()
    deadline = time.monotonic() + KNOCK_S
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            try:
                with _address(path) as address:
                    connection.connect(address)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.05)
                continue
            _send(connection, wish)
            return msgspec.json.decode(_receive(connection), type=Reply)


def _send(connection: socket.socket, message: Wish | Reply) -> None:
    encoded = msgspec.json.encode(message)
    connection.sendall(_LENGTH.pack(len(encoded)) + encoded)


def _receive(connection: socket.socket) -> bytes:
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
