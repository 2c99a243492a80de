"""A card reader with lights is silenced, and shows what became of a scan."""

import pytest
from waiting import until

from drivers.decode.tags import acr122
from drivers.pcsc import open_reader
from tests.drivers.fixtures.pcsc_names import GOOD, OMNIKEY
from tests.drivers.fixtures.simulated_readers import Pcscd


def test_an_acr122_is_silenced_when_it_is_opened_or_at_its_first_card(service, listen):
    service.reader_says = b"\x90\x00"
    open_reader(service, {}).close()
    assert (service.controls, service.sent) == ([acr122.BEEP_OFF], [])
    service.reader_says = b""  # the driver passes no commands to the reader itself
    service.answers = {acr122.BEEP_OFF: GOOD}
    heard = listen(open_reader(service, {}))
    for _ in range(2):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        service.take()
    heard.read()
    heard.end()
    assert service.sent == [acr122.BEEP_OFF]


@pytest.mark.parametrize("state", ["green", "amber", "red"])
def test_an_answer_is_shown_through_the_card_that_lies_there(service, listen, state):
    service.answers = dict.fromkeys((acr122.BEEP_OFF, *acr122.STATES.values()), b"\x90\x02")
    driver = open_reader(service, {})
    controls = list(service.controls)
    heard = listen(driver)
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    driver.show_state(state)
    until(lambda: service.sent[1:] == [acr122.STATES[state]])
    assert service.controls == controls
    assert heard.nothing(for_s=0.1)
    heard.end()


def test_an_answer_is_shown_by_the_reader_itself_where_the_card_is_gone(service, listen):
    service.reader_says = b"\x90\x02"
    driver = open_reader(service, {})
    heard = listen(driver)
    driver.show_state("red")
    until(lambda: service.controls[1:] == [acr122.STATES["red"]])
    driver.show_state("blue")  # no answer has this colour
    assert heard.nothing(for_s=0.1)
    assert len(service.controls) == 2
    service.set(running=False)
    driver.show_state("green")  # nobody hears it, and nothing is raised
    heard.end()


def test_other_readers_are_told_nothing(listen):
    service = Pcscd(OMNIKEY)
    driver = open_reader(service, {})
    heard = listen(driver)
    driver.show_state("green")
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    heard.read()
    assert (service.controls, service.sent) == ([], [])
    heard.end()


def test_no_answer_keeps_the_reader_longer_than_is_said():
    for command in acr122.STATES.values():
        t1, t2, times, sound = command[5:]
        assert (t1 + t2) * times / 10 <= acr122.LONGEST_S
        assert sound == 1
    lights = {state: (command[3] & 1, command[3] >> 1 & 1) for state, command in acr122.STATES.items()}
    assert lights == {"green": (0, 1), "amber": (1, 1), "red": (1, 0)}
    assert all(command[3] & 0x0C == 0x0C for command in acr122.STATES.values())
