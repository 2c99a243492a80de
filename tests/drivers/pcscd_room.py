"""The real pcscd, with a virtual reader and a card that a test puts on it."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from missing import not_here
from reserved_ports import ReservedPorts

from drivers import DriverError, open_driver
from tests.drivers.nfc_cards import CLASSIC_ATR

CONFIGURED = Path("/etc/reader.conf.d/vpcd")
SLOTS = 2  # of vpcd as Debian builds it
THERE_S = 60.0  # on a busy machine pcscd takes its time
LOOK_S = 0.05


def pcscd() -> str:
    """pcscd for a shell, in the foreground and asking nobody who may use it: Debian 13's asks polkit, which is not here."""
    offered = subprocess.run(["/usr/sbin/pcscd", "--help"], capture_output=True, text=True, check=False).stdout
    return f"/usr/sbin/pcscd --foreground{' --disable-polkit' if '--disable-polkit' in offered else ''}"


def wait_until(true, otherwise):
    """Wait until this is true."""
    until = time.monotonic() + THERE_S
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(LOOK_S)


class Card(threading.Thread):
    """A card on the virtual reader; to connect is to put it on. A message is its length in two bytes, and itself."""

    def __init__(
        self,
        port: int,
        response: bytes,
        *,
        atr: bytes = CLASSIC_ATR,
        answer: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._response, self._atr, self._answer = response, atr, answer
        self.heard: list[bytes] = []
        self._reader = self._slot(port)
        self._reader.settimeout(None)
        self.start()

    @staticmethod
    def _slot(port: int) -> socket.socket:
        """The virtual slot, as soon as pcscd has loaded it."""
        until = time.monotonic() + THERE_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except ConnectionRefusedError:
                assert time.monotonic() < until, f"pcscd has no slot at {port}"
                time.sleep(LOOK_S)

    def run(self) -> None:
        """Answer to resets and commands until it is taken away."""
        with suppress(OSError), self._reader.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                message = stream.read(struct.unpack(">H", head)[0])
                if message == b"\x04":
                    self._send(self._atr)
                elif message == bytes.fromhex("FFCA000000"):
                    self._send(self._response)
                elif len(message) > 1:
                    self.heard.append(message)
                    answer = b"\x6a\x81" if self._answer is None else self._answer(message)
                    if answer is None:
                        self.take()
                        return
                    self._send(answer)

    def _send(self, data: bytes) -> None:
        self._reader.sendall(struct.pack(">H", len(data)) + data)

    def take(self) -> None:
        """Take it away."""
        with suppress(OSError):
            self._reader.shutdown(socket.SHUT_RDWR)
        self._reader.close()


class Daemon:
    """pcscd with a /run of its own, so that one that runs on this machine is left alone, and ports of its own.

    vpcd listens on one port for each of its two slots. pcscd tries that once: where a port is taken it says `Address
    already in use` and goes on without the reader, for ever. `log` is what it printed.
    """

    def __init__(self, link: Path, folder: Path, name: str = "Virtual PCD") -> None:
        self._link, self._name = link, name
        self._config = folder / "vpcd"
        self._log = folder.parent / "pcscd.log"
        self._ports = ReservedPorts(SLOTS)
        self.port = self._ports.first

    @property
    def log(self) -> str:
        """What pcscd printed since the first start."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until it can be spoken to."""
        here = [line for line in CONFIGURED.read_text().splitlines() if line.startswith("LIBPATH")]
        lines = [
            f'FRIENDLYNAME "{self._name}"',
            *here,
            f"DEVICENAME /dev/null:0x{self.port:X}",
            f"CHANNELID 0x{self.port:X}",
        ]
        self._config.write_text("\n".join(lines) + "\n")
        apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        script = f'mount -t tmpfs none /run && mkdir /run/pcscd && exec {pcscd()} --info --config "$1"'
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*apart, "sh", "-c", script, "sh", str(self._config.parent)], stdout=log, stderr=log
            )
        there = Path(f"/proc/{self._process.pid}/root/run/pcscd/pcscd.comm")
        wait_until(lambda: there.exists() or self._process.poll() is not None, "pcscd made no socket")
        assert self._process.poll() is None, f"pcscd ended: {self.log}"
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(there)

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """End it, and let its ports go."""
        self.kill()
        self._link.unlink(missing_ok=True)
        self._ports.close()


@pytest.fixture
def daemon(tmp_path, monkeypatch, request):
    """A pcscd of our own with the virtual reader; its name may be told."""
    if not (CONFIGURED.exists() and shutil.which("pcscd", path="/usr/sbin") and shutil.which("unshare")):
        not_here("pcscd or its virtual reader is missing: sudo apt-get install pcscd vsmartcard-vpcd util-linux")
    link = Path(f"/tmp/wipline-pcscd-{os.getpid()}")  # noqa: S108 - a socket's path is short, a test's folder is not
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(link))
    (tmp_path / "reader.conf.d").mkdir()
    made = Daemon(link, tmp_path / "reader.conf.d", getattr(request, "param", "Virtual PCD"))
    try:
        made.start()
        yield made
    finally:
        made.close()


def opened_when_there(name, daemon):
    """The reader of this name, opened as soon as pcscd has found it."""
    until, refused = time.monotonic() + THERE_S, ""
    while time.monotonic() < until:
        try:
            return open_driver("pcsc", {"match": name})
        except DriverError as error:
            refused = str(error)
            time.sleep(LOOK_S)
    pytest.fail(f"pcscd has found no {name}: {refused} Its log: {daemon.log}")


@pytest.fixture
def reader(daemon):
    """The virtual reader."""
    return opened_when_there("00 00", daemon)
