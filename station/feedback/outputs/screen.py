"""Screen layout: an answer or the idle state as rows of text, legible from 3 m. Pure; `console` writes it to a terminal.

Control and bidirectional formatting characters of a scanned text are escaped, so that a label cannot move the cursor or
reverse a line.

>>> escaped("WO\\x1b[2J\\u202eX")
'WO{1B}[2J{202E}X'
"""

import unicodedata
from collections.abc import Iterable
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
    body_rows = height - 3  # the top row, the empty one below it, and the bottom row
    body = _idle(news, width, body_rows) if isinstance(news, IdleState) else _answer(news, width, body_rows)
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


def _headlines(texts: Iterable[str], width: int, rows_left: int, mark: str = "  ") -> list[str]:
    """Texts one below the other, each with an empty row behind it, the most important one first.

    A text is in block letters where each letter has a glyph and the rows suffice, else it is one plain row.
    """
    wanted, room = [text for text in texts if text], width - len(mark) - MARGIN
    rows_left -= 2 * len(wanted)  # each needs at least a plain row
    shown: list[str] = []
    for text in wanted:
        is_big = fits(text, room) and rows_left >= HEIGHT - 1
        rows_left -= HEIGHT - 1 if is_big else 0
        rows = big(text) if is_big else [cut(text, room)]
        shown += [*(f"{mark}{' ' * MARGIN}{row}".rstrip() for row in rows), mark.rstrip()]
    return shown


def _answer(answer: Answer, width: int, height: int) -> list[str]:
    """Headline, item, what was recorded, and next stage, large; then the sentences.

    The next stage is in a sentence too, so it is large only where the rows suffice.
    """
    mark = EDGES[form_of(answer)]
    word, sentence = HEADLINES[Reason(answer.why)]
    shown = answer.shown
    edge, answer_text = mark + " " * MARGIN, "" if answer.text in _IN_THE_HEADLINE else answer.text
    detail_text = shown.detail or ("" if shown.item else answer_text)
    item, action, detail, advice = (escaped(text) for text in (shown.item, shown.action, detail_text, shown.advice))
    lines = [line for line in (sentence, detail, advice) if line]
    text_rows = [edge + part for line in lines for part in wrap(line, width - len(edge)) or [""]]
    next_stage = advice.removeprefix("-").removesuffix(" next")
    rows_left = height - len(text_rows) - 1
    wanted = sum(1 for text in (word, item, action, next_stage) if text)
    if not fits(next_stage, width - len(edge)) or rows_left < (HEIGHT + 1) * wanted:
        next_stage = ""
    return [*_headlines((word, item, action, next_stage), width, rows_left, mark), *text_rows, mark]


def _idle(idle: IdleState, width: int, height: int) -> list[str]:
    armed = [escaped(text) for text in (idle.armed, idle.armed_reason)]
    is_armed = any(armed)
    texts = armed if is_armed else [escaped(idle.stage or idle.station)]
    rows = _headlines(texts, width, height - 3)
    armed_text = f"card armed: {' '.join(filter(None, armed))}{', it stays' if idle.armed_stays else ''}"
    rows += [f"    {cut(part, width - 4)}" for part in (wrap(armed_text, width - 4) if is_armed else ["ready to scan"])]
    if is_armed and idle.stage:
        rows.append(f"    at {escaped(idle.stage)}")
    if idle.nexts:
        rows += ["", "    next here:"]
        for text in idle.nexts:
            rows.append(f"      {cut(escaped(text), width - 6)}")
    rows += ["", *(f"    ! {cut(escaped(note), width - 6)}" for note in idle.notes)]
    return rows


__all__ = ["HEIGHT", "ROWS", "WIDTH", "cut", "escaped", "screen", "state_of"]
