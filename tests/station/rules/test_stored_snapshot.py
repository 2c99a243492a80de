"""Definitions of any content, from a hub or as an earlier run stored them: the station starts and scans with them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from station.core.codes import read_code
from station.core.event import Event
from station.core.protocol import OpenItem
from station.rules.snapshot import read_shop, rule_context, stored_shop
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.simulated_station import SimRoom

# JSON texts, since no Python value says 10^400, half a surrogate pair or 10,000 brackets.
EXTREMES = (
    "0", "-1", "1", "2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + "0" * 400,
    "1.5", "true", "null", '""', '"saw"', '"' + "x" * 70_000 + '"', r'"\u0000"', r'"\ud800"', "[]", "{}", "[null]",
    '[{"op":1.5,"stage":[]}]', '[{"op":9223372036854775808,"stage":"saw"}]', "[" * 10_000 + "]" * 10_000,
)  # fmt: skip
GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pattern.define", {"name": "order", "regex": "WO-(?P<id>[0-9]+)", "as": "item"}),
    ("person.define", {"person": "kim", "badge": "7", "name": "A. Kim"}),
    ("stage.define", {"stage": "saw", "name": "Saw", "strict": True, "limit": 2}),
    ("station.define", {"station": "saw-1", "stage": "saw"}),
    ("product.define", {"product": "p", "routing": "r", "name": "P"}),
    ("routing.define", {"routing": "r", "operations": [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}]}),
    ("rule.define", {"rule": "skipped", "on": True}),
    ("card.define", {"card": "x", "verb": "in"}),
    ("reason.define", {"reason": "scratch", "name": "Scratch"}),
    ("cost.set", {"product": "p", "op": 10, "component": "work", "micros": 1}),
    ("a.later.kind", {"x": 1}),
)
ITEMS = [OpenItem("1", "p", 10, "waiting", 5_000), OpenItem("2", None, None, "a later state", None)]


def an_object(fields: dict[str, str]) -> str:
    """A JSON object of texts that are JSON."""
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields.items()) + "}"


def texts(data: dict[str, Any]) -> dict[str, str]:
    """Each field as JSON."""
    return {name: json.dumps(value) for name, value in data.items()}


def a_body(definitions: list[str], **more: str) -> bytes:
    """A snapshot."""
    return an_object({"definitions": "[" + ",".join(definitions) + "]", **more}).encode()


def bodies() -> Iterator[bytes]:
    """A whole shop, in each of which one value is another."""
    whole = {what: an_object({"what": json.dumps(what), "data": json.dumps(data)}) for what, data in GOOD}
    for text in EXTREMES:
        for what, data in GOOD:
            others = [entry for kind, entry in whole.items() if kind != what]
            for name in (*data, "unknown"):
                entry = an_object({"what": json.dumps(what), "data": an_object({**texts(data), name: text})})
                yield a_body([*others, entry])
            for place in ("what", "data", "holds_from_us"):
                yield a_body([*others, an_object({**texts({"what": what, "data": data}), place: text})])
        for name in ("definitions", "refused", "bindings", "codes", "epoch", "head"):
            yield an_object({"definitions": "[" + ",".join(whole.values()) + "]", name: text}).encode()
        for name in ("code", "to", "as"):
            bound = an_object({**texts({"code": "A", "to": "1", "as": "item"}), name: text})
            yield a_body(list(whole.values()), codes=f"[{bound}]", bindings=f'{{"A":{text}}}')
        yield text.encode()


def test_a_station_starts_and_scans_with_any_stored_definitions(tmp_path: Path) -> None:
    said: list[str] = []
    count = 0
    with open_journal(tmp_path) as journal:
        journal.save_items([], ITEMS, "1:1")
        for body in bodies():
            count += 1
            journal.save_snapshot("v1", body)
            _, rules = stored_shop(journal, lambda what, **_: said.append(what))
            for seq, raw in enumerate((b"WO-1", b"1", b"A"), start=1):
                code = read_code(raw, None, rules.patterns)
                rules.engine.pieces(code, "saw")
                scan = Event(kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=raw, stage="saw")
                rules.engine.judge(code, scan, seq)
            assert (journal.snapshot() is None) == bool(said), "what cannot be read is forgotten, and fetched again"
            said.clear()
    print(f"{count} snapshots")
    assert count > 1_000


def test_what_cannot_be_read_is_logged_with_its_reason(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    with open_journal(tmp_path) as journal:
        journal.save_snapshot("v1", b'{"definitions":7}')
        shop, _ = stored_shop(journal, lambda what, **fields: said.append({"what": what, **fields}))
        assert (shop.patterns, shop.refused, shop.bound, shop.person("7"), shop.stage("saw")) == (
            (),
            (),
            {},
            "7",
            "saw",
        )
        assert journal.snapshot() is None
    (line,) = said
    assert line["what"] == "the stored definitions cannot be read; they are fetched again"
    assert "Expected `array`, got `int`" in line["why"]


@pytest.mark.parametrize("operations", [7, 1.5, True, "saw", {"op": 1}, [7], [{"op": True, "stage": 1}], None])
def test_a_routing_whose_operations_are_no_list_leaves_the_rest_of_the_shop(operations: Any) -> None:
    routing = {"what": "routing.define", "data": {"routing": "r", "operations": operations}}
    product = {"what": "product.define", "data": {"product": "p", "routing": "r"}}
    person = {"what": "person.define", "data": {"badge": "7", "name": "A. Kim"}}
    body = json.dumps({"definitions": [product, routing, person]}).encode()
    assert read_shop(body).person("7") == "A. Kim"
    assert read_shop(body).stage_of("p", 10) is None
    rule_context(body)


def test_definitions_that_cannot_be_read_keep_neither_heartbeats_nor_open_items(tmp_path: Path) -> None:
    room = SimRoom(tmp_path)
    whole = room.hub.answer
    paths: list[str] = []

    def answer(method: str, path: str, body: bytes | None, headers: Any) -> Any:
        paths.append(path)
        status, found, content = whole(method, path, body, headers) or (503, {}, b"")
        return (status, found, b'{"definitions":7}') if path == "/snapshot" else (status, found, content)

    room.hub.answer = answer  # type: ignore[method-assign]
    room.station.boot()
    room.scan("WO", 3)
    room.settle()
    assert paths.count("/snapshot") == 1, "not fetched again before the hub has others"
    assert "/heartbeat" in paths
    assert any(path.startswith("/items/changes") for path in paths)
    room.hub.answer = whole  # type: ignore[method-assign]
    room.all_counted_once()
