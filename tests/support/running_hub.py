"""A hub as it runs in a shop: its own process, a real port on loopback, a database on a disk."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reserved_ports import ReservedPorts
from waiting import until

BIN = Path(sys.executable).parent
START_S = 60.0  # a guard against a hang: on a machine with other work a start takes its time
COMMAND_S = 240.0


def hub_command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `wipline-hub` with these arguments to its end."""
    return subprocess.run(
        [str(BIN / "wipline-hub"), *arguments], capture_output=True, text=True, timeout=COMMAND_S, check=check
    )


class RunningHub:
    """`wipline-hub run` on a database; it can be killed and started again on the same port.

    The port is kept for it while it is down, so that no connection of another test gets it in between."""

    def __init__(self, db: Path, *, config: Path | None = None, database: str | None = None) -> None:
        """`database`: the URL of an empty database elsewhere; `db` then only says where the hub's own files are."""
        self.db, self._database = db, database or str(db)
        self._config = [] if config is None else ["--config", str(config)]
        self._reserved = ReservedPorts()
        self.port = self._reserved.first
        self.stderr = db.with_name("hub.err")
        self._process: subprocess.Popen[str] | None = None
        if not db.exists():
            hub_command("init", "--db", self._database)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "RunningHub":
        """Start it, and wait for the line with its address."""
        with self.stderr.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [str(BIN / "wipline-hub"), "run", *self._config, "--db", self._database, "--port", str(self.port)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"the hub did not start: {line!r} {self.stderr.read_text()[-2000:]}"
        self.port = int(found[1])
        return self

    def ready(self) -> "RunningHub":
        """Wait until it answers."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.get("/healthz")
            except OSError:
                assert time.monotonic() < deadline, self.stderr.read_text()[-2000:]
                time.sleep(0.05)
            else:
                return self

    def until(self, true: Callable[[Any], object], within_s: float = START_S) -> Any:
        """Wait until this holds for the answer of /healthz; that answer."""
        health: Any = None

        def holds() -> object:
            nonlocal health
            health = self.get("/healthz")
            return true(health)

        until(holds, within_s)
        return health

    def get(self, path: str, timeout_s: float = 10) -> Any:
        """The JSON at an address, whatever its status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout_s) as answer:  # noqa: S310  loopback
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def kill(self) -> None:
        """The power cord of the process: SIGKILL, no time for anything."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._gone()

    def stop(self) -> float:
        """SIGTERM, and the seconds that it took."""
        if self._process is None:
            return 0.0
        start = time.monotonic()
        self._process.terminate()
        self._gone()
        return time.monotonic() - start

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A `wipline-hub` command on the same database."""
        return hub_command(*arguments, "--db", self._database, check=check)
