"""Rules: check one movement of one item for irregularities that a supervisor should know.

A rule examines a movement and returns one sentence, or None; it never refuses a scan. Every rule is always evaluated, so
that a supervisor sees, before turning a rule on, how many scans of last week it would have flagged. Only the findings of
the rules that are on are shown.

>>> look_at(Movement(item="WO-1077", place="Pack", passed=("Test",)))
[('skipped', 'WO-1077 came to Pack without Test.')]
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from station.core.quantity import decimal_text


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of one scan or entry on one item, with the shop's names. Quantities in thousandths."""

    item: str
    place: str
    passed: tuple[str, ...] = ()  # mandatory operations that the movement skipped
    unscanned: tuple[str, ...] = ()  # mandatory operations without a scan at the time of completion
    back_from: str | None = None
    foreign: bool = False  # the routing has no operation at this stage
    held: bool = False
    ended: bool = False  # no quantity is in process any more
    closed: bool = False
    entered: bool = False  # an entry of the office, not a scan
    over_milli: int = 0
    several: bool = False
    uncut_milli: int = 0
    missing_milli: int = 0  # of the quantity that an adjustment was to remove
    left_behind_milli: int = 0
    unknown: bool = False
    unread: str | None = None


def listed(words: tuple[str, ...]) -> str:
    """The words as a list in a sentence.

    >>> listed(("Saw", "Weld", "Test"))
    'Saw, Weld and Test'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def unknown_code(move: Movement) -> str | None:
    """A scan should name something that the office has released, bound or described by a pattern."""
    return f"Nobody knows {move.item}, scanned at {move.place}." if move.unknown else None


def unread(move: Movement) -> str | None:
    """A scan should be readable."""
    return f"A scan at {move.place} could not be read: {move.unread}." if move.unread else None


def held(move: Movement) -> str | None:
    """What is on hold should stay where it is until it is released."""
    return f"{move.item} came to {move.place} while on hold." if move.held else None


def closed(move: Movement) -> str | None:
    """Nothing should move after the end: finished, scrapped, or closed by the office."""
    if move.closed and move.entered:
        return f"{move.item} was changed by the office after it was closed."
    if move.closed:
        return f"{move.item} was scanned at {move.place} after it was closed."
    return f"{move.item} was scanned at {move.place} after its end." if move.ended else None


def skipped(move: Movement) -> str | None:
    """An item should not jump over an operation of its routing."""
    if not move.passed:
        return None
    return f"{move.item} came to {move.place} without {listed(move.passed)}."


def passed_unscanned(move: Movement) -> str | None:
    """A finished item should have been scanned at every operation that may not be left out."""
    if not move.unscanned:
        return None
    return f"{move.item} was finished at {move.place} without a scan at {listed(move.unscanned)}."


def out_of_order(move: Movement) -> str | None:
    """An item should come to its operations in the order of its routing."""
    if move.foreign:
        return f"{move.item} came to {move.place}, which its routing does not have."
    return f"{move.item} came back to {move.place} from {move.back_from}." if move.back_from else None


def overrun(move: Movement) -> str | None:
    """No more should be moved than was there."""
    if move.missing_milli:
        missing = decimal_text(move.missing_milli)
        return f"An adjustment would take {missing} more of {move.item} from {move.place} than is there."
    if not move.over_milli:
        return None
    return f"{move.item} has {decimal_text(move.over_milli)} more at {move.place} than was there."


def which_quantity(move: Movement) -> str | None:
    """A scan without a quantity should leave no doubt which part of the item it means."""
    return (
        f"{move.item} was scanned at {move.place}, but stands in several places: say how many."
        if move.several
        else None
    )


def late_change(move: Movement) -> str | None:
    """An order should be cut only by what has not been started."""
    if not move.uncut_milli:
        return None
    return f"{move.item} could not be cut by {decimal_text(move.uncut_milli)} more: that is already in process."


def left_behind(move: Movement) -> str | None:
    """An order should be completed with nothing on hold or unstarted."""
    if not move.left_behind_milli:
        return None
    return f"{move.item} was completed with {decimal_text(move.left_behind_milli)} on hold or not started."


class Rule(NamedTuple):
    """A rule: its name in the records, its function, and whether it is on by default.

    The docstring of the function is the description of the rule on the hub's page of rules.
    """

    name: str
    look: Callable[[Movement], str | None]
    on: bool


RULES = tuple(
    Rule(look.__name__, look, on)
    for look, on in (
        (unknown_code, True),
        (unread, True),
        (held, True),
        (closed, True),
        (skipped, False),
        (passed_unscanned, False),
        (out_of_order, False),
        (overrun, False),
        (which_quantity, False),
        (late_change, False),
        (left_behind, False),
    )
)
ON_BY_DEFAULT = {rule.name: rule.on for rule in RULES}


def look_at(move: Movement) -> list[tuple[str, str]]:
    """The findings of all rules about a movement: (rule, sentence), in the order of the table."""
    return [(rule.name, sentence) for rule in RULES if (sentence := rule.look(move)) is not None]
