"""The real pcscd with a virtual reader: cards come and go, and the daemon is killed and started again."""

import pytest

from drivers import DeviceLost, DriverError, Dropped, open_driver, pcsc
from drivers.decode.tags import acr122
from tests.drivers.fixtures.nfc_cards import ULTRALIGHT_ATR, Type2, Type4, text_message
from tests.drivers.fixtures.pcscd_service import THERE_S, Card, wait_until

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("pcscd")]


def test_cards_are_read_as_they_come_and_go(reader, daemon, listen):
    heard = listen(reader)
    for uid in ("04A1B2C3", "04112233445566"):
        card = Card(daemon.port, bytes.fromhex(uid) + b"\x90\x00")
        read = heard.read()
        assert (read.raw, read.kind, read.reader) == (uid.encode(), "pcsc", "pcsc-Virtual PCD 00 00")
        card.take()
        assert heard.gone.get(timeout=THERE_S).raw == read.raw
    heard.end()  # and nothing else was said


UID = bytes.fromhex("04112233445566")
CARDS = {
    "type 2": (Type2, ULTRALIGHT_ATR),
    "type 4": (Type4, bytes.fromhex("3B8180018080")),
}


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("length", [7, 600])
def test_the_texts_of_a_card_come_with_its_number(reader, daemon, listen, monkeypatch, kind, length):
    monkeypatch.setattr(pcsc, "NDEF_S", 10)  # each answer of the virtual reader takes 40 ms of TCP's own
    made, atr = CARDS[kind]
    text = b"WO-1042" if length == 7 else b"x" * length
    heard = listen(reader)
    card = Card(daemon.port, UID + b"\x90\x00", atr=atr, answer=made(text_message(text)))
    read = heard.read()
    assert (read.raw, read.tag, read.texts) == (UID.hex().upper().encode(), True, (text,))
    writes = [command for command in card.heard if command[1] in (0xD0, 0xD6, 0xDA, 0xDB, 0xE0)]
    assert (writes, card.heard != []) == ([], True)
    card.take()
    assert heard.gone.get(timeout=THERE_S).raw == read.raw
    heard.end()


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("commands", [1, 2, 4])
def test_a_card_that_is_pulled_while_its_texts_are_read_is_its_number(reader, daemon, listen, kind, commands):
    made, atr = CARDS[kind]
    whole = made(text_message(b"x" * 600))
    left = iter(range(commands))
    heard = listen(reader)
    Card(
        daemon.port,
        UID + b"\x90\x00",
        atr=atr,
        answer=lambda command: None if next(left, None) is None else whole(command),
    )
    read = heard.read()
    assert (read.raw, read.texts) == (UID.hex().upper().encode(), ())
    assert heard.gone.get(timeout=THERE_S).raw == read.raw
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert heard.read().raw == b"04FFFFFF"  # the reader reads on
    card.take()
    heard.end()


@pytest.mark.parametrize("daemon", ["ACS ACR122U PICC Interface"], indirect=True)
def test_an_acr122_is_silenced_and_shows_the_answer_through_the_card(reader, daemon, listen):
    heard = listen(reader)
    lit = (acr122.BEEP_OFF, *acr122.STATES.values())
    card = Card(daemon.port, UID + b"\x90\x00", answer=lambda command: b"\x90\x02" if command in lit else b"\x6a\x81")
    assert heard.read().raw == UID.hex().upper().encode()
    reader.show_state("green")
    wait_until(lambda: acr122.STATES["green"] in card.heard, card.heard)
    assert card.heard == [acr122.BEEP_OFF, acr122.STATES["green"]]
    card.take()
    assert heard.gone.get(timeout=THERE_S).seen == 1  # the light was no other card
    reader.show_state("red")  # no card, and this reader's driver passes nothing on: nothing happens
    wait_until(lambda: reader._pending_state is None, "nobody took the answer")
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert heard.read().raw == b"04FFFFFF"
    assert acr122.STATES["red"] not in card.heard
    card.take()
    heard.end()


def test_a_random_number_is_refused(reader, daemon, listen):
    heard = listen(reader)
    card = Card(daemon.port, bytes.fromhex("08A1B2C39000"))
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card shows a random number, another one each time (08A1B2C3)."
    card.take()
    heard.end()


def test_the_same_reader_reads_on_when_pcscd_was_killed_and_started_again(reader, daemon, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "RESTART_S", THERE_S)
    heard = listen(reader)
    card = Card(daemon.port, bytes.fromhex("04A1B2C39000"))
    assert heard.read().raw == b"04A1B2C3"
    card.take()
    daemon.kill()
    daemon.start()
    card = Card(daemon.port, bytes.fromhex("04FFFFFF9000"))
    assert heard.read().raw == b"04FFFFFF"
    card.take()
    heard.end()


def test_a_pcscd_that_stays_away_loses_the_reader_and_a_new_one_is_opened_later(reader, daemon, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "RESTART_S", 0.5)
    heard = listen(reader)
    daemon.kill()
    assert isinstance(heard.next(), DeviceLost)
    with pytest.raises(DriverError) as refused:
        open_driver("pcsc", {})
    assert refused.value.came == "The smart card service pcscd is not running here."
    daemon.start()


def test_a_reader_that_nobody_uses_costs_nothing_and_is_closed_at_once(reader, listen):
    heard = listen(reader)
    assert heard.nothing(for_s=2.5)  # what it costs is counted over a time
    heard.end()
    assert heard.cpu_s < 0.05
