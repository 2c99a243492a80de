"""A bench in a test's hand: what a scan does to it, and a shop that scans at it."""

from dataclasses import dataclass, field
from typing import Any

from station.answers import State, Why
from station.bench import expire, step
from station.bench_state import Bench, Done, Fields, Heard, Pending, S, Settings, Step
from station.core.codes import Pattern, read_code
from station.core.event import Place as LogPlace
from station.repeats import Memory, Said, forget, heard, is_repeat

LOG = "ab" * 16


ORDERS = (Pattern("order", r"WO-\d+", "item"), Pattern("product", "P-.*", "product"))


SAVED = (State.GREEN, Why.SAVED)


@dataclass
class Shop:
    """A bench that hears scans one after another, at seconds of boottime, through one reader a name."""

    settings: Settings = field(default_factory=Settings)
    bench: Bench = field(default_factory=Bench)
    seq: int = 0
    memories: dict[str, Memory] = field(default_factory=dict)
    voided: list[int] = field(default_factory=list)
    counted: list[tuple[str, str | None, int | None]] = field(default_factory=list)

    def scan(self, text: str, at_s: float, reader: str = "r", **changes: Any) -> Step:
        """One scan, kept as the recording thread keeps it."""
        now_ns, code = int(at_s * S), read_code(text.encode(), None, ORDERS)
        self.seq += 1
        memory = self.memories.get(reader, Memory())
        said = lambda fields: Said(code.code, fields.action, fields.qty_milli, fields.reason, fields.operator)  # noqa: E731
        bench, _ = expire(self.bench, now_ns)
        place = LogPlace(LOG, self.seq)
        heard_ = Heard(code, now_ns, place, is_repeat=lambda f: is_repeat(memory, said(f), now_ns, 3 * S), **changes)
        taken = step(bench, heard_, self.settings)
        self.bench = taken.bench
        self.memories[reader] = heard(memory, said(taken.fields), now_ns)
        if taken.undone:
            self.memories = {name: forget(each) for name, each in self.memories.items()}
        self._count(code.item, taken.fields)
        if taken.again is not None:
            self.seq += 1
            self._count(taken.again.code.item, taken.again.fields)
            if taken.again.void is not None:
                self.seq += 1
                self.voided.append(taken.again.void.seq)
        return taken

    def _count(self, item: str | None, fields: Fields) -> None:
        if fields.void is not None:
            self.voided.append(fields.void.seq)
        counts = item is not None and not fields.repeat
        self.counted.append((item or "", fields.action, fields.qty_milli) if counts else ("", None, None))

    def holds(self) -> list[tuple[str, str | None, int | None]]:
        """What counts in the end: (item, action, quantity) of every item scan that is neither a repeat nor void."""
        return [each for each in self.counted if each[0]]


def a_step(text: str, bench: Bench | None = None, at_s: float = 100, **changes: Any) -> Step:
    """One scan at a bench."""
    heard_ = Heard(read_code(text.encode(), None, ORDERS), int(at_s * S), LogPlace(LOG, 7), **changes)
    return step(bench or Bench(), heard_, Settings())


ARMED = Pending(action="scrap", until_ns=120 * S)


ITEM = "WO-1042"


DONE = (Done(LogPlace(LOG, 3), ITEM, 90 * S), Done(LogPlace(LOG, 5), "WO-7 SCRAP", 95 * S))
