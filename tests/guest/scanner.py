"""A barcode scanner in one of the guest's USB sockets, as a hand would plug, pull and trigger it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tests.guest.machine import Machine

PROGRAM = "/usr/bin/python3 -ISB /project/gadget.py"  # without site: a third of the start-up time
# As scanners are sold. The kernel keeps 64 events for a reader, ten characters or so: typed without any pause on a busy
# host, a scan may overrun a reader that was not given the processor meanwhile.
CHARACTER_MS = 8


@dataclass(frozen=True, slots=True)
class Scanner:
    """A handle on one scanner in one guest; `name` is ours, the rest is what the kernel reads from the device."""

    guest: Machine
    name: str = "scanner"
    ids: str = "05e0:1200"
    serial: str = "SN77"
    maker: str = "Symbol Technologies, Inc, 2008"
    product: str = "Symbol Bar Code Scanner"

    def add(self) -> "Scanner":
        """Unpack it and plug it in; it is usable when udev has said so."""
        self._do("add", self.ids, self.maker, self.product, self.serial)
        return self

    def plug(self) -> None:
        """Plug it in again."""
        self._do("plug")

    def unplug(self) -> None:
        """Pull it out, whatever it is doing."""
        self._do("unplug")

    def type(self, text: str, pause_ms: int = CHARACTER_MS, *, pull_after: bool = False) -> None:
        """Type ASCII text; end it with a newline for Enter. Returns when the kernel took the last report.

        `pull_after` pulls the cable within milliseconds of it, before a quiet gap can end the scan.
        """
        self._do("type", text.encode("ascii").hex(), str(pause_ms), *(["pull"] if pull_after else []))

    def press(self, *chords: str, pause_ms: int = CHARACTER_MS) -> None:
        """Press combinations of keys, as a label can make a scanner do: Ctrl+Alt+F2, Alt+SysRq+s, Win+r, Enter."""
        self._do("press", str(pause_ms), *chords)

    def node(self, timeout_s: float = 20) -> str:
        """The device node behind its by-id link, waited for."""
        return self.guest.wait_until(f"readlink -e {shlex.quote(self.by_id)}", timeout_s)

    @property
    def by_id(self) -> str:
        """Where udev links it, by maker, product and serial number."""
        said = f"{self.maker}_{self.product}_{self.serial}"
        plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "#+-.:=@_") else "_" for sign in said)
        return f"/dev/input/by-id/usb-{plain}-event-kbd"

    def _do(self, verb: str, *words: str) -> None:
        self.guest.sh(self.line(verb, *words))

    def line(self, verb: str, *words: str) -> str:
        """The shell line of the program that plays this scanner."""
        return shlex.join([*PROGRAM.split(), verb, self.name, *words])


def type_together(typing: Sequence[tuple[Scanner, str]], pause_ms: int = CHARACTER_MS) -> None:
    """Let several scanners of one guest type at the same time; returns when the kernel took the last report of each."""
    lines = [scanner.line("type", text.encode("ascii").hex(), str(pause_ms)) for scanner, text in typing]
    typing[0][0].guest.sh(" & ".join([*lines, "wait"]))
