"""A shop of six operations for the tests of the ledger: Saw, Deburr, Weld, Paint (optional), Test, Pack."""

from itertools import count
from typing import Any

from station.core.ledger.fold import balances, fold
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.rules import Wording, sentence
from station.core.master_data import Definition, MasterData

MINUTE_US = 60_000_000
STAGES = ("saw", "deburr", "weld", "paint", "test", "pack")


def definition(what: str, **data: Any) -> Definition:
    """A definition that holds from the beginning."""
    return Definition(what, 0, (0, "hub", 1), data)


def routing(name: str, *stages: str, optional: tuple[str, ...] = (), **operation: Any) -> Definition:
    """A routing with operations 10, 20, 30 … at these stages."""
    operations = [
        {
            "op": 10 * number,
            "stage": stage,
            **({"optional": True} if stage in optional else {}),
            **operation.get(stage, {}),
        }
        for number, stage in enumerate(stages, start=1)
    ]
    return definition("routing.define", routing=name, operations=operations)


def shop(*more: Definition) -> MasterData:
    """The catalogue of the shop; `more` is added to it."""
    return MasterData(
        [
            *(definition("stage.define", stage=stage, name=stage.capitalize()) for stage in STAGES),
            routing("line", *STAGES, optional=("paint",)),
            definition("product.define", product="bracket", name="Bracket", routing="line"),
            *more,
        ]
    )


class Story:
    """Facts told one after another, a minute apart, about WO-1."""

    def __init__(self, master_data: MasterData | None = None) -> None:
        self.master_data = master_data or shop()
        self.item_events: list[ItemEvent] = []
        self._seq = count(1)

    def tell(self, verb: str = "", stage: str | None = None, qty: int | None = None, **item_event: Any) -> ItemEvent:
        """One more fact; `qty` in whole units."""
        seq = next(self._seq)
        key_us = item_event.pop("key_us", seq * MINUTE_US)
        item_event.setdefault("station", f"{stage}-1" if stage else "hub")
        told = ItemEvent(
            key_us=key_us,
            log=item_event.pop("log", "log"),
            seq=seq,
            verb=verb,
            stage=stage,
            lo_us=key_us,
            hi_us=key_us,
            qty_milli=None if qty is None else qty * 1000,
            **item_event,
        )
        self.item_events.append(told)
        return told

    def release(self, qty: int = 100, product: str = "bracket", **data: Any) -> ItemEvent:
        """The office releases the order."""
        return self.tell("order.release", data={"order": "WO-1", "product": product, "qty_milli": qty * 1000, **data})

    def scan(self, *stages: str, qty: int | None = None) -> None:
        """Bare scans at these stages."""
        for stage in stages:
            self.tell("", stage, qty)

    @property
    def end(self) -> FoldResult:
        """Everything folded; the accounts balance, whatever was told."""
        step = fold("WO-1", self.item_events, self.master_data)
        assert sum(balances(step.state).values()) == 0
        assert all(parcel.qty_milli is None or parcel.qty_milli > 0 for parcel in step.state.parcels)
        return step

    @property
    def stands(self) -> dict[str, int | None]:
        """Where how much stands, in whole units; None where nobody has said how many."""
        found: dict[str, int | None] = {}
        for parcel in self.end.state.parcels:
            account = f"{parcel.state}@{parcel.stage}" if parcel.stage else parcel.state
            found[account] = None if parcel.qty_milli is None else (found.get(account) or 0) + parcel.qty_milli // 1000
        return found

    @property
    def said(self) -> list[tuple[str, str]]:
        """What the rules said: (rule, sentence)."""

        def stage_name(stage: str) -> str:
            return self.master_data.stage_name(stage, 0)

        return [
            (
                found.rule,
                sentence(
                    found.rule,
                    found.args,
                    "WO-1",
                    stage_name(found.stage) if found.stage else found.station or "the office",
                    Wording(stage_name),
                ),
            )
            for found in self.end.findings
        ]
