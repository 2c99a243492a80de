"""The event: what is kept, what is refused, and that nothing else ever comes out of bytes than an event or a clear no."""

import contextlib
import json
import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from station.core import hash_chain
from station.core.event import (
    MAX_SCAN_BYTES,
    Event,
    EventError,
    FutureEvent,
    Reader,
    decode,
    encode,
)


def a_scan(**changes: object) -> Event:
    """A bare scan; `changes` replace its fields."""
    fields = {"kind": "scan", "station": "saw-1", "sw": "0.1.0", "raw": b"WO-1", **changes}
    return Event(**fields)  # type: ignore[arg-type]


def test_fields_that_this_version_does_not_know_are_passed_over_and_stay_in_the_bytes() -> None:
    assert decode(b'{"kind":"scan","new":{"a":[1]},"station":"saw-1","v":1,"sw":"0.1.0","raw":"V08tMQ=="}') == a_scan()


def test_a_later_version_is_named_as_such() -> None:
    with pytest.raises(FutureEvent, match=re.escape("Event of version 9; this software reads up to 1.")):
        decode(b'{"v":9,"anything":true}')


def test_an_empty_text_is_refused_when_written_and_held_when_read() -> None:
    with pytest.raises(EventError, match="`reason` is empty"):
        encode(a_scan(reason=""))
    assert decode(b'{"v":1,"kind":"scan","station":"s","sw":"1","reason":""}').reason == ""


@pytest.mark.parametrize("qty", [0, 10**12 + 1, 2**64])
def test_a_quantity_out_of_bounds_is_refused_when_written(qty: int) -> None:
    with pytest.raises(EventError):
        encode(a_scan(qty_milli=qty))
    encode(a_scan(qty_milli=10**12))


def test_a_scan_has_at_most_its_bytes() -> None:
    room = MAX_SCAN_BYTES - len(encode(a_scan(load="x"))) + 1
    assert len(encode(a_scan(load="x" * room))) == MAX_SCAN_BYTES
    with pytest.raises(EventError, match=f"has {MAX_SCAN_BYTES + 1} bytes; expected at most {MAX_SCAN_BYTES}"):
        encode(a_scan(load="x" * (room + 1)))


@given(st.one_of(st.binary(max_size=200), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_an_event_or_a_clear_no(encoded: bytes) -> None:
    with contextlib.suppress(EventError):
        assert isinstance(decode(encoded), Event)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
        lambda inner: st.one_of(
            st.lists(inner), st.dictionaries(st.sampled_from([*Event.__struct_fields__, "from"]), inner)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_an_event_or_a_clear_no(value: object) -> None:
    body = {
        "v": 1,
        "kind": "scan",
        "station": "s",
        "sw": "1",
        **(value if isinstance(value, dict) else {"data": value}),
    }
    with contextlib.suppress(EventError):
        assert isinstance(decode(json.dumps(body).encode()), Event)


@pytest.mark.parametrize("hostile", [b"[" * 200_000, b'{"v":1,"data":' + b'{"a":' * 200_000, b'{"v":1e999}'])
def test_a_hostile_depth_or_number_is_a_clear_no(hostile: bytes) -> None:
    with pytest.raises(EventError):
        decode(hostile)


@given(st.text(min_size=1), st.binary(min_size=1, max_size=100), st.text(min_size=1))
def test_what_is_written_is_read_back(stage: str, raw: bytes, reader: str) -> None:
    try:
        encoded = encode(a_scan(stage=stage, raw=raw, reader=Reader("keyboard", reader)))
    except EventError:
        assert any("\ud800" <= character <= "\udfff" for character in stage + reader)
        return
    assert decode(encoded) == a_scan(stage=stage, raw=raw, reader=Reader("keyboard", reader))


@given(st.lists(st.binary(max_size=40), min_size=2, max_size=6, unique=True), st.data())
def test_a_chain_shows_an_edit_a_gap_and_a_swap(events: list[bytes], data: st.DataObject) -> None:
    def tip(of: list[bytes]) -> bytes:
        previous = hash_chain.genesis(bytes(16))
        for each in of:
            previous = hash_chain.link(previous, each)
        return previous

    place = data.draw(st.integers(0, len(events) - 2))
    edited = [*events[:place], events[place] + b"!", *events[place + 1 :]]
    gap = events[:place] + events[place + 1 :]
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    assert len({tip(events), tip(edited), tip(gap), tip(swapped)}) == 4


def test_a_boot_id_of_another_form_is_hashed_down() -> None:
    assert hash_chain.boot_bytes("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0").hex() == "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    assert len(hash_chain.boot_bytes("not a uuid")) == 16
