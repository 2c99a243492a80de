"""A machine for the bench of plugs: its kernel is umockdev's, its pcscd is the real one, and one program watches it.

The program is the real station in a process of its own, or the floor. pcscd is started by the first who asks it, as
pcscd.socket does, and a card lies on its reader from then on.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
from plug_devices import Cards, Plug
from plug_pcscd import Pcscd

from drivers import boot_ns
from drivers.decode.keyboard.keys import JOINED_S
from tests.drivers.fixtures.pcscd_service import Card

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HAND_S = 2 * JOINED_S  # a hand takes longer to its trigger; what comes sooner counts as a tail
LOOK_S = 0.002
# Between two plugs at once: umockdev keeps ten messages for a program and a device is told in up to five. USB takes longer.
GAP_S = 0.03
LIMIT_S = 20.0
DONE = 0
_STATE = re.compile(r"^a reader is (\w+) reader=('[^']*'|\S+)")


class Program(Protocol):
    """Who watches the machine: whether it says that a device can be scanned with, and when it had the scan in full."""

    def is_open(self, plug: Plug) -> bool: ...
    def read_ns(self, plug: Plug) -> int | None: ...
    def is_lost(self, plug: Plug, /) -> bool: ...
    def end(self) -> None: ...


class Tail:
    """A file that grows: its new lines."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self._rest = b""

    def lines(self) -> list[bytes]:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return lines


def started(command: Sequence[str], folder: Path, root: str, **environment: str) -> subprocess.Popen[bytes]:
    """A program on this machine; what it says goes to `out` and `log`."""
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["umockdev-wrapper", sys.executable, *command], stdout=out, stderr=log, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "UMOCKDEV_DIR": root, **environment},
        )  # fmt: skip


class Station:
    """The station, without a [[reader]]: whatever is plugged in is used."""

    def __init__(self, folder: Path, root: str, pcscd: str) -> None:
        (folder / "station.toml").write_text(
            f'station = "plug-1"\nstage = "saw"\njournal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n'
            f'[[signal]]\nkind = "lines"\npath = "{folder}/answers"\n'
        )
        command = ["-m", "station.cli", "run", "--config", str(folder / "station.toml")]
        self._process = started(command, folder, root, PCSCLITE_CSOCK_NAME=pcscd)
        self._log, self._answers = Tail(folder / "log"), Tail(folder / "answers")
        self._states: dict[str, str] = {}
        self._greens: dict[str, int] = {}
        wait(lambda: any(line.startswith(b"ready ") for line in self._log.lines()), "The station is not ready.")

    def is_open(self, plug: Plug) -> bool:
        self._look()
        return self._states.get(plug.device.reader) in ("ready", "listening")

    def is_lost(self, plug: Plug) -> bool:
        self._look()
        return self._states.get(plug.device.reader) == "lost"

    def is_left_alone(self, plug: Plug) -> bool:
        """Whether it has looked at this device, which is no reader."""
        self._look()
        return self._states.get(plug.device.reader) == "ignored"

    def read_ns(self, plug: Plug) -> int | None:
        self._look()
        return self._greens.get(plug.code)

    def _look(self) -> None:
        for line in self._log.lines():
            said = _STATE.match(line.decode())
            if said:
                self._states[said[2].strip("'")] = said[1]
        for line in self._answers.lines():
            answer = msgspec.json.decode(line)
            if answer["state"] == "green":
                self._greens[answer["code"]] = answer["boot_ns"]

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(15)


class Floor:
    """The bare program. It is told beforehand what will be plugged in."""

    def __init__(self, folder: Path, root: str, pcscd: str, hows: dict[str, dict[str, Any]]) -> None:
        command = [str(HERE / "plug_floor.py"), json.dumps(hows)]
        self._process = started(command, folder, root, PCSCLITE_CSOCK_NAME=pcscd)
        self._out = Tail(folder / "out")
        self._opened: set[str] = set()
        self._read: dict[str, int] = {}
        wait(lambda: any(b"watching" in line for line in self._out.lines()), "The floor does not watch.")

    def is_open(self, plug: Plug) -> bool:
        self._look()
        return plug.seen.node in self._opened

    def is_lost(self, _plug: Plug, /) -> bool:
        return True  # it has read its scan, and gone on

    def read_ns(self, plug: Plug) -> int | None:
        self._look()
        return self._read.get(plug.seen.node)

    def _look(self) -> None:
        for line in self._out.lines():
            said = json.loads(line)
            self._opened.add(said.get("opened", ""))
            if "read" in said:
                self._read[said["read"]] = said["at_ns"]

    def end(self) -> None:
        self._process.kill()
        self._process.wait(15)


def wait(true: Any, otherwise: str) -> None:
    """Until it is so; an error where it never is."""
    until = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > until:
            raise RuntimeError(otherwise)
        time.sleep(LOOK_S)


class Machine:
    """Devices come and go; each plug is of the next number. `ends` in a `with`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._kernel = subprocess.Popen(
            ["umockdev-wrapper", "/usr/bin/python3", str(HERE / "plug_kernel.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.root: str = self._said()["root"]
        self.pcscd = Pcscd(folder)
        self.program: Program | None = None
        self._cards: list[Card] = []

    def _said(self) -> dict[str, Any]:
        assert self._kernel.stdout is not None
        said: dict[str, Any] = json.loads(self._kernel.stdout.readline())
        return said

    def tell(self, **command: Any) -> dict[str, Any]:
        """One command to the kernel's side."""
        assert self._kernel.stdin is not None
        self._kernel.stdin.write(json.dumps(command) + "\n")
        self._kernel.stdin.flush()
        return self._said()

    def plug(self, plug: Plug) -> int:
        """Plug it in, with the tag of its code in its field if it reads tags; when."""
        device, seen, code = plug
        ioctl = self.folder / "ioctl"
        ioctl.write_text(seen.ioctl or "")
        said = self.tell(add=seen.text, ioctl=seen.ioctl and str(ioctl), node=seen.node, plays=device.plays(code))
        return int(said["at_ns"])

    def pull(self, plug: Plug) -> None:
        """Pull it out; back when the program has seen it."""
        program = self._watching()
        self.tell(pull=plug.seen.node, remove=plug.seen.parts)
        wait(lambda: program.is_lost(plug), f"{plug.device.what} is not lost.")

    def scanned(self, plugs: Sequence[Plug]) -> list[float]:
        """Plug these in, one right behind the other, scan with each as soon as it is open; seconds from the first plug."""
        program, began_ns = self._watching(), self.plug(plugs[0])
        for each in plugs[1:]:
            time.sleep(GAP_S)
            self.plug(each)
        due_ns: dict[str, int] = {}
        done: dict[str, int] = {}
        until = time.monotonic() + LIMIT_S
        while left := [each for each in plugs if each.code not in done]:
            if time.monotonic() > until:
                msg = f"No green light for {[each.device.what for each in left]}: {(self.folder / 'log').read_text()}"
                raise RuntimeError(msg)
            for each in left:
                self._lay(each, due_ns) if isinstance(each.device, Cards) else self._hand(program, each, due_ns)
                found = program.read_ns(each)
                done |= {each.code: found} if found else {}
            time.sleep(LOOK_S)
        return [(done[each.code] - began_ns) / 1e9 for each in plugs]

    def _watching(self) -> Program:
        assert self.program is not None
        return self.program

    def _hand(self, program: Program, plug: Plug, due_ns: dict[str, int]) -> None:
        """Pull the trigger once, a moment after the reader is open."""
        if plug.code not in due_ns:
            if program.is_open(plug):
                due_ns[plug.code] = boot_ns() + int(HAND_S * 1e9)
        elif due_ns[plug.code] != DONE and boot_ns() >= due_ns[plug.code]:
            due_ns[plug.code] = DONE
            scan = plug.device.sends(plug.code)
            if scan is not None:
                self.tell(node=plug.seen.node, **scan)

    def _lay(self, plug: Plug, due_ns: dict[str, int]) -> None:
        """Put a card on the reader as soon as pcscd has made it; the other readers' hands do not wait for that."""
        if plug.code not in due_ns:
            due_ns[plug.code] = DONE
            threading.Thread(target=self._put, args=(bytes.fromhex(plug.code) + b"\x90\x00",), daemon=True).start()

    def _put(self, response: bytes) -> None:
        self._cards.append(Card(self.pcscd.port, response))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.program is not None:
            self.program.end()
        for card in self._cards:
            card.take()
        self.pcscd.end()
        assert self._kernel.stdin is not None
        self._kernel.stdin.close()
        self._kernel.wait(15)
