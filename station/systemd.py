"""systemd notifications (sd_notify): ready, watchdog and stopping, one datagram each; without NOTIFY_SOCKET, none."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` or `STATUS=…` to the service manager at NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A failed notification must not stop the scanning; the manager's own watchdog detects it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.connect("\0" + address[1:] if address.startswith("@") else address)
        manager.send(state.encode())


def watchdog_s() -> float | None:
    """The interval of watchdog notifications in seconds, half of systemd's limit; None where it has no watchdog."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    for_this_process = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(limit_us) / 2_000_000 if limit_us.isdigit() and for_this_process else None
