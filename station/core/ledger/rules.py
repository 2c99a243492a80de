"""Rules: the table of everything that can be irregular about one movement of one item.

A rule has a condition, a sentence for the supervisor, advice for the operator, its default, and what it needs to know. It
never refuses a scan. Its condition returns arguments, stage ids and thousandths, which are stored with the finding; a
finding becomes a sentence when it is shown, with the names and the units of that time. Every rule is always evaluated, so
that a supervisor sees, before turning a rule on, how many scans of last week it would have flagged.

>>> [found] = look_at(Movement(item="WO-1077", stage="pack", passed=("saw", "test")))
>>> found
FoundRule(name='skipped', args={'stages': ['saw', 'test']})
>>> sentence("skipped", found.args, "WO-1077", "Pack", Wording(stage=str.capitalize))
'WO-1077 came to Pack without Saw and Test.'
>>> advice("skipped", found.args, Wording(stage=str.capitalize))
'goes to Saw and Test first'
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from station.core.ledger.item_event import BARE
from station.core.quantity import decimal_text

Arguments = dict[str, Any]
NONE: Arguments = {}  # of a rule whose sentence needs only the item and the place
CHARGED = "charged"  # the argument with the operations and quantities whose cost is charged without a scan
ARRIVALS = frozenset({"in", "start"})
NOTHING_TO_MOVE = {
    "out": "it was done already",
    "done": "it was done already",
    "hold": "it is on hold already",
    "release": "it is not on hold",
}


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of one scan or entry on one item. Stages by id, quantities in thousandths."""

    item: str
    verb: str = BARE  # of a bare scan: the verb that it means
    stage: str | None = None
    station: str = ""
    passed: tuple[str, ...] = ()  # stages of mandatory operations that the movement skipped
    unscanned: tuple[str, ...] = ()  # stages of mandatory operations without a scan at the time of completion
    charged: tuple[tuple[int, int], ...] = ()  # (operation, quantity) of those, whose cost the pieces take up
    back_from: str | None = None
    foreign: bool = False  # the routing has no operation at this stage
    held: bool = False
    ended: bool = False  # no quantity is in process any more
    closed: bool = False
    entered: bool = False  # an entry of the office, not a scan
    moved: bool = True  # a quantity or a presence changed its place
    stands_here: bool = False  # some of it is at the place of the scan
    op: int | None = None  # the operation of the scan
    over_milli: int = 0
    drawn_milli: int = 0  # of a stated quantity, what was there
    further_milli: int = 0  # of an overrun, what was scanned here before and is further on
    both_milli: int = 0  # a stated quantity that may be arriving pieces or pieces that passed without a scan
    several: bool = False
    uncertain: bool = False  # its order against the scan that moved the item on is unknown
    uncut_milli: int = 0
    missing_milli: int = 0  # of the quantity that an adjustment was to remove
    left_behind_milli: int = 0
    unheld_milli: int = 0  # of a stated quantity to release from hold, what was not on hold
    beyond_milli: int = 0  # scanned before the release, beyond the quantity that it ordered
    part_milli: int = 0  # a stated quantity with a fraction of a whole unit
    undefined: bool = False  # the shop has stages, and this is none of them
    unknown: bool = False
    unread: str | None = None


class Need(StrEnum):
    """What a rule needs to know; without it the rule has no finding."""

    NOTHING = "nothing"
    RELEASE = "a released order"
    ROUTING = "a routing"
    QUANTITY = "a stated quantity"
    PRODUCT = "a product with its unit"
    STAGES = "the shop's stages"
    DEFINITIONS = "orders or patterns"


class Rule(NamedTuple):
    """A rule: its name in the records, its condition, and its texts.

    `about`: its description on the hub's page of rules. `applies`: the arguments where the condition holds, else None.
    `sentence` and `advice` are templates with `{item}`, `{place}` and the arguments; None: the operator can do nothing about
    it. `stops`: at a strict stage the work should stop.
    """

    name: str
    about: str
    applies: Callable[[Movement], Arguments | None]
    sentence: str
    advice: str | None
    on: bool
    needs: Need
    stops: bool = False
    instead: tuple[str, str, str] | None = None  # (argument, sentence, advice): these texts where it has that argument


class FoundRule(NamedTuple):
    """A rule that holds for a movement, with the arguments of its texts."""

    name: str
    args: Arguments


class Wording(NamedTuple):
    """How ids and quantities are written in a sentence: the name of a stage, and thousandths as text."""

    stage: Callable[[str], str] = str
    quantity: Callable[[int], str] = decimal_text


PLAIN = Wording()


def _where(condition: bool) -> Arguments | None:
    return NONE if condition else None


def _quantity(milli: int) -> Arguments | None:
    return {"qty_milli": milli} if milli else None


def _skipped(move: Movement) -> Arguments | None:
    return {"stages": list(move.passed)} | _charged(move) if move.passed else None


def _passed_unscanned(move: Movement) -> Arguments | None:
    return {"stages": list(move.unscanned)} | _charged(move) if move.unscanned else None


def _charged(move: Movement) -> Arguments:
    return {CHARGED: [list(pair) for pair in move.charged]} if move.charged else {}


def _overrun(move: Movement) -> Arguments | None:
    if not move.over_milli:
        return None
    at = {} if move.op is None else {"op": move.op}
    further = {"further_milli": move.further_milli} if move.further_milli else {}
    return {"qty_milli": move.over_milli, "there_milli": move.drawn_milli} | at | further


def _which_quantity(move: Movement) -> Arguments | None:
    return _quantity(move.both_milli) or _where(move.several)


def _no_stage(move: Movement) -> Arguments | None:
    explained = move.moved or move.entered or move.closed or move.unread or move.unknown
    return _where(move.stage is None and not explained)


def _no_effect(move: Movement) -> Arguments | None:
    """A scan that claims a movement and made none; an arrival of what is already at the place claims none."""
    if move.moved or move.entered or move.unread or move.unknown or (move.verb in ARRIVALS and move.stands_here):
        return None
    explained = (
        move.closed or move.ended or move.held or move.foreign or move.several or move.uncertain or move.undefined
    )
    return None if explained or move.stage is None else {"verb": move.verb}


RULES = (
    Rule("unread", "A scan should be readable.",
         lambda move: {"why": move.unread} if move.unread else None,
         "A scan at {place} could not be read: {why}.", None, True, Need.NOTHING),
    Rule("held", "What is on hold should stay where it is until it is released.",
         lambda move: _where(move.held),
         "{item} came to {place} while on hold.", "is on hold", True, Need.NOTHING, stops=True),
    Rule("closed", "A closed or cancelled order should not be scanned any more.",
         lambda move: _where(move.closed and not move.entered),
         "{item} was scanned at {place} after it was closed: nothing was moved.",
         "has ended: nothing was moved", True, Need.RELEASE, stops=True),
    Rule("ended", "Nothing should be scanned after its end: finished or scrapped as a whole.",
         lambda move: _where(move.ended and not move.closed),
         "{item} was scanned at {place} after its end: nothing was moved.",
         "has ended: nothing was moved", True, Need.NOTHING, stops=True),
    Rule("changed_after_close", "An order should not be changed after it was closed.",
         lambda move: _where(move.closed and move.entered),
         "{item} was changed by the office after it was closed.", None, True, Need.RELEASE),
    Rule("no_stage", "Each station should have a stage; without one its scans move nothing.",
         _no_stage,
         "{item} was scanned at {place}, which has no stage: nothing was moved.",
         "saved without a stage: nothing was moved", True, Need.STAGES),
    Rule("undefined_stage", "Scans should be made at a defined stage; the bench alone says it, so the figure stays 0.",
         lambda move: _where(move.undefined),
         "{item} was scanned at {place}, which is no stage of the shop.",
         "{place} is no stage of the shop: call the supervisor", True, Need.STAGES),
    Rule("not_in_routing", "An item should only be scanned at stages of its routing.",
         lambda move: _where(move.foreign),
         "{item} came to {place}, which its routing does not have.",
         "does not go to {place}", True, Need.ROUTING, stops=True),
    Rule("skipped", "An item should not jump over an operation of its routing.",
         _skipped, "{item} came to {place} without {stages}.", "goes to {stages} first", False, Need.ROUTING, stops=True),
    Rule("passed_unscanned", "A finished item should have been scanned at every operation that may not be left out.",
         _passed_unscanned,
         "{item} was finished at {place} without a scan at {stages}.", None, False, Need.ROUTING),
    Rule("out_of_order", "An item should come to its operations in the order of its routing.",
         lambda move: {"stage": move.back_from} if move.back_from else None,
         "{item} came back to {place} from {stage}.", "was already at {stage}", False, Need.ROUTING, stops=True),
    Rule("which_quantity", "A scan should leave no doubt which part of the item it means.",
         _which_quantity,
         "{item} was scanned at {place}, but its pieces are in several places: say how many.",
         "is in several places: scan a quantity", True, Need.ROUTING,
         instead=("qty_milli", "{item}: the {qty} at {place} may have come now, or have passed there before without a scan.",
                  "{qty} came now, or had they passed before without a scan?")),
    Rule("overrun", "No more should be moved than was there.",
         _overrun, "{item} has {qty} more at {place} than was there.",
         "{there_were} here: count again", True, Need.QUANTITY,
         instead=("further_milli",
                  "{item} has {qty} more at {place} than was there: more than ordered, or did {further} come back? REWORK.",
                  "{qty} more than ordered, or did {further} come back? REWORK")),
    Rule("more_than_ordered", "No more should have been scanned than the order that is released afterwards.",
         lambda move: _quantity(move.beyond_milli),
         "{item} was released after scans of {qty} more than it orders.", None, True, Need.RELEASE),
    Rule("not_held", "No more should be released from hold than is on hold.",
         lambda move: {"qty_milli": move.unheld_milli, "there_milli": move.drawn_milli} if move.unheld_milli else None,
         "{item} was released at {place} with {qty} more than was on hold.",
         "{there_were} on hold: count again", True, Need.QUANTITY),
    Rule("missing", "An adjustment should not remove more than is there.",
         lambda move: _quantity(move.missing_milli),
         "An adjustment would take {qty} more of {item} from {place} than is there.", None, True, Need.QUANTITY),
    Rule("part_unit", "A quantity of a product without decimals should be whole.",
         lambda move: _quantity(move.part_milli) if move.moved else None,
         "{item} was counted {qty} at {place}, but its unit has no such fraction.",
         "{qty} is no whole quantity: UNDO, then count again", True, Need.PRODUCT),
    Rule("late_change", "An order should be cut only by what has not been started.",
         lambda move: _quantity(move.uncut_milli),
         "{item} could not be cut by {qty} more: that is already in process.", None, True, Need.RELEASE),
    Rule("left_behind", "An order should be completed with nothing on hold or unstarted.",
         lambda move: _quantity(move.left_behind_milli),
         "{item} was completed with {qty} on hold or not started.", None, True, Need.RELEASE),
    Rule("unknown_code", "A scan should name what the office has released or bound; with no orders, a pattern is enough.",
         lambda move: _where(move.unknown),
         "{item}, scanned at {place}, is not known.", "not known here", True, Need.DEFINITIONS),
    Rule("no_effect", "A scan that reports work should move something.",
         _no_effect, "{item} was scanned at {place}, but nothing was moved: {nothing}.",
         "nothing was moved: {nothing}", False, Need.NOTHING),
)  # fmt: skip
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
ON_BY_DEFAULT = {rule.name: rule.on for rule in RULES}


def look_at(move: Movement) -> list[FoundRule]:
    """The rules that hold for a movement, in the order of the table."""
    return [FoundRule(rule.name, args) for rule in RULES if (args := rule.applies(move)) is not None]


def sentence(rule: str, args: Mapping[str, Any], item: str, place: str, wording: Wording = PLAIN) -> str:
    """A finding as a sentence for a supervisor; of a rule that this version does not have, its name."""
    known = BY_NAME.get(rule)
    if known is None:
        return f"{item}: {rule}."
    other = known.instead is not None and known.instead[0] in args
    return _filled(known.instead[1] if other and known.instead else known.sentence, args, item, place, wording)


def advice(rule: str, args: Mapping[str, Any], wording: Wording = PLAIN, place: str = "") -> str | None:
    """The advice of a rule to the operator; None where there is none."""
    known = BY_NAME[rule]
    text = known.instead[2] if known.instead is not None and known.instead[0] in args else known.advice
    return None if text is None else _filled(text, args, "", place, wording)


def _filled(template: str, args: Mapping[str, Any], item: str, place: str, wording: Wording) -> str:
    words = {"item": item, "place": place}
    for name, value in args.items():
        if name == CHARGED:
            continue  # its money is written beside the sentence, by the prices of the time
        if name.endswith("_milli"):
            words[name.removesuffix("_milli")] = wording.quantity(value)
            words[f"{name.removesuffix('_milli')}_were"] = _were(value, wording)
        elif name == "verb":
            words["nothing"] = NOTHING_TO_MOVE.get(value, "nothing of it was there")
        elif name == "stages":
            words[name] = listed(tuple(wording.stage(stage) for stage in value))
        else:
            words[name] = wording.stage(value) if name == "stage" else str(value)
    return template.format_map(words)


def _were(milli: int, wording: Wording) -> str:
    return "none was" if milli == 0 else f"{wording.quantity(milli)} {'was' if milli == 1000 else 'were'}"


def listed(words: tuple[str, ...]) -> str:
    """The words as a list in a sentence.

    >>> listed(("Saw", "Weld", "Test"))
    'Saw, Weld and Test'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
