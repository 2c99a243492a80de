"""The roll of readers: every device that is or could be one, how it is now, and what that stands on.

A device that is pulled out and comes back, perhaps under another node, is the same reader all the same. The roll is bounded:
beyond `MOST` lines the oldest of those that are not being read goes.

>>> roll = ReaderRegistry(lambda _what, **_fields: None, lambda: None)
>>> roll.note("event3", ReaderStatus("keyboard", "usb-05e0-1200-SN77", "ready"))
>>> roll.counted("event3", 5_000)
>>> [(each.id, each.state, each.reads) for each in roll.lines()]
[('usb-05e0-1200-SN77', 'ready', 1)]
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

MOST = 64
MAX_TEXT = 400  # of one sentence, whatever a device calls itself
MAX_TOLD, MOST_TOLD = 240, 32  # characters of a text, and lines, in a heartbeat
READ_FROM = frozenset({"ready", "listening", "refusing"})


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One line of `wipline-station readers`.

    `state`: ready, listening (until it shows what it is), refusing (each scan is answered red, as what it was taught cannot
    be used), waiting (to be opened), lost, ended, ignored; `why` in a sentence; `evidence`: what that stands on; `mend`:
    what to do where it is wrong; `taught`: what it was taught, in words.
    """

    kind: str
    id: str
    state: str
    why: str = ""
    reads: int = 0
    last_boot_ns: int | None = None
    evidence: tuple[str, ...] = ()
    mend: str = ""
    taught: str = ""


def to_heartbeat(each: ReaderStatus) -> dict[str, str]:
    """A line as the hub is told of it; what is not said is left out."""
    because = "; ".join(said.rstrip(".") for said in each.evidence)
    said = {
        "id": each.id, "kind": each.kind, "state": each.state, "why": each.why, "evidence": because, "mend": each.mend,
        "taught": each.taught,
    }  # fmt: skip
    return {name: text[:MAX_TOLD] for name, text in said.items() if text}


class ReaderRegistry:
    """The lines, by the name of each reader's thread. `log` hears of each change once, `changed` that there is one."""

    def __init__(self, log: Callable[..., None], changed: Callable[[], None]) -> None:
        self._log, self._changed = log, changed
        self._lines: dict[str, ReaderStatus] = {}
        self._lock = threading.Lock()

    def lines(self) -> list[ReaderStatus]:
        """Every line, as it is now; what is ignored comes last."""
        with self._lock:
            return sorted(self._lines.values(), key=lambda each: each.state == "ignored")

    def of(self, name: str) -> ReaderStatus | None:
        """One line."""
        return self._lines.get(name)

    def note(self, name: str, status: ReaderStatus) -> None:
        """Keep how a reader is now; a change is logged once, however often it is tried again.

        Plugged in again it may be another node, and is the same reader all the same. A device may be two readers.
        """
        status = replace(status, why=status.why[:MAX_TEXT], evidence=tuple(each[:MAX_TEXT] for each in status.evidence))
        with self._lock:
            before = self._lines.pop(name, None)
            same = {other: each for other, each in self._lines.items() if each.id == status.id}
            read = any(each.state in READ_FROM for each in same.values())
            if read and status.state not in READ_FROM and status.state != "ignored":
                self._changed()
                return  # the late word of an old plug
            if status.state in READ_FROM:
                for other, each in same.items():
                    if each.state not in READ_FROM:
                        before = before or each
                        del self._lines[other]
            if before is not None:
                status = replace(status, reads=before.reads, last_boot_ns=before.last_boot_ns)
            self._lines[name] = status
            self._bound()
        if before is None or (before.state, before.why) != (status.state, status.why):
            why = {"why": status.why} if status.why else {}
            self._log(f"a reader is {status.state}", reader=status.id, kind=status.kind, **why)
            self._changed()

    def counted(self, name: str, boot_ns: int) -> None:
        """One more scan of this reader."""
        with self._lock:
            before = self._lines.get(name)
            if before is not None:
                self._lines[name] = replace(before, reads=before.reads + 1, last_boot_ns=boot_ns)

    def remove(self, name: str) -> None:
        """It was not read, and it is gone: nothing to remember."""
        with self._lock:
            if self._lines.pop(name, None) is not None:
                self._changed()

    def _bound(self) -> None:
        spare = [name for name, each in self._lines.items() if each.state not in READ_FROM]
        for name in spare[: max(len(self._lines) - MOST, 0)]:
            del self._lines[name]
