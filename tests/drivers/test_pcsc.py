"""Contactless cards through PC/SC: a card that flickers arrives and leaves once; a random number is refused."""

import time

from drivers import DeviceLost, Dropped, TagRemoved, boot_ns
from drivers.pcsc import PcscTimings, open_reader
from drivers.platform.pcsc_devices import lasting_name
from tests.drivers.fixtures.pcsc_names import GOOD

QUICK = PcscTimings(wait_s=0.05, leave_s=0.3)


def test_a_card_that_flickers_at_the_edge_of_the_field_is_one_arrival(service, listen):
    outcomes = listen(open_reader(service, {}))
    for _ in range(5):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert outcomes.read().raw == b"04A1B2C3"
    assert outcomes.nothing()
    outcomes.end()


def test_a_card_that_comes_back_later_arrives_again(service, listen):
    outcomes = listen(open_reader(service, {}, timings=PcscTimings(leave_s=0.1)))
    for _ in range(2):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        assert outcomes.read().raw == b"04A1B2C3"
        service.take()
        assert outcomes.nothing(for_s=0.3)
    outcomes.end()


def test_a_removed_card_leaves_without_further_events(service, listen):
    outcomes = listen(open_reader(service, {}, timings=QUICK))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = outcomes.read()
    time.sleep(0.5)  # it stays: no new read and no departure
    assert outcomes.gone.empty()
    service.take()
    taken_ns = boot_ns()
    gone = outcomes.gone.get(timeout=2)
    assert gone == TagRemoved("pcsc", heard_name(service), gone.boot_ns, read.boot_ns, b"04A1B2C3", 1)
    assert abs(gone.boot_ns - taken_ns) < 0.1e9
    outcomes.end()


def heard_name(service):
    return lasting_name(service.names[0], service.names)


def test_each_sighting_of_a_card_that_flickers_is_counted(service, listen):
    outcomes = listen(open_reader(service, {}, timings=QUICK))
    for _ in range(3):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert outcomes.read().raw == b"04A1B2C3"
    assert outcomes.gone.get(timeout=2).seen == 3
    outcomes.end()


def test_a_lost_reader_has_lost_its_card_and_a_closed_one_has_not(service, listen):
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    outcomes.read()
    outcomes.end()
    assert outcomes.gone.empty()
    outcomes = listen(open_reader(service, {}))
    outcomes.read()
    service.set(names=[])
    assert isinstance(outcomes.next(), DeviceLost)
    assert outcomes.gone.get(timeout=1).raw == b"04A1B2C3"


def test_a_random_number_is_refused_with_the_reason(service, listen):
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x08\xa1\xb2\xc3" + GOOD)
    dropped = outcomes.next()
    assert isinstance(dropped, Dropped)
    assert (dropped.why, dropped.reader) == (
        "The card shows a random number, another one each time (08A1B2C3).",
        "pcsc-ACS ACR122U PICC Interface",
    )
    outcomes.end()
