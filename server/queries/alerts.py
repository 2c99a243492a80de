"""Alerts: what needs a person now, each in one sentence with its subject, the fact, the target and the cost.

A finding is about one event of one item. An alert is about the present or about several items, so it is computed on each
read and ends without an event. Each kind of alert is one function that yields alerts. It reads the shop snapshot, and where
its alerts are about items the stock of some items.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from server.locale_format import DAY_S, LocaleFormat, due_day, duration
from server.queries.current_stock import StockRow
from server.queries.stage_summary import LineSummary
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

HELD_LONG_S = DAY_S  # where the stage has no target
FINDING = "finding"


class LinkedWord(NamedTuple):
    """A linked word of a sentence: the kind of its target (item, stage, station, changes), the target's id, and the text."""

    kind: str
    id: str
    text: str


class RunningTime(NamedTuple):
    """The time since a moment as a word of a sentence; a page lets it run. `text`: the duration at the time of the query."""

    since_us: int
    text: str


Word = str | LinkedWord | RunningTime
"""A part of a sentence."""


class AnswerableFindings(NamedTuple):
    """The open findings of a rule about an item; `shown` tells these from others (`findings.shown_findings`)."""

    rule: str
    item: str
    shown: str


class Alert(NamedTuple):
    """One alert. `grave`: it causes cost now; otherwise it needs a check. `cost`: the value at stake, thousandths of micros.

    `detail` is the text beside the sentence. `key` is constant while the alert lasts. `also` holds the facts of further
    alerts about the same item. `answers`: the place, ("stage" or "station", id), whose calls a person may answer here.
    `days_late`: of the item, or the greatest of the items at a stage. `finding`: which a person may answer.
    """

    kind: str
    key: str
    words: tuple[Word, ...]
    detail: str
    grave: bool = False
    cost: int = 0
    also: tuple[str, ...] = ()
    answers: tuple[str, str] | None = None
    days_late: int = 0
    finding: AnswerableFindings | None = None

    @property
    def sentence(self) -> str:
        """The sentence as plain text."""
        return "".join(word if isinstance(word, str) else word.text for word in self.words)

    @property
    def item(self) -> str | None:
        """The item of the alert; None for a stage or a station."""
        first = self.words[0]
        return first.id if isinstance(first, LinkedWord) and first.kind == "item" else None


class BoardState(NamedTuple):
    """The input of alerts: the line that summarizes the stock of the shop, its valuation, the locale, and the time.

    `dues`: of a past snapshot, the orders by due date. `estimated`: of the present, the items whose time of arrival is
    uncertain, by station.
    """

    line: LineSummary
    valuation: Valuation
    locale: LocaleFormat
    now_us: int
    dues: dict[str, int]
    estimated: dict[str, int]

    def cost(self, stock: Iterable[StockRow]) -> int:
        """The value of some stock rows, in thousandths of micros."""
        return self.valuation.total(stock).value.total

    def cost_text(self, stock: list[StockRow]) -> str:
        """The value of some stock rows as text; empty where it is unknown or zero."""
        micros = self.valuation.total(stock).micros
        return self.locale.money(micros, whole=True) if micros else ""

    def stage_name(self, stage: str | None) -> str:
        """The shop's name of a stage."""
        return self.valuation.master_data.stage_name(stage, self.now_us) if stage else "between stages"

    def person_name(self, badge: str) -> str:
        """The name of the person with this badge or id, else the badge or id itself."""
        master_data = self.valuation.master_data
        for name in master_data.names("person.define"):
            definition = master_data.at("person.define", name, self.now_us)
            if definition is not None and badge in (definition.data.get("badge"), definition.data.get("person")):
                return str(definition.data.get("name") or definition.data.get("person"))
        return badge

    def reason_name(self, reason: str) -> str:
        """The shop's name of a reason."""
        definition = self.valuation.master_data.at("reason.define", reason, self.now_us)
        return str((definition.data.get("name") if definition else None) or reason)


def stock_alerts(shop: BoardState, stock: Sequence[StockRow]) -> list[Alert]:
    """The alerts about the items of some stock, which has all pieces of each of them."""
    return [alert for find_alerts in ALERTS for alert in find_alerts(shop, stock)]


def ranked(alerts: Iterable[Alert]) -> list[Alert]:
    """Sort grave alerts before the others, and each group by descending cost; at equal cost, or none, by days late."""
    return sorted(alerts, key=lambda alert: (not alert.grave, -alert.cost, -alert.days_late, alert.key))


def without_repeats(alerts: Iterable[Alert]) -> list[Alert]:
    """Merge ranked alerts about one item: the first one carries the facts of the others in `also`."""
    merged: dict[str, Alert] = {}
    for alert in alerts:
        first = merged.get(alert.item) if alert.item is not None else None
        if first is None:
            merged[alert.item if alert.item is not None else f"\0{alert.key}"] = alert
        else:
            rest = "".join(word if isinstance(word, str) else word.text for word in alert.words[1:]).strip()
            merged[first.item or ""] = first._replace(also=(*first.also, rest))
    return list(merged.values())


class StageLoad(NamedTuple):
    """What the alert of a full stage adds: the items that arrive there next, and the greatest days late of those there."""

    coming: int
    days_late: int


def at_limit(shop: BoardState, loads: Mapping[str, StageLoad]) -> Iterator[Alert]:
    """A stage should not hold more items than its limit."""
    for tile in shop.line.tiles:
        if not tile.fill:
            continue
        name, load = tile.stage.name or tile.stage.stage, loads[tile.stage.stage]
        subject = LinkedWord("stage", tile.stage.stage, name)
        count, limit = shop.locale.number(tile.items), shop.locale.number(tile.stage.limit or 0)
        item_event = (
            f" is over its limit: {count} of {limit}" if tile.fill == "over" else f" is full: {count} of {limit}"
        )
        value = shop.locale.money(tile.shown_micros, whole=True) if tile.shown_micros else ""
        yield Alert(
            "limit",
            f"limit {tile.stage.stage}",
            (subject, item_event),
            f"{load.coming} more on the way to it" if load.coming else value,
            grave=tile.fill == "over",
            cost=tile.stock_value.value.total,
            days_late=load.days_late,
        )


def waited(shop: BoardState, stock: Sequence[StockRow]) -> Iterator[Alert]:
    """Nothing should stay at a stage for longer than its target."""
    targets = {tile.stage.stage: tile.stage.target_s for tile in shop.line.tiles}
    for (item, stage), rows in _by_stage(stock, (ParcelState.HERE, ParcelState.WAITING)).items():
        target_s = targets.get(stage or "")
        age = (shop.now_us - min(row.at_stage_since_us for row in rows)) // 1_000_000
        if not target_s or age <= target_s:
            continue
        yield Alert(
            "waited",
            f"waited {stage} {item}",
            (
                LinkedWord("item", item, item),
                " has waited at ",
                LinkedWord("stage", stage or "", shop.stage_name(stage)),
                f" for {duration(age)}, target {duration(target_s)}",
            ),
            _and(shop.cost_text(rows), _due(shop, rows[0])),
            grave=_late(shop, rows[0]) or age > 2 * target_s,
            cost=shop.cost(rows),
            days_late=_days_late(shop, rows[0]),
        )


def held_long(shop: BoardState, stock: Sequence[StockRow]) -> Iterator[Alert]:
    """What is on hold should be decided within the stage's target, or a day."""
    targets = {tile.stage.stage: tile.stage.target_s for tile in shop.line.tiles}
    for (item, stage), rows in _by_stage(stock, (ParcelState.HELD,)).items():
        target_s = targets.get(stage or "") or HELD_LONG_S
        age = (shop.now_us - min(row.since_us for row in rows)) // 1_000_000
        if age <= target_s:
            continue
        reason = rows[0].reason
        yield Alert(
            "held",
            f"held {stage} {item}",
            (
                LinkedWord("item", item, item),
                " has been on hold at ",
                LinkedWord("stage", stage or "", shop.stage_name(stage)),
                f" for {duration(age)}" + (f": {shop.reason_name(reason)}" if reason else ", no reason given"),
            ),
            _and(shop.cost_text(rows), _due(shop, rows[0])),
            grave=_late(shop, rows[0]),
            cost=shop.cost(rows),
            days_late=_days_late(shop, rows[0]),
        )


def late(shop: BoardState, stock: Sequence[StockRow]) -> Iterator[Alert]:
    """An order should be finished by the end of its due day."""
    orders: dict[str, list[StockRow]] = {}
    for row in stock:
        if _late(shop, row):
            orders.setdefault(row.item, []).append(row)
    for item, rows in orders.items():
        due = due_day(rows[0].due)
        assert due is not None
        days = (shop.locale.today(shop.now_us) - due).days
        ago = "yesterday" if days == 1 else f"{days} d ago"
        places = dict.fromkeys(shop.stage_name(row.stage) for row in rows if row.in_process)
        location = f"is at {' and '.join(places)}" if places else "is not started"
        amount = sum(row.qty_milli or 0 for row in rows)
        product = shop.valuation.product(rows[0])
        yield Alert(
            "late",
            f"late {item}",
            (LinkedWord("item", item, item), f" was due {ago} and {location}"),
            _and(
                rows[0].customer or "",
                shop.locale.quantity(amount, product.unit, product.decimals) if amount else "",
                shop.cost_text(rows),
            ),
            grave=True,
            cost=shop.cost(rows),
            days_late=days,
        )


ALERTS: tuple[Callable[[BoardState, Sequence[StockRow]], Iterator[Alert]], ...] = (late, waited, held_long)


def _by_stage(stock: Iterable[StockRow], states: tuple[str, ...]) -> dict[tuple[str, str | None], list[StockRow]]:
    """The stock rows in these states, by item and stage, in the order of the items."""
    groups: dict[tuple[str, str | None], list[StockRow]] = {}
    for row in sorted(stock, key=lambda row: (row.item, row.since_us)):
        if row.state in states:
            groups.setdefault((row.item, row.stage), []).append(row)
    return groups


def _late(shop: BoardState, row: StockRow) -> bool:
    return _days_late(shop, row) > 0


def _days_late(shop: BoardState, row: StockRow) -> int:
    due = due_day(row.due)
    return 0 if due is None else max(0, (shop.locale.today(shop.now_us) - due).days)


def _due(shop: BoardState, row: StockRow) -> str:
    due = due_day(row.due)
    return shop.locale.due(due, shop.now_us) if due else ""


def _and(*parts: str) -> str:
    return " · ".join(filter(None, parts))
