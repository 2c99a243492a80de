"""The bench: who is on, which card is armed, at which stage; what the next scan of a sheet therefore says.

A bench is a state, and a scan takes it to the next one. Nothing here reads a clock or stores anything: times are passed in,
CLOCK_BOOTTIME in ns. State is lost when the daemon stops, and the screen says so; what was recorded is in the journal.

>>> from station.core.codes import read_code
>>> def scan(bench, text, at_s):
...     return step(bench, BenchRead(read_code(text, None, ()), at_s * S, LogPlace("a", at_s)), BenchSettings())
>>> armed = scan(BenchState(), b"WIP:SCRAP", 1)
>>> armed.says.text
'SCRAP: scan the sheet'
>>> scan(armed.bench, b"WO-1042", 2).fields.action
'scrap'
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from station.core.codes import Card, Code
from station.core.event import LogPosition as LogPlace
from station.feedback.messages import FORGOTTEN, Reason, State
from station.scan.bench_state import (
    ArmedAction,
    ArmedLoad,
    BenchAnswer,
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
MAX_DONE = 200  # item scans that an undo can reach: far more than ten minutes hold
ACTIONS = {
    card: card.value.lower()
    for card in (
        Card.IN, Card.OUT, Card.START, Card.DONE, Card.SCRAP, Card.REWORK, Card.HOLD, Card.RELEASE, Card.FINISH, Card.COUNT,
    )
}  # fmt: skip
ASKS = frozenset({"scrap", "rework"})


def expire(bench: BenchState, now_ns: int) -> tuple[BenchState, BenchAnswer | None]:
    """The bench without what has ended by itself; a card that nobody used is said."""
    says = None
    if bench.pending is not None and bench.pending.until_ns <= now_ns:
        says = BenchAnswer(State.AMBER, Reason.CARD, f"{FORGOTTEN}: {bench.pending.words()}")
        bench = replace(bench, pending=None)
    if bench.operator is not None and bench.operator.until_ns <= now_ns:
        bench = replace(bench, operator=None)
    if bench.load is not None and bench.load.until_ns <= now_ns:
        bench = replace(bench, load=None)
    return bench, says


def step(bench: BenchState, heard: BenchRead, settings: BenchSettings) -> BenchStep:
    """What one read does to a bench whose ended state has already been cleared."""
    if bench.operator is not None:
        bench = replace(bench, operator=replace(bench.operator, until_ns=heard.now_ns + settings.operator_idle_ns))
    code = heard.code
    if code.unread is not None:
        said = BenchAnswer(State.AMBER, Reason.NOT_UNDERSTOOD, f"not understood: {code.unread}")
        return BenchStep(bench, fields_of(bench, heard), said)
    if code.badge is not None:
        return _badge(bench, heard, code.badge, settings)
    if code.card is None:
        return _item(bench, heard, settings) if code.is_counted else _uncounted(bench, heard)
    if code.card is Card.STAGE:
        return _stage(bench, heard, settings)
    own = _OWN_STEPS.get(code.card)
    if own is not None:
        return own(bench, heard)
    return _after(bench, heard, settings) if settings.cards_after else _arm(bench, heard, settings)


def fields_of(bench: BenchState, heard: BenchRead, said: ArmedAction | None = None) -> ScanFields:
    """The fields of an event at this bench: who, where, and what the cards said; a card beats the reader's own action."""
    stage = bench.place.stage if bench.place is not None else heard.stage
    operator = bench.operator.badge if bench.operator is not None else None
    if said is None:
        return ScanFields(stage=stage, operator=operator)
    load = bench.load.text if bench.load is not None else None
    quantity = None if said.all else said.qty_milli
    return ScanFields(said.action or heard.action, quantity, said.all, said.reason, said.to, load, operator, stage)


def _item(bench: BenchState, heard: BenchRead, settings: BenchSettings) -> BenchStep:
    said = bench.pending or ArmedAction()
    fields = fields_of(bench, heard, said)
    explicit = said.more or heard.pieces or said.qty_milli is not None
    repeat = not explicit and heard.is_repeat(fields)
    held = replace(ArmedAction(said.action, said.to, held=True), until_ns=heard.now_ns + HELD_NS) if said.held else None
    load = bench.load and replace(bench.load, until_ns=heard.now_ns + HELD_NS)
    if repeat:
        latest = bench.latest and replace(bench.latest, repeated=True, until_ns=heard.now_ns + settings.command_ns)
        text = f"already saved: {heard.code.item}. Another one? Card MORE, then scan"
        said_again = BenchAnswer(State.AMBER, Reason.REPEAT, text)
        bench = replace(bench, pending=held, load=load, latest=latest)
        return BenchStep(bench, replace(fields, repeat=True), said_again)
    if fields.action != said.action:  # the reader's own
        said = replace(said, action=fields.action)
    done = (*bench.done, UndoableScan(heard.place, label(heard.code, said), heard.now_ns))[-MAX_DONE:]
    latest = (
        LatestScan(heard.code, ArmedAction(), heard.place, heard.now_ns + settings.command_ns)
        if settings.cards_after
        else None
    )
    after = BenchState(bench.operator, held, bench.place, load, done, latest)
    return BenchStep(after, fields, _saved(heard.code, said, fields, settings))


def _uncounted(bench: BenchState, heard: BenchRead) -> BenchStep:
    """A product or a carrier of the shop's own: kept as read. It moves nothing, so a card that is armed waits on."""
    code = heard.code
    text = f"saved, but not counted yet: {code.item} is a {code.as_}. Scan the sheet that goes with it"
    return BenchStep(bench, fields_of(bench, heard), BenchAnswer(State.AMBER, Reason.LOOK, text))


def _saved(code: Code, said: ArmedAction, fields: ScanFields, settings: BenchSettings) -> BenchAnswer:
    if settings.stages and fields.stage is None:
        where = ", ".join(settings.stages)
        return BenchAnswer(
            State.AMBER, Reason.ASK, f"saved without a stage: UNDO, then a STAGE card ({where}) and the sheet"
        )
    if fields.action in ASKS and fields.qty_milli is None and not fields.all:
        more = "Card QTY" if settings.cards_after else f"UNDO, then {fields.action.upper()}, QTY and the sheet"
        return BenchAnswer(State.AMBER, Reason.ASK, f"1 counted: {label(code, said)}. More? {more}")
    return BenchAnswer(State.GREEN, Reason.SAVED, f"saved: {label(code, said)}")


def label(code: Code, said: ArmedAction) -> str:
    """A scan as a person names it: the thing, and what the cards said."""
    words = said.words()
    return f"{code.item} {words}" if words else str(code.item)


def _arm(bench: BenchState, heard: BenchRead, settings: BenchSettings) -> BenchStep:
    pending = taught(bench.pending or ArmedAction(), heard.code, can_hold=True)
    span_ns = HELD_NS if pending.held else settings.command_ns
    pending = replace(pending, until_ns=heard.now_ns + span_ns)
    text = f"{pending.words()}: scan the sheet" + ("s, it stays" if pending.held else "")
    return BenchStep(
        replace(bench, pending=pending), fields_of(bench, heard), BenchAnswer(State.GREEN, Reason.CARD, text)
    )


def taught(pending: ArmedAction, code: Code, *, can_hold: bool = False) -> ArmedAction:
    """What the cards say once this one is added."""
    card, argument = code.card, code.argument
    if card is Card.QTY:
        return replace(pending, qty_milli=code.qty_milli, all=False)
    if card is Card.ALL:
        return replace(pending, qty_milli=None, all=True)
    if card is Card.REASON:
        return replace(pending, reason=argument)
    if card is Card.MORE:
        return replace(pending, more=True)
    action = ACTIONS[card] if card is not None else None
    same = can_hold and (pending.action, pending.to) == (action, argument)
    return replace(pending, action=action, to=argument, held=same)


def _after(bench: BenchState, heard: BenchRead, settings: BenchSettings) -> BenchStep:
    """A card where the sheet comes first: the sheet is recorded anew with what the card says, its event before is voided."""
    latest, fields = bench.latest, fields_of(bench, heard)
    if latest is None or latest.until_ns <= heard.now_ns:
        return BenchStep(bench, fields, BenchAnswer(State.AMBER, Reason.CARD, "scan the sheet first, then the card"))
    if heard.code.card is Card.MORE and not latest.repeated:
        return BenchStep(
            bench,
            fields,
            BenchAnswer(State.AMBER, Reason.CARD, f"{latest.code.item} was already counted: scan it again first"),
        )
    said = taught(latest.said, heard.code)
    more, said = said.more, replace(said, more=False)
    place = LogPlace(heard.place.log, heard.place.seq + 1)
    old = None if more else latest.place
    kept = tuple(each for each in bench.done if each.place != old)
    anew = LatestScan(latest.code, said, place, heard.now_ns + settings.command_ns)
    bench = replace(
        bench, latest=anew, done=(*kept, UndoableScan(place, label(latest.code, said), heard.now_ns))[-MAX_DONE:]
    )
    again = fields_of(bench, replace(heard, code=latest.code), said)
    return BenchStep(bench, fields, _saved(latest.code, said, again, settings), Rescan(latest.code, again, old))


def _badge(bench: BenchState, heard: BenchRead, badge: str, settings: BenchSettings) -> BenchStep:
    if bench.operator is not None and bench.operator.badge == badge:
        bench, text = replace(bench, operator=None), f"{badge} signed out"
        return BenchStep(
            bench, replace(fields_of(bench, heard), operator=badge), BenchAnswer(State.GREEN, Reason.CARD, text)
        )
    bench = replace(bench, operator=SignedOnOperator(badge, heard.now_ns + settings.operator_idle_ns))
    return BenchStep(bench, fields_of(bench, heard), BenchAnswer(State.GREEN, Reason.CARD, f"{badge} signed in"))


def _stage(bench: BenchState, heard: BenchRead, settings: BenchSettings) -> BenchStep:
    if settings.stages and heard.code.argument not in settings.stages:
        text = f"{heard.code.argument} is no stage of this station ({', '.join(settings.stages)})"
        return BenchStep(bench, fields_of(bench, heard), BenchAnswer(State.AMBER, Reason.CARD, text))
    bench = replace(bench, place=StageOverride(heard.code.argument or ""))
    return BenchStep(
        bench, fields_of(bench, heard), BenchAnswer(State.GREEN, Reason.CARD, f"this bench is at {heard.code.argument}")
    )


def _load(bench: BenchState, heard: BenchRead) -> BenchStep:
    text = f"{heard.place.log[:8]}-{heard.place.seq}"
    bench = replace(bench, load=ArmedLoad(text, heard.now_ns + HELD_NS))
    return BenchStep(bench, fields_of(bench, heard), BenchAnswer(State.GREEN, Reason.CARD, "one load: scan its sheets"))


def _call(bench: BenchState, heard: BenchRead) -> BenchStep:
    fields = replace(fields_of(bench, heard), action="call", reason=heard.code.argument)
    return BenchStep(bench, fields, BenchAnswer(State.GREEN, Reason.CARD, f"called: {heard.code.argument}"))


def _setup(bench: BenchState, heard: BenchRead) -> BenchStep:
    """The setup sheet, read like any card: it is kept, and neither a card nor a sheet before it is touched."""
    return BenchStep(
        bench, fields_of(bench, heard), BenchAnswer(State.GREEN, Reason.CARD, "setup sheet: nothing is counted")
    )


def _cancel(bench: BenchState, heard: BenchRead) -> BenchStep:
    words = bench.pending.words() if bench.pending else "the load" if bench.load else ""
    bench = replace(bench, pending=None, load=None, latest=None)
    return BenchStep(
        bench,
        fields_of(bench, heard),
        BenchAnswer(State.GREEN, Reason.CARD, f"cancelled: {words}" if words else "no card was armed"),
    )


def _undo(bench: BenchState, heard: BenchRead) -> BenchStep:
    """Take back the newest item scan of this bench; the cards that are armed stay armed."""
    if not bench.done or bench.done[-1].at_ns + UNDO_NS < heard.now_ns:
        return BenchStep(
            bench,
            fields_of(bench, heard),
            BenchAnswer(State.AMBER, Reason.CARD, "nothing of the last 10 minutes to undo"),
        )
    last = bench.done[-1]
    bench = replace(bench, done=bench.done[:-1], latest=None)
    fields = replace(fields_of(bench, heard), action="void", void=last.place)
    return BenchStep(bench, fields, BenchAnswer(State.GREEN, Reason.CARD, f"undone: {last.label}"), undone=True)


# Cards that act by themselves; all others speak of a sheet.
_OWN_STEPS: Mapping[Card, Callable[[BenchState, BenchRead], BenchStep]] = {
    Card.LOAD: _load,
    Card.CALL: _call,
    Card.CANCEL: _cancel,
    Card.UNDO: _undo,
    Card.SETUP: _setup,
}
