"""A CUPS of the test's own: `cupsd` with its own folders on a port of the loopback, and a printer behind its queues.

Its backend sends a job to a TCP port, as CUPS's `socket` does, which is in the package `cups` with many others.
"""

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from missing import not_here
from reserved_ports import ReservedPorts
from waiting import until

FOLDERS = ("bin/backend", "cache", "log", "root", "spool", "state", "tmp")
DAEMONS = Path("/usr/lib/cups/daemon")
BACKEND = """#!/usr/bin/python3 -ISB
import os, socket, sys
if len(sys.argv) == 1:
    print('direct tcp "Unknown" "Raw TCP"')
    sys.exit()
host, port = os.environ["DEVICE_URI"].removeprefix("tcp://").split(":")
job = open(sys.argv[6], "rb") if sys.argv[6:] else sys.stdin.buffer
with socket.create_connection((host, int(port))) as link:
    link.sendall(job.read())
"""
CONFIG = """Listen 127.0.0.1:{port}
Browsing No
DefaultAuthType None
WebInterface No
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""
FILES = """ServerBin {folder}/bin
ServerRoot {folder}/root
RequestRoot {folder}/spool
CacheDir {folder}/cache
StateDir {folder}/state
TempDir {folder}/tmp
ErrorLog {folder}/log/error
AccessLog {folder}/log/access
PageLog {folder}/log/page
"""


class Printer:
    """A raw printer on the loopback: `jobs` are what it was sent, one for each connection."""

    def __init__(self) -> None:
        self.jobs: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                job = b""
                while part := link.recv(65536):
                    job += part
            self.jobs.append(job)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


class CupsServer:
    """A running cupsd. `server` is what CUPS_SERVER must be for its clients."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            not_here("cupsd needs root: sudo ./wipline test 2")
        program = shutil.which("cupsd", path="/usr/sbin:/usr/local/sbin")
        if program is None or shutil.which("lp") is None:
            not_here("cupsd or lp is missing: sudo apt-get install --no-install-recommends cups-daemon cups-client")
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        (folder / "bin" / "daemon").symlink_to(DAEMONS)
        backend = folder / "bin" / "backend" / "tcp"
        backend.write_text(BACKEND)
        backend.chmod(0o700)  # CUPS runs it as root then; its own user has no access to the folders of tests
        self._reserved = ReservedPorts()
        self.server = f"127.0.0.1:{self._reserved.first}"
        (folder / "cupsd.conf").write_text(CONFIG.format(port=self._reserved.first))
        (folder / "cups-files.conf").write_text(FILES.format(folder=folder))
        command = [program, "-f", "-c", str(folder / "cupsd.conf"), "-s", str(folder / "cups-files.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "cupsd ended"
        return self._client("lpstat", "-r").stdout == "scheduler is running\n"

    def add_queue(self, name: str, printer: Printer) -> None:
        """A queue that sends its jobs unchanged to this printer."""
        device = f"tcp://127.0.0.1:{printer.port}"
        self._client("/usr/sbin/lpadmin", "-p", name, "-E", "-v", device, "-m", "raw", check=True)

    def reject(self, name: str) -> None:
        """Let a queue take no more jobs."""
        self._client("/usr/sbin/cupsreject", name, check=True)

    def _client(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CUPS_SERVER": self.server, "LC_ALL": "C"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=check)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
