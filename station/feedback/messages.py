"""Answer messages: the result of a scan for the operator, as a colour, a reason and a sentence.

Green: the scan is recorded. Amber: the operator should act now; with a sequence number the scan is recorded. Red: it is not
recorded. A sequence number promises that the event is on the medium. Therefore `Green` and `Look` are made from a `Receipt`,
which only a commit returns; `Notice` and `Red` have no field for one. `reader` is the reader of the scan, which may show the
answer too. It is not part of the comparison: answers with the same content are equal.

>>> Red("not_saved", "not recorded, scan again").line(boot_ns=5)
b'{"state":"red","why":"not_saved","text":"not recorded, scan again","log":null,"seq":null,"code":null,"boot_ns":5}\\n'
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from station.journal.records import Receipt


class State(StrEnum):
    """The colour of an answer."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class AnswerForm(StrEnum):
    """The form of an answer at every output: one of six, each with a light and a sound of its own."""

    SAVED = "saved"
    TAKEN = "taken"  # a card or a badge, which changes the meaning of the next scan
    LOOK = "look"
    UNREAD = "unread"  # recorded, but not understood
    STOP = "stop"  # recorded, but the work on this item should stop
    RED = "red"


class Reason(StrEnum):
    """The reason for an answer's colour."""

    SAVED = "saved"
    LOOK = "look"
    STOP = "stop"
    REPEAT = "repeat"
    CARD = "card"
    ASK = "ask"
    WAIT = "wait"
    NOT_SAVED = "not_saved"
    NOT_UNDERSTOOD = "not_understood"


NOT_RECORDED = "not recorded, scan again"
DISK_FULL = "card full: not recorded, call the supervisor"
ROOM_AGAIN = "there is room again: scan again what was red"
SCANS_LOST = "one or more scans lost, scan them again"
TOO_FAST = f"too fast: {SCANS_LOST}"  # in the plural, because several red tones in a row may sound like one
WAIT_TEXT = "wait"
FORGOTTEN = "card forgotten"


class AnswerLine(msgspec.Struct, frozen=True):
    """An answer as the `lines` output writes it, one JSON object a line; `log` and `seq` are null without a receipt."""

    state: str
    why: str
    text: str
    log: str | None
    seq: int | None
    code: str | None
    boot_ns: int


_LINE = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerText:
    """The texts of a screen: the item, what was recorded of it ("SCRAP 5"), a sentence about it, and its next stage."""

    item: str = ""
    action: str = ""
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _WithReceipt:
    """An answer with a receipt: its event is on the medium."""

    receipt: "Receipt"
    why: str
    text: str
    code: str | None = None
    shown: AnswerText = AnswerText()
    reader: str = field(default="", compare=False)

    def _line(self, state: State, boot_ns: int) -> bytes:
        receipt = self.receipt
        return (
            _LINE.encode(AnswerLine(state, self.why, self.text, receipt.log_id.hex(), receipt.seq, self.code, boot_ns))
            + b"\n"
        )


@dataclass(frozen=True, slots=True)
class Green(_WithReceipt):
    """Recorded; the operator has nothing to do."""

    state = State.GREEN

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.GREEN, boot_ns)


@dataclass(frozen=True, slots=True)
class Look(_WithReceipt):
    """Amber: recorded, and the operator should act now."""

    state = State.AMBER

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.AMBER, boot_ns)


@dataclass(frozen=True, slots=True)
class _WithoutReceipt:
    """An answer without a receipt."""

    why: str
    text: str
    code: str | None = None
    shown: AnswerText = AnswerText()
    reader: str = field(default="", compare=False)

    def _line(self, state: State, boot_ns: int) -> bytes:
        return _LINE.encode(AnswerLine(state, self.why, self.text, None, None, self.code, boot_ns)) + b"\n"


@dataclass(frozen=True, slots=True)
class Notice(_WithoutReceipt):
    """Amber without a sequence number: wait, or a card expired."""

    state = State.AMBER

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.AMBER, boot_ns)


@dataclass(frozen=True, slots=True)
class Red(_WithoutReceipt):
    """Not recorded."""

    state = State.RED

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.RED, boot_ns)


Answer = Green | Look | Notice | Red


def form_of(answer: Answer) -> AnswerForm:
    """The form of an answer, from its colour and reason.

    >>> form_of(Red("not_saved", "not recorded, scan again")).value
    'red'
    """
    return _FORMS.get((answer.state, answer.why)) or _PLAIN[answer.state]


_PLAIN = {State.GREEN: AnswerForm.SAVED, State.AMBER: AnswerForm.LOOK, State.RED: AnswerForm.RED}
_FORMS: dict[tuple[State, str], AnswerForm] = {
    (State.GREEN, Reason.CARD): AnswerForm.TAKEN,
    (State.AMBER, Reason.NOT_UNDERSTOOD): AnswerForm.UNREAD,
    (State.AMBER, Reason.STOP): AnswerForm.STOP,
}
