"""What the tests of HID POS scanners share: each maker's, what their reports say, and descriptors of every kind."""

import pytest
from hypothesis import strategies as st

from drivers.decode.hidpos import REST_S
from drivers.decode.line import Sent
from tests.drivers.hid_devices import MAKERS

MS = 1_000_000
REST_NS = int(REST_S * 1000) * MS
LONG = b"[)>\x1e06\x1dPWO-1042\x1dQ5\x1e\x04" * 20  # 440 bytes: it ends nowhere with a report


@pytest.fixture(params=MAKERS)
def maker(request):
    return MAKERS[request.param]


@pytest.fixture
def honeywell():
    return MAKERS["honeywell"]


def fed(scans, *reports, now_ns=0):
    return [outcome for report in reports for outcome in scans.feed(report, now_ns)]


def raws(outcomes):
    return [outcome.scan.raw if isinstance(outcome, Sent) else outcome for outcome in outcomes]


ITEMS = [
    *(bytes([prefix, value]) for prefix in (0x05, 0x75, 0x95, 0x85, 0x15) for value in (0, 1, 2, 8, 0x8C, 0xFF)),
    *(bytes([prefix, value]) for prefix in (0x09, 0x19, 0x29) for value in (2, 0x3B, 0x86, 0xFB, 0xFD, 0xFE, 0xFF)),
    b"\x81\x02", b"\x81\x03", b"\x82\x02\x01", b"\x91\x02", b"\x91\x00", b"\xb1\x02", b"\xa1\x01", b"\xc0", b"\xa4", b"\xb4",
    b"\xa9\x01", b"\xa9\x00", b"\xfe\x01\x00\x00", b"\x0b\xfe\x00\x8c\x00", b"\x97\xff\xff\xff\xff", b"\x96\x00\x02",
]  # fmt: skip
DESCRIPTORS = st.one_of(
    st.binary(max_size=64),
    st.lists(st.sampled_from(ITEMS), max_size=60).map(b"".join),
    st.builds(
        lambda maker, at, put: maker[:at] + put + maker[at + len(put) :],
        st.sampled_from([each.descriptor for each in MAKERS.values()]),
        st.integers(0, 130),
        st.binary(max_size=3),
    ),
)
"""Noise, lists of items as they come, and makers' descriptors with a few bytes changed."""
