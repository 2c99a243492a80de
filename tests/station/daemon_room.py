"""A real station for tests: the command, its FIFO of scans, its lines of answers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import msgspec

READY_S = 45.0


class Daemon:
    """`wipline-station run` in a folder of its own; `scan` writes to its FIFO, `answers` reads its lines."""

    def __init__(
        self,
        folder: Path,
        more: str = "",
        *,
        stage: str | None = "saw",
        within: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        """`within`: a command that executes the station's own, after changing what that sees of the machine."""
        self.folder, self._environment, self._within = folder, environment, within
        self.answers_path, self.scans_path = folder / "answers", folder / "scans"
        self.config = folder / "station.toml"
        if not self.scans_path.exists():
            os.mkfifo(self.scans_path)
        at = f'stage = "{stage}"\n' if stage else ""
        self.config.write_text(
            f'station = "saw-1"\n{at}journal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n'
            f'{more}\n[[reader]]\nkind = "replay"\npath = "{self.scans_path}"\n'
            f'[[signal]]\nkind = "lines"\npath = "{self.answers_path}"\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> "Daemon":
        """Start it; wait until it says that it is ready."""
        self.log = self.folder / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self._within, sys.executable, "-m", "station.cli", "run", "--config", str(self.config)],
                stderr=log, stdout=log, env={**os.environ, **self._environment},
            )  # fmt: skip
        if ready:
            self.until(lambda: b"\nready " in b"\n" + self.log.read_bytes())
        return self

    def until(self, true: Any, within_s: float = READY_S) -> None:
        """Wait for this; fail with the daemon's log where it never comes."""
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, f"it never came true\n{self.log.read_text()}\n{self.answers()[-3:]}"
            time.sleep(0.01)

    def scan(self, *scans: str) -> None:
        """Write these scans, a line each."""
        with self.scans_path.open("w") as fifo:
            fifo.write("".join(f"{scan}\n" for scan in scans))

    def answers(self) -> list[dict[str, Any]]:
        """Every answer so far but "wait", which a busy disk may put before any other."""
        if not self.answers_path.exists():
            return []
        rows = [msgspec.json.decode(row) for row in self.answers_path.read_bytes().splitlines()]
        return [row for row in rows if row["why"] != "wait"]

    def answered(self, count: int, within_s: float = READY_S) -> list[dict[str, Any]]:
        """The answers, once there are so many."""
        self.until(lambda: len(self.answers()) >= count, within_s)
        return self.answers()

    def status(self) -> dict[str, Any]:
        """What status.json says."""
        found: dict[str, Any] = msgspec.json.decode((self.folder / "status.json").read_bytes())
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command about this station."""
        asked = [sys.executable, "-m", "station.cli", *words, "--config", str(self.config)]
        return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it with this signal; its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(15)
        self.process = None
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)
