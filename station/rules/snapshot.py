"""Shop snapshot: patterns, names and rules of the hub's last snapshot.

The snapshot is stored in the journal, so it is available offline and after a restart. A definition that this version
cannot read is ignored; the hub reported it when it was entered.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from station.core.codes import Pattern, RefusedPattern, usable_patterns
from station.core.protocol import OpenItem
from station.core.quantity import decimal_text
from station.core.snapshot import NOW_US, Snapshot, SnapshotError, read_snapshot
from station.journal import Journal, JournalFull
from station.rules.interface import NoRules, RuleContext
from station.rules.replay import replay

NO_SNAPSHOT = Snapshot()


class StationDefinitions:
    """The shop's names and patterns, from a snapshot. Immutable.

    `patterns`: the usable ones; `refused`: those that the hub or this station does not use; `bound`: code -> binding.
    `zone`: the site's time zone; None where the hub named none or this machine has no data of it (`zone_missing`: its name).
    """

    def __init__(self, snapshot: Snapshot = NO_SNAPSHOT, zone_of: Callable[[str], tzinfo] = ZoneInfo) -> None:
        usable = usable_patterns(snapshot.of("pattern.define"))
        self._master_data = snapshot.master_data()
        self._people = {
            str(data["badge"]): data.get("name") for data in snapshot.of("person.define") if data.get("badge")
        }
        self._reasons = {str(data.get("reason")): data.get("name") for data in snapshot.of("reason.define")}
        self.patterns: tuple[Pattern, ...] = usable.patterns
        self.refused = (*usable.refused, *(RefusedPattern(unused.name, unused.why) for unused in snapshot.refused))
        self.bound = snapshot.bound()
        self._separators = snapshot.separators
        self.zone: tzinfo | None = None
        self.zone_missing = ""
        if snapshot.zone:
            try:
                self.zone = zone_of(snapshot.zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):  # no tzdata, or a name that is no zone
                self.zone_missing = snapshot.zone

    def quantity(self, milli: int) -> str:
        """Thousandths as a decimal with the shop's separators."""
        return decimal_text(milli, self._separators.decimal, self._separators.group)

    def stage_at(self, station: str) -> str | None:
        """The stage of a station in the hub's definitions; None where it has none."""
        definition = self._master_data.at("station.define", station, NOW_US)
        stage = definition.data.get("stage") if definition else None
        return str(stage) if stage else None

    def unknown_stages(self, stages: Iterable[str | None]) -> tuple[str, ...]:
        """Those of the stages that the shop has not defined; none where it has defined no stage at all."""
        defined = self._master_data.names("stage.define")
        return tuple(stage for stage in dict.fromkeys(stages) if defined and stage and stage not in defined)

    def stage_names(self) -> tuple[str, ...]:
        """The ids of all defined stages, sorted."""
        return tuple(self._master_data.names("stage.define"))

    def stage_of(self, product: str | None, operation: int | None) -> str | None:
        """The stage of an operation of a product; None where the shop has not defined it."""
        definition = self._master_data.product(product, NOW_US)
        routing = self._master_data.routing(definition.routing, NOW_US) if definition else None
        step = routing.operation(operation) if routing else None
        return step.stage if step else None

    def person(self, badge: str) -> str:
        """The name of the person with this badge; the badge itself where it is unknown."""
        return str(self._people.get(badge) or badge)

    def reason(self, reason: str) -> str:
        """The name of a reason, its id where it has none."""
        return str(self._reasons.get(reason) or reason)

    def product(self, product: str) -> str:
        """The name of a product, its id where it has none."""
        definition = self._master_data.product(product, NOW_US)
        return (definition.name if definition else None) or product

    def stage(self, stage: str) -> str:
        """The name of a stage, its id where it has none."""
        return self._master_data.stage_name(stage, NOW_US)


def read_shop(body: bytes | None) -> StationDefinitions:
    """The shop in a snapshot's body; an empty one where there is none or it cannot be read.

    >>> read_shop(b'{"definitions":[{"what":"stage.define","data":{"stage":"saw","name":"Saw"}}]}').stage("saw")
    'Saw'
    """
    try:
        return StationDefinitions(read_snapshot(body))
    except SnapshotError:
        return StationDefinitions()


def log_refused(shop: StationDefinitions, log: Callable[..., None]) -> None:
    """Log each pattern that is not used."""
    for pattern in shop.refused:
        log("a pattern of the shop is not used; define it again on the hub", pattern=pattern.name, why=pattern.why)


def rule_context(body: bytes | None, items: Iterable[OpenItem] = (), *, complete: bool = False) -> RuleContext:
    """The rules for the recording thread. A station without a snapshot has no rules and loads none.

    Raises `SnapshotError` for a body that is no snapshot.
    """
    snapshot = read_snapshot(body)
    shop = StationDefinitions(snapshot)
    if body is None:
        return RuleContext(shop.patterns, NoRules(), shop.bound, shop)
    from station.rules.engine import ShopRules

    rules = ShopRules(snapshot, shop.patterns)
    rules.know(list(items), complete=complete)
    return RuleContext(shop.patterns, rules, shop.bound, shop)


def stored_shop(journal: Journal, log: Callable[..., None]) -> tuple[StationDefinitions, RuleContext]:
    """The shop and the rules from the journal.

    Definitions and items that this version cannot read must not prevent a start: they are logged and deleted, and the sync
    thread fetches them again.
    """
    snapshot, items = journal.snapshot(), journal.items()
    if not items.cursor and journal.items_cursor():
        log("the stored items cannot be read; they are fetched again")
        with suppress(JournalFull):  # then the hub's changes replace them one by one
            journal.save_items([], [], "", complete=False, afresh=True)
    body = snapshot[1] if snapshot else None
    try:
        context = rule_context(body, items.rows, complete=items.complete)
        if body is not None:
            replay(context, journal.events_after, items.thru, journal.log_id.hex(), journal.tip.seq)
        return read_shop(body), context
    except Exception as error:  # noqa: BLE001 - another version, or a faulty hub, may have written them
        log("the stored definitions cannot be read; they are fetched again", why=repr(error))
        journal.forget_snapshot()
        return StationDefinitions(), rule_context(None)


def update_rules(context: RuleContext, items: Iterable[OpenItem], *, complete: bool, afresh: bool) -> None:
    """Apply items that the hub has just sent. Called by the recording thread."""
    if isinstance(context.engine, NoRules):
        return
    from station.rules.engine import ShopRules

    if isinstance(context.engine, ShopRules):
        context.engine.know(list(items), complete=complete, afresh=afresh)
