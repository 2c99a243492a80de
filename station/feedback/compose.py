"""Compose the answer to a committed scan.

The colour and the words of an item's scan follow from what the ledger does with it. In this order: a repeat, or a scan
without a stage at a bench with several; a rule that holds; a question of the bench; else green, with the next stage.
"""

from dataclasses import replace

from station.core.codes import Code
from station.core.codes.canonical import plain_braces
from station.core.codes.lookalike import shown_code
from station.feedback.messages import AnswerText, Green, Look, Reason, State
from station.journal.records import Receipt
from station.rules.interface import Advice
from station.scan.bench import NEEDS_QUANTITY
from station.scan.bench_state import IDS_AS_NAMES, ArmedAction, BenchAnswer, BenchNames, ScanFields

ONE_MILLI = 1000  # what scrap and rework without a quantity count


def answer(
    receipt: Receipt,
    code: Code,
    fields: ScanFields,
    bench_answer: BenchAnswer,
    advice: Advice,
    reader: str = "",
    names: BenchNames = IDS_AS_NAMES,
) -> Green | Look:
    """The answer to the scan behind `receipt` at `reader`.

    `advice` is empty for cards, badges and codes that were not understood.
    """
    text, why = bench_answer.text, bench_answer.why
    if not code.is_counted:
        kind = Green if bench_answer.state is State.GREEN else Look
        return kind(
            receipt, why, text, code.code or None, AnswerText(item=_title(code, bench_answer), detail=text), reader
        )
    name, action = shown_code(advice.name or str(code.item)), saved_words(fields, names)
    if bench_answer.detail:
        shown = AnswerText(item=name, detail=bench_answer.detail)
        return Look(receipt, why, text, code.code, shown, reader)
    asks = bench_answer.state is not State.GREEN
    if asks and (fields.repeat or bench_answer.asks_stage or advice.look is None):
        return Look(receipt, why, text, code.code, AnswerText(item=name, action=action, detail=text), reader)
    if advice.look is not None:
        shown = AnswerText(item=name, action=action, detail=advice.look)
        look_why = Reason.STOP if advice.stop else Reason.LOOK
        return Look(receipt, look_why, f"{shown_code(str(code.item))}: {advice.look}", code.code, shown, reader)
    if advice.already_here:
        text = f"{name} is already here"
    reason = names.reason(fields.reason) if fields.reason else ""
    if advice.next_stage is None:
        return Green(receipt, why, text, code.code, AnswerText(item=name, action=action, detail=reason), reader)
    next_stage = f"-> {advice.next_stage} next"
    shown = AnswerText(item=name, action=action, detail=reason, advice=next_stage)
    return Green(receipt, why, f"{text} {next_stage}", code.code, shown, reader)


def saved_words(fields: ScanFields, names: BenchNames = IDS_AS_NAMES) -> str:
    """The action and the quantity of a scan as they count; empty for a bare scan and a repeat.

    >>> saved_words(ScanFields(action="scrap", reason="burr")), saved_words(ScanFields(qty_milli=5000))
    ('SCRAP 1', 'QTY 5')
    """
    if fields.repeat:
        return ""
    counts_one = fields.action in NEEDS_QUANTITY and fields.qty_milli is None and not fields.all
    quantity = ONE_MILLI if counts_one else fields.qty_milli
    action = fields.action or ("qty" if quantity else None)
    return ArmedAction(action, fields.to, quantity, fields.all).short_words(names)


def with_notice(composed: Green | Look, notice: str) -> Green | Look:
    """The answer with a sentence about the bench; a green one becomes amber, because the operator should act on it."""
    if not notice:
        return composed
    shown = composed.shown
    detail = f"{shown.detail}. {notice}" if shown.detail else notice
    why = Reason.LOOK if composed.why == Reason.SAVED else composed.why
    text, shown = f"{composed.text}. {notice}", replace(shown, detail=detail)
    return Look(composed.receipt, why, text, composed.code, shown, composed.reader)


def _title(code: Code, bench_answer: BenchAnswer) -> str:
    """What the screen shows large of a code that is no item: the bench's title, the card's word, else the code."""
    if code.unread is not None or code.card is None:
        return bench_answer.title or plain_braces(code.code)
    return bench_answer.title or code.card.value
