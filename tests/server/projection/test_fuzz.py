"""Random events of every kind, with every field and type: none stops the projector, and a rebuild gives the same rows.

`host`: a minute in every run, on SQLite; `nightly`: an hour on each engine, a minute on PostgreSQL.
Each round prints its seed; WIPLINE_FUZZ_SEED repeats one.
"""

import os
import random
import time
from collections.abc import Callable
from typing import Any, get_type_hints

import engines
import msgspec
import pytest
from sqlalchemy import func, select

from server.api.health import health
from server.config import HubConfig
from server.context import HubContext
from server.ledger.entry_schema import WHATS
from server.projection.internal_tables import set_aside
from server.projection.rebuild import compare, rebuild
from server.projection.tables import event_state, item
from station.core.event import MAX_QTY_MILLI, Event
from station.core.ledger.fold import ROWS
from station.core.master_data import NAMED_BY

KINDS = ("scan", "entry", "anchor", "open", "salvage", "recover", "other", "")
INTS = (0, 1, -1, 10, 1000, MAX_QTY_MILLI, MAX_QTY_MILLI + 1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63),
        -(2**63) - 1, 2**64, 2**70, -(2**70), True, False, 1.0, 1e300)  # fmt: skip
TEXTS = ("", "WO-1", "WO-2", "TAG-1", "saw", "weld", "pack", "r", "p", "bracket", "a\0b", "\u202e", "😀" * 3, "x" * 4000,
         "done", "in", "(?:a+)+", "00" * 16, "01" * 16, "ab" * 32, "9" * 30)  # fmt: skip
NAMES = ("item", "code", "order", "product", "stage", "routing", "operations", "op", "qty_milli", "items", "to", "as",
         "log", "seq", "from_seq", "to_seq", "set", "regex", "name", "micros", "component", "bom", "type", "limit",
         "priority", "due", "how", "action", "station", "person", "reason", "card", "rule", "on", "holds_from_us",
         "transfer_qty_milli", "operation", "basis", "badge")  # fmt: skip
ACTIONS = (*ROWS, "void", "bind", "unbind", "call", "nonsense")


class Maker:
    """Makes events by chance: mostly of the right form, so that they reach the fold, with one or two fields of any kind."""

    def __init__(self, seed: int, log: Any) -> None:
        self.chance, self.log = random.Random(seed), log
        self.fields = [each for each in msgspec.structs.fields(Event) if each.name != "v"]
        assert get_type_hints(Event)

    def anything(self, depth: int = 0) -> Any:
        pick = self.chance.random()
        if pick < 0.4:
            return self.chance.choice(INTS)
        if pick < 0.75:
            return self.chance.choice(TEXTS)
        if depth > 3:
            return None
        if pick < 0.85:
            return [self.anything(depth + 1) for _ in range(self.chance.randint(0, 3))]
        return self.data(depth + 1)

    def data(self, depth: int = 0) -> dict[str, Any]:
        return {self.chance.choice(NAMES): self.anything(depth) for _ in range(self.chance.randint(0, 6))}

    def plain(self) -> dict[str, Any]:
        """Fields that an entry of this kind would have."""
        pick = self.chance.choice
        quantity = pick([1000, 40_000, MAX_QTY_MILLI, 2**63 - 1])
        operations = [
            {"op": pick([10, 20, 2**63 - 1, 2**63]), "stage": pick(["saw", "weld", "pack"])} for _ in range(3)
        ]
        return {
            **{name: pick(["WO-1", "WO-2", "TAG-1"]) for name in ("item", "code", "order", "to")},
            **{name: pick(["saw", "weld", "pack"]) for names in NAMED_BY.values() for name in names if name != "op"},
            "product": "bracket", "routing": "r", "stage": pick(["saw", "weld"]), "qty_milli": quantity,
            "operations": operations, "how": pick(["complete", "short"]), "action": pick(ACTIONS), "as": "item",
            "log": self.log.log_id.hex(), "seq": self.chance.randint(1, 90), "from_seq": 1, "to_seq": 2**63 - 1,
            "set": {"qty_milli": quantity, "stage": "saw"}, "regex": pick(["(?P<id>WO-.)", "x{1,3}", "("]),
            "name": "p", "micros": pick([5, 2**62, 2**63]), "items": ["WO-1", {"item": "SN"}, 5],
        }  # fmt: skip

    def event(self) -> bytes:
        pick = self.chance.choice
        kind = pick(KINDS)
        fields: dict[str, Any] = {"v": 1, "kind": kind, "station": self.log.name, "sw": "t", "boot": self.log.boot}
        fields["mono_ns"] = self.chance.randint(0, 10**15)
        if kind == "scan":
            fields |= {
                "raw": "V08tMQ==",
                "stage": pick(["saw", "weld", "pack"]),
                "qty_milli": pick([1, 5000, MAX_QTY_MILLI]),
            }
            fields |= {
                "action": pick(ACTIONS),
                "ref": {"log": self.log.log_id.hex(), "seq": self.chance.randint(1, 90)},
            }
        elif kind == "entry":
            what = pick(sorted(WHATS))
            fields |= {"what": what, "by": "Ann", "data": self.plain()}
            for name in self.chance.sample(sorted(fields["data"]), 5):
                fields["data"].pop(name)
            for _ in range(self.chance.randint(0, 2)):
                fields["data"][pick(NAMES)] = self.anything()
        elif kind == "salvage":
            inner = msgspec.json.encode(
                {"v": 1, "kind": "scan", "station": "s", "sw": "t", "raw": "V08tMQ==", "stage": "saw"}
            )
            fields |= {"from": {"log": pick(["01" * 16, "07" * 16]), "seq": pick([1, 5, 2**63 - 1]), "hash": "ab" * 32}}
            fields["bytes"] = inner if self.chance.random() < 0.7 else self.anything()
        elif kind == "anchor":
            fields |= {name: pick([0, 5, 2**63 - 1, -(2**63)]) for name in ("t1", "t2", "t3", "t4")}
        elif kind == "open":
            fields["parent"] = {"log": pick(["01" * 16, "07" * 16]), "seq": pick([1, 2**63 - 1]), "hash": "ab" * 32}
        for _ in range(pick([0, 0, 1, 2])):
            field = pick(self.fields)
            fields[field.encode_name] = self.anything()
        try:
            return msgspec.json.encode(fields)
        except (OverflowError, UnicodeEncodeError):
            return b"{}"


def one_round(seed: int, hub_db: Any) -> int:
    """Some hundred random events in batches; what must hold after them. How many events there were."""
    print(f"projector fuzz: seed {seed}", flush=True)
    chance = random.Random(seed)
    logs = [hub_db.log("hub", 1), hub_db.log("saw-1", 2), hub_db.log("weld-1", 7)]
    makers = [Maker(seed * 10 + n, log) for n, log in enumerate(logs)]
    good = logs[1]
    hub_db.deliver(good.anchor(), logs[0].anchor())
    count = 2
    for _ in range(25):
        rows = []
        for _ in range(chance.randint(1, 20)):
            maker = chance.choice(makers)
            rows.append(maker.log.put(maker.event()))
        last = good.scan("GOOD", "saw", qty_milli=1000, after_s=60)
        hub_db.deliver(*rows, last)
        count += len(rows) + 1
        hub_db.projector.step()
        if chance.random() < 0.3:
            hub_db.drain()
    hub_db.drain()
    assert hub_db.show(select(func.count()).select_from(event_state)) == [(count,)]
    assert hub_db.show(select(event_state.c.status).where(event_state.c.pos == count))[0][0] in ("ok", "void")
    final = good.scan(f"LAST-{seed}", "saw", qty_milli=1000, after_s=60)
    hub_db.deliver(final)
    hub_db.drain()
    assert hub_db.show(select(item.c.item).where(item.c.item == f"LAST-{seed}"))
    assert hub_db.show(select(set_aside.c.part, set_aside.c.reason).where(set_aside.c.part != "fact")) == []
    assert compare(hub_db.store) == []
    live = hub_db.everything()
    rebuild(hub_db.store)
    assert hub_db.everything() == live
    return count + 1


def rounds(for_s: float, new_hub_db: Callable[[], Any]) -> None:
    """As many rounds as fit into the time, each with a seed of its own; at least one."""
    named = os.environ.get("WIPLINE_FUZZ_SEED")
    seed = int(named) if named else random.SystemRandom().randrange(10**9)
    end, events, done = time.monotonic() + for_s, 0, 0
    while not done or (time.monotonic() < end and not named):
        hub_db = new_hub_db()
        events += one_round(seed, hub_db)
        answers_health(hub_db)
        hub_db.store.close()
        seed, done = seed + 1, done + 1
    print(f"projector fuzz: {done} rounds, {events} events, none stopped the projector", flush=True)


def answers_health(hub_db: Any) -> None:
    told = health(HubContext(HubConfig(), hub_db.store))
    assert told.projected_pos == told.pos


@pytest.mark.host
@pytest.mark.parametrize("engine", [engines.SQLITE, pytest.param(engines.POSTGRESQL, marks=pytest.mark.nightly)])
def test_no_event_of_any_kind_stops_the_projector(new_hub_db: Callable[[], Any]) -> None:
    rounds(60, new_hub_db)


@pytest.mark.nightly
def test_no_event_of_any_kind_stops_the_projector_in_an_hour(new_hub_db: Callable[[], Any]) -> None:
    rounds(3600, new_hub_db)
