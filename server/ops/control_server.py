"""Server of the local control socket: executes requests of local commands in the running hub."""

import logging
import os
import socket
import threading
from contextlib import nullcontext

import msgspec

from server.db.store import Store
from server.ops.admin_commands import RUNNING, handle
from server.ops.control_protocol import ControlRequest, address_of, framed, receive

_log = logging.getLogger(__name__)


class ControlServer(threading.Thread):
    """Thread that executes requests one at a time, and beside them those about progress.

    The constructor opens the socket.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(name="control", daemon=True)
        assert store.path is not None
        self._store = store
        self._one = threading.Lock()
        self._path = store.path.with_name(store.path.name + ".sock")
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A killed hub leaves its socket behind. This process holds the writer lock, so the name belongs to it.
        self._path.unlink(missing_ok=True)
        umask = os.umask(0o177)
        try:
            with address_of(store.path) as address:
                self._listening.bind(address)
        finally:
            os.umask(umask)
        self._listening.listen(8)

    def run(self) -> None:
        """Execute requests until the socket is closed."""
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="control request", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with framed(client) as connection:
            try:
                request = msgspec.json.decode(receive(connection), type=ControlRequest)
                with nullcontext() if request.name == RUNNING else self._one:
                    reply = handle(self._store, request)
                connection.send_bytes(msgspec.json.encode(reply))
            except (OSError, msgspec.MsgspecError) as error:
                _log.warning("a request on the control socket was interrupted: %s", error)
            except Exception:  # noqa: BLE001  the server continues with the next request
                _log.exception("a request on the control socket failed")

    def close(self) -> None:
        """Close the socket and remove its name; `run` then returns."""
        self._path.unlink(missing_ok=True)
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
