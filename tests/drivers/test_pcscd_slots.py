"""The real pcscd with a virtual reader of two slots: both are read, and they are one reader."""

import pytest

from drivers import open_driver
from drivers.platform.pcsc_adapter import PyscardService
from tests.drivers.fixtures.pcscd_service import Card, opened_when_there

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("pcscd")]
SLOTS = ["Virtual PCD 00 00", "Virtual PCD 00 01"]


def test_cards_are_read_on_both_slots_by_one_reader(daemon, listen):
    for name in SLOTS:  # pcscd lists both
        opened_when_there(name, daemon).close()
    outcomes = listen(open_driver("pcsc", {}))
    for slot, uid in enumerate(("04A1B2C3", "04112233")):
        card = Card(daemon.port + slot, bytes.fromhex(uid) + b"\x90\x00")
        read = outcomes.read()
        assert (read.raw, read.reader) == (uid.encode(), "pcsc-Virtual PCD")
        card.take()
        assert outcomes.gone.get(timeout=10).raw == read.raw
    outcomes.end()


def test_a_reader_that_is_plugged_in_nowhere_tells_no_place(daemon):
    opened_when_there(SLOTS[0], daemon).close()
    service = PyscardService()
    service.connect()
    assert set(service.readers()) <= set(SLOTS)
    assert [service.usb(name) for name in (*service.readers(), "No such reader")] == [None] * (
        len(service.readers()) + 1
    )
    service.close()
