"""The bench: who is on, which card is armed, at which stage; what the next scan of a sheet therefore says.

A bench is a state, and a scan takes it to the next one. Nothing here reads a clock or stores anything: times are passed in,
CLOCK_BOOTTIME in ns. State is lost when the daemon stops, and the screen says so; what was recorded is in the journal.

>>> from station.core.codes import read_code
>>> def scan(bench, text, at_s):
...     return step(bench, Heard(read_code(text, None, ()), at_s * S, LogPlace("a", at_s)), Settings())
>>> armed = scan(Bench(), b"WIP:SCRAP", 1)
>>> armed.says.text
'SCRAP: scan the sheet'
>>> scan(armed.bench, b"WO-1042", 2).fields.action
'scrap'
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from station.core.codes import Card, Code
from station.core.event import Place as LogPlace
from station.feedback.messages import FORGOTTEN, State, Why
from station.scan.bench_state import (
    Again,
    Bench,
    Done,
    Fields,
    Heard,
    Latest,
    Load,
    Operator,
    Pending,
    Place,
    S,
    Says,
    Settings,
    Step,
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


def expire(bench: Bench, now_ns: int) -> tuple[Bench, Says | None]:
    """The bench without what has ended by itself; a card that nobody used is said."""
    says = None
    if bench.pending is not None and bench.pending.until_ns <= now_ns:
        says = Says(State.AMBER, Why.CARD, f"{FORGOTTEN}: {bench.pending.words()}")
        bench = replace(bench, pending=None)
    if bench.operator is not None and bench.operator.until_ns <= now_ns:
        bench = replace(bench, operator=None)
    if bench.load is not None and bench.load.until_ns <= now_ns:
        bench = replace(bench, load=None)
    return bench, says


def step(bench: Bench, heard: Heard, settings: Settings) -> Step:
    """What one read does to a bench whose ended state has already been cleared."""
    if bench.operator is not None:
        bench = replace(bench, operator=replace(bench.operator, until_ns=heard.now_ns + settings.operator_idle_ns))
    code = heard.code
    if code.unread is not None:
        said = Says(State.AMBER, Why.NOT_UNDERSTOOD, f"not understood: {code.unread}")
        return Step(bench, fields_of(bench, heard), said)
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


def fields_of(bench: Bench, heard: Heard, said: Pending | None = None) -> Fields:
    """The fields of an event at this bench: who, where, and what the cards said; a card beats the reader's own action."""
    stage = bench.place.stage if bench.place is not None else heard.stage
    operator = bench.operator.badge if bench.operator is not None else None
    if said is None:
        return Fields(stage=stage, operator=operator)
    load = bench.load.text if bench.load is not None else None
    quantity = None if said.all else said.qty_milli
    return Fields(said.action or heard.action, quantity, said.all, said.reason, said.to, load, operator, stage)


def _item(bench: Bench, heard: Heard, settings: Settings) -> Step:
    said = bench.pending or Pending()
    fields = fields_of(bench, heard, said)
    explicit = said.more or heard.pieces or said.qty_milli is not None
    repeat = not explicit and heard.is_repeat(fields)
    held = replace(Pending(said.action, said.to, held=True), until_ns=heard.now_ns + HELD_NS) if said.held else None
    load = bench.load and replace(bench.load, until_ns=heard.now_ns + HELD_NS)
    if repeat:
        latest = bench.latest and replace(bench.latest, repeated=True, until_ns=heard.now_ns + settings.command_ns)
        text = f"already saved: {heard.code.item}. Another one? Card MORE, then scan"
        said_again = Says(State.AMBER, Why.REPEAT, text)
        bench = replace(bench, pending=held, load=load, latest=latest)
        return Step(bench, replace(fields, repeat=True), said_again)
    if fields.action != said.action:  # the reader's own
        said = replace(said, action=fields.action)
    done = (*bench.done, Done(heard.place, label(heard.code, said), heard.now_ns))[-MAX_DONE:]
    latest = (
        Latest(heard.code, Pending(), heard.place, heard.now_ns + settings.command_ns) if settings.cards_after else None
    )
    after = Bench(bench.operator, held, bench.place, load, done, latest)
    return Step(after, fields, _saved(heard.code, said, fields, settings))


def _uncounted(bench: Bench, heard: Heard) -> Step:
    """A product or a carrier of the shop's own: kept as read. It moves nothing, so a card that is armed waits on."""
    code = heard.code
    text = f"saved, but not counted yet: {code.item} is a {code.as_}. Scan the sheet that goes with it"
    return Step(bench, fields_of(bench, heard), Says(State.AMBER, Why.LOOK, text))


def _saved(code: Code, said: Pending, fields: Fields, settings: Settings) -> Says:
    if settings.stages and fields.stage is None:
        where = ", ".join(settings.stages)
        return Says(State.AMBER, Why.ASK, f"saved without a stage: UNDO, then a STAGE card ({where}) and the sheet")
    if fields.action in ASKS and fields.qty_milli is None and not fields.all:
        more = "Card QTY" if settings.cards_after else f"UNDO, then {fields.action.upper()}, QTY and the sheet"
        return Says(State.AMBER, Why.ASK, f"1 counted: {label(code, said)}. More? {more}")
    return Says(State.GREEN, Why.SAVED, f"saved: {label(code, said)}")


def label(code: Code, said: Pending) -> str:
    """A scan as a person names it: the thing, and what the cards said."""
    words = said.words()
    return f"{code.item} {words}" if words else str(code.item)


def _arm(bench: Bench, heard: Heard, settings: Settings) -> Step:
    pending = taught(bench.pending or Pending(), heard.code, can_hold=True)
    span_ns = HELD_NS if pending.held else settings.command_ns
    pending = replace(pending, until_ns=heard.now_ns + span_ns)
    text = f"{pending.words()}: scan the sheet" + ("s, it stays" if pending.held else "")
    return Step(replace(bench, pending=pending), fields_of(bench, heard), Says(State.GREEN, Why.CARD, text))


def taught(pending: Pending, code: Code, *, can_hold: bool = False) -> Pending:
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


def _after(bench: Bench, heard: Heard, settings: Settings) -> Step:
    """A card where the sheet comes first: the sheet is recorded anew with what the card says, its event before is voided."""
    latest, fields = bench.latest, fields_of(bench, heard)
    if latest is None or latest.until_ns <= heard.now_ns:
        return Step(bench, fields, Says(State.AMBER, Why.CARD, "scan the sheet first, then the card"))
    if heard.code.card is Card.MORE and not latest.repeated:
        return Step(
            bench, fields, Says(State.AMBER, Why.CARD, f"{latest.code.item} was already counted: scan it again first")
        )
    said = taught(latest.said, heard.code)
    more, said = said.more, replace(said, more=False)
    place = LogPlace(heard.place.log, heard.place.seq + 1)
    old = None if more else latest.place
    kept = tuple(each for each in bench.done if each.place != old)
    anew = Latest(latest.code, said, place, heard.now_ns + settings.command_ns)
    bench = replace(bench, latest=anew, done=(*kept, Done(place, label(latest.code, said), heard.now_ns))[-MAX_DONE:])
    again = fields_of(bench, replace(heard, code=latest.code), said)
    return Step(bench, fields, _saved(latest.code, said, again, settings), Again(latest.code, again, old))


def _badge(bench: Bench, heard: Heard, badge: str, settings: Settings) -> Step:
    if bench.operator is not None and bench.operator.badge == badge:
        bench, text = replace(bench, operator=None), f"{badge} signed out"
        return Step(bench, replace(fields_of(bench, heard), operator=badge), Says(State.GREEN, Why.CARD, text))
    bench = replace(bench, operator=Operator(badge, heard.now_ns + settings.operator_idle_ns))
    return Step(bench, fields_of(bench, heard), Says(State.GREEN, Why.CARD, f"{badge} signed in"))


def _stage(bench: Bench, heard: Heard, settings: Settings) -> Step:
    if settings.stages and heard.code.argument not in settings.stages:
        text = f"{heard.code.argument} is no stage of this station ({', '.join(settings.stages)})"
        return Step(bench, fields_of(bench, heard), Says(State.AMBER, Why.CARD, text))
    bench = replace(bench, place=Place(heard.code.argument or ""))
    return Step(bench, fields_of(bench, heard), Says(State.GREEN, Why.CARD, f"this bench is at {heard.code.argument}"))


def _load(bench: Bench, heard: Heard) -> Step:
    text = f"{heard.place.log[:8]}-{heard.place.seq}"
    bench = replace(bench, load=Load(text, heard.now_ns + HELD_NS))
    return Step(bench, fields_of(bench, heard), Says(State.GREEN, Why.CARD, "one load: scan its sheets"))


def _call(bench: Bench, heard: Heard) -> Step:
    fields = replace(fields_of(bench, heard), action="call", reason=heard.code.argument)
    return Step(bench, fields, Says(State.GREEN, Why.CARD, f"called: {heard.code.argument}"))


def _setup(bench: Bench, heard: Heard) -> Step:
    """The setup sheet, read like any card: it is kept, and neither a card nor a sheet before it is touched."""
    return Step(bench, fields_of(bench, heard), Says(State.GREEN, Why.CARD, "setup sheet: nothing is counted"))


def _cancel(bench: Bench, heard: Heard) -> Step:
    words = bench.pending.words() if bench.pending else "the load" if bench.load else ""
    bench = replace(bench, pending=None, load=None, latest=None)
    return Step(
        bench,
        fields_of(bench, heard),
        Says(State.GREEN, Why.CARD, f"cancelled: {words}" if words else "no card was armed"),
    )


def _undo(bench: Bench, heard: Heard) -> Step:
    """Take back the newest item scan of this bench; the cards that are armed stay armed."""
    if not bench.done or bench.done[-1].at_ns + UNDO_NS < heard.now_ns:
        return Step(
            bench, fields_of(bench, heard), Says(State.AMBER, Why.CARD, "nothing of the last 10 minutes to undo")
        )
    last = bench.done[-1]
    bench = replace(bench, done=bench.done[:-1], latest=None)
    fields = replace(fields_of(bench, heard), action="void", void=last.place)
    return Step(bench, fields, Says(State.GREEN, Why.CARD, f"undone: {last.label}"), undone=True)


# Cards that act by themselves; all others speak of a sheet.
_OWN_STEPS: Mapping[Card, Callable[[Bench, Heard], Step]] = {
    Card.LOAD: _load,
    Card.CALL: _call,
    Card.CANCEL: _cancel,
    Card.UNDO: _undo,
    Card.SETUP: _setup,
}
