"""Telling systemd that the station is ready, and that it is alive: one datagram each, nothing where nobody asked."""

import os
import socket
from contextlib import suppress


def notify(words: str) -> None:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` or `STATUS=…` to the service manager named by NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A manager that cannot be told must not end the scanning; its watchdog will say so in its own way.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.connect("\0" + address[1:] if address.startswith("@") else address)
        manager.send(words.encode())


def watchdog_s() -> float | None:
    """How often systemd wants to hear that we are alive: half of its limit; None where it does not ask."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(limit_us) / 2_000_000 if limit_us.isdigit() and mine else None
