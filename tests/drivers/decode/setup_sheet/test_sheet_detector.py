"""The detector listens to an unknown device: it detects the setup sheet, and never a person's typing."""

import random

import pytest

from drivers.decode.keyboard.keys import EV_KEY, EV_SYN, GAP_S, SYN_DROPPED, KeyEvent
from drivers.decode.setup_sheet.sheet_detector import SLOW_PAUSES_MAX, SheetDetector
from drivers.decode.setup_sheet.sheet_learning import MORE, STROKES_MAX, learn_profile
from tests.drivers.fixtures.typing_scanners import BARS, CAPS, LAYOUTS, MS, NAMES, SHEETS, SQUARE


def detector(**changes):
    requests = []

    def layouts():
        requests.append(1)
        return LAYOUTS

    return SheetDetector(SHEETS, layouts, **changes), requests


def fed(detector, events, then_s=60):
    results = [result for event in events for result in detector.feed(event)]
    return results + list(detector.quiet(events[-1].time_ns + int(then_s * 1e9)))


@pytest.mark.parametrize("layout", NAMES)
def test_the_sheet_is_detected_after_silence(typist, layout):
    sheet_detector, requests = detector()
    events = typist.scan(SQUARE[0], layout=layout, prefix="S1-").events
    assert [result for event in events for result in sheet_detector.feed(event)] == []
    assert list(sheet_detector.quiet(sheet_detector.due_ns - 1)) == []
    (said,) = sheet_detector.quiet(sheet_detector.due_ns)
    assert layout in (said.profile.layout, *said.profile.alike)
    assert (said.profile.prefix, len(requests), sheet_detector.due_ns) == ("S1-", 1, None)


def test_after_a_sheet_has_matched_no_other_sheet_is_tried(typist):
    tried = []

    def learning(scans, texts, layouts):
        tried.append(tuple(texts))
        return learn_profile(scans, texts, layouts)

    sheet_detector, _requests = detector(learn_profile=learning)
    (said,) = fed(sheet_detector, typist.scan(SQUARE[0], layout="de").events)
    assert (said.profile.layout, tried) == ("de", [SQUARE])
    assert fed(sheet_detector, typist.scan(BARS[0], layout="de", start_ns=10**12).events, 1) == [MORE]
    assert tried == [SQUARE, SQUARE, BARS]


def test_two_bar_codes_are_learned_in_any_order_with_other_scans_between(typist):
    for order in (BARS, BARS[::-1]):
        sheet_detector, _requests = detector()
        one, two = (typist.scan(text, layout="fr", start_ns=n * 10**10).events for n, text in enumerate(order))
        assert fed(sheet_detector, one, 1) == [MORE]
        between = typist.scan("4006381333931", layout="fr", start_ns=5 * 10**9).events
        assert fed(sheet_detector, between, 1) == []
        (said,) = fed(sheet_detector, two)
        assert said.profile.layout == "fr"


def test_the_first_code_expires(typist):
    sheet_detector, _requests = detector()
    one, two = (typist.scan(text, layout="fr", start_ns=n * 130 * 10**9).events for n, text in enumerate(BARS))
    assert (fed(sheet_detector, one, 1), fed(sheet_detector, two)) == ([MORE], [MORE])


@pytest.mark.parametrize("caps", CAPS)
def test_the_detector_follows_the_caps_lock_led(typist, caps):
    how, lamp, word = CAPS[caps]
    sheet_detector, _requests = detector(caps_lock=not lamp)
    switched = [KeyEvent(EV_KEY, 58, 1, 0), KeyEvent(17, 1, int(lamp), 1), KeyEvent(EV_KEY, 58, 0, 2)]
    assert fed(sheet_detector, switched, 2) == []
    events = []
    on = lamp
    for event in typist.scan(SQUARE[0], layout="de", start_ns=5 * 10**9, **how).events:
        events.append(event)
        if (event.type, event.code, event.value) == (EV_KEY, 58, 1):  # the kernel switches the LED and reports it
            on = not on
            events.append(KeyEvent(17, 1, int(on), event.time_ns))
    (said,) = fed(sheet_detector, events)
    assert said.profile.caps == word


def test_typing_of_a_person_is_never_learned(typist):
    sheet_detector, requests = detector()
    sheet = typist.scan(SQUARE[0], layout="us", step_ms=80).events
    assert fed(sheet_detector, sheet) == []
    rng = random.Random(3)
    now, events = 10**12, []
    for _ in range(3000):
        now += int(rng.choice([20, 90, 150, 700]) * MS)
        events.append(KeyEvent(EV_KEY, rng.choice([*range(2, 54), 57, 28]), rng.choice([0, 1, 1, 2]), now))
    assert fed(sheet_detector, events) == []
    assert requests == []


def test_a_scanner_may_pause_a_few_times_and_no_more(typist):
    events = typist.scan(SQUARE[0], layout="us").events
    for pauses, learned in ((SLOW_PAUSES_MAX, 1), (SLOW_PAUSES_MAX + 1, 0)):
        late, slow = 0, []
        for number, event in enumerate(events):
            late += (number in range(40, 40 * (pauses + 1), 40)) * 100 * MS
            slow.append(event._replace(time_ns=event.time_ns + late))
        assert len(fed(detector()[0], slow)) == learned


def test_noise_and_floods_fill_only_a_bounded_buffer(typist):
    sheet_detector, requests = detector()
    rng = random.Random(4)
    for number in range(20_000):
        event = KeyEvent(rng.choice((0, 1, 1, 1, 4, 17)), rng.randrange(0x300), rng.randrange(3), number * MS)
        assert list(sheet_detector.feed(event)) == []
        assert sheet_detector.begun <= STROKES_MAX
    assert list(sheet_detector.quiet(10**12)) == []
    flood = [KeyEvent(EV_KEY, 30, 1, 2 * 10**12 + n * MS) for n in range(STROKES_MAX + 1)]
    for event in flood[:-1]:
        list(sheet_detector.feed(event))
    assert sheet_detector.begun == STROKES_MAX
    list(sheet_detector.feed(flood[-1]))
    assert sheet_detector.begun == 0
    assert list(sheet_detector.quiet(3 * 10**12)) == []
    assert requests == []
    fed(sheet_detector, [KeyEvent(EV_KEY, modifier, 0, 3 * 10**12) for modifier in (42, 54, 29, 97, 56, 100)])
    (said,) = fed(sheet_detector, typist.scan(SQUARE[0], layout="us", start_ns=4 * 10**12).events)
    assert said.profile.layout == "us"


def test_after_lost_keys_all_is_discarded_until_silence(typist):
    sheet_detector, requests = detector()
    events = typist.scan(SQUARE[0], layout="us").events
    assert fed(sheet_detector, [KeyEvent(EV_SYN, SYN_DROPPED, 0, 0), *events], GAP_S) == []
    assert requests == []
    assert len(fed(sheet_detector, [event._replace(time_ns=event.time_ns + 10**10) for event in events])) == 1
