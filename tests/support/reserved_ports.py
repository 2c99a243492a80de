"""TCP ports that a test keeps for a server of another process, from before its start until the end of the test.

To take a free port, let it go and pass its number on is a race: each outgoing connection of this machine may get it in
between, and the server then fails to bind. A port is kept by a socket that is bound with SO_REUSEADDR and never listens:
the kernel gives it to no connection and to no socket that asks for any port, while a server that sets SO_REUSEADDR, as
gunicorn and vpcd do, binds and listens beside it.
"""

import errno
import os
import socket
import weakref

TRIES = 100


class ReservedPorts:
    """`count` consecutive ports, of which `first` is the lowest; free for others again after `close`, or with this."""

    def __init__(self, count: int = 1) -> None:
        for _ in range(TRIES):
            kept = [_bound(0)]
            self.first: int = _port(kept[0])
            kept += [_bound(self.first + offset) for offset in range(1, count)]
            if -1 not in kept:
                self.close = weakref.finalize(self, _close, kept)
                return
            _close(kept)
        msg = f"No {count} consecutive free ports in {TRIES} tries; the last began at {self.first}."
        raise OSError(errno.EADDRINUSE, msg)


def _bound(port: int) -> int:
    """The descriptor of a socket that is bound to this port, any free one for 0; -1 where another program has it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            kept.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return -1
        return kept.detach()


def _port(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as kept:
        return int(kept.getsockname()[1])


def _close(kept: list[int]) -> None:
    for descriptor in kept:
        if descriptor != -1:
            os.close(descriptor)
