"""What the recording thread's tests share: a read, a journal in memory whose commits can be made to misbehave, a station."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drivers import Dropped, Read
from station.answers import Answer, Green, Look
from station.bench_state import Settings
from station.composing import Recorder
from station.core.chain import genesis, link
from station.core.codes import Pattern
from station.core.event import Event, decode
from station.inbox import Inbox
from station.journal.records import Receipt, Tip
from station.judgement import Judge, NoJudge
from station.scan import Known, Scan

S = 10**9
LOG_ID = bytes(range(16))


def a_read(raw: bytes = b"WO-1042", at_s: float = 10, **changes: Any) -> Read:
    """A read of a replay reader."""
    known = {"sym": None, "kind": "replay", "reader": "replay-1", "boot_ns": int(at_s * S), "raw_len": len(raw)}
    return Read(raw=raw, **(known | changes))


def at(reader: str, raw: bytes = b"WO-1042", at_s: float = 10) -> Read:
    """A read at this reader."""
    return a_read(raw, at_s, reader=reader)


class MemoryJournal:
    """A journal in memory; `misbehave` is called with each event's bytes before it is kept."""

    def __init__(self, now_ns: Callable[[], int] = lambda: 0) -> None:
        self.log_id, self.events, self._now_ns = LOG_ID, list[bytes](), now_ns
        self.tip = Tip(0, genesis(LOG_ID))
        self.misbehave: Callable[[bytes], None] = lambda _encoded: None
        self.tidied: list[float] = []

    def commit(self, encoded: bytes) -> Receipt:
        """Keep the event."""
        self.misbehave(encoded)
        self.events.append(encoded)
        self.tip = Tip(self.tip.seq + 1, link(self.tip.hash, encoded))
        return Receipt(LOG_ID, self.tip.seq, self.tip.hash, self._now_ns())

    def tidy(self, idle_s: float) -> None:
        """Note that it was asked."""
        self.tidied.append(idle_s)

    def decoded(self) -> list[Event]:
        """The events."""
        return [decode(each) for each in self.events]


@dataclass
class Bench:
    """A recording thread without readers: `take` a read, see what was said and recorded."""

    settings: Settings = field(default_factory=Settings)
    patterns: tuple[Pattern, ...] = ()
    judge: Judge = field(default_factory=NoJudge)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now_ns = 0
        self.journal = MemoryJournal(lambda: self.now_ns)
        self.said: list[Answer] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.inbox: Inbox[Read | Dropped] = Inbox()
        recorder = Recorder("saw-1", "0.1.0", "boot-a", lambda: self.now_ns, lambda: 1_000_000)
        self.scan = Scan(
            self.journal, self.inbox, recorder, self.said.append, lambda: self.now_ns,
            known=Known(self.patterns, self.judge), settings=self.settings,
            log=lambda what, **fields: self.log.append((what, fields)), **self.more,
        )  # fmt: skip

    def take(self, *reads: Read | Dropped) -> list[Answer]:
        """What these reads were answered."""
        before = len(self.said)
        for read in reads:
            self.now_ns = max(self.now_ns, read.boot_ns)
            self.scan.take(read)
        return self.said[before:]


def numbers(answers: list[Answer]) -> list[int | None]:
    """The sequence numbers promised."""
    return [each.receipt.seq if isinstance(each, Green | Look) else None for each in answers]
