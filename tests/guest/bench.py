"""A bench in the guest: the station under its own unit, set up as the installer's guide says, and what it said so far.

The signal is `lines`, in the state directory: the runtime directory goes with each end of the service, and what was
answered before a kill is what a test wants to read after it.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.guest.image import GuestError
from tests.guest.machine import HUB_URL, Machine
from tests.guest.scanner import Scanner

UNIT = "wipline-station"
ANSWERS = "/var/lib/wipline/answers"
STATUS = "/run/wipline/status.json"
READY_LIMIT_S = 60
ANSWER_LIMIT_S = 20
TRIES = 3
# No [[reader]]: any scanner that is plugged in is used.
STATION_TOML = f"""station = "saw-1"
stage = "saw"

[[signal]]
kind = "lines"
path = "{ANSWERS}"
"""
HUB_TOML = f"""
[hub]
url = "{HUB_URL}"
token_file = "/etc/wipline/token"
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """The station `saw-1` at the stage `saw`, as systemd runs it in `guest`."""

    guest: Machine

    def set_up(self, token: str | None = None) -> "Bench":
        """Write its configuration and, where it has a hub, its token; start it. It is ready when this returns."""
        self.guest.write("/etc/wipline/station.toml", STATION_TOML + (HUB_TOML if token else ""))
        if token:
            self.guest.write("/etc/wipline/token", token + "\n", mode=0o640)
            self.guest.sh("chgrp wipline /etc/wipline/token")
        self.guest.sh(
            f"systemctl enable --quiet --now {UNIT} || {{ journalctl -u {UNIT} --no-pager; false; }}", READY_LIMIT_S
        )
        return self

    def unit(self, *names: str) -> list[str]:
        """What systemd says of the unit: the values of these properties."""
        said = self.guest.sh(f"systemctl show {UNIT} --property={','.join(names)}")
        values = dict(line.split("=", 1) for line in said.splitlines())
        return [values[name] for name in names]

    def user(self) -> str:
        """As whom the daemon runs."""
        return self.guest.sh(f"ps -o user= -p {self.unit('MainPID')[0]}")

    def kill(self) -> None:
        """SIGKILL; systemd starts it again, and this returns when the next one is ready."""
        (killed,) = self.unit("MainPID")
        self.guest.sh(f"kill -KILL {killed} && rm {STATUS}")
        self.guest.wait_until(f"[ -e {STATUS} ]", READY_LIMIT_S)  # cheaper than asking systemd ten times a second
        self.guest.wait_until(f"systemctl is-active --quiet {UNIT}")
        if self.unit("MainPID") == [killed]:
            msg = f"The process {killed} lives on after SIGKILL."
            raise GuestError(msg)

    def has(self, *readers: str, timeout_s: float = 30) -> None:
        """Wait until exactly these readers are ready, by the station's own word."""
        until = time.monotonic() + timeout_s
        while True:
            ready = sorted(each["id"] for each in self.status()["readers"] if each["state"] == "ready")
            if ready == sorted(readers):
                return
            if time.monotonic() > until:
                msg = f"The ready readers are {ready}, expected {sorted(readers)} within {timeout_s:g} s.\n{self.log()}"
                raise GuestError(msg)
            time.sleep(0.1)

    def status(self) -> dict[str, Any]:
        """What its status file says."""
        found: dict[str, Any] = json.loads(self.guest.wait_until(f"cat {STATUS}"))
        return found

    def answers(self) -> list[dict[str, Any]]:
        """Every answer so far."""
        return [json.loads(line) for line in self.guest.sh(f"cat {ANSWERS}").splitlines()]

    def scan(self, scanner: Scanner, text: str) -> dict[str, Any]:
        """Scan as an operator does: once, and once more for each red light; the answer that carries a number."""
        for _ in range(TRIES):
            before = len(self.answers())
            scanner.type(f"{text}\n")
            answer = self._next_answer(before, text)
            if answer["state"] != "red":
                return answer
        msg = f"{text} was answered red {TRIES} times.\n{self.log()}"
        raise GuestError(msg)

    def _next_answer(self, before: int, text: str) -> dict[str, Any]:
        """The answer to this text, or the red light that stands for it, behind the first `before`."""
        until = time.monotonic() + ANSWER_LIMIT_S
        while time.monotonic() < until:
            for answer in self.answers()[before:]:
                if answer["code"] == text or answer["state"] == "red":
                    return answer
            time.sleep(0.1)
        msg = f"{text} was not answered in {ANSWER_LIMIT_S} s: {self.answers()[before:]}\n{self.log()}"
        raise GuestError(msg)

    def command(self, words: str) -> str:
        """What a command of the station prints, run as the service's user."""
        return self.guest.sh(f"runuser -u wipline -- /opt/wipline/bin/wipline-station {words}")

    def log(self) -> str:
        """What it wrote to systemd's journal."""
        return self.guest.sh(f"journalctl --unit {UNIT} --output cat --no-pager")
