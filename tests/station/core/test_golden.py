"""The golden vectors: bytes, hashes and meanings that stand in recorded events for ever."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from station.core import event, hash_chain
from station.core.ledger.times import EventTime, LogParent, OrderKey, TimeAnchor, recorded_keys
from station.core.ledger.void_resolution import PositionKey, voided

V1 = Path(__file__).parents[2] / "contract" / "v1"
VECTORS = json.loads((V1 / "events.json").read_text())
ADDED = json.loads((V1 / "events_added.json").read_text())
TIMES = json.loads((V1 / "routing_times.json").read_text())
SITE = json.loads((V1 / "site.json").read_text())
KEYS = json.loads((V1 / "keys.json").read_text())["cases"]
VOIDS = json.loads((V1 / "voids.json").read_text())
EVENTS = {row["name"]: row for log in (VECTORS, ADDED, TIMES, SITE) for row in log["events"]}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_decodes_and_encodes_to_the_same_bytes_for_ever(name: str) -> None:
    encoded = EVENTS[name]["event"].encode()
    assert event.encode(event.decode(encoded)) == encoded


LOGS = pytest.mark.parametrize("log", [VECTORS, ADDED, TIMES, SITE], ids=["first", "added", "times", "site"])


@LOGS
def test_the_log_links_from_its_genesis_to_its_tip(log: Any) -> None:
    previous = hash_chain.genesis(bytes.fromhex(log["log_id"]))
    assert previous.hex() == log["genesis"]
    for row in log["events"]:
        previous = hash_chain.link(previous, row["event"].encode())
        assert previous.hex() == row["hash"], row["name"]
    assert previous.hex() == log["tip"]


@LOGS
def test_the_hub_links_what_it_took_in_its_own_order(log: Any) -> None:
    log_id = bytes.fromhex(log["log_id"])
    previous = hash_chain.ledger_genesis(bytes.fromhex(log["hub_id"]))
    assert previous.hex() == log["ledger_genesis"]
    for pos, row in enumerate(log["events"], start=1):
        previous = hash_chain.ledger_link(previous, pos, log_id, row["seq"], bytes.fromhex(row["hash"]))
        assert previous.hex() == row["chain"], row["name"]


def test_an_anchor_carries_the_hubs_seal() -> None:
    anchor = event.decode(EVENTS["anchor"]["event"].encode())
    assert anchor.boot is not None
    assert anchor.t2 is not None
    assert anchor.t3 is not None
    sealed = hash_chain.anchor_mac(
        bytes.fromhex(VECTORS["anchor_key"]),
        bytes.fromhex(VECTORS["log_id"]),
        hash_chain.boot_bytes(anchor.boot),
        anchor.t2,
        anchor.t3,
    )
    assert sealed == anchor.mac


def test_every_word_of_the_contract_has_a_vector() -> None:
    kinds = {event.decode(row["event"].encode()).kind for row in EVENTS.values()}
    assert kinds == {"open", "scan", "entry", "anchor", "salvage"}
    present = {name for row in EVENTS.values() for name in json.loads(row["event"])}
    fields = {
        "from" if name == "from_" else "bytes" if name == "body" else name for name in event.Event.__struct_fields__
    }
    assert fields <= present


@pytest.mark.parametrize("case", KEYS, ids=lambda case: case["given"])
def test_an_event_has_the_key_that_was_reckoned_by_hand(case: dict[str, Any]) -> None:
    reckoned = {
        (row["log"], row["seq"]): OrderKey(row["us"], row["lo_us"], row["hi_us"], row["approx"]) for row in case["keys"]
    }
    stamps = [EventTime(**row) for row in case["stamps"]]
    anchors = [TimeAnchor(**row) for row in case["anchors"]]
    parents = {log: LogParent(*parent) for log, parent in case["parents"].items()}
    for arrival in range(3):
        random.Random(arrival).shuffle(stamps)
        random.Random(arrival).shuffle(anchors)
        assert recorded_keys(stamps, anchors, parents) == reckoned


@pytest.mark.parametrize("case", VOIDS["cases"], ids=lambda case: case["given"])
def test_an_event_is_void_as_was_reckoned_by_hand(case: dict[str, Any]) -> None:
    logs = VOIDS["logs"]
    names = [(PositionKey(logs[log], seq), PositionKey(logs[of], target)) for log, seq, of, target in case["names"]]
    protected = frozenset(PositionKey(logs[log], seq) for log, seq in case["protected"])
    void = frozenset(PositionKey(logs[log], seq) for log, seq in case["void"])
    assert voided(dict(names), protected) == voided(dict(names[::-1]), protected) == void
