"""Answers: what an operator is told after a scan, as light, sound and a sentence.

Green says the scan is safe. Amber asks this operator for something now; with a number the scan is safe all the same.
Red says it was not recorded. A number is a promise, so green and the amber that carries one can only be made from a
`Receipt`, which only a commit makes; the others have no place to put one. An answer knows the `reader` whose scan it
answers, so that this one can say it too; that is no part of what it says, and two that say the same are equal.

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
    """What an answer looks and sounds like: one of six, told apart by eye and by ear, the same at every signal."""

    SAVED = "saved"
    TAKEN = "taken"  # a card or a badge: it changes what the next scan means
    LOOK = "look"
    UNREAD = "unread"  # stored, but not understood
    STOP = "stop"  # saved, and the work should not go on
    RED = "red"


class Reason(StrEnum):
    """The one word that says why an answer has its colour."""

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
TOO_FAST = f"too fast: {SCANS_LOST}"  # several in a row may sound like one
WAIT_TEXT = "wait"
FORGOTTEN = "card forgotten"


class AnswerLine(msgspec.Struct, frozen=True):
    """An answer as the `lines` signal writes it, one JSON object a line; no number where nothing was promised."""

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
    """What a screen says beside the colour: the thing, a sentence about it, what to do or where it goes next."""

    item: str = ""
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """An answer that promises: the event behind `receipt` is on the medium."""

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
class Green(_Numbered):
    """Safe, and nothing to do."""

    state = State.GREEN

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.GREEN, boot_ns)


@dataclass(frozen=True, slots=True)
class Look(_Numbered):
    """Amber: safe, and this operator should do something now."""

    state = State.AMBER

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.AMBER, boot_ns)


@dataclass(frozen=True, slots=True)
class _Bare:
    """An answer that promises nothing."""

    why: str
    text: str
    code: str | None = None
    shown: AnswerText = AnswerText()
    reader: str = field(default="", compare=False)

    def _line(self, state: State, boot_ns: int) -> bytes:
        return _LINE.encode(AnswerLine(state, self.why, self.text, None, None, self.code, boot_ns)) + b"\n"


@dataclass(frozen=True, slots=True)
class Notice(_Bare):
    """Amber without a number: wait, or a card that was forgotten."""

    state = State.AMBER

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.AMBER, boot_ns)


@dataclass(frozen=True, slots=True)
class Red(_Bare):
    """Not recorded."""

    state = State.RED

    def line(self, boot_ns: int) -> bytes:
        """This answer as a line of JSON."""
        return self._line(State.RED, boot_ns)


Answer = Green | Look | Notice | Red


def form_of(answer: Answer) -> AnswerForm:
    """What an answer looks and sounds like.

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
