"""A station-sized computer in software: started from an image, driven by shell lines, unplugged like a real one.

`hardware` says what it is made of. One shell line after another goes in over a wire of its own, so a guest with its network
cable pulled still answers.
"""

import base64
import shlex
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.guest.hardware import command_line
from tests.guest.image import GuestError, Image
from tests.guest.wires import Wire

BOOT_LIMIT_S = 180
LINE_LIMIT_S = 60
HUB_URL = "http://10.0.2.100:8080"  # the hub's address as the guest sees it
PROJECT_DISK_MIB = 32  # fixed: a snapshot remembers the size of each disk


def make_project_disk(path: Path, content: Path | None = None) -> None:
    """An ext4 disk of the fixed size with the files of `content`; empty without."""
    path.unlink(missing_ok=True)
    with path.open("wb") as disk:
        disk.truncate(PROJECT_DISK_MIB << 20)
    source = ["-d", str(content)] if content else []
    made = subprocess.run(
        ["/sbin/mke2fs", "-q", "-t", "ext4", *source, str(path)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        msg = f"The project's disk could not be made: {made.stderr.strip()}"
        raise GuestError(msg)


class Machine:
    """One running guest. Enter it to start it; leaving it ends QEMU, however the guest feels about that."""

    def __init__(
        self,
        image: Image,
        disk: Path,
        folder: Path,
        *,
        snapshot: str | None = None,
        project: Path | None = None,
        hub_port: int | None = None,
        cache: str = "writeback",
    ) -> None:
        """`disk` is written to; `folder` takes the console's log; `hub_port` is on the host's 127.0.0.1."""
        self.folder = folder
        self.up_s = 0.0  # from QEMU's start to the guest's first answer
        self._snapshot = snapshot
        self._project = project
        self._own_project = folder / "project.img"
        disks = (image.kernel, image.initrd, disk, project or self._own_project)
        self._arguments = command_line(*disks, cache=cache, hub_port=hub_port, snapshot=snapshot)
        self._asked = 0
        self._lines: list[socket.socket] = []

    def __enter__(self) -> Self:
        start = time.monotonic()
        if self._project is None:
            make_project_disk(self._own_project)
        monitor, monitor_there = socket.socketpair()
        shell, shell_there = socket.socketpair()
        sockets = [
            *("-chardev", f"socket,id=monitor,fd={monitor_there.fileno()}", "-mon", "chardev=monitor,mode=control"),
            *("-chardev", f"socket,id=shell,fd={shell_there.fileno()}"),
            *("-device", "virtserialport,chardev=shell,name=wipline.shell"),
            *("-serial", f"file:{self.folder / 'console.log'}"),
        ]
        with (self.folder / "qemu.log").open("wb") as log:
            self.process = subprocess.Popen(
                # Were the tests killed, the machine would go on for ever: it ends with the process that started it.
                ["setpriv", "--pdeathsig", "KILL", *self._arguments, *sockets],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(monitor_there.fileno(), shell_there.fileno()),
            )
        monitor_there.close()
        shell_there.close()
        self._monitor, self._shell = Wire(monitor), Wire(shell)
        try:
            self._monitor.receive(30)  # its greeting
            self.monitor("qmp_capabilities")
            self._answer_to(0 if self._snapshot is None else self._ask({"line": ":", "timeout_s": 5}), BOOT_LIMIT_S)
            self.up_s = time.monotonic() - start
            if self._snapshot:
                self.set_clock(time.time())
            if self._project:
                # The first blocks of the disk that stood here when the snapshot was taken are still in memory.
                self.sh("blockdev --flushbufs /dev/vdb && mount -o ro /dev/vdb /project")
        except BaseException:
            self.power_cut()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_cut()

    # -- the shell inside ------------------------------------------------------------------------------------------

    def _ask(self, question: dict[str, Any]) -> int:
        self._asked += 1
        self._shell.send({"id": self._asked, **question})
        return self._asked

    def _answer_to(self, number: int, timeout_s: float) -> tuple[int, str]:
        try:
            while True:  # an answer to a question from before the snapshot may still be on the wire
                answer = self._shell.receive(timeout_s)
                if answer["id"] == number:
                    return answer["code"], answer["out"]
        except (OSError, EOFError) as error:
            msg = f"The guest gave no answer in {timeout_s:.0f} s ({type(error).__name__}).\n{self.last_words()}"
            raise GuestError(msg) from error

    def ask(self, line: str, timeout_s: float = LINE_LIMIT_S) -> tuple[int, str]:
        """Run a shell line as root: its exit code (124: stopped at the limit) and everything it printed."""
        return self._answer_to(self._ask({"line": line, "timeout_s": timeout_s}), timeout_s + 30)

    def sh(self, line: str, timeout_s: float = LINE_LIMIT_S) -> str:
        """Run a shell line that must succeed: what it printed, without the last newline."""
        code, out = self.ask(line, timeout_s)
        if code:
            msg = f"In the guest this ended with {code}: {line}\n{out[-4000:]}"
            raise GuestError(msg)
        return out.removesuffix("\n")

    def background(self, line: str, log: str = "/dev/null") -> int:
        """Start a shell line and leave it running; its process id in the guest. `log` is a file there, appended to."""
        return int(self._answer_to(self._ask({"line": line, "log": log}), LINE_LIMIT_S)[1])

    def wait_until(self, line: str, timeout_s: float = 20) -> str:
        """Run a shell line ten times a second until it succeeds; what it printed then."""
        loop = f"until out=$({line} 2>&1); do sleep 0.1; done; printf '%s\\n' \"$out\""
        code, out = self.ask(loop, timeout_s)
        if code:
            msg = f"In the guest this did not come true in {timeout_s:g} s: {line}\n{self.ask(line)[1][-4000:]}"
            raise GuestError(msg)
        return out.removesuffix("\n")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a small file into the guest, its folder too."""
        body = base64.b64encode(text.encode()).decode()
        where = shlex.quote(path)
        self.sh(f"mkdir -p $(dirname {where}) && echo {body} | base64 -d >{where} && chmod {mode:o} {where}")

    def set_clock(self, unix_s: float) -> None:
        """Step the guest's wall clock; a loaded snapshot wakes up in the past."""
        self.sh(f"date --utc --set=@{unix_s:.3f} >/dev/null")

    def settle(self) -> None:
        """Wait until systemd has nothing left to start and udev nothing to say; failed units are an error."""
        state = self.ask("systemctl is-system-running --wait", BOOT_LIMIT_S)[1].strip()
        if state != "running":
            failed = self.ask("systemctl --failed --no-legend; journalctl -b -p err --no-pager | tail -n 20")[1]
            msg = f"The guest's systemd says {state!r}, expected 'running':\n{failed}"
            raise GuestError(msg)
        self.sh("udevadm settle --timeout=30")

    # -- the machine around it -------------------------------------------------------------------------------------

    def monitor(self, execute: str, descriptor: int | None = None, **arguments: object) -> Any:
        """One command of QEMU's monitor; its result. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html"""
        self._monitor.send({"execute": execute, "arguments": arguments}, descriptor)
        while True:
            answer = self._monitor.receive(60)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                msg = f"QEMU refused {execute}: {answer['error']['desc']}"
                raise GuestError(msg)

    def save(self, snapshot: str) -> float:
        """Keep the running system as a snapshot on its disk; the seconds it took."""
        start = time.monotonic()
        said = self.monitor("human-monitor-command", **{"command-line": f"savevm {snapshot}"})
        if said:
            msg = f"QEMU could not save {snapshot}: {said.strip()}"
            raise GuestError(msg)
        return time.monotonic() - start

    def line_to(self, name: str) -> socket.socket:
        """A new line into the machine, for devices that take a chardev: our end of it."""
        here, there = socket.socketpair()
        with there:
            self.monitor("getfd", there.fileno(), fdname=name)
            at = {"type": "fd", "data": {"str": name}}
            self.monitor("chardev-add", id=name, backend={"type": "socket", "data": {"addr": at, "server": False}})
        self._lines.append(here)
        return here

    def cable(self, *, plugged: bool) -> None:
        """Pull the network cable, or put it back."""
        self.monitor("set_link", name="cable", up=plugged)

    def power_off(self) -> None:
        """End QEMU in an orderly way, its disk written; the guest is not asked."""
        self.monitor("quit")
        self.process.wait(60)

    def power_cut(self) -> None:
        """End QEMU at once: what the guest had not flushed is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._monitor.close()
        self._shell.close()
        for line in self._lines:
            line.close()

    def last_words(self) -> str:
        """The end of what QEMU and the guest's console said."""
        logs = (self.folder / "qemu.log", self.folder / "console.log")
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())
