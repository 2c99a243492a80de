"""Bench state machine: apply one read to a bench and return the next state, the event's fields and the answer.

The state holds the signed-on operator, the armed cards and the stage. These functions read no clock and store nothing: times
are passed in as CLOCK_BOOTTIME in ns. The state is lost when the daemon stops (the idle screen shows this); recorded events
are in the journal.

>>> from station.core.codes import read_code
>>> def scan(bench, text, at_s):
...     return step(bench, BenchRead(read_code(text, None, ()), at_s * S, LogPosition("a", at_s)), BenchSettings())
>>> armed = scan(BenchState(), b"WIP:SCRAP", 1)
>>> armed.answer.text
'SCRAP: scan the sheet'
>>> scan(armed.bench, b"WO-1042", 2).fields.action
'scrap'
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from station.core.codes import Card, Code
from station.core.codes.lookalike import shown_code
from station.core.event import LogPosition
from station.feedback.messages import FORGOTTEN, Reason, State
from station.scan.bench_state import (
    IDS_AS_NAMES,
    ArmedAction,
    ArmedLoad,
    BenchAnswer,
    BenchNames,
    BenchRead,
    BenchSettings,
    BenchState,
    BenchStep,
    LatestScan,
    Rescan,
    S,
    ScanFields,
    SignedOnOperator,
    StageOverride,
    UndoableScan,
)

HELD_NS = 120 * S
UNDO_NS = 600 * S
MAX_DONE = 200  # item scans that UNDO can void: more than a bench scans in UNDO_NS
ACTIONS = {
    card: card.value.lower()
    for card in (
        Card.IN, Card.OUT, Card.START, Card.DONE, Card.SCRAP, Card.REWORK, Card.HOLD, Card.RELEASE, Card.FINISH, Card.COUNT,
    )
}  # fmt: skip
NEEDS_QUANTITY = frozenset({"scrap", "rework"})
COUNT = "count"  # moves nothing; its card stays on for many sheets
OF_A_SHEET = frozenset({Card.QTY, Card.ALL, Card.MORE, Card.REASON})  # cards that add to a sheet and leave its action


def expire(bench: BenchState, now_ns: int, names: BenchNames = IDS_AS_NAMES) -> tuple[BenchState, BenchAnswer | None]:
    """Remove expired parts of the state; the answer reports a card that expired unused.

    A badge that expires is kept as `ended_badge`: the answer to the next scan reports it.
    """
    answer = None
    if bench.pending is not None and bench.pending.until_ns <= now_ns:
        answer = BenchAnswer(State.AMBER, Reason.CARD, f"{FORGOTTEN}: {bench.pending.words(names)}")
        bench = replace(bench, pending=None)
    if bench.operator is not None and bench.operator.until_ns <= now_ns:
        bench = replace(bench, operator=None, ended_badge=bench.operator.badge)
    if bench.load is not None and bench.load.until_ns <= now_ns:
        bench = replace(bench, load=None)
    return bench, answer


def step(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    """Apply one read to a bench whose expired parts have been removed (`expire`).

    The first read after idling ended a badge has a notice; a badge instead of it has none.
    """
    taken = _apply(bench, read, settings)
    if bench.ended_badge is None or read.code.unread is not None or taken.fields.repeat:
        return taken
    taken = replace(taken, bench=replace(taken.bench, ended_badge=None))
    if read.code.badge is not None:
        return taken
    notice = f"no badge: that of {read.names.person(bench.ended_badge)} ended without scans. Scan it again"
    return replace(taken, answer=replace(taken.answer, notice=notice))


def _apply(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    if bench.operator is not None:
        bench = replace(bench, operator=replace(bench.operator, until_ns=read.now_ns + settings.operator_idle_ns))
    code = read.code
    if code.unread is not None:
        answer = BenchAnswer(State.AMBER, Reason.NOT_UNDERSTOOD, f"not understood: {code.unread}")
        return BenchStep(bench, fields_of(bench, read), answer)
    if read.is_card_again and (code.badge is not None or code.card is not None):
        answer = BenchAnswer(State.AMBER, Reason.REPEAT, "the same card twice within a second: it counts once")
        return BenchStep(bench, replace(fields_of(bench, read), repeat=True), answer)
    if code.badge is not None:
        return _badge(bench, read, code.badge, settings)
    if code.card is None and read.unknown is not None:
        return _unknown(bench, read, read.unknown)
    if code.card is None:
        return _item(bench, read, settings) if code.is_counted else _uncounted(bench, read)
    if code.card is Card.STAGE:
        return _stage(bench, read, settings)
    own_step = _OWN_STEPS.get(code.card)
    if own_step is not None:
        return own_step(bench, read)
    return _amend_latest(bench, read, settings) if _comes_after(bench, code, settings) else _arm(bench, read, settings)


def _comes_after(bench: BenchState, code: Code, settings: BenchSettings) -> bool:
    """Whether a card refers to the sheet before it. COUNT never does, because it stays on; nor the card that ends it."""
    if not settings.cards_after or code.card is Card.COUNT:
        return False
    return not is_counting(bench) or code.card in OF_A_SHEET


def is_counting(bench: BenchState) -> bool:
    """Whether a COUNT card is on: each sheet is counted where it is."""
    return bench.pending is not None and bench.pending.action == COUNT


def fields_of(bench: BenchState, read: BenchRead, armed: ArmedAction | None = None) -> ScanFields:
    """The fields of an event at this bench: operator, stage, and the armed cards; a card overrides the reader's action."""
    stage = bench.stage_override.stage if bench.stage_override is not None else read.stage
    operator = bench.operator.badge if bench.operator is not None else None
    if armed is None:
        return ScanFields(stage=stage, operator=operator)
    load = bench.load.text if bench.load is not None else None
    quantity = None if armed.all else armed.qty_milli
    return ScanFields(armed.action or read.action, quantity, armed.all, armed.reason, armed.to, load, operator, stage)


def _item(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    armed = bench.pending or ArmedAction()
    fields = fields_of(bench, read, armed)
    explicit = armed.more or read.pieces or armed.qty_milli is not None
    repeat = not explicit and read.is_repeat(fields)
    held = _held_on(armed, read.now_ns)
    load = bench.load and replace(bench.load, until_ns=read.now_ns + HELD_NS)
    if repeat:
        latest = bench.latest and replace(bench.latest, repeated=True, until_ns=read.now_ns + settings.command_ns)
        text = f"already saved: {read.code.item}. Another one? Card MORE, then scan"
        bench = replace(bench, pending=held, load=load, latest=latest)
        return BenchStep(bench, replace(fields, repeat=True), BenchAnswer(State.AMBER, Reason.REPEAT, text))
    if fields.action != armed.action:  # the reader's configured action
        armed = replace(armed, action=fields.action)
    undoable = UndoableScan(read.position, label(read.code, armed, read.names), read.now_ns, fields.operator)
    done = (*bench.done, undoable)[-MAX_DONE:]
    added = ArmedAction(COUNT) if armed.action == COUNT else ArmedAction()
    latest = (
        LatestScan(read.code, added, read.position, read.now_ns + settings.command_ns) if settings.cards_after else None
    )
    next_bench = BenchState(bench.operator, held, bench.stage_override, load, done, latest)
    return BenchStep(next_bench, fields, _saved(read.code, armed, fields, settings, read.names))


def _held_on(armed: ArmedAction, now_ns: int) -> ArmedAction | None:
    """What is armed for the sheet after this one: a held card, without the quantity of this sheet."""
    return replace(ArmedAction(armed.action, armed.to, held=True), until_ns=now_ns + HELD_NS) if armed.held else None


def _uncounted(bench: BenchState, read: BenchRead) -> BenchStep:
    """Record the code of a product or a carrier. It moves no item, so an armed card stays armed."""
    code = read.code
    text = f"saved, but not counted yet: {code.item} is a {code.as_}. Scan the sheet that goes with it"
    return BenchStep(bench, fields_of(bench, read), BenchAnswer(State.AMBER, Reason.LOOK, text))


def _unknown(bench: BenchState, read: BenchRead, text: str) -> BenchStep:
    """Record a code that names nothing here. It takes no action and no card: an armed card waits for the right sheet.

    COUNT is taken: what was counted belongs to the count, whatever it is. UNDO voids it like any scan, and a card after it
    (`cards_after`) has no sheet.
    """
    counting = bench.pending if is_counting(bench) else None
    fields = fields_of(bench, read, counting)
    shown = shown_code(str(read.code.item))
    answer = BenchAnswer(State.AMBER, Reason.LOOK, f"{shown}: {text}", detail=text)
    if read.is_repeat(fields):
        return BenchStep(bench, replace(fields, repeat=True), answer)
    undoable = UndoableScan(read.position, shown, read.now_ns, fields.operator)
    pending = bench.pending if counting is None else _held_on(counting, read.now_ns)
    bench = replace(bench, pending=pending, done=(*bench.done, undoable)[-MAX_DONE:], latest=None)
    return BenchStep(bench, fields, answer)


def _saved(
    code: Code, armed: ArmedAction, fields: ScanFields, settings: BenchSettings, names: BenchNames
) -> BenchAnswer:
    if settings.stages and fields.stage is None:
        text = f"saved without a stage: UNDO, then a STAGE card ({_stage_names(settings, names)}) and the sheet"
        return BenchAnswer(State.AMBER, Reason.ASK, text, asks_stage=True)
    counts_one = fields.action in NEEDS_QUANTITY and fields.qty_milli is None and not fields.all
    if counts_one and not fields.reason:  # with a reason, one piece is what the operator means
        more = "Card QTY" if settings.cards_after else f"UNDO, then {str(fields.action).upper()}, QTY and the sheet"
        return BenchAnswer(State.AMBER, Reason.ASK, f"1 counted: {label(code, armed, names)}. More? {more}")
    if fields.action == COUNT:
        return BenchAnswer(State.GREEN, Reason.SAVED, f"counted: {label(code, replace(armed, action=None), names)}")
    return BenchAnswer(State.GREEN, Reason.SAVED, f"saved: {label(code, armed, names)}")


def _stage_names(settings: BenchSettings, names: BenchNames) -> str:
    return ", ".join(names.stage(stage) for stage in settings.stages)


def label(code: Code, armed: ArmedAction, names: BenchNames = IDS_AS_NAMES) -> str:
    """A scan as text for the operator: the item and the armed cards."""
    words = armed.words(names)
    return f"{code.item} {words}" if words else str(code.item)


def _arm(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    pending = add_card(bench.pending or ArmedAction(), read.code, can_hold=True)
    span_ns = HELD_NS if pending.held else settings.command_ns
    pending = replace(pending, until_ns=read.now_ns + span_ns)
    text = f"{pending.words(read.names)}: scan the sheet" + ("s, it stays" if pending.held else "")
    title = pending.short_words(read.names) or pending.reason_name(read.names)
    return BenchStep(replace(bench, pending=pending), fields_of(bench, read), _taken(text, read, title))


def _taken(text: str, read: BenchRead, title: str) -> BenchAnswer:
    """The answer to a card or badge that takes effect: green, or amber with what the shop does not know about it."""
    if read.remark is None:
        return BenchAnswer(State.GREEN, Reason.CARD, text, title)
    return BenchAnswer(State.AMBER, Reason.CARD, f"{text}. But {read.remark}", title)


def add_card(armed: ArmedAction, code: Code, *, can_hold: bool = False) -> ArmedAction:
    """The armed cards with this card added. `can_hold`: the same action card a second time holds the action."""
    card, argument = code.card, code.argument
    if card is Card.QTY:
        return replace(armed, qty_milli=code.qty_milli, all=False)
    if card is Card.ALL:
        return replace(armed, qty_milli=None, all=True)
    if card is Card.REASON:
        return replace(armed, reason=argument)
    if card is Card.MORE:
        return replace(armed, more=True)
    action = ACTIONS[card] if card is not None else None
    same = can_hold and (card is Card.COUNT or (armed.action, armed.to) == (action, argument))
    return replace(armed, action=action, to=argument, held=same)


def _amend_latest(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    """With `cards_after`: record the latest sheet again with the card's fields and void its previous event."""
    latest, fields = bench.latest, fields_of(bench, read)
    if latest is None or latest.until_ns <= read.now_ns:
        return BenchStep(bench, fields, BenchAnswer(State.AMBER, Reason.CARD, "scan the sheet first, then the card"))
    if read.code.card is Card.MORE and not latest.repeated:
        text = f"{latest.code.item} was already counted: scan it again first"
        return BenchStep(bench, fields, BenchAnswer(State.AMBER, Reason.CARD, text))
    armed = add_card(latest.armed, read.code)
    more, armed = armed.more, replace(armed, more=False)
    position = LogPosition(read.position.log, read.position.seq + 1)  # the card's own event comes first
    replaced = None if more else latest.position
    kept = tuple(scan for scan in bench.done if scan.position != replaced)
    undoable = UndoableScan(position, label(latest.code, armed, read.names), read.now_ns, fields.operator)
    bench = replace(
        bench,
        latest=LatestScan(latest.code, armed, position, read.now_ns + settings.command_ns),
        done=(*kept, undoable)[-MAX_DONE:],
    )
    sheet_fields = fields_of(bench, replace(read, code=latest.code), armed)
    answer = _saved(latest.code, armed, sheet_fields, settings, read.names)
    return BenchStep(bench, fields, answer, Rescan(latest.code, sheet_fields, replaced))


def _badge(bench: BenchState, read: BenchRead, badge: str, settings: BenchSettings) -> BenchStep:
    name = read.names.person(badge)
    if bench.operator is not None and bench.operator.badge == badge:
        bench = replace(bench, operator=None)
        answer = BenchAnswer(State.GREEN, Reason.CARD, f"{name} signed out", name)
        return BenchStep(bench, replace(fields_of(bench, read), operator=badge), answer)
    bench = replace(bench, operator=SignedOnOperator(badge, read.now_ns + settings.operator_idle_ns))
    return BenchStep(bench, fields_of(bench, read), _taken(f"{name} signed in", read, name))


def _stage(bench: BenchState, read: BenchRead, settings: BenchSettings) -> BenchStep:
    stage = read.code.argument
    name = read.names.stage(stage or "")
    if settings.stages and stage not in settings.stages:
        text = f"{name} is no stage of this station ({_stage_names(settings, read.names)})"
        return BenchStep(bench, fields_of(bench, read), BenchAnswer(State.AMBER, Reason.CARD, text, name))
    if read.remark is not None:
        text = f"{name} is {read.remark}: this bench stays where it is"
        return BenchStep(bench, fields_of(bench, read), BenchAnswer(State.AMBER, Reason.CARD, text, name))
    bench = replace(bench, stage_override=StageOverride(stage or ""))
    answer = BenchAnswer(State.GREEN, Reason.CARD, f"this bench is at {name}", name)
    return BenchStep(bench, fields_of(bench, read), answer)


def _load(bench: BenchState, read: BenchRead) -> BenchStep:
    text = f"{read.position.log[:8]}-{read.position.seq}"
    bench = replace(bench, load=ArmedLoad(text, read.now_ns + HELD_NS))
    return BenchStep(bench, fields_of(bench, read), BenchAnswer(State.GREEN, Reason.CARD, "one load: scan its sheets"))


def _call(bench: BenchState, read: BenchRead) -> BenchStep:
    fields = replace(fields_of(bench, read), action="call", reason=read.code.argument)
    name = read.names.reason(read.code.argument or "")
    return BenchStep(bench, fields, BenchAnswer(State.GREEN, Reason.CARD, f"called: {name}"))


def _answer_calls(bench: BenchState, read: BenchRead) -> BenchStep:
    """Record that the open calls of the stage are answered; the station does not know whether there are any."""
    fields = replace(fields_of(bench, read), action="answer")
    return BenchStep(bench, fields, BenchAnswer(State.GREEN, Reason.CARD, "calls of this stage: answered"))


def _setup(bench: BenchState, read: BenchRead) -> BenchStep:
    """Record a code of the setup sheet; armed cards and the latest sheet stay as they are."""
    return BenchStep(
        bench, fields_of(bench, read), BenchAnswer(State.GREEN, Reason.CARD, "setup sheet: nothing is counted")
    )


def _cancel(bench: BenchState, read: BenchRead) -> BenchStep:
    words = bench.pending.words(read.names) if bench.pending else "the load" if bench.load else ""
    bench = replace(bench, pending=None, load=None, latest=None)
    text = f"cancelled: {words}" if words else "no card was armed"
    return BenchStep(bench, fields_of(bench, read), BenchAnswer(State.GREEN, Reason.CARD, text))


def _undo(bench: BenchState, read: BenchRead) -> BenchStep:
    """Void the operator's own newest item scan of the last 10 minutes; armed cards stay armed.

    Where there is none, the answer names the operator of the newest scan. Without a badge, the scans without one are own.
    """
    fields = fields_of(bench, read)
    recent = [scan for scan in bench.done if scan.at_ns + UNDO_NS >= read.now_ns]
    newest = next((scan for scan in reversed(recent) if scan.operator == fields.operator), None)
    if newest is None:
        return BenchStep(bench, fields, BenchAnswer(State.AMBER, Reason.CARD, _not_undone(recent, read.names)))
    done = tuple(scan for scan in bench.done if scan.position != newest.position)
    bench = replace(bench, done=done, latest=None)
    fields = replace(fields, action="void", void=newest.position)
    return BenchStep(bench, fields, BenchAnswer(State.GREEN, Reason.CARD, f"undone: {newest.label}"), undone=True)


def _not_undone(recent: Sequence[UndoableScan], names: BenchNames) -> str:
    if not recent:
        return "nothing of the last 10 minutes to undo"
    newest = recent[-1]
    if newest.operator is None:
        return f"not undone: {newest.label} was scanned without a badge. Sign out, then UNDO"
    return f"not undone: {newest.label} is the scan of {names.person(newest.operator)}, who can undo it"


# Cards that act on their own; all other cards refer to a sheet.
_OWN_STEPS: Mapping[Card, Callable[[BenchState, BenchRead], BenchStep]] = {
    Card.LOAD: _load,
    Card.CALL: _call,
    Card.ANSWER: _answer_calls,
    Card.CANCEL: _cancel,
    Card.UNDO: _undo,
    Card.SETUP: _setup,
}
