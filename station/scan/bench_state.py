"""State of a bench: signed-on operator, armed cards, stage, load, undoable scans; input and output of one bench step.

A bench is a work position with one or more readers. All types are frozen; `station.scan.bench` holds the
transitions. Times are CLOCK_BOOTTIME in ns, quantities are thousandths.

>>> ArmedAction(action="scrap", qty_milli=2500, reason="burr").words()
'SCRAP 2.5 burr'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from station.core.codes import Code
from station.core.event import LogPosition
from station.core.quantity import decimal_text
from station.feedback.messages import Reason, State

S = 10**9  # one second in ns


class BenchNames(Protocol):
    """The shop's names of the ids in a bench's texts; an id without a name is returned itself."""

    def person(self, badge: str) -> str:
        """The name of the person with this badge."""
        ...

    def stage(self, stage: str) -> str:
        """The name of a stage."""
        ...

    def reason(self, reason: str) -> str:
        """The name of a reason."""
        ...

    def quantity(self, milli: int) -> str:
        """Thousandths as a decimal."""
        ...


class IdsAsNames:
    """The names of a shop that the station does not know: each id is its own name."""

    def person(self, badge: str) -> str:
        """The badge."""
        return badge

    def stage(self, stage: str) -> str:
        """The stage's id."""
        return stage

    def reason(self, reason: str) -> str:
        """The reason's id."""
        return reason

    def quantity(self, milli: int) -> str:
        """Thousandths as a decimal with a point."""
        return decimal_text(milli)


IDS_AS_NAMES = IdsAsNames()


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """Bench settings from station.toml: how long a card stays armed and a badge signed on.

    `cards_after`: cards are scanned after their sheet. `stages`: the stages of a bench that serves
    several; until a STAGE card is scanned, each sheet is answered with a request for one.
    """

    command_ns: int = 20 * S
    operator_idle_ns: int = 900 * S
    cards_after: bool = False
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedOnOperator:
    """The badge of the signed-on operator; it expires when the bench is idle until `until_ns`."""

    badge: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class ArmedAction:
    """Fields that the armed cards add to the next sheet. `held`: the action stays armed for all following sheets."""

    action: str | None = None
    to: str | None = None
    qty_milli: int | None = None
    all: bool = False
    reason: str | None = None
    more: bool = False
    held: bool = False
    until_ns: int = 0

    def words(self, names: BenchNames = IDS_AS_NAMES) -> str:
        """The armed cards as text for the operator."""
        if not (self.action or self.reason or self.qty_milli or self.all or self.more):
            return ""  # the usual case; every scan calls this
        return " ".join(filter(None, (self.short_words(names), self.reason_name(names), "MORE" if self.more else "")))

    def short_words(self, names: BenchNames = IDS_AS_NAMES) -> str:
        """The action and the quantity, which a screen shows large.

        >>> ArmedAction(action="scrap", qty_milli=2500, reason="burr").short_words()
        'SCRAP 2.5'
        """
        action = (self.action or "").upper()
        to = names.stage(self.to) if self.to else ""
        quantity = "ALL" if self.all else names.quantity(self.qty_milli) if self.qty_milli else ""
        return " ".join(filter(None, (action, to, quantity)))

    def reason_name(self, names: BenchNames = IDS_AS_NAMES) -> str:
        """The name of the armed reason; empty where none is armed."""
        return names.reason(self.reason) if self.reason else ""


@dataclass(frozen=True, slots=True)
class StageOverride:
    """The stage that the last STAGE card set for the bench."""

    stage: str


@dataclass(frozen=True, slots=True)
class ArmedLoad:
    """The load id that a LOAD card assigns to the sheets scanned after it."""

    text: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class ScanFields:
    """Event fields of a scan beside its code; `void` is the position of the event that it voids."""

    action: str | None = None
    qty_milli: int | None = None
    all: bool = False
    reason: str | None = None
    to: str | None = None
    load: str | None = None
    operator: str | None = None
    stage: str | None = None
    repeat: bool = False
    void: LogPosition | None = None


@dataclass(frozen=True, slots=True)
class UndoableScan:
    """An item scan of this bench that an UNDO card of the same operator can void; `operator` None: without a badge."""

    position: LogPosition
    label: str
    at_ns: int
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class LatestScan:
    """With `cards_after`: the sheet that the next cards refer to, and the fields that cards have added to it so far."""

    code: Code
    armed: ArmedAction
    position: LogPosition
    until_ns: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class BenchState:
    """The state of one bench. `ended_badge`: the badge that idling signed off, until the next read."""

    operator: SignedOnOperator | None = None
    pending: ArmedAction | None = None
    stage_override: StageOverride | None = None
    load: ArmedLoad | None = None
    done: tuple[UndoableScan, ...] = ()
    latest: LatestScan | None = None
    ended_badge: str | None = None

    def due_ns(self) -> int | None:
        """When the next part of this state expires; None where none does."""
        parts = (self.operator, self.pending, self.load)
        return min((part.until_ns for part in parts if part is not None), default=None)


@dataclass(frozen=True, slots=True)
class BenchRead:
    """Input of one step: the code, the time of the read, and the position that its event will have.

    `action` and `stage` are the reader's configured values; cards override them. `is_repeat` returns whether an event with
    these fields repeats the last scan of its reader. `pieces`: each scan of this code is one piece, so it is never a repeat.
    `is_card_again`: the last read of this reader, within a second, had the same code; a card or badge then acts once.
    `remark`: what the shop does not know about a card or badge. `unknown`: what the operator reads of a code that names
    nothing here; None where it names something.
    `names`: the shop's names for the answer's text.
    """

    code: Code
    now_ns: int
    position: LogPosition
    action: str | None = None
    stage: str | None = None
    is_repeat: Callable[[ScanFields], bool] = lambda _fields: False
    pieces: bool = False
    is_card_again: bool = False
    remark: str | None = None
    unknown: str | None = None
    names: BenchNames = IDS_AS_NAMES


@dataclass(frozen=True, slots=True)
class BenchAnswer:
    """The bench's part of the answer: the colour after a successful commit, the reason, and the sentence.

    `title`: what a screen shows large in place of the text of a card or badge. `notice`: a sentence about the bench itself,
    which makes the answer amber. `asks_stage`: the bench serves several stages, and none is set. `detail`: the sentence
    without the code before it, of a code that names nothing here.
    """

    state: State
    why: Reason
    text: str
    title: str = ""
    notice: str = ""
    asks_stage: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rescan:
    """A sheet to record again because a card followed it; `void` is its previous event, None where that was a repeat."""

    code: Code
    fields: ScanFields
    void: LogPosition | None


@dataclass(frozen=True, slots=True)
class BenchStep:
    """Output of one step: the next bench state, the event's fields, the answer, and the sheet to record again, if any."""

    bench: BenchState
    fields: ScanFields
    answer: BenchAnswer
    rescan: Rescan | None = None
    undone: bool = False
