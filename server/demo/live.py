"""Live part of the demo: three real station processes, each fed through one named pipe for each stage.

The simulation continues after its past days, but faster: about one read a second. New orders are released when few are left.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.demo.simulated_shop import SimulatedOrder, SimulatedScan, SimulatedShop

CHANGE_OF_SHIFT = 90  # scans at a station until the operator changes
BADGE_TEXT = "WIP:BADGE:{}"
SLIP_EVERY = 120  # scans between two wrong reads, which the operator undoes
CALL_EVERY = 150  # acts from one call for help to the next; the first one is made at once
ANSWER_AFTER = 45  # acts until it is answered at its stage
CALLS = ("drawing", "tool")
SLIP = ("4006381333931", "WIP:UNDO")  # the GTIN of a pencil
STRAY_AT, STRAY = 4, "WO-1OO8"  # the act with a label whose zeros somebody typed as letters
STOP_S = 8.0


def command(module: str, *arguments: str) -> list[str]:
    """The command line of one of the product's programs on this Python, from a checkout or an installed wheel."""
    # -P: do not import modules from the current folder.
    return [sys.executable, "-P", "-c", f"from {module} import main; main()", *arguments]


@dataclass(slots=True)
class DemoStation:
    """A process `wipline-station run` in its own folder, and the pipes of its readers by stage.

    `readers`: stage -> the name of its scanner, which is the name of the pipe in that folder and so the reader's id.
    """

    name: str
    folder: Path
    stages: tuple[str, ...]
    readers: Mapping[str, str]
    pipes: dict[str, int] = field(default_factory=dict)

    def start(self, hub_url: str, token: str) -> subprocess.Popen[bytes]:
        """Write its configuration, create its pipes, and start the process."""
        self.folder.mkdir(mode=0o700)
        secret = self.folder / "token"
        secret.touch(mode=0o600)
        secret.write_text(token + "\n", encoding="ascii")
        (self.folder / "station.toml").write_text(self._configuration(hub_url), encoding="utf-8")
        for stage in self.stages:
            path = self.folder / self.readers[stage]
            os.mkfifo(path, 0o600)
            # Opened for reading and writing, so that the open does not wait for the station's side.
            self.pipes[stage] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with (self.folder / "station.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the product's own program
                command("station.cli", "run", "--config", str(self.folder / "station.toml")),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach only the demo, which then stops its stations
            )

    def scan(self, stage: str, text: str) -> None:
        """Write one scan to the pipe; a scan to a full pipe, whose station has ended, is dropped."""
        with suppress(BlockingIOError):
            os.write(self.pipes[stage], text.encode() + b"\n")

    def _configuration(self, hub_url: str) -> str:
        readers = "".join(
            f'\n[[reader]]\nkind = "replay"\npath = "{self.readers[stage]}"\nstage = "{stage}"\n'
            for stage in self.stages
        )
        return (
            f'station = "{self.name}"\njournal = "{self.folder}/journal.db"\nstatus = "{self.folder}/status.json"\n'
            f'\n[hub]\nurl = "{hub_url}"\ntoken_file = "{self.folder}/token"\n{readers}'
            f'\n[[signal]]\nkind = "lines"\npath = "{self.folder}/answers"\n'
        )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Terminate all processes together; kill those that do not end within STOP_S."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Operators:
    """The operator at each station; operators change, scan a badge after a change, and make wrong reads."""

    def __init__(self, badges: Sequence[str], chance: random.Random) -> None:
        self._badges, self._chance = tuple(badges), chance
        self._on: dict[str, tuple[str, int]] = {}
        self._acts = 0
        self._called: tuple[str, int] | None = None  # the stage of the open call, and its act

    def before(self, station: str, stage: str) -> list[str]:
        """The reads at a stage before its next scan: a badge after a change of operator, a call, a wrong one."""
        self._acts += 1
        badge = self._badge_before(station)
        slip = SLIP if self._acts % SLIP_EVERY == 0 else ()
        stray = (STRAY,) if self._acts == STRAY_AT else ()
        return [*([] if badge is None else [badge]), *self._call_before(stage), *slip, *stray]

    def _call_before(self, stage: str) -> Iterator[str]:
        if self._called is None and self._acts % CALL_EVERY == 1:
            self._called = (stage, self._acts)
            yield f"WIP:CALL:{self._chance.choice(CALLS)}"
        elif self._called is not None and stage == self._called[0] and self._acts - self._called[1] >= ANSWER_AFTER:
            self._called = None
            yield "WIP:ANSWER"

    def _badge_before(self, station: str) -> str | None:
        badge, left = self._on.get(station, ("", 0))
        if left:
            self._on[station] = (badge, left - 1)
            return None
        others = [other for other in self._badges if other != badge]
        badge = self._chance.choice(others)
        self._on[station] = (badge, CHANGE_OF_SHIFT)
        return BADGE_TEXT.format(badge)


def acts(
    shop: SimulatedShop, rest: Iterator[SimulatedScan], release: Callable[[SimulatedOrder], None]
) -> Iterator[SimulatedScan]:
    """All further scans, without end; new orders are released before their first scan."""
    while True:
        for order in shop.top_up():
            release(order)
        yield next(rest)
