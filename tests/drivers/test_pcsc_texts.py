"""The texts on a card come with its number; if they cannot be read, the number comes alone."""

import pytest

from drivers.decode.tags import acr122
from drivers.pcsc import PcscTimings, open_reader
from tests.drivers.fixtures.pcsc_names import CLASSIC, GOOD, OMNIKEY, READS, ULTRALIGHT
from tests.drivers.fixtures.simulated_readers import Pcscd


def test_the_texts_on_a_card_come_with_its_number(service, listen):
    service.atr, service.answers = ULTRALIGHT, READS
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = outcomes.read()
    assert (read.raw, read.tag, read.texts) == (b"04A1B2C3", True, (b"WO-1042",))
    assert service.sent == [acr122.BEEP_OFF, *READS]
    outcomes.end()


@pytest.mark.parametrize("leaves_at", [0, 1])
def test_a_card_that_leaves_before_its_texts_are_read_is_its_number(service, listen, leaves_at):
    service.atr, service.answers = ULTRALIGHT, {**READS, list(READS)[leaves_at]: None}
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    read = outcomes.read()
    assert (read.raw, read.texts) == (b"04A1B2C3", ())
    outcomes.end()


def test_reading_the_texts_ends_in_time(service, listen):
    service.atr, service.answers = ULTRALIGHT, READS
    outcomes = listen(open_reader(service, {}, timings=PcscTimings(ndef_s=0.0)))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert outcomes.read().texts == ()
    outcomes.end()


def test_a_card_that_needs_a_key_is_read_for_its_number_alone(listen):
    service = Pcscd(OMNIKEY)
    service.atr = CLASSIC
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert outcomes.read().texts == ()
    assert service.sent == []
    outcomes.end()


def test_a_card_is_read_without_the_library_for_texts(service, listen, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ndef", None)
    service.atr, service.answers = ULTRALIGHT, READS
    outcomes = listen(open_reader(service, {}))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert outcomes.read().texts == ()
    outcomes.end()
