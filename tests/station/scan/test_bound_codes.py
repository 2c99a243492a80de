"""Codes that the shop has bound: what the bench makes of a badge, a card, an item, a product and a carrier."""

import json
from dataclasses import replace
from typing import Any

import pytest

from drivers import Read
from station.core.codes import (
    Card,
    Code,
    CodeBinding,
    CodeType,
    Pattern,
    Scheme,
    apply_binding,
    read_code,
    read_tag_code,
)
from station.core.protocol import OpenItem
from station.core.snapshot import Snapshot
from station.feedback.messages import Reason, State
from station.rules.engine import ShopRules
from station.rules.replay import recorded_code
from station.rules.snapshot import read_shop, rule_context
from station.scan.event_builder import recorded_signature
from station.scan.interpret import interpret
from station.scan.pipeline import ReaderSettings
from tests.station.fixtures.scan_pipeline import Bench, a_read

CODES = {
    "NEXT-IS-SCRAP": CodeBinding(CodeType.COMMAND, "WIP:SCRAP"),
    "0012345678": CodeBinding(CodeType.BADGE, "A1"),
    "BRACKET-BIN": CodeBinding(CodeType.PRODUCT, "BRK-20"),
    "TOTE-7": CodeBinding(CodeType.CARRIER, "TOTE-7"),
    "OLD-CARD": CodeBinding(CodeType.ITEM, "O-31"),
}
SNAPSHOT = {
    "definitions": [{"what": "pattern.define", "data": {"name": "p", "regex": "BIN-(?P<id>.*)", "as": "product"}}],
    "bindings": {"OLD-CARD": "O-31"},
    "codes": [{"code": code, "as": bound.as_, "to": bound.to} for code, bound in CODES.items()],
}


def a_bench(snapshot: dict[str, Any] | None = None) -> Bench:
    """A bench that knows the shop of a snapshot."""
    bench = Bench(more={"reader_settings": lambda _reader: ReaderSettings(stage="saw")})
    bench.scan.rules = rule_context(json.dumps(snapshot or SNAPSHOT).encode(), [])
    return bench


def scan(bench: Bench, *texts: str) -> list[tuple[State, Reason, str]]:
    """What scans one after another are answered."""
    start_s = len(bench.journal.events) * 5 + 10
    answers = bench.take(*(a_read(text.encode(), start_s + 5 * n) for n, text in enumerate(texts)))
    return [(each.state, each.why, each.text) for each in answers]


def test_the_codes_of_a_shop_act_at_the_bench() -> None:
    bench = a_bench()
    assert scan(bench, "0012345678", "NEXT-IS-SCRAP", "O-31", "BRACKET-BIN", "TOTE-7", "OLD-CARD") == [
        (State.GREEN, Reason.CARD, "A1 signed in"),
        (State.GREEN, Reason.CARD, "SCRAP: scan the sheet"),
        (State.AMBER, Reason.ASK, "1 counted: O-31 SCRAP. More? UNDO, then SCRAP, QTY and the sheet"),
        (State.AMBER, Reason.LOOK, "saved, but not counted yet: BRK-20 is a product. Scan the sheet that goes with it"),
        (State.AMBER, Reason.LOOK, "saved, but not counted yet: TOTE-7 is a carrier. Scan the sheet that goes with it"),
        (State.GREEN, Reason.SAVED, "O-31 is already here"),
    ]
    fields = [(each.scheme, each.code, each.action, each.operator) for each in bench.journal.decoded()]
    assert fields == [
        ("badge", None, None, "A1"),
        ("command", None, None, "A1"),
        ("text", None, "scrap", "A1"),
        ("own", None, None, "A1"),
        ("own", None, None, "A1"),
        ("text", None, None, "A1"),
    ]


def test_a_product_leaves_the_card_that_is_armed_and_has_nothing_to_undo() -> None:
    bench = a_bench()
    scan(bench, "NEXT-IS-SCRAP", "BRACKET-BIN", "BIN-7", "O-31", "BRACKET-BIN", "WIP:UNDO")
    assert [(each.action, each.ref and each.ref.seq) for each in bench.journal.decoded()] == [
        (None, None), (None, None), (None, None), ("scrap", None), (None, None), ("void", 4),
    ]  # fmt: skip


def test_a_pattern_that_names_a_product_or_carrier_is_amber_too() -> None:
    (answer,) = scan(a_bench(), "BIN-BRK-20")
    assert answer == (
        State.AMBER, Reason.LOOK, "saved, but not counted yet: BRK-20 is a product. Scan the sheet that goes with it",
    )  # fmt: skip


def test_a_snapshot_without_codes_still_has_its_items() -> None:
    old = {"definitions": [], "bindings": {"OLD-CARD": "O-31"}}
    assert read_shop(json.dumps(old).encode()).bound == {"OLD-CARD": CodeBinding(CodeType.ITEM, "O-31")}
    assert scan(a_bench(old), "OLD-CARD")[0][2] == "saved: O-31"


def test_a_kind_of_binding_of_a_later_version_is_passed_over() -> None:
    later = {"codes": [{"code": "X", "as": "robot", "to": "R2"}, {"code": "Y", "as": "badge", "to": "A1"}]}
    assert read_shop(json.dumps(later).encode()).bound == {"Y": CodeBinding(CodeType.BADGE, "A1")}


def test_a_code_that_is_let_go_names_itself_with_the_next_snapshot() -> None:
    bench = a_bench()
    scan(bench, "NEXT-IS-SCRAP")
    bench.scan.rules = rule_context(json.dumps({"definitions": [], "codes": []}).encode(), [])
    assert (
        scan(bench, "NEXT-IS-SCRAP")[0][2]
        == "1 counted: NEXT-IS-SCRAP SCRAP. More? UNDO, then SCRAP, QTY and the sheet"
    )


@pytest.mark.parametrize(
    ("raw", "bound", "read"),
    [
        # A card that is the same everywhere stays what it is.
        (b"WIP:SCRAP", CodeBinding(CodeType.ITEM, "O-1"), (Scheme.COMMAND, None, None, Card.SCRAP)),
        (b"wip:scrap", CodeBinding(CodeType.ITEM, "O-1"), (Scheme.COMMAND, None, None, Card.SCRAP)),
        # A binding comes before the patterns of the shop and the published systems.
        (b"WO-7", CodeBinding(CodeType.ITEM, "O-1"), (Scheme.OWN, "O-1", None, None)),
        (b"WO-7", CodeBinding(CodeType.BADGE, "A1"), (Scheme.BADGE, None, "A1", None)),
        (b"]d20109506000134352", CodeBinding(CodeType.ITEM, "O-1"), (Scheme.GS1, "O-1", None, None)),
        (
            b"]d20109506000134353",
            CodeBinding(CodeType.ITEM, "O-1"),
            (Scheme.OWN, "O-1", None, None),
        ),  # a wrong check digit
        (
            b"010950600013435210ABC21XYZ",
            CodeBinding(CodeType.ITEM, "O-1"),
            (Scheme.OWN, "O-1", None, None),
        ),  # ambiguous
        (b"X", CodeBinding(CodeType.COMMAND, "qty:5"), (Scheme.COMMAND, None, None, Card.QTY)),
        (b"X", CodeBinding(CodeType.COMMAND, "WIP:BADGE:A1"), (Scheme.BADGE, None, "A1", None)),
        (b"X", CodeBinding(CodeType.COMMAND, "no card"), (None, None, None, None)),
        (b"]C0", CodeBinding(CodeType.ITEM, "O-1"), (None, None, None, None)),
    ],
)
def test_what_a_bound_code_says(raw: bytes, bound: CodeBinding, read: tuple[object, ...]) -> None:
    patterns = (Pattern("order", "WO-(?P<id>.+)", "item"),)
    code = read_code(raw, None, patterns)
    found = apply_binding(code, {code.code: bound})
    assert (found.scheme, found.item, found.badge, found.card) == read
    assert (found.code, found.raw, found.sym) == (code.code, raw, code.sym)


def test_a_tag_and_a_text_on_a_tag_can_be_bound() -> None:
    tag = replace(a_read(b"04A1B2C3"), kind="pcsc", tag=True)
    bound = {"04A1B2C3": CodeBinding(CodeType.BADGE, "A1"), "locker 5": CodeBinding(CodeType.ITEM, "O-5")}
    assert interpret(tag, (), bound)[1].badge == "A1"
    read, code = interpret(replace(tag, texts=(b"hello", b"locker 5")), (), bound)
    assert (read.raw, read.tag, code.item) == (b"locker 5", False, "O-5")


def test_a_code_that_is_cut_is_never_a_bound_one() -> None:
    read = Read(b"X", None, "replay", "replay-1", 0, 9_000)
    assert interpret(read, (), {"X": CodeBinding(CodeType.BADGE, "A1")})[1].unread == "too long"


def test_the_rules_know_a_bound_item_by_its_own_name() -> None:
    judge = ShopRules(Snapshot(bindings={"OLD-CARD": "O-31", "O-31": "O-99"}))
    judge.know([OpenItem("O-31", qty_milli=1000)], complete=True)
    code: Code = apply_binding(read_code(b"OLD-CARD", None, ()), {"OLD-CARD": CodeBinding(CodeType.ITEM, "O-31")})
    bench = Bench()
    bench.take(a_read(b"OLD-CARD"))
    assert judge.judge(code, bench.journal.decoded()[0], 1).name == "O-31"
    assert read_tag_code(b"04A1B2C3", ()).is_counted


def test_a_recorded_scan_names_the_item_that_its_code_is_bound_to() -> None:
    bench = a_bench()
    scan(bench, "OLD-CARD", "NEXT-IS-SCRAP", "WO-9")
    rules = bench.scan.rules
    codes = [recorded_code(event, rules.patterns, rules.bound) for event in bench.journal.decoded()]
    assert [code and code.item for code in codes] == ["O-31", None, "WO-9"]


def test_a_label_with_braces_is_what_was_scanned_and_is_shown_so() -> None:
    pattern = {"name": "jsonwo", "regex": r'\{"wo":"(?P<id>O-[0-9]+)"\}', "as": "item"}
    bound = {"code": '{7B}"stockitem": 123}', "as": "item", "to": "O-20"}
    bench = a_bench({"definitions": [{"what": "pattern.define", "data": pattern}], "codes": [bound]})
    assert [text for _, _, text in scan(bench, '{"stockitem": 123}', '{"wo":"O-35"}', '{"other"}')] == [
        "saved: O-20", "saved: O-35", 'saved: {"other"}'
    ]  # fmt: skip
    assert [each.code for each in bench.journal.decoded()][2] == '{7B}"other"}'
    assert bench.said[-1].shown.item == '{"other"}'


SPELLINGS = (
    b"0105000456013482172012001000001\x1d210000000003",
    b"\x1d0105000456013482172012001000001\x1d210000000003",
    b"]d20105000456013482172012001000001\x1d210000000003",
    b"]C10105000456013482172012001000001\x1d210000000003\x1d",
)


@pytest.mark.parametrize("to", ["O-21", None])
def test_each_spelling_of_a_label_is_one_item_and_counts_once_within_the_time_of_a_repeat(to: str | None) -> None:
    bound = {
        "code": SPELLINGS[0].decode().replace("\x1d", "{GS}"),
        "as": "item",
        "to": to or "0105000456013482210000000003",
    }
    bench = a_bench({"codes": [bound] if to else []})
    answers = bench.take(*(a_read(raw, 10 + n) for n, raw in enumerate(SPELLINGS)))
    named = to or "0105000456013482210000000003"
    assert [each.shown.item for each in answers] == [named] * 4
    events = bench.journal.decoded()
    assert [each.repeat for each in events] == [False, True, True, True]
    assert events[1].code == "{GS}0105000456013482172012001000001{GS}210000000003"
    assert {recorded_signature(each) for each in events} == {recorded_signature(events[0])}


def test_an_item_of_an_earlier_hub_is_known_by_each_spelling_of_its_name() -> None:
    rules = ShopRules(Snapshot())
    old = "{GS}0105000456013482172012001000001{GS}210000000003"
    rules.know([OpenItem(old, "b", None, "released", 5000, released=True)], complete=True)
    assert rules.items.released("0105000456013482210000000003")
    real = OpenItem("0105000456013482210000000003", "b", 10, "here", 7000, released=True)
    rules.know([OpenItem(old, "b", None, "released", 5000), real], complete=True)
    assert [each.qty_milli for each in rules.items.state("0105000456013482210000000003").parcels] == [7000]
