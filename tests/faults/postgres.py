"""A PostgreSQL of a test's own: made in `build/`, on a port of its own, restarted as after a crash, and removed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from missing import not_here
from reserved_ports import ReservedPorts

from tests.faults.card import ROOT

SUPERUSER = "wipline"
OWNER = "postgres"  # PostgreSQL refuses to run as root


def binaries() -> Path:
    """The folder with Debian's newest PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        not_here("no PostgreSQL here: sudo apt-get install postgresql")
    return found[-1]


class Cluster:
    """A running PostgreSQL with one empty database."""

    def __init__(self, folder: Path) -> None:
        self._data, self._bin = folder / "data", binaries()
        self._ports = ReservedPorts()
        self.url = f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self._ports.first}/hub"
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", SUPERUSER, "--no-sync")
        # Its processes end and the machine does not: what was written to the kernel survives without a flush.
        self._options = (
            f"-p {self._ports.first} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        )
        self._control("start")
        where = ("--host", "127.0.0.1", "--port", str(self._ports.first), "--username", SUPERUSER)
        self._run("createdb", *where, "hub")

    def restart_at_once(self) -> None:
        """`-m immediate`: every process ends without a checkpoint, and the start recovers from the write-ahead log."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """End it, and let its port go."""
        self._control("stop", "-m", "immediate")
        self._ports.close()

    def _control(self, verb: str, *more: str) -> None:
        options = () if verb == "stop" else ("-o", self._options, "-l", str(self._data / "log"))
        self._run("pg_ctl", verb, "--pgdata", str(self._data), "-w", *options, *more)

    def _run(self, program: str, *arguments: str) -> None:
        become = ("runuser", "-u", OWNER, "--") if os.geteuid() == 0 else ()
        done = subprocess.run(
            [*become, str(self._bin / program), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
            cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, f"{program} {arguments}: {done.stderr}"


@contextmanager
def postgres() -> Iterator[Cluster]:
    """A cluster, until the end of the block. Its folder is not below pytest's, which only the test's own user may enter."""
    binaries()
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=ROOT / "build"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        cluster = Cluster(folder)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)
