"""What the journal hands out: a receipt, a stored event, where the hub stands, a break in the chain; and its errors.

>>> StoredEvent(2, b"{}", b"p" * 32, b"h" * 32).seq
2
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from station.core.protocol import OpenItem


class JournalError(Exception):
    """The journal cannot go on; the message says what came, what was expected and what to do."""


class JournalLocked(JournalError):
    """Another daemon writes this journal; `pid` is its process, 0 where the lock file does not say."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class JournalFull(JournalError):
    """The disk is full, or full but for the reserve: nothing was written, and a later attempt may succeed. Show red."""


class JournalLost(JournalError):
    """The medium failed: nothing that is still in memory can be believed. Show red, then exit; a start finds out."""


class LogChanged(JournalError):
    """A new log took this journal's place since the caller asked last: begin a new session with the hub."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an event is on the medium; only `Journal.commit()` makes one, and no green shows without it.

    `log_id` 16 bytes, `hash` 32 bytes, `committed_boot_ns` CLOCK_BOOTTIME after COMMIT returned.
    """

    log_id: bytes
    seq: int
    hash: bytes
    committed_boot_ns: int


class Tip(NamedTuple):
    """The last event of a log: `seq` 0 and the genesis hash while there is none."""

    seq: int
    hash: bytes


class StoredEvent(NamedTuple):
    """One event as it stands in the journal; `prev` and `hash` have 32 bytes."""

    seq: int
    encoded: bytes
    prev: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class HubMark:
    """How far the hub has taken this log: accepted (committed there) and durable (also off the hub's disk).

    `hub_epoch` is kept as the hub gave it, a number or a text.
    """

    hub_epoch: int | str
    accepted_thru: int
    durable_thru: int
    head: str


@dataclass(frozen=True, slots=True)
class PreviousLog:
    """The log before this one: its id (16 bytes), its last known event, and why it ended."""

    log_id: bytes
    seq: int
    hash: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class LogState:
    """Everything a session with the hub begins with, read at one moment."""

    log_id: bytes
    tip: Tip
    pruned_thru: int
    parent: PreviousLog | None
    mark: HubMark | None


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """A place where the chain does not hold, in one sentence for a person."""

    seq: int
    sentence: str


class OpenItems(NamedTuple):
    """The open items for rules offline, oldest first; the cursor of the last answer, and whether these are all."""

    rows: list[OpenItem]
    cursor: str
    complete: bool


class JournalPort(Protocol):
    """What the recording thread needs of the journal."""

    @property
    def log_id(self) -> bytes: ...
    @property
    def tip(self) -> Tip: ...
    def commit(self, encoded: bytes) -> Receipt: ...
    def tidy(self, idle_s: float) -> object: ...
