"""Conditions: what needs somebody now, each in one sentence with its subject, the fact, the target, and what it costs.

Unlike a finding, a condition is about now or about several things at once, so it is worked out when it is read and passes
by itself. A condition is one function; it looks at the floor and yields what it finds.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from server.locale_format import DAY_S, LocaleFormat, due_day, duration
from server.queries.current_stock import StockRow
from server.queries.stage_queue import next_stage
from server.queries.stage_summary import LineSummary, StageTile
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

HELD_LONG_S = DAY_S  # where the stage has no target
FINDING = "finding"


class LinkedWord(NamedTuple):
    """A word of a sentence that opens: what kind of thing (item, stage, station), its id, and how it is called."""

    kind: str
    id: str
    text: str


class Alert(NamedTuple):
    """One thing that needs somebody. `grave`: it costs already; else look at it. `cost`: thousandths of micros at stake.

    `key` is the same as long as it is the same condition; `also`: what else is to be said of the same item.
    """

    kind: str
    key: str
    words: tuple[str | LinkedWord, ...]
    who: str
    grave: bool = False
    cost: int = 0
    also: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The sentence as plain text."""
        return "".join(word if isinstance(word, str) else word.text for word in self.words)

    @property
    def item(self) -> str | None:
        """The item that it is about, None for a stage or a station."""
        first = self.words[0]
        return first.id if isinstance(first, LinkedWord) and first.kind == "item" else None


class ShopSnapshot(NamedTuple):
    """What conditions look at: everything that stands, the line made of it, its worth, how the shop speaks, and now."""

    stands: list[StockRow]
    line: LineSummary
    valuation: Valuation
    tongue: LocaleFormat
    now_us: int

    def cost(self, stands: Iterable[StockRow]) -> int:
        """What some stands are worth, in thousandths of micros."""
        return self.valuation.worth(stands).value.total

    def cost_text(self, stands: list[StockRow]) -> str:
        """The same in words; empty where nothing is known."""
        micros = self.valuation.worth(stands).micros
        return self.tongue.money(micros, whole=True) if micros else ""

    def stage_name(self, stage: str | None) -> str:
        """The shop's word for a stage."""
        return self.valuation.catalogue.stage_name(stage, self.now_us) if stage else "between stages"

    def reason_name(self, reason: str) -> str:
        """What a reason is called."""
        definition = self.valuation.catalogue.at("reason.define", reason, self.now_us)
        return str((definition.data.get("name") if definition else None) or reason)


def needs_someone(floor: ShopSnapshot) -> list[Alert]:
    """Everything on the floor that needs somebody, most costly first."""
    return ranked(condition for look in CONDITIONS for condition in look(floor))


def ranked(conditions: Iterable[Alert]) -> list[Alert]:
    """What costs already before what should be looked at, and of each the most costly first."""
    return sorted(conditions, key=lambda each: (not each.grave, -each.cost, each.key))


def without_repeats(conditions: Iterable[Alert]) -> list[Alert]:
    """Ranked conditions with one for each item: what else needs somebody about it goes along with the first."""
    told: dict[str, Alert] = {}
    for each in conditions:
        first = told.get(each.item) if each.item is not None else None
        if first is None:
            told[each.item if each.item is not None else f"\0{each.key}"] = each
        else:
            rest = "".join(word if isinstance(word, str) else word.text for word in each.words[1:]).strip()
            told[first.item or ""] = first._replace(also=(*first.also, rest))
    return list(told.values())


def at_limit(floor: ShopSnapshot) -> Iterator[Alert]:
    """A stage should not hold more items than its limit."""
    for tile in floor.line.tiles:
        if not tile.fill:
            continue
        name = tile.stage.name or tile.stage.stage
        subject = LinkedWord("stage", tile.stage.stage, name)
        count, limit = floor.tongue.number(tile.items), floor.tongue.number(tile.stage.limit or 0)
        fact = f" is over its limit: {count} of {limit}" if tile.fill == "over" else f" is full: {count} of {limit}"
        yield Alert(
            "limit",
            f"limit {tile.stage.stage}",
            (subject, fact),
            _behind(floor, tile),
            grave=tile.fill == "over",
            cost=tile.worth.value.total,
        )


def _behind(floor: ShopSnapshot, tile: StageTile) -> str:
    """Whom a full stage keeps waiting: the work in front of it, or the stage behind it that runs dry."""
    coming = {
        stand.item
        for stand in floor.stands
        if stand.in_process and next_stage(stand, floor.valuation) == tile.stage.stage
    }
    if coming:
        return f"{len(coming)} more on the way to it"
    return floor.tongue.money(tile.shown_micros, whole=True) if tile.shown_micros else ""


def waited(floor: ShopSnapshot) -> Iterator[Alert]:
    """Nothing should stay at a stage for longer than its target."""
    targets = {tile.stage.stage: tile.stage.target_s for tile in floor.line.tiles}
    for (item, stage), stands in _together(floor, (ParcelState.HERE, ParcelState.WAITING)).items():
        target_s = targets.get(stage or "")
        age = (floor.now_us - min(stand.at_stage_since_us for stand in stands)) // 1_000_000
        if not target_s or age <= target_s:
            continue
        yield Alert(
            "waited",
            f"waited {stage} {item}",
            (
                LinkedWord("item", item, item),
                " has waited at ",
                LinkedWord("stage", stage or "", floor.stage_name(stage)),
                f" for {duration(age)}, target {duration(target_s)}",
            ),
            _and(floor.cost_text(stands), _due(floor, stands[0])),
            grave=_late(floor, stands[0]) or age > 2 * target_s,
            cost=floor.cost(stands),
        )


def held_long(floor: ShopSnapshot) -> Iterator[Alert]:
    """What is on hold should be decided within the stage's target, or a day."""
    targets = {tile.stage.stage: tile.stage.target_s for tile in floor.line.tiles}
    for (item, stage), stands in _together(floor, (ParcelState.HELD,)).items():
        target_s = targets.get(stage or "") or HELD_LONG_S
        age = (floor.now_us - min(stand.since_us for stand in stands)) // 1_000_000
        if age <= target_s:
            continue
        reason = stands[0].reason
        yield Alert(
            "held",
            f"held {stage} {item}",
            (
                LinkedWord("item", item, item),
                " has been on hold at ",
                LinkedWord("stage", stage or "", floor.stage_name(stage)),
                f" for {duration(age)}" + (f": {floor.reason_name(reason)}" if reason else ", no reason given"),
            ),
            _and(floor.cost_text(stands), _due(floor, stands[0])),
            grave=_late(floor, stands[0]),
            cost=floor.cost(stands),
        )


def late(floor: ShopSnapshot) -> Iterator[Alert]:
    """An order should be finished by the end of its due day."""
    orders: dict[str, list[StockRow]] = {}
    for stand in floor.stands:
        if _late(floor, stand):
            orders.setdefault(stand.item, []).append(stand)
    for item, stands in orders.items():
        due = due_day(stands[0].due)
        assert due is not None
        days = (floor.tongue.today(floor.now_us) - due).days
        ago = "yesterday" if days == 1 else f"{days} d ago"
        places = dict.fromkeys(floor.stage_name(stand.stage) for stand in stands if stand.in_process)
        where = f"stands at {' and '.join(places)}" if places else "is not started"
        amount = sum(stand.qty_milli or 0 for stand in stands)
        product = floor.valuation.product(stands[0])
        yield Alert(
            "late",
            f"late {item}",
            (LinkedWord("item", item, item), f" was due {ago} and {where}"),
            _and(
                stands[0].customer or "",
                floor.tongue.quantity(amount, product.unit, product.decimals) if amount else "",
                floor.cost_text(stands),
            ),
            grave=True,
            cost=floor.cost(stands),
        )


CONDITIONS: tuple[Callable[[ShopSnapshot], Iterator[Alert]], ...] = (at_limit, late, waited, held_long)


def _together(floor: ShopSnapshot, states: tuple[str, ...]) -> dict[tuple[str, str | None], list[StockRow]]:
    """What stands in these states, by item and stage, in the order of the items."""
    found: dict[tuple[str, str | None], list[StockRow]] = {}
    for stand in sorted(floor.stands, key=lambda each: (each.item, each.since_us)):
        if stand.state in states:
            found.setdefault((stand.item, stand.stage), []).append(stand)
    return found


def _late(floor: ShopSnapshot, stand: StockRow) -> bool:
    due = due_day(stand.due)
    return due is not None and due < floor.tongue.today(floor.now_us)


def _due(floor: ShopSnapshot, stand: StockRow) -> str:
    due = due_day(stand.due)
    return floor.tongue.due(due, floor.now_us) if due else ""


def _and(*parts: str) -> str:
    return " · ".join(filter(None, parts))
