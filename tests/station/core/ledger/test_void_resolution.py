"""Who counts: voids of voids, rings, copies and corrections, whatever arrived first."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.core.event import Event, EventIdentity, encode
from station.core.event import LogPosition as Ref
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.times import LATEST_US, OrderKey
from station.core.ledger.void_resolution import (
    Correction,
    CountedIdentity,
    PositionKey,
    corrected,
    correction,
    effective,
    first_copies,
    is_fact,
    item_event,
    named_by_void,
    read,
    voided,
)

A, B = "aa" * 16, "bb" * 16
HASH = "0f" * 32


def place(seq: int) -> PositionKey:
    return PositionKey(A, seq)


@pytest.mark.parametrize(
    ("names", "void"),
    [
        ({}, set()),
        ({2: 1}, {1}),
        ({2: 1, 3: 2}, {2}),
        ({2: 1, 3: 2, 4: 3}, {1, 3}),
        ({2: 1, 3: 1, 4: 3}, {1, 3}),  # one of two voids was taken back
        ({2: 3, 3: 2}, set()),  # a ring has no effect
        ({2: 2}, set()),  # nor has a void of itself
        ({2: 3, 3: 2, 4: 2}, {2}),  # from outside a ring is reached
        ({1: 2, 2: 3, 3: 2, 9: 8}, {2, 8}),
    ],
)
def test_an_event_is_void_if_an_unvoided_void_names_it(names: dict[int, int], void: set[int]) -> None:
    edges = {place(one): place(other) for one, other in names.items()}
    assert voided(edges) == {place(seq) for seq in void}


def test_a_closed_period_is_reopened_and_never_voided() -> None:
    assert voided({place(2): place(1), place(4): place(3)}, frozenset({place(1)})) == {place(3)}


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(1, 12), st.integers(1, 12)), st.randoms(use_true_random=False))
def test_voids_are_a_set(names: dict[int, int], chance: random.Random) -> None:
    items = list(names.items())
    found = voided({place(one): place(other) for one, other in items})
    chance.shuffle(items)
    assert voided({place(one): place(other) for one, other in items}) == found
    in_ring = {one for one in names if _returns(names, one)}
    for seq in {*names, *names.values()}:
        by = [one for one, other in names.items() if other == seq and one not in in_ring and place(one) not in found]
        assert (place(seq) in found) == bool(by)


def _returns(names: dict[int, int], start: int) -> bool:
    at, seen = names.get(start), set()
    while at is not None and at not in seen:
        if at == start:
            return True
        seen.add(at)
        at = names.get(at)
    return False


def test_a_void_is_scanned_or_entered() -> None:
    undo = Event(kind="scan", station="s", sw="t", raw=b"WIP:UNDO", action="void", ref=Ref(A, 3))
    entered = Event(kind="entry", station="hub", sw="t", what="void", data={"log": A.upper(), "seq": 3})
    assert (named_by_void(undo), named_by_void(entered)) == (PositionKey(A, 3), PositionKey(A, 3))


@pytest.mark.parametrize(
    "data",
    [{}, {"log": A}, {"log": "x", "seq": 1}, {"log": A, "seq": 0}, {"log": A, "seq": 2**63}, {"log": 1, "seq": "1"}],
)
def test_a_void_that_names_nothing_does_nothing(data: dict[str, object]) -> None:
    assert named_by_void(Event(kind="entry", station="hub", sw="t", what="void", data=data)) is None


def test_for_each_field_the_later_recorded_correction_wins() -> None:
    first = Correction((10, A, 1), A, 5, 9, {"stage": "saw", "item": "WO-1"})
    second = Correction((11, A, 2), A, 7, 7, {"stage": "weld"})
    elsewhere = Correction((12, A, 3), B, 1, 99, {"stage": "pack"})
    every = [second, elsewhere, first]
    assert corrected([PositionKey(A, 7)], every) == {"stage": "weld", "item": "WO-1"}
    assert corrected([PositionKey(A, 8)], every) == {"stage": "saw", "item": "WO-1"}
    assert corrected([PositionKey(A, 10)], every) == {}


def test_a_correction_keeps_to_what_may_be_corrected() -> None:
    data = {"log": A, "from_seq": 2, "to_seq": 4, "set": {"stage": "saw", "raw": "x", "qty_milli": -1, "operator": ""}}
    said = Event(kind="entry", station="hub", sw="t", what="correct", data=data)
    assert correction(said, (1, A, 9)) == Correction((1, A, 9), A, 2, 4, {"stage": "saw"})
    assert (
        correction(
            Event(kind="entry", station="hub", sw="t", what="correct", data={"log": A, "from_seq": 2}), (1, A, 9)
        )
        is None
    )


def test_of_several_copies_the_one_at_its_own_place_counts() -> None:
    counted, other = CountedIdentity(A, 3, HASH), CountedIdentity(A, 3, "f0" * 32)
    copies = [
        (counted, PositionKey(B, 9)),
        (counted, PositionKey(B, 7)),
        (other, PositionKey(B, 8)),
        (counted, PositionKey(A, 3)),
    ]
    assert first_copies(copies) == {counted: PositionKey(A, 3), other: PositionKey(B, 8)}
    assert first_copies(copies[:2]) == {counted: PositionKey(B, 7)}


def test_a_salvage_counts_as_what_it_saved() -> None:
    lost = Event(kind="scan", station="s", sw="t", raw=b"WO-1")
    saved = Event(kind="salvage", station="s", sw="t", from_=EventIdentity(A, 3, HASH), body=encode(lost))
    found = read(B, 9, "11" * 32, encode(saved))
    assert (found.status, found.event, found.counted) == ("ok", lost, CountedIdentity(A, 3, HASH))


def test_what_was_sent_again_counts_at_its_first_place() -> None:
    again = Event(kind="scan", station="s", sw="t", raw=b"WO-1", origin=EventIdentity(A, 3, HASH))
    assert read(B, 9, "11" * 32, encode(again)).counted == CountedIdentity(A, 3, HASH)


@pytest.mark.parametrize(
    ("encoded", "status"),
    [
        (b"", "not_understood"),
        (b"\x00\xff", "not_understood"),
        (b"[" * 5000, "not_understood"),
        (b'{"v":99}', "future"),
        (b'{"v":1,"kind":"scan","station":"s","sw":"t","unread":"no"}', "ok"),
        (b'{"v":1,"kind":"scan","station":"s","sw":"t","origin":{"log":"x","seq":1,"hash":"y"}}', "not_understood"),
        (b'{"v":1,"kind":"salvage","station":"s","sw":"t"}', "not_understood"),
        (b'{"v":1,"kind":"entry","station":"s","sw":"t","what":"w","data":{"n":%d}}' % 10**30, "not_understood"),
        (b'{"v":1,"kind":"scan","station":"s","sw":"t","later_field":[1]}', "ok"),
    ],
)
def test_every_byte_string_has_a_status(encoded: bytes, status: str) -> None:
    assert read(A, 1, HASH, encoded).status == status


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(encoded: bytes) -> None:
    assert read(A, 1, HASH, encoded).status in {"ok", "future", "not_understood"}


def test_an_entry_acts_when_it_says_except_what_acts_on_the_set() -> None:
    recorded = OrderKey(50, 40, 60, approx=False)
    said = Event(kind="entry", station="hub", sw="t", what="adjust", holds_from_us=7)
    void = Event(kind="entry", station="hub", sw="t", what="void", holds_from_us=7)
    never = Event(kind="entry", station="hub", sw="t", what="adjust", holds_from_us=2**63 - 1)
    assert effective(said, recorded) == OrderKey(7, 7, 7, approx=False)
    assert effective(void, recorded) == recorded
    assert effective(never, recorded).us == LATEST_US


def test_a_fact_says_what_holds() -> None:
    scan = Event(kind="scan", station="s", sw="t", raw=b"WO-1", stage="saw", action="scrap", qty_milli=5, operator="7")
    put = {"stage": "weld", "action": None, "qty_milli": 9, "item": "WO-2"}
    assert item_event(scan, CountedIdentity(A, 3, HASH), OrderKey(5, 4, 6, approx=False), put) == ItemEvent(
        key_us=5, lo_us=4, hi_us=6, log=A, seq=3, verb="", station="s", stage="weld", operator="7", qty_milli=9
    )


def test_a_checkin_states_what_a_scan_would_have() -> None:
    data = {"code": "WO-1", "stage": "saw", "action": "in", "qty_milli": 9, "operator": "12", "carrier": 5}
    entry = Event(kind="entry", station="hub", sw="t", by="Ann", what="checkin", data=data)
    assert item_event(entry, CountedIdentity(A, 3, HASH), OrderKey(5, 4, 6, approx=False), {}) == ItemEvent(
        key_us=5, lo_us=4, hi_us=6, log=A, seq=3,
        verb="in", station="hub", stage="saw", operator="12", qty_milli=9, data=data,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "states"),
    [
        (Event(kind="scan", station="s", sw="t", raw=b"x"), True),
        (Event(kind="scan", station="s", sw="t", raw=b"x", scheme="command"), False),
        (Event(kind="scan", station="s", sw="t", raw=b"x", scheme="badge"), False),
        (Event(kind="scan", station="s", sw="t", raw=b"x", action="void"), False),
        (Event(kind="scan", station="s", sw="t", raw=b"x", action="call"), False),
        (Event(kind="entry", station="s", sw="t", what="note"), True),
        (Event(kind="anchor", station="s", sw="t"), False),
    ],
)
def test_cards_and_clocks_state_nothing_about_items(event: Event, states: bool) -> None:
    assert is_fact(event) is states
