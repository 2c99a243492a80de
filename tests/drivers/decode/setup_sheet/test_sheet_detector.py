"""The apprentice listens to a device that nobody knows: it hears the setup sheet, and never a person."""

import random

import pytest

from drivers.decode.keyboard.keys import EV_KEY, EV_SYN, GAP_S, SYN_DROPPED, KeyEvent
from drivers.decode.setup_sheet import sheet_learning
from drivers.decode.setup_sheet.sheet_detector import SLOW_PAUSES_MAX, SheetDetector
from drivers.decode.setup_sheet.sheet_learning import MORE, STROKES_MAX
from tests.drivers.fixtures.typing_scanners import BARS, CAPS, LAYOUTS, MS, NAMES, SHEETS, SQUARE


def apprentice(**changes):
    asked = []

    def layouts():
        asked.append(1)
        return LAYOUTS

    return SheetDetector(SHEETS, layouts, **changes), asked


def fed(apprentice, events, then_s=60):
    told = [each for event in events for each in apprentice.feed(event)]
    return told + list(apprentice.quiet(events[-1].time_ns + int(then_s * 1e9)))


@pytest.mark.parametrize("layout", NAMES)
def test_the_apprentice_hears_the_sheet_once_it_is_quiet(typist, layout):
    listener, asked = apprentice()
    events = typist.scan(SQUARE[0], layout=layout, prefix="S1-").events
    assert [each for event in events for each in listener.feed(event)] == []
    assert list(listener.quiet(listener.due_ns - 1)) == []
    (said,) = listener.quiet(listener.due_ns)
    assert layout in (said.profile.layout, *said.profile.alike)
    assert (said.profile.prefix, len(asked), listener.due_ns) == ("S1-", 1, None)


def test_once_a_sheet_has_taught_no_time_goes_into_the_others(typist, monkeypatch):
    tried, learned = [], sheet_learning.learn_profile

    def learning(scans, texts, layouts):
        tried.append(tuple(texts))
        return learned(scans, texts, layouts)

    monkeypatch.setattr(sheet_learning, "learn_profile", learning)
    listener, _asked = apprentice()
    (said,) = fed(listener, typist.scan(SQUARE[0], layout="de").events)
    assert (said.profile.layout, tried) == ("de", [SQUARE])
    assert fed(listener, typist.scan(BARS[0], layout="de", start_ns=10**12).events, 1) == [MORE]
    assert tried == [SQUARE, SQUARE, BARS]


def test_the_apprentice_takes_the_two_codes_of_bars_in_any_order_with_other_scans_between(typist):
    for order in (BARS, BARS[::-1]):
        listener, _asked = apprentice()
        one, two = (typist.scan(text, layout="fr", start_ns=n * 10**10).events for n, text in enumerate(order))
        assert fed(listener, one, 1) == [MORE]
        between = typist.scan("4006381333931", layout="fr", start_ns=5 * 10**9).events
        assert fed(listener, between, 1) == []
        (said,) = fed(listener, two)
        assert said.profile.layout == "fr"


def test_the_apprentice_forgets_the_first_code_after_a_while(typist):
    listener, _asked = apprentice()
    one, two = (typist.scan(text, layout="fr", start_ns=n * 130 * 10**9).events for n, text in enumerate(BARS))
    assert (fed(listener, one, 1), fed(listener, two)) == ([MORE], [MORE])


@pytest.mark.parametrize("caps", CAPS)
def test_the_apprentice_follows_the_lamp(typist, caps):
    how, lamp, word = CAPS[caps]
    listener, _asked = apprentice(caps_lock=not lamp)
    switched = [KeyEvent(EV_KEY, 58, 1, 0), KeyEvent(17, 1, int(lamp), 1), KeyEvent(EV_KEY, 58, 0, 2)]
    assert fed(listener, switched, 2) == []
    events = []
    on = lamp
    for event in typist.scan(SQUARE[0], layout="de", start_ns=5 * 10**9, **how).events:
        events.append(event)
        if (event.type, event.code, event.value) == (EV_KEY, 58, 1):  # the kernel switches the lamp, and says so
            on = not on
            events.append(KeyEvent(17, 1, int(on), event.time_ns))
    (said,) = fed(listener, events)
    assert said.profile.caps == word


def test_a_person_typing_is_never_learned_from(typist):
    listener, asked = apprentice()
    sheet = typist.scan(SQUARE[0], layout="us", step_ms=80).events
    assert fed(listener, sheet) == []
    rng = random.Random(3)
    now, events = 10**12, []
    for _ in range(3000):
        now += int(rng.choice([20, 90, 150, 700]) * MS)
        events.append(KeyEvent(EV_KEY, rng.choice([*range(2, 54), 57, 28]), rng.choice([0, 1, 1, 2]), now))
    assert fed(listener, events) == []
    assert asked == []


def test_a_scanner_may_pause_a_few_times_and_no_more(typist):
    events = typist.scan(SQUARE[0], layout="us").events
    for pauses, learned in ((SLOW_PAUSES_MAX, 1), (SLOW_PAUSES_MAX + 1, 0)):
        late, slow = 0, []
        for number, event in enumerate(events):
            late += (number in range(40, 40 * (pauses + 1), 40)) * 100 * MS
            slow.append(event._replace(time_ns=event.time_ns + late))
        assert len(fed(apprentice()[0], slow)) == learned


def test_noise_and_floods_cost_the_apprentice_nothing_but_a_bounded_buffer(typist):
    listener, asked = apprentice()
    rng = random.Random(4)
    for number in range(20_000):
        event = KeyEvent(rng.choice((0, 1, 1, 1, 4, 17)), rng.randrange(0x300), rng.randrange(3), number * MS)
        assert list(listener.feed(event)) == []
        assert len(listener._burst) <= STROKES_MAX
    assert list(listener.quiet(10**12)) == []
    flood = [KeyEvent(EV_KEY, 30, 1, 2 * 10**12 + n * MS) for n in range(STROKES_MAX + 1)]
    for event in flood[:-1]:
        list(listener.feed(event))
    assert len(listener._burst) == STROKES_MAX
    list(listener.feed(flood[-1]))
    assert listener._burst == []
    assert list(listener.quiet(3 * 10**12)) == []
    assert asked == []
    fed(listener, [KeyEvent(EV_KEY, modifier, 0, 3 * 10**12) for modifier in (42, 54, 29, 97, 56, 100)])
    (said,) = fed(listener, typist.scan(SQUARE[0], layout="us", start_ns=4 * 10**12).events)
    assert said.profile.layout == "us"


def test_keys_lost_make_the_apprentice_deaf_until_it_is_quiet(typist):
    listener, asked = apprentice()
    events = typist.scan(SQUARE[0], layout="us").events
    assert fed(listener, [KeyEvent(EV_SYN, SYN_DROPPED, 0, 0), *events], GAP_S) == []
    assert asked == []
    assert len(fed(listener, [event._replace(time_ns=event.time_ns + 10**10) for event in events])) == 1
