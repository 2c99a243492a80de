"""What the tests of card readers share: readers and cards by the names and answers that the service gives them."""

import pytest

from drivers import pcsc
from tests.drivers.hands import Pcscd

ACR = "ACS ACR122U PICC Interface 00 00"
OMNIKEY = "OMNIKEY 5022 CL 00 00"
GOOD = b"\x90\x00"
ULTRALIGHT = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
CLASSIC = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
TEXT = bytes.fromhex("D1010A5402656E574F2D31303432")  # WO-1042
PAGES = bytes.fromhex("E1101200") + bytes((3, len(TEXT))) + TEXT + b"\xfe" + bytes(16)
READS = {bytes((0xFF, 0xB0, 0, page, 16)): PAGES[4 * page - 12 :][:16] + GOOD for page in (3, 7)}


@pytest.fixture
def service(monkeypatch):
    """A smart card service with one reader."""
    monkeypatch.setattr(pcsc, "RETRY_S", 0.02)
    monkeypatch.setattr(pcsc, "RESTART_S", 0.5)
    return Pcscd(ACR)
