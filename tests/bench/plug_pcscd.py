"""pcscd for the bench of plugs: the real one with a virtual reader, started by the first to ask it, as by pcscd.socket."""

import os
import select
import socket
import subprocess
import threading
from pathlib import Path

from reserved_ports import ReservedPorts

from tests.drivers.fixtures.pcscd_service import CONFIGURED, SLOTS, pcscd


class Pcscd:
    """pcscd behind a socket that starts it, with a virtual reader, in a /run of its own."""

    def __init__(self, folder: Path) -> None:
        # A socket's path is short, a folder's may not be.
        self.path = f"/tmp/wipline-plug-{os.getpid()}-{folder.name}"  # noqa: S108
        Path(self.path).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(16)
        self._ports = ReservedPorts(SLOTS)
        self.port = self._ports.first
        self._config = folder / "reader.conf.d"
        self._config.mkdir()
        library = [line for line in CONFIGURED.read_text().splitlines() if line.startswith("LIBPATH")]
        lines = ['FRIENDLYNAME "Virtual PCD"', *library, f"DEVICENAME /dev/null:0x{self.port:X}"]
        (self._config / "vpcd").write_text("\n".join([*lines, f"CHANNELID 0x{self.port:X}"]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._start_when_asked, daemon=True)
        self._thread.start()

    def _start_when_asked(self) -> None:
        while not self._ended.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                break
        else:
            return
        apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        script = (
            'mount -t tmpfs none /run && mkdir /run/pcscd && exec 3<&"$2" && '
            f'LISTEN_PID=$$ LISTEN_FDS=1 exec {pcscd()} --config "$1"'
        )
        self._process = subprocess.Popen(
            [*apart, "sh", "-c", script, "sh", str(self._config), str(self._socket.fileno())],
            pass_fds=(self._socket.fileno(),), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def end(self) -> None:
        """Kill it."""
        self._ended.set()
        self._thread.join()
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        self._ports.close()
        self._socket.close()
        Path(self.path).unlink()
