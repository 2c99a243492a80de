"""What a bench knows, and what one read asks of it and gets back: the words of `station.scan.bench`, all frozen.

Times are CLOCK_BOOTTIME in ns, quantities thousandths.

>>> ArmedAction(action="scrap", qty_milli=2500, reason="burr").words()
'SCRAP 2.5 burr'
"""

from collections.abc import Callable
from dataclasses import dataclass

from station.core.codes import Code
from station.core.event import LogPosition as LogPlace
from station.core.quantity import decimal_text
from station.feedback.messages import Reason, State

S = 10**9  # one second in ns


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What station.toml says about the bench: how long a card stays armed and a badge on, and which comes first.

    `stages`: those of a bench that serves several; until a STAGE card says which, every sheet asks for it.
    """

    command_ns: int = 20 * S
    operator_idle_ns: int = 900 * S
    cards_after: bool = False
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedOnOperator:
    """Who is on: a badge, until it has been idle too long."""

    badge: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class ArmedAction:
    """What the armed cards will say of the next sheet. `held`: the action stays armed for sheet after sheet."""

    action: str | None = None
    to: str | None = None
    qty_milli: int | None = None
    all: bool = False
    reason: str | None = None
    more: bool = False
    held: bool = False
    until_ns: int = 0

    def words(self, quantity_text: Callable[[int], str] = decimal_text) -> str:
        """The armed cards as a person names them; `quantity_text` writes thousandths."""
        if not (self.action or self.reason or self.qty_milli or self.all or self.more):
            return ""  # most scans, and each one asks
        action = f"{self.action.upper()} {self.to}" if self.action and self.to else (self.action or "").upper()
        quantity = "ALL" if self.all else quantity_text(self.qty_milli) if self.qty_milli else ""
        return " ".join(word for word in (action, quantity, self.reason or "", "MORE" if self.more else "") if word)


@dataclass(frozen=True, slots=True)
class StageOverride:
    """The stage that a STAGE card gave the bench, until the next one."""

    stage: str


@dataclass(frozen=True, slots=True)
class ArmedLoad:
    """The text that one LOAD card gives to the sheets scanned after it."""

    text: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class ScanFields:
    """What a scan's event says beyond its code; `void` is the place of the event that it takes back."""

    action: str | None = None
    qty_milli: int | None = None
    all: bool = False
    reason: str | None = None
    to: str | None = None
    load: str | None = None
    operator: str | None = None
    stage: str | None = None
    repeat: bool = False
    void: LogPlace | None = None


@dataclass(frozen=True, slots=True)
class UndoableScan:
    """An item scan of this bench that an undo can take back."""

    place: LogPlace
    label: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class LatestScan:
    """Where the sheet comes before the card: the sheet that the next cards speak of, and what was said of it so far."""

    code: Code
    said: ArmedAction
    place: LogPlace
    until_ns: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class BenchState:
    """All that a bench knows."""

    operator: SignedOnOperator | None = None
    pending: ArmedAction | None = None
    place: StageOverride | None = None
    load: ArmedLoad | None = None
    done: tuple[UndoableScan, ...] = ()
    latest: LatestScan | None = None

    def due_ns(self) -> int | None:
        """When something of this bench ends by itself; None where nothing does."""
        ends = (self.operator, self.pending, self.load)
        return min((each.until_ns for each in ends if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class BenchRead:
    """One read for the bench: its code, when it was complete, and the place its event will have.

    `action` and `stage` are what its reader is configured for, below any card. `is_repeat` says whether the event with
    these fields would be its reader's last one told again; `pieces`: each scan of this code is a piece, so none repeats.
    """

    code: Code
    now_ns: int
    place: LogPlace
    action: str | None = None
    stage: str | None = None
    is_repeat: Callable[[ScanFields], bool] = lambda _fields: False
    pieces: bool = False


@dataclass(frozen=True, slots=True)
class BenchAnswer:
    """The bench's part of the answer: its colour once the event is safe, why, and the sentence."""

    state: State
    why: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Rescan:
    """A sheet recorded anew because a card followed it; `void` is its event before, None where that was a repeat."""

    code: Code
    fields: ScanFields
    void: LogPlace | None


@dataclass(frozen=True, slots=True)
class BenchStep:
    """What a read did: the next bench, its event's fields, the answer, and what to record anew (sheet before card)."""

    bench: BenchState
    fields: ScanFields
    says: BenchAnswer
    again: Rescan | None = None
    undone: bool = False
