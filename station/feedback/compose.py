"""Answering: from a scan that is safe to what its operator is told.

The bench's word comes first where it asks for something, then the rules', then where the sheet goes next.
"""

from station.core.codes import Code
from station.feedback.messages import Answer, AnswerText, Green, Look, Reason, State
from station.journal.records import Receipt
from station.rules.interface import Advice
from station.scan.bench import label
from station.scan.bench_state import ArmedAction, BenchAnswer, ScanFields


def answer(
    receipt: Receipt, code: Code, fields: ScanFields, says: BenchAnswer, judged: Advice, reader: str = ""
) -> Answer:
    """The answer to the scan behind `receipt` at `reader`.

    `judged` says nothing for cards, badges and what was not understood.
    """
    if not code.is_counted:
        shown = AnswerText(item=code.code, detail=says.text)
        kind = Green if says.state is State.GREEN else Look
        return kind(receipt, says.why, says.text, code.code or None, shown, reader)
    said = ArmedAction(fields.action, fields.to, fields.qty_milli, fields.all, fields.reason)
    name = judged.name or label(code, said)
    if says.state is not State.GREEN:
        return Look(receipt, says.why, says.text, code.code, AnswerText(item=name, detail=says.text), reader)
    if judged.look is not None:
        shown = AnswerText(item=name, detail=judged.look)
        why = Reason.STOP if judged.stop else Reason.LOOK
        return Look(receipt, why, f"{code.item}: {judged.look}", code.code, shown, reader)
    if judged.next_stage is None:
        return Green(receipt, says.why, says.text, code.code, AnswerText(item=name), reader)
    advice = f"-> {judged.next_stage} next"
    return Green(receipt, says.why, f"{says.text} {advice}", code.code, AnswerText(item=name, advice=advice), reader)
