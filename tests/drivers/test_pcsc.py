"""Contactless cards through PC/SC, by a service in this process: what is read, refused, lost and found again."""

import pytest

from drivers import DeviceLost, DriverError, Dropped, open_driver, pcsc
from drivers.pcsc import lasting_name, opened
from tests.drivers.hands import Pcscd

ACR = "ACS ACR122U PICC Interface 00 00"
GOOD = b"\x90\x00"


@pytest.fixture
def service(monkeypatch):
    """A smart card service with one reader."""
    monkeypatch.setattr(pcsc, "RETRY_S", 0.02)
    monkeypatch.setattr(pcsc, "RESTART_S", 0.5)
    return Pcscd(ACR)


def test_a_card_that_flickers_at_the_edge_of_the_field_is_one_arrival(service, listen):
    heard = listen(opened(service, {}))
    for _ in range(5):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert heard.read().raw == b"04A1B2C3"
    assert heard.nothing()
    heard.end()


def test_a_card_that_comes_back_later_arrives_again(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.1)
    heard = listen(opened(service, {}))
    for _ in range(2):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        assert heard.read().raw == b"04A1B2C3"
        service.take()
        assert heard.nothing(for_s=0.3)
    heard.end()


def test_a_random_number_is_refused_with_the_reason(service, listen):
    heard = listen(opened(service, {}))
    service.put(b"\x08\xa1\xb2\xc3" + GOOD)
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    assert (dropped.why, dropped.reader) == (
        "The card shows a random number, another one each time (08A1B2C3).",
        "pcsc-ACS ACR122U PICC Interface",
    )
    heard.end()


def test_a_card_that_stays_while_the_service_is_restarted_is_one_arrival(service, listen):
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert heard.read().raw == b"04A1B2C3"
    service.set(running=False)
    assert heard.nothing(for_s=0.1)
    service.set(running=True)
    assert heard.nothing(for_s=0.2)
    service.take()
    service.put(b"\x04\xff\xff\xff" + GOOD)
    assert heard.read().raw == b"04FFFFFF"
    heard.end()


def test_a_service_that_stays_away_is_a_lost_reader(service, listen):
    heard = listen(opened(service, {}))
    service.set(running=False)
    lost = heard.next()
    assert isinstance(lost, DeviceLost)
    assert str(lost) == (
        "pcsc-ACS ACR122U PICC Interface is out of reach: the smart card service pcscd has ended. "
        "Cards are read while it is plugged in and pcscd runs. "
        "Plug it in again, or start pcscd: sudo systemctl start pcscd.socket; it is used again at once."
    )


def test_without_the_service_the_reader_is_refused_and_what_to_do_is_said(service):
    service.set(running=False)
    with pytest.raises(DriverError) as refused:
        opened(service, {})
    assert str(refused.value) == (
        "The smart card service pcscd is not running here. Readers of kind 'pcsc' are reached through it. "
        "Install and start it: sudo apt-get install pcscd, then sudo systemctl enable --now pcscd.socket"
    )


def test_a_match_picks_one_of_two_readers(service):
    service.set(names=[ACR, "OMNIKEY 5022 CL 01 00"])
    assert opened(service, {"match": "omnikey"}).reader == "pcsc-OMNIKEY 5022 CL"
    with pytest.raises(DriverError) as refused:
        opened(service, {"match": "elatec"})
    assert str(refused.value) == (
        "No smart card reader 'elatec' is plugged in. "
        "pcscd knows these: ACS ACR122U PICC Interface 00 00, OMNIKEY 5022 CL 01 00. "
        "Plug it in, or correct match; `pcsc_scan` shows what pcscd sees."
    )


def test_two_readers_of_one_make_keep_their_count():
    twins = [ACR, "ACS ACR122U PICC Interface 01 00"]
    assert [lasting_name(name, twins) for name in twins] == [f"pcsc-{name}" for name in twins]
    assert lasting_name("Reader", ["Reader"]) == "pcsc-Reader"


def test_pyscard_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "smartcard", None)
    with pytest.raises(DriverError) as refused:
        open_driver("pcsc", {})
    assert refused.value.came == "The Python package 'pyscard' is not installed here."
