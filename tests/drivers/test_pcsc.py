"""Contactless cards through PC/SC: a card arrives and leaves once, however it flickers; a random number is refused."""

import time

from drivers import DeviceLost, Dropped, TagRemoved, boot_ns, pcsc
from drivers.pcsc import open_reader
from drivers.platform.pcsc_devices import lasting_name
from tests.drivers.fixtures.pcsc_names import GOOD


def test_a_card_that_flickers_at_the_edge_of_the_field_is_one_arrival(service, listen):
    heard = listen(open_reader(service, {}))
    for _ in range(5):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert heard.read().raw == b"04A1B2C3"
    assert heard.nothing()
    heard.end()


def test_a_card_that_comes_back_later_arrives_again(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.1)
    heard = listen(open_reader(service, {}))
    for _ in range(2):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        assert heard.read().raw == b"04A1B2C3"
        service.take()
        assert heard.nothing(for_s=0.3)
    heard.end()


def test_a_card_that_was_taken_away_leaves_while_nothing_else_comes(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "WAIT_S", 0.05)
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.3)
    heard = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = heard.read()
    time.sleep(0.5)  # it lies there: not read again, and not gone
    assert heard.gone.empty()
    service.take()
    taken_ns = boot_ns()
    gone = heard.gone.get(timeout=2)
    assert gone == TagRemoved("pcsc", heard_name(service), gone.boot_ns, read.boot_ns, b"04A1B2C3", 1)
    assert abs(gone.boot_ns - taken_ns) < 0.1e9
    heard.end()


def heard_name(service):
    return lasting_name(service.names[0], service.names)


def test_each_sighting_of_a_card_that_flickers_is_counted(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "WAIT_S", 0.05)
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.3)
    heard = listen(open_reader(service, {}))
    for _ in range(3):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert heard.read().raw == b"04A1B2C3"
    assert heard.gone.get(timeout=2).seen == 3
    heard.end()


def test_a_lost_reader_has_lost_its_card_and_a_closed_one_has_not(service, listen):
    heard = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    heard.end()
    assert heard.gone.empty()
    heard = listen(open_reader(service, {}))
    heard.read()
    service.set(names=[])
    assert isinstance(heard.next(), DeviceLost)
    assert heard.gone.get(timeout=1).raw == b"04A1B2C3"


def test_a_random_number_is_refused_with_the_reason(service, listen):
    heard = listen(open_reader(service, {}))
    service.put(b"\x08\xa1\xb2\xc3" + GOOD)
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    assert (dropped.why, dropped.reader) == (
        "The card shows a random number, another one each time (08A1B2C3).",
        "pcsc-ACS ACR122U PICC Interface",
    )
    heard.end()
