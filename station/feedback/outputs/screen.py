"""Screen layout: an answer or the idle state as rows of text, legible from 3 m. Pure; `console` writes it to a terminal.

Control and bidirectional formatting characters of a scanned text are escaped, so that a label cannot move the cursor or
reverse a line.

>>> escaped("WO\\x1b[2J\\u202eX")
'WO{1B}[2J{202E}X'
"""

import unicodedata
from textwrap import wrap

from station.feedback.messages import (
    NOT_RECORDED,
    WAIT_TEXT,
    Answer,
    AnswerForm,
    Green,
    Look,
    Notice,
    Reason,
    Red,
    form_of,
)
from station.feedback.outputs.block_font import HEIGHT, big, fits
from station.feedback.outputs.idle_state import IdleState

WIDTH, ROWS = 80, 25
MARGIN = 2
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# The fill of the left edge shows the form without colour; forms that count nothing have a narrow edge.
EDGES = {
    AnswerForm.SAVED: "██", AnswerForm.TAKEN: "█ ", AnswerForm.LOOK: "▒▒", AnswerForm.UNREAD: "▒ ",
    AnswerForm.STOP: "▄▀", AnswerForm.RED: "░░",
}  # fmt: skip
_IN_THE_HEADLINE = frozenset({NOT_RECORDED, WAIT_TEXT})
HEADLINES = {
    Reason.SAVED: ("SAVED", "saved"),
    Reason.LOOK: ("SAVED, LOOK", "saved, but look"),
    Reason.STOP: ("STOP", "saved, but do not go on with it"),
    Reason.REPEAT: ("ALREADY", "already saved: not counted again"),
    Reason.CARD: ("CARD", ""),
    Reason.ASK: ("SAVED, ASK", "saved, but look"),
    Reason.WAIT: ("WAIT", "not saved yet: please wait"),
    Reason.NOT_SAVED: ("SCAN AGAIN", "NOT SAVED - scan again"),
    Reason.NOT_UNDERSTOOD: ("NOT READ", "stored, but not understood"),
}


def escaped(text: str) -> str:
    """The text with escaped control and formatting characters: none moves the cursor, hides or reverses other text."""
    return "".join(f"{{{ord(letter):02X}}}" if unicodedata.category(letter) in _HIDDEN else letter for letter in text)


def cells(text: str) -> int:
    """The number of terminal cells of a text: two for a wide letter, none for a combining mark."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, with `~` at its end where it was cut."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "~"


def screen(news: Answer | IdleState, idle: IdleState, width: int = WIDTH, height: int = ROWS) -> list[str]:
    """The rows of the screen for an answer or the idle state; `idle` gives the texts of the top and bottom rows."""
    body = _idle(news, width) if isinstance(news, IdleState) else _answer(news, width)
    rows = [_sides(escaped(idle.station).upper(), _hub(idle), width), "", *body]
    rows = [*rows[: height - 1], *([""] * (height - 1 - len(rows)))]
    foot = _sides(escaped(idle.operator) or "nobody signed in", idle.clock, width)
    return [cut(row, width).ljust(width)[:width].rstrip() for row in [*rows, foot]]


def state_of(news: Answer | IdleState) -> str:
    """The colour of the screen: green, amber, red, or "" between answers."""
    match news:
        case Green():
            return "green"
        case Look() | Notice():
            return "amber"
        case Red():
            return "red"
    return ""


def _sides(left: str, right: str, width: int) -> str:
    left = cut(left, max(width - len(right) - 1, 8))
    return left + right.rjust(width - cells(left))


def _hub(idle: IdleState) -> str:
    if not idle.waiting:
        return idle.hub
    return f"{idle.hub} - {idle.waiting} waiting, all safe"


def _headline(text: str, width: int, mark: str = "  ") -> list[str]:
    """A text in block letters where they fit, else in plain ones."""
    room = width - len(mark) - MARGIN
    rows = big(text) if fits(text, room) else ["", "", cut(text, room), "", ""]
    return [f"{mark}{' ' * MARGIN}{row}".rstrip() for row in rows]


def _answer(answer: Answer, width: int) -> list[str]:
    mark = EDGES[form_of(answer)]
    word, sentence = HEADLINES[Reason(answer.why)]
    shown = answer.shown
    edge, answer_text = mark + " " * MARGIN, "" if answer.text in _IN_THE_HEADLINE else answer.text
    item, detail, advice = (
        escaped(text) for text in (shown.item, shown.detail or ("" if shown.item else answer_text), shown.advice)
    )
    rows = [*_headline(word, width, mark), mark]
    rows += [*_headline(item, width, mark), mark] if item else []
    next_stage = advice.removeprefix("-").removesuffix(" next")
    if next_stage and fits(next_stage, width - len(edge)):
        rows += [*_headline(next_stage, width, mark), mark]
    lines = [line for line in (sentence, detail, advice) if line]
    rows += [edge + part for line in lines for part in wrap(line, width - len(edge)) or [""]]
    return [*rows, mark]


def _idle(idle: IdleState, width: int) -> list[str]:
    title = escaped(idle.armed or idle.stage or idle.station)
    rows = [*_headline(title, width), ""]
    rows.append(f"    card armed: {title}" if idle.armed else "    ready to scan")
    if idle.armed and idle.stage:
        rows.append(f"    at {escaped(idle.stage)}")
    if idle.nexts:
        rows += ["", "    next here:"]
        for text in idle.nexts:
            rows.append(f"      {cut(escaped(text), width - 6)}")
    rows += ["", *(f"    ! {cut(escaped(note), width - 6)}" for note in idle.notes)]
    return rows


__all__ = ["HEIGHT", "ROWS", "WIDTH", "cut", "escaped", "screen", "state_of"]
