"""Compose the answer to a committed scan.

The colour and the words of an item's scan follow from what the ledger does with it. In this order: a repeat, or a scan
without a stage at a bench with several; a rule that holds; a question of the bench; else green, with the next stage.
"""

from station.core.codes import Code
from station.feedback.messages import Answer, AnswerText, Green, Look, Reason, State
from station.journal.records import Receipt
from station.rules.interface import Advice
from station.scan.bench import label
from station.scan.bench_state import ArmedAction, BenchAnswer, ScanFields


def answer(
    receipt: Receipt, code: Code, fields: ScanFields, bench_answer: BenchAnswer, advice: Advice, reader: str = ""
) -> Answer:
    """The answer to the scan behind `receipt` at `reader`.

    `advice` is empty for cards, badges and codes that were not understood.
    """
    text, why = bench_answer.text, bench_answer.why
    if not code.is_counted:
        kind = Green if bench_answer.state is State.GREEN else Look
        return kind(receipt, why, text, code.code or None, AnswerText(item=code.code, detail=text), reader)
    armed = ArmedAction(fields.action, fields.to, fields.qty_milli, fields.all, fields.reason)
    name = advice.name or label(code, armed)
    asks = bench_answer.state is not State.GREEN
    if asks and (fields.repeat or bench_answer.asks_stage or advice.look is None):
        return Look(receipt, why, text, code.code, AnswerText(item=name, detail=text), reader)
    if advice.look is not None:
        shown = AnswerText(item=name, detail=advice.look)
        look_why = Reason.STOP if advice.stop else Reason.LOOK
        return Look(receipt, look_why, f"{code.item}: {advice.look}", code.code, shown, reader)
    if advice.already_here:
        text = f"{name} is already here"
    if advice.next_stage is None:
        return Green(receipt, why, text, code.code, AnswerText(item=name), reader)
    next_stage = f"-> {advice.next_stage} next"
    return Green(receipt, why, f"{text} {next_stage}", code.code, AnswerText(item=name, advice=next_stage), reader)
