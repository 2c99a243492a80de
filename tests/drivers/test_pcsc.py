"""Contactless cards through PC/SC, by a service in this process: what is read, refused, lost and found again."""

import time

import pytest

from drivers import DeviceLost, DriverError, Dropped, Gone, boot_ns, open_driver, pcsc
from drivers.decode import acr122
from drivers.pcsc import lasting_name, opened
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


def test_a_card_that_was_taken_away_leaves_while_nothing_else_comes(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "WAIT_S", 0.05)
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.3)
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = heard.read()
    time.sleep(0.5)  # it lies there: not read again, and not gone
    assert heard.gone.empty()
    service.take()
    taken_ns = boot_ns()
    gone = heard.gone.get(timeout=2)
    assert gone == Gone("pcsc", heard_name(service), gone.boot_ns, read.boot_ns, b"04A1B2C3", 1)
    assert abs(gone.boot_ns - taken_ns) < 0.1e9
    heard.end()


def heard_name(service):
    return lasting_name(service.names[0], service.names)


def test_each_sighting_of_a_card_that_flickers_is_counted(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "WAIT_S", 0.05)
    monkeypatch.setattr(pcsc, "LEAVE_S", 0.3)
    heard = listen(opened(service, {}))
    for _ in range(3):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    assert heard.read().raw == b"04A1B2C3"
    assert heard.gone.get(timeout=2).seen == 3
    heard.end()


def test_a_lost_reader_has_lost_its_card_and_a_closed_one_has_not(service, listen):
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    heard.end()
    assert heard.gone.empty()
    heard = listen(opened(service, {}))
    heard.read()
    service.set(names=[])
    assert isinstance(heard.next(), DeviceLost)
    assert heard.gone.get(timeout=1).raw == b"04A1B2C3"


def test_the_texts_on_a_card_come_with_its_number(service, listen):
    service.atr, service.answers = ULTRALIGHT, READS
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = heard.read()
    assert (read.raw, read.tag, read.texts) == (b"04A1B2C3", True, (b"WO-1042",))
    assert service.sent == [acr122.BEEP_OFF, *READS]
    heard.end()


@pytest.mark.parametrize("leaves_at", [0, 1])
def test_a_card_that_leaves_before_its_texts_are_read_is_its_number(service, listen, leaves_at):
    service.atr, service.answers = ULTRALIGHT, {**READS, list(READS)[leaves_at]: None}
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = heard.read()
    assert (read.raw, read.texts) == (b"04A1B2C3", ())
    heard.end()


def test_reading_the_texts_ends_in_time(service, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "NDEF_S", 0.0)
    service.atr, service.answers = ULTRALIGHT, READS
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert heard.read().texts == ()
    heard.end()


def test_a_card_that_needs_a_key_is_asked_nothing_but_its_number(listen):
    service = Pcscd(OMNIKEY)
    service.atr = CLASSIC
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert heard.read().texts == ()
    assert service.sent == []
    heard.end()


def test_a_card_is_read_without_the_library_for_texts(service, listen, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ndef", None)
    service.atr, service.answers = ULTRALIGHT, READS
    heard = listen(opened(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert heard.read().texts == ()
    heard.end()


def test_an_acr122_is_silenced_when_it_is_opened_or_at_its_first_card(service, listen):
    service.reader_says = b"\x90\x00"
    opened(service, {}).close()
    assert (service.controls, service.sent) == ([acr122.BEEP_OFF], [])
    service.reader_says = b""  # the driver passes no commands to the reader itself
    service.answers = {acr122.BEEP_OFF: GOOD}
    heard = listen(opened(service, {}))
    for _ in range(2):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    heard.read()
    heard.end()
    assert service.sent == [acr122.BEEP_OFF]


@pytest.mark.parametrize("state", ["green", "amber", "red"])
def test_an_answer_is_shown_through_the_card_that_lies_there(service, listen, state):
    service.answers = dict.fromkeys((acr122.BEEP_OFF, *acr122.TOLD.values()), b"\x90\x02")
    driver = opened(service, {})
    controls = list(service.controls)
    heard = listen(driver)
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    driver.tell(state)
    wait_until(lambda: service.sent[1:] == [acr122.TOLD[state]])
    assert service.controls == controls
    assert heard.nothing(for_s=0.1)
    heard.end()


def test_an_answer_is_shown_by_the_reader_itself_where_the_card_is_gone(service, listen):
    service.reader_says = b"\x90\x02"
    driver = opened(service, {})
    heard = listen(driver)
    driver.tell("red")
    wait_until(lambda: service.controls[1:] == [acr122.TOLD["red"]])
    driver.tell("blue")  # no answer has this colour
    assert heard.nothing(for_s=0.1)
    assert len(service.controls) == 2
    service.set(running=False)
    driver.tell("green")  # nobody hears it, and nothing is raised
    heard.end()


def test_other_readers_are_told_nothing(listen):
    service = Pcscd(OMNIKEY)
    driver = opened(service, {})
    heard = listen(driver)
    driver.tell("green")
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    assert (service.controls, service.sent) == ([], [])
    heard.end()


def wait_until(true, within_s=5):
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_no_answer_keeps_the_reader_longer_than_is_said():
    for command in acr122.TOLD.values():
        t1, t2, times, sound = command[5:]
        assert (t1 + t2) * times / 10 <= acr122.LONGEST_S
        assert sound == 1
    lights = {state: (command[3] & 1, command[3] >> 1 & 1) for state, command in acr122.TOLD.items()}
    assert lights == {"green": (0, 1), "amber": (1, 1), "red": (1, 0)}
    assert all(command[3] & 0x0C == 0x0C for command in acr122.TOLD.values())


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


def test_two_readers_alike_are_opened_one_after_the_other_and_none_twice(service):
    twin = "ACS ACR122U PICC Interface 01 00"
    service.set(names=[ACR, twin])
    first, second = opened(service, {}), opened(service, {})
    assert [first.reader, second.reader] == [f"pcsc-{ACR}", f"pcsc-{twin}"]
    with pytest.raises(DriverError, match="No other smart card reader is plugged in"):
        opened(service, {})
    second.close()
    again = opened(service, {"match": "picc"})
    assert again.reader == second.reader
    first.close()
    again.close()


def test_a_wait_that_ends_while_it_is_cancelled_ends_no_station(monkeypatch):
    from drivers.scard import Scard

    left = iter([7, None, None])
    asked = []
    monkeypatch.setattr(Scard, "_context", property(lambda _: next(left), lambda *_: None), raising=False)
    service = Scard.__new__(Scard)

    def cancel(context):
        if context is None:  # what pyscard does with it
            raise TypeError
        asked.append(context)

    service._api = type("Api", (), {"SCardCancel": staticmethod(cancel)})
    service.cancel()  # its reading thread leaves pcscd at this very moment
    assert asked == [7]
    service.cancel()
    assert asked == [7]
