"""Reader registry: the status of every device that is or could be a reader, with the evidence for it.

A device that is unplugged and returns, perhaps under another node, is the same reader. The registry is bounded: beyond
`MAX_LINES` the oldest lines of devices that are not open are removed.

>>> registry = ReaderRegistry(lambda _what, **_fields: None, lambda: None)
>>> registry.update("event3", ReaderStatus("keyboard", "usb-05e0-1200-SN77", "ready"))
>>> registry.count_read("event3", 5_000)
>>> [(line.id, line.state, line.reads) for line in registry.lines()]
[('usb-05e0-1200-SN77', 'ready', 1)]
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from station.status import ReaderStatus

MAX_LINES = 64
MAX_TEXT = 400  # characters of one sentence; a device chooses its own name
MAX_HEARTBEAT_TEXT, MAX_HEARTBEAT_LINES = 240, 32  # characters of a text, and lines, in a heartbeat
OPEN_STATES = frozenset({"ready", "listening", "refusing"})


def to_heartbeat(line: ReaderStatus) -> dict[str, str]:
    """A line as the heartbeat carries it; empty fields are left out."""
    evidence = "; ".join(sentence.rstrip(".") for sentence in line.evidence)
    fields = {
        "id": line.id, "kind": line.kind, "state": line.state, "why": line.why, "evidence": evidence, "mend": line.mend,
        "taught": line.taught,
    }  # fmt: skip
    return {name: text[:MAX_HEARTBEAT_TEXT] for name, text in fields.items() if text}


class ReaderRegistry:
    """The lines, by the name of each reader's thread. Each change is logged once and reported by `changed`."""

    def __init__(self, log: Callable[..., None], changed: Callable[[], None]) -> None:
        self._log, self._changed = log, changed
        self._lines: dict[str, ReaderStatus] = {}
        self._lock = threading.Lock()

    def lines(self) -> list[ReaderStatus]:
        """Every line now; ignored devices come last."""
        with self._lock:
            return sorted(self._lines.values(), key=lambda line: line.state == "ignored")

    def get(self, name: str) -> ReaderStatus | None:
        """One line."""
        return self._lines.get(name)

    def update(self, name: str, status: ReaderStatus) -> None:
        """Set the status of a reader. A change is logged once, however often the reader is tried again.

        1. A device that is plugged in again may have another thread name. Its old lines are merged into the new one, with
           their read count.
        2. A status from the thread of an earlier plug is ignored while the reader is open under another name.
        3. One device may be two readers: only lines that are not open are merged.
        """
        status = replace(status, why=status.why[:MAX_TEXT], evidence=tuple(text[:MAX_TEXT] for text in status.evidence))
        with self._lock:
            before = self._lines.pop(name, None)
            same = {other: line for other, line in self._lines.items() if line.id == status.id}
            is_open = any(line.state in OPEN_STATES for line in same.values())
            if is_open and status.state not in OPEN_STATES and status.state != "ignored":
                self._changed()
                return
            if status.state in OPEN_STATES:
                for other, line in same.items():
                    if line.state not in OPEN_STATES:
                        before = before or line
                        del self._lines[other]
            if before is not None:
                status = replace(status, reads=before.reads, last_boot_ns=before.last_boot_ns)
            self._lines[name] = status
            self._remove_oldest()
        if before is None or (before.state, before.why) != (status.state, status.why):
            why = {"why": status.why} if status.why else {}
            self._log(f"a reader is {status.state}", reader=status.id, kind=status.kind, **why)
            self._changed()

    def count_read(self, name: str, boot_ns: int) -> None:
        """Count one more scan of this reader."""
        with self._lock:
            line = self._lines.get(name)
            if line is not None:
                self._lines[name] = replace(line, reads=line.reads + 1, last_boot_ns=boot_ns)

    def remove(self, name: str) -> None:
        """Remove the line of a device that is gone and was never read."""
        with self._lock:
            if self._lines.pop(name, None) is not None:
                self._changed()

    def _remove_oldest(self) -> None:
        closed = [name for name, line in self._lines.items() if line.state not in OPEN_STATES]
        for name in closed[: max(len(self._lines) - MAX_LINES, 0)]:
            del self._lines[name]
