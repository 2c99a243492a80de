"""A PostgreSQL server of the test run: made in `build/tmp` on a unix socket, and removed at the end.

A database of it is a copy of a template, which the server makes within 50 ms.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from missing import not_here

ROOT = Path(__file__).parents[2]
SUPERUSER = "wipline"
OWNER = "postgres"  # PostgreSQL refuses to run as root


def binaries() -> Path:
    """The folder with Debian's newest PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        not_here("no PostgreSQL here: sudo apt-get install postgresql")
    return found[-1]


class PostgresServer:
    """A running PostgreSQL with one empty database, `hub`. `fsync`: whether commits are flushed to the medium."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._folder, self._data, self._bin = folder, folder / "data", binaries()
        self._names = itertools.count(1)
        self._run(
            "initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", SUPERUSER, "--no-sync",
            "--encoding", "UTF8", "--no-locale",
        )  # fmt: skip
        # Its processes end and the machine does not: what was written to the kernel survives without a flush.
        self._options = (
            f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync={'on' if fsync else 'off'}"
            " -c full_page_writes=off -c max_wal_size=4GB"
        )
        self._control("start")
        self.create("hub")

    def url(self, name: str = "hub", user: str = SUPERUSER) -> str:
        """The address of a database."""
        return f"postgresql://{user}@/{name}?host={self._folder}"

    def create(self, name: str | None = None, template: str = "template0") -> str:
        """Create a database, by default with a new name. Returns its address."""
        name = name or f"hub_{next(self._names)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database and the connections to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute one statement outside a transaction. Returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def restart_at_once(self) -> None:
        """`-m immediate`: every process ends without a checkpoint, and the start recovers from the write-ahead log."""
        self._control("restart", "-m", "immediate")

    def copy_to(self, copy: Path) -> None:
        """Stop the server, copy its folder, and start it again."""
        self._control("stop", "-m", "fast")
        shutil.copytree(self._data, copy)
        self._control("start")

    def put_back(self, copy: Path) -> None:
        """Stop the server, replace its folder by a copy of it, and start it again: its identity stays the same."""
        self._control("stop", "-m", "fast")
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)
        if os.geteuid() == 0:
            self._own(self._data)
        self._control("start")

    def _own(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, OWNER)

    def stop(self) -> None:
        """End it."""
        self._control("stop", "-m", "immediate")

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


def name_of(url: str) -> str:
    """The database in an address of `PostgresServer.url`."""
    return url.partition("@/")[2].partition("?")[0]


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """A server, until the end of the block. Its folder is not below pytest's, which only the test's own user may enter."""
    binaries()
    parent = ROOT / "build" / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        server = PostgresServer(folder, fsync=fsync)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
