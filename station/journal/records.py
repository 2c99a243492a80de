"""Journal records: the values that the journal returns (receipt, stored event, hub mark, chain break), and its errors.

>>> StoredEvent(2, b"{}", b"p" * 32, b"h" * 32).seq
2
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from station.core.protocol import OpenItem


class JournalError(Exception):
    """The journal cannot continue. The message contains what came, what was expected and what to do."""


class JournalDenied(JournalError):
    """This user may not read the journal. Whether it exists and is sound is unknown."""


class JournalLocked(JournalError):
    """Another daemon writes this journal; `pid` is its process, 0 where the lock file does not contain it."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class JournalFull(JournalError):
    """The disk is full up to the reserve. Nothing was written; a later attempt may succeed. The answer is red."""


class JournalLost(JournalError):
    """The medium failed, so the state in memory is unreliable.

    The answer is red and the daemon ends. The next start checks the files.
    """


class LogChanged(JournalError):
    """A new log has replaced this one since the caller's last query: begin a new session with the hub."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an event is on the medium. Only `Journal.commit()` makes one; every green answer needs one.

    `log_id`: 16 bytes. `hash`: 32 bytes. `committed_boot_ns`: CLOCK_BOOTTIME after COMMIT returned.
    """

    log_id: bytes
    seq: int
    hash: bytes
    committed_boot_ns: int


class Tip(NamedTuple):
    """The last event of a log; `seq` 0 and the genesis hash of an empty log."""

    seq: int
    hash: bytes


class StoredEvent(NamedTuple):
    """One event as it is stored in the journal; `prev` and `hash` have 32 bytes."""

    seq: int
    encoded: bytes
    prev: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class HubMark:
    """The hub's cursors of this log: accepted (committed at the hub) and durable (also in a copy off the hub's disk).

    `hub_epoch` has the type in which the hub sent it, a number or a text.
    """

    hub_epoch: int | str
    accepted_thru: int
    durable_thru: int
    head: str


@dataclass(frozen=True, slots=True)
class PreviousLog:
    """The log before this one: its id (16 bytes), its last known event, and the cause of its end."""

    log_id: bytes
    seq: int
    hash: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class LogState:
    """The fields that introduce a log in a session with the hub, read in one transaction."""

    log_id: bytes
    tip: Tip
    pruned_thru: int
    parent: PreviousLog | None
    mark: HubMark | None


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """A position at which the chain does not hold, with the reason in one sentence."""

    seq: int
    sentence: str


class OpenItems(NamedTuple):
    """The items from the hub, oldest first, for the rules offline; the cursor of the last answer; whether all are listed.

    `thru`: the last event of this log that all of them include; a row has its own where it includes more.
    """

    rows: list[OpenItem]
    cursor: str
    complete: bool
    thru: int = 0


class JournalPort(Protocol):
    """The part of the journal that the recording thread uses."""

    @property
    def log_id(self) -> bytes: ...
    @property
    def tip(self) -> Tip: ...
    def commit(self, encoded: bytes) -> Receipt: ...
    def tidy(self, idle_s: float) -> object: ...
