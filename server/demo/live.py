"""The demo's present: three real stations, each fed through named pipes, one for every stage where it scans.

The floor goes on where its past ended, only faster: an act of an operator follows the next as soon as its texts are typed,
about one a second. Where orders run out, new ones are released, as an office would.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.demo.simulated_shop import SimulatedOrder, SimulatedScan, SimulatedShop

CHANGE_OF_SHIFT = 90  # acts at a station until somebody else takes over
BADGE_TEXT = "WIP:BADGE:{}"
SLIP_EVERY = 120  # acts: now and then somebody reads the wrong thing, and takes it back
SLIP = ("4006381333931", "WIP:UNDO")  # the number on a pencil
STOP_S = 8.0


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a program of ours, on this Python: it works from a checkout and from an installed wheel alike."""
    # -P: what lies in the folder where the demo was started is not imported.
    return [sys.executable, "-P", "-c", f"from {module} import main; main()", *arguments]


@dataclass(slots=True)
class DemoStation:
    """A `wipline-station run` in its own folder, and the pipes of its readers by stage."""

    name: str
    folder: Path
    stages: tuple[str, ...]
    pipes: dict[str, int] = field(default_factory=dict)

    def start(self, hub_url: str, token: str) -> subprocess.Popen[bytes]:
        """Write its configuration, make its pipes, start it."""
        self.folder.mkdir(mode=0o700)
        secret = self.folder / "token"
        secret.touch(mode=0o600)
        secret.write_text(token + "\n", encoding="ascii")
        (self.folder / "station.toml").write_text(self._configuration(hub_url), encoding="utf-8")
        for stage in self.stages:
            path = self.folder / f"scans-{stage}"
            os.mkfifo(path, 0o600)
            # Read and write: the pipe exists for both sides at once, and neither has to wait for the other to open it.
            self.pipes[stage] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with (self.folder / "station.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                command("station.cli", "run", "--config", str(self.folder / "station.toml")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its stations in order
            )

    def scan(self, stage: str, text: str) -> None:
        """Type one scan; a pipe that nobody empties any more is full one day, and then the scan is not made."""
        with suppress(BlockingIOError):
            os.write(self.pipes[stage], text.encode() + b"\n")

    def _configuration(self, hub_url: str) -> str:
        readers = "".join(
            f'\n[[reader]]\nkind = "replay"\npath = "{self.folder}/scans-{stage}"\nstage = "{stage}"\n'
            for stage in self.stages
        )
        return (
            f'station = "{self.name}"\njournal = "{self.folder}/journal.db"\nstatus = "{self.folder}/status.json"\n'
            f'\n[hub]\nurl = "{hub_url}"\ntoken_file = "{self.folder}/token"\n{readers}'
            f'\n[[signal]]\nkind = "lines"\npath = "{self.folder}/answers"\n'
        )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End these programs: politely together, then those that are left."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Operators:
    """Who stands at which station: somebody else after a while, who then shows a badge first; and people make mistakes."""

    def __init__(self, badges: Sequence[str], chance: random.Random) -> None:
        self._badges, self._chance = tuple(badges), chance
        self._on: dict[str, tuple[str, int]] = {}
        self._acts = 0

    def before(self, station: str) -> list[str]:
        """What is read at a station before its next act: a badge where somebody else takes over, and rarely a slip."""
        self._acts += 1
        badge = self._badge_before(station)
        slip = SLIP if self._acts % SLIP_EVERY == 0 else ()
        return [*([] if badge is None else [badge]), *slip]

    def _badge_before(self, station: str) -> str | None:
        badge, left = self._on.get(station, ("", 0))
        if left:
            self._on[station] = (badge, left - 1)
            return None
        others = [each for each in self._badges if each != badge]
        badge = self._chance.choice(others)
        self._on[station] = (badge, CHANGE_OF_SHIFT)
        return BADGE_TEXT.format(badge)


def acts(
    floor: SimulatedShop, rest: Iterator[SimulatedScan], release: Callable[[SimulatedOrder], None]
) -> Iterator[SimulatedScan]:
    """The acts from now on, for ever; new orders are released before anybody can scan them."""
    while True:
        for order in floor.top_up():
            release(order)
        yield next(rest)
