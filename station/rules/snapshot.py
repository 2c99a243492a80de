"""What the shop told this station: patterns, names and rules from the hub's last snapshot, and the items that come next.

Everything here is read from what the journal keeps, so it holds offline and after a restart. A definition that this
version cannot read is passed over: the hub showed it to a person when it was made.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from station.core.codes import CodeBinding, CodeType, Pattern, RefusedPattern, usable_patterns
from station.journal import Journal
from station.rules.interface import NoRules
from station.scan.pipeline import RuleContext
from station.sync.messages import OpenItemEntry

MOST_NEXT = 3


class _Entry(msgspec.Struct, frozen=True):
    what: str
    data: dict[str, Any] = {}


class _Refused(msgspec.Struct, frozen=True):
    name: str = ""
    why: str = ""


class _Bound(msgspec.Struct, frozen=True):
    code: str
    to: str
    as_: str = msgspec.field(name="as")


class _Snapshot(msgspec.Struct, frozen=True):
    definitions: tuple[_Entry, ...] = ()
    refused: tuple[_Refused, ...] = ()
    bindings: dict[str, str] = {}
    codes: tuple[_Bound, ...] = ()


class ShopSnapshot(msgspec.Struct, frozen=True):
    """The words of the shop: patterns for codes, people by badge, names of stages, the stage of a product's operation.

    `placed`: at which stage the hub says that a station scans. `refused`: patterns that are recorded and not used, whether
    the hub left them out or this station does. `bound`: what single codes are bound to.
    """

    patterns: tuple[Pattern, ...] = ()
    people: dict[str, str] = {}
    stages: dict[str, str] = {}
    placed: dict[str, str] = {}
    operations: dict[tuple[str, int], str] = {}
    refused: tuple[RefusedPattern, ...] = ()
    bound: dict[str, CodeBinding] = {}

    def stage_of(self, product: str | None, operation: int | str | None) -> str | None:
        """The stage of an operation of a product; None where the shop has not said."""
        return self.operations.get((product or "", operation)) if isinstance(operation, int) else None

    def person(self, badge: str) -> str:
        """A person's name, the badge where it is not known."""
        return self.people.get(badge, badge)

    def stage(self, stage: str) -> str:
        """The shop's word for a stage, its id where it has none."""
        return self.stages.get(stage, stage)


def read_shop(body: bytes | None) -> ShopSnapshot:
    """The shop in a snapshot's body; an empty one where there is none or it cannot be read.

    >>> read_shop(b'{"definitions":[{"what":"stage.define","data":{"stage":"saw","name":"Saw"}}]}').stage("saw")
    'Saw'
    """
    try:
        snapshot = msgspec.json.decode(body, type=_Snapshot) if body else _Snapshot()
    except (msgspec.MsgspecError, RecursionError):
        snapshot = _Snapshot()
    patterns: dict[str, dict[str, Any]] = {}
    people: dict[str, str] = {}
    stages: dict[str, str] = {}
    placed: dict[str, str] = {}
    routed: dict[str, str] = {}
    routings: dict[str, Any] = {}
    for entry in snapshot.definitions:
        data = entry.data
        if entry.what == "pattern.define":
            patterns[str(data.get("name"))] = data
        elif entry.what == "person.define" and data.get("badge"):
            people[str(data["badge"])] = str(data.get("name") or data["badge"])
        elif entry.what == "stage.define" and data.get("stage"):
            stages[str(data["stage"])] = str(data.get("name") or data["stage"])
        elif entry.what == "station.define" and data.get("station") and data.get("stage"):
            placed[str(data["station"])] = str(data["stage"])
        elif entry.what == "product.define":
            routed[str(data.get("product"))] = str(data.get("routing"))
        elif entry.what == "routing.define":
            routings[str(data.get("routing"))] = data.get("operations")
    usable = usable_patterns(patterns.values())
    refused = (*usable.refused, *(RefusedPattern(each.name, each.why) for each in snapshot.refused))
    return ShopSnapshot(
        usable.patterns, people, stages, placed, _operations(routed, routings), refused, _bound(snapshot)
    )


def _bound(snapshot: _Snapshot) -> dict[str, CodeBinding]:
    """What codes are bound to. A hub of an earlier version sends items alone; a kind of a later one is not known here."""
    kinds = set(CodeType)
    items = {code: CodeBinding(CodeType.ITEM, item) for code, item in snapshot.bindings.items()}
    return items | {each.code: CodeBinding(CodeType(each.as_), each.to) for each in snapshot.codes if each.as_ in kinds}


def _operations(routed: dict[str, str], routings: dict[str, Any]) -> dict[tuple[str, int], str]:
    """(product, operation number) -> stage."""
    stages: dict[tuple[str, int], str] = {}
    for product, routing in routed.items():
        operations = routings.get(routing)
        for operation in operations if isinstance(operations, list) else ():
            if isinstance(operation, dict) and isinstance(operation.get("op"), int) and operation.get("stage"):
                stages[(product, operation["op"])] = str(operation["stage"])
    return stages


def log_refused(shop: ShopSnapshot, say: Callable[..., None]) -> None:
    """A line in the log for each pattern that is not used."""
    for each in shop.refused:
        say("a pattern of the shop is not used; define it anew on the hub", pattern=each.name, why=each.why)


def rule_context(snapshot: bytes | None, items: Iterable[Any] = (), *, complete: bool = False) -> RuleContext:
    """What the recording thread knows of the shop. A station without a snapshot has no rules and loads none."""
    shop = read_shop(snapshot)
    if snapshot is None:
        return RuleContext(shop.patterns, NoRules(), shop.bound)
    from station.rules.engine import OpenParcel, ShopRules

    judge = ShopRules(snapshot)
    rows = [OpenParcel(row.item, row.product, row.operation, row.state or "", row.qty_milli) for row in items]
    judge.know(rows, complete=complete)
    return RuleContext(shop.patterns, judge, shop.bound)


def stored_shop(journal: Journal, say: Callable[..., None]) -> tuple[ShopSnapshot, RuleContext]:
    """The shop and the rules as the journal keeps them.

    Definitions that this version cannot read keep no station from starting: they are logged and forgotten, so that the link
    fetches the hub's again.
    """
    snapshot, items = journal.snapshot(), journal.items()
    body = snapshot[1] if snapshot else None
    try:
        return read_shop(body), rule_context(body, items.rows, complete=items.complete)
    except Exception as error:  # noqa: BLE001 - they were written by another version, or by a hub that is wrong
        say("the stored definitions cannot be read; they are fetched again", why=repr(error))
        journal.forget_snapshot()
        return ShopSnapshot(), rule_context(None)


def update_rules(known_: RuleContext, items: Iterable[OpenItemEntry], *, complete: bool) -> None:
    """Tell the rules what the hub said of open items just now. In the recording thread."""
    if isinstance(known_.judge, NoRules):
        return
    from station.rules.engine import OpenParcel, ShopRules

    if isinstance(known_.judge, ShopRules):
        rows = [OpenParcel(row.item, row.product, row.operation, row.state, row.qty_milli, row.stage) for row in items]
        known_.judge.know(rows, complete=complete)
