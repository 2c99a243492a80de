"""The real pcscd with a virtual reader: cards are put on and removed, and the daemon is killed and restarted."""

import pytest

from drivers import DeviceLost, DriverError, Dropped, open_driver
from drivers.decode.tags import acr122
from drivers.pcsc import PcscTimings
from drivers.platform.pcsc_adapter import PyscardService
from tests.drivers.fixtures.nfc_cards import ULTRALIGHT_ATR, Type2, Type4, text_message
from tests.drivers.fixtures.pcscd_service import READER, THERE_S, Card, opened_when_there, wait_until

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("pcscd")]


def test_cards_are_read_as_they_come_and_go(reader, daemon, listen):
    outcomes = listen(reader)
    for uid in ("04A1B2C3", "04112233445566"):
        card = Card(daemon.port, bytes.fromhex(uid) + b"\x90\x00")
        read = outcomes.read()
        assert (read.raw, read.kind, read.reader) == (uid.encode(), "pcsc", "pcsc-Virtual PCD 00 00")
        card.take()
        assert outcomes.gone.get(timeout=THERE_S).raw == read.raw
    outcomes.end()  # no further outcome


UID = bytes.fromhex("04112233445566")
CARDS = {
    "type 2": (Type2, ULTRALIGHT_ATR),
    "type 4": (Type4, bytes.fromhex("3B8180018080")),
}


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("length", [7, 600])
def test_the_texts_of_a_card_come_with_its_number(daemon, listen, kind, length):
    patient = PcscTimings(ndef_s=10)  # each response of the virtual reader takes 40 ms because of TCP
    reader = opened_when_there(READER, daemon, patient)
    made, atr = CARDS[kind]
    text = b"WO-1042" if length == 7 else b"x" * length
    outcomes = listen(reader)
    card = Card(daemon.port, UID + b"\x90\x00", atr=atr, answer=made(text_message(text)))
    read = outcomes.read()
    assert (read.raw, read.tag, read.texts) == (UID.hex().upper().encode(), True, (text,))
    writes = [command for command in card.heard if command[1] in (0xD0, 0xD6, 0xDA, 0xDB, 0xE0)]
    assert (writes, card.heard != []) == ([], True)
    card.take()
    assert outcomes.gone.get(timeout=THERE_S).raw == read.raw
    outcomes.end()


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("commands", [1, 2, 4])
def test_a_card_removed_while_its_texts_are_read_has_its_number_alone(reader, daemon, listen, kind, commands):
    made, atr = CARDS[kind]
    whole = made(text_message(b"x" * 600))
    left = iter(range(commands))
    outcomes = listen(reader)
    Card(
        daemon.port,
        UID + b"\x90\x00",
        atr=atr,
        answer=lambda command: None if next(left, None) is None else whole(command),
    )
    read = outcomes.read()
    assert (read.raw, read.texts) == (UID.hex().upper().encode(), ())
    assert outcomes.gone.get(timeout=THERE_S).raw == read.raw
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert outcomes.read().raw == b"04FFFFFF"  # the reader continues
    card.take()
    outcomes.end()


@pytest.mark.parametrize("daemon", ["ACS ACR122U PICC Interface"], indirect=True)
def test_an_acr122_is_silenced_and_shows_the_answer_through_the_card(daemon, listen):
    controls = []

    class Service(PyscardService):
        def control(self, reader, command):
            controls.append(command)
            return super().control(reader, command)

    reader = opened_when_there(READER, daemon, service=Service)
    outcomes = listen(reader)
    lit = (acr122.BEEP_OFF, *acr122.STATES.values())
    card = Card(daemon.port, UID + b"\x90\x00", answer=lambda command: b"\x90\x02" if command in lit else b"\x6a\x81")
    assert outcomes.read().raw == UID.hex().upper().encode()
    reader.show_state("green")
    wait_until(lambda: acr122.STATES["green"] in card.heard, card.heard)
    assert card.heard == [acr122.BEEP_OFF, acr122.STATES["green"]]
    card.take()
    assert outcomes.gone.get(timeout=THERE_S).seen == 1  # the LED command was no other card
    reader.show_state("red")  # without a card, and the driver supports no escape commands: no effect
    wait_until(lambda: acr122.STATES["red"] in controls, controls)
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert outcomes.read().raw == b"04FFFFFF"
    assert acr122.STATES["red"] not in card.heard
    card.take()
    outcomes.end()


def test_a_random_number_is_refused(reader, daemon, listen):
    outcomes = listen(reader)
    card = Card(daemon.port, bytes.fromhex("08A1B2C39000"))
    dropped = outcomes.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card shows a random number, another one each time (08A1B2C3)."
    card.take()
    outcomes.end()


def test_the_same_reader_reads_on_when_pcscd_was_killed_and_started_again(daemon, listen):
    outcomes = listen(opened_when_there(READER, daemon, PcscTimings(restart_s=THERE_S)))
    card = Card(daemon.port, bytes.fromhex("04A1B2C39000"))
    assert outcomes.read().raw == b"04A1B2C3"
    card.take()
    daemon.kill()
    daemon.start()
    card = Card(daemon.port, bytes.fromhex("04FFFFFF9000"))
    assert outcomes.read().raw == b"04FFFFFF"
    card.take()
    outcomes.end()


def test_a_pcscd_that_stays_away_loses_the_reader_and_a_new_one_is_opened_later(daemon, listen):
    outcomes = listen(opened_when_there(READER, daemon, PcscTimings(restart_s=0.5)))
    daemon.kill()
    assert isinstance(outcomes.next(), DeviceLost)
    with pytest.raises(DriverError) as refused:
        open_driver("pcsc", {})
    assert refused.value.came == "The smart card service pcscd is not running here."
    daemon.start()


def test_an_idle_reader_causes_no_load_and_is_closed(reader, listen):
    outcomes = listen(reader)
    assert outcomes.nothing(for_s=2.5)  # the load is measured over this time
    outcomes.end()
    assert outcomes.cpu_s < 0.05
