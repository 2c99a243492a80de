"""The local socket's listening end: the running hub grants what commands on this machine wish."""

import logging
import os
import socket
import threading

import msgspec

from server.db.store import Store
from server.ops.admin_commands import handle
from server.ops.control_protocol import PATIENCE_S, ControlRequest, address_of, receive, send

_log = logging.getLogger(__name__)


class ControlServer(threading.Thread):
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
            with address_of(store.path) as address:
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
                    send(connection, handle(self._store, msgspec.json.decode(receive(connection), type=ControlRequest)))
                except (OSError, msgspec.MsgspecError) as error:
                    _log.warning("a local wish broke off: %s", error)
                except Exception:  # noqa: BLE001  the next wish must find somebody listening
                    _log.exception("a local wish failed")

    def close(self) -> None:
        """Listen no longer."""
        self._path.unlink(missing_ok=True)
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
