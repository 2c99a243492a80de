"""An unknown code at the bench: amber, without the armed card unless a pattern describes it; the near one is named."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from station.core.codes import Pattern, read_code
from station.core.event import Event, encode
from station.core.protocol import OpenItem
from station.core.snapshot import read_snapshot
from station.feedback.messages import Answer
from station.journal import Journal
from station.rules.engine import ShopRules
from station.rules.snapshot import stored_shop
from station.scan.bench_state import BenchSettings
from station.scan.pipeline import ReaderSettings
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.scan_pipeline import Bench, a_read

PATTERN = Pattern("order", r"WO-(?P<id>[0-9]+)", "item")
PATTERN_DEFINITION = {"what": "pattern.define", "data": {"name": "order", "regex": PATTERN.regex, "as": "item"}}
PEOPLE = [{"what": "person.define", "data": {"person": "kim", "name": "A. Kim", "badge": "A1"}}]
SHOP = msgspec.json.encode({"definitions": [PATTERN_DEFINITION, *PEOPLE]})
RELEASED = [
    OpenItem(order, None, None, "released", 40_000, released=True, outer={"ordered": -40_000})
    for order in ("O-33", "33", "Job 7")
]


def a_bench(*, shop: bytes = SHOP, orders: list[OpenItem] = RELEASED, **more: Any) -> Bench:
    patterns = (PATTERN,) if b"pattern.define" in shop else ()
    rules = ShopRules(read_snapshot(shop), patterns)
    rules.know(orders, complete=True)
    return Bench(
        patterns=patterns, judge=rules, more={"reader_settings": lambda _reader: ReaderSettings(stage="saw")}, **more
    )


def said(bench: Bench, *texts: str) -> list[Answer]:
    return [
        answer for at_s, text in enumerate(texts, start=1) for answer in bench.take(a_read(text.encode(), 5 * at_s))
    ]


def test_a_code_that_fits_a_pattern_keeps_the_action_and_one_that_fits_nothing_leaves_the_card_armed() -> None:
    bench = a_bench()
    answers = said(bench, "WIP:SCRAP", "WIP:QTY:5", "X-1", "WO-9", "O-33")
    assert [(answer.state, answer.text) for answer in answers] == [
        ("green", "SCRAP: scan the sheet"),
        ("green", "SCRAP 5: scan the sheet"),
        ("amber", "X-1: not known here"),
        ("amber", "9: not known here"),
        ("green", "saved: O-33"),
    ]
    assert [(event.action, event.qty_milli) for event in bench.journal.decoded()[2:]] == [
        (None, None), ("scrap", 5_000), (None, None),
    ]  # fmt: skip


def test_before_any_order_or_pattern_each_code_is_saved_with_its_action() -> None:
    for bench in (a_bench(shop=b'{"definitions":[]}', orders=[]), Bench()):
        assert [answer.text for answer in said(bench, "WIP:HOLD", "X-1")][1] == "saved: X-1 HOLD"
        assert bench.journal.decoded()[1].action == "hold"


def test_in_a_shop_without_orders_a_pattern_is_enough() -> None:
    answers = said(a_bench(orders=[]), "WO-9", "X-1")
    assert [answer.text for answer in answers] == ["saved: 9", "X-1: not known here"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("O-33 ", '"O-33 ": not known; O-33 is'),
        ("o-33", "o-33: not known; O-33 is"),
        ("O\u201333", '"O[U+2013]33": not known; O-33 is'),
        ("O\u00ad33", '"O[U+00AD]33": not known; O-33 is'),
        ("O-\u200b33", '"O-[U+200B]33": not known; O-33 is'),
        ("job\u00a0 7", '"job[U+00A0] 7": not known; Job 7 is'),
        ("Job  7", '"Job  7": not known; Job 7 is'),
        ("\uff2f\uff0d\uff13\uff13", '"\uff2f[U+FF0D]\uff13\uff13": not known; O-33 is'),
        ("wo-33", "wo-33: not known; WO-33 is"),  # the label that the pattern reads
        ("0-33", "0-33: not known here"),
    ],
)
def test_a_code_that_looks_like_a_known_one_is_named_with_it(text: str, answer: str) -> None:
    bench = a_bench()
    (said_of_it,) = said(bench, text)
    assert (said_of_it.state, said_of_it.text) == ("amber", answer)
    assert (said_of_it.shown.item, said_of_it.shown.detail) == tuple(answer.split(": "))  # type: ignore[union-attr]
    assert not bench.scan.rules.engine.items.state(text).parcels  # type: ignore[attr-defined]


def test_a_badge_that_looks_like_a_known_one_is_named_with_it() -> None:
    assert [answer.text for answer in said(a_bench(), "WIP:BADGE:a1")] == [
        "a1 signed in. But this badge is not known here; A1 is"
    ]


def test_undo_takes_an_unknown_code_back_and_a_repeat_of_it_counts_once() -> None:
    bench = a_bench()
    first, again = bench.take(a_read(b"X-1", 10), a_read(b"X-1", 11))
    assert [first.text, again.text] == ["X-1: not known here"] * 2
    assert [event.repeat for event in bench.journal.decoded()] == [False, True]
    (undone,) = bench.take(a_read(b"WIP:UNDO", 20))
    assert (undone.state, bench.journal.decoded()[-1].ref.seq) == ("green", 1)  # type: ignore[union-attr]


def test_a_card_behind_an_unknown_code_changes_no_earlier_sheet() -> None:
    bench = a_bench(settings=BenchSettings(cards_after=True))
    answers = said(bench, "O-33", "X-1", "WIP:SCRAP")
    assert answers[-1].text == "scan the sheet first, then the card"
    assert [event.action for event in bench.journal.decoded()] == [None, None, None]


def test_offline_and_after_a_restart_an_unknown_code_is_unknown_and_nowhere(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.save_snapshot("v1", SHOP)
        journal.save_items([row.item for row in RELEASED], RELEASED, "1:1", thru=journal.tip.seq)
        before = _engine(journal)
        for text in ("X-1", "WO-9", "O-33"):
            event = Event(kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=text.encode(), stage="saw")
            receipt = journal.commit(encode(event))
            before.judge(read_code(text.encode(), None, (PATTERN,)), event, receipt.seq)
        after = _engine(journal)
        for engine in (before, after):
            places = {
                name: [parcel.stage for parcel in engine.items.state(name).parcels] for name in ("X-1", "9", "O-33")
            }
            assert places == {"X-1": [], "9": [], "O-33": ["saw"]}
            assert engine.unknown(read_code(b"X-1", None, (PATTERN,))) == "not known here"
            assert engine.unknown(read_code(b"o-33", None, (PATTERN,))) == "not known; O-33 is"
            assert engine.unknown(read_code(b"WO-9", None, (PATTERN,))) is None


def _engine(journal: Journal) -> ShopRules:
    """The rules of a station that starts now."""
    engine = stored_shop(journal, lambda *_, **__: None)[1].engine
    assert isinstance(engine, ShopRules)
    return engine
