"""Ends by silence and losses by the kernel: half scans are dropped, and complete ones after them are kept."""

import random

from drivers.decode.keyboard.keys import GAP_S, HAND_GAP_S, LostScan, TypedScan, WedgeDecoder
from drivers.decode.scan import Scan
from tests.drivers.fixtures.key_events import DROPPED, ENTER, LOST, MS, REPORT, decode, key, last_press_ns, texts, timed


def test_silence_ends_a_scan_that_a_machine_typed(strike):
    keys = WedgeDecoder()
    events = timed(strike("WO-1"), step_ms=2)
    assert decode(keys, events) == []
    last_ns = last_press_ns(events)
    assert keys.due_ns == last_ns + int(GAP_S * 1e9)
    assert list(keys.quiet(keys.due_ns - 1)) == []
    due_ns = keys.due_ns
    assert list(keys.quiet(due_ns)) == [TypedScan(Scan(b"WO-1", 4, None), due_ns)]
    assert keys.due_ns is None
    assert keys.begun == 0


def test_silence_between_two_scans_counts_even_if_both_are_read_late(strike):
    keys = WedgeDecoder()
    events = [*timed(strike("WO-1")), *timed(strike("WO-2\n"), start_ms=1000)]
    assert texts(decode(keys, events)) == ["WO-1", "WO-2"]


def test_a_scan_of_a_scanner_that_sends_enter_does_not_end_with_short_silence(strike):
    """It was unplugged, and the kernel reports that late: the scan that has begun is half a scan."""
    keys = WedgeDecoder()
    begun = timed(strike("WO"), start_ms=1000)
    assert texts(decode(keys, [*timed(strike("WO-1\n")), *begun])) == ["WO-1"]
    last_ns = last_press_ns(begun)
    assert keys.due_ns == last_ns + int(HAND_GAP_S * 1e9)
    assert list(keys.quiet(keys.due_ns - 1)) == []
    assert keys.begun == 2  # a loss of the device would report this number
    # It is still connected: its setting has changed, and the text is a scan with its own time.
    assert list(keys.quiet(keys.due_ns)) == [TypedScan(Scan(b"WO", 2, None), last_ns + int(HAND_GAP_S * 1e9))]
    later = timed(strike("WO-7"), start_ms=60_000)
    decode(keys, later)
    assert keys.due_ns == last_press_ns(later) + int(GAP_S * 1e9)  # from now on short silence ends a scan


def test_the_next_scan_ends_one_that_came_without_its_enter(strike):
    events = [*timed(strike("1\n")), *timed(strike("WO-7"), start_ms=1000), *timed(strike("WO-8\n"), start_ms=2500)]
    assert texts(decode(WedgeDecoder(), events)) == ["1", "WO-7", "WO-8"]


def test_a_person_at_a_keypad_may_pause_and_ends_with_enter(strike):
    events = timed(strike("1250\n"), step_ms=300)  # four events a key: more than a second between two keys
    assert texts(decode(WedgeDecoder(), events)) == ["1250"]


def test_text_typed_by_a_person_without_enter_ends_after_a_longer_silence(strike):
    keys = WedgeDecoder()
    decode(keys, timed(strike("12"), step_ms=300))
    assert keys.due_ns == 1200 * MS + int(HAND_GAP_S * 1e9)
    assert texts(keys.quiet(keys.due_ns)) == ["12"]


def test_an_overrun_drops_the_half_scan_and_is_reported_once(strike):
    events = timed([*strike("WO-"), DROPPED, *strike("1")[:1], REPORT, *strike("042\n"), *strike("WO-7\n")])
    assert decode(WedgeDecoder(), events)[0] == LostScan(LOST, events[len(strike("WO-"))].time_ns)
    assert texts(decode(WedgeDecoder(), events)) == [LOST, "WO-7"]


def test_the_tail_of_a_lost_scan_is_no_scan_even_without_a_terminator(strike):
    events = [*timed([*strike("WO-"), DROPPED, REPORT, *strike("042")]), *timed(strike("WO-7\n"), start_ms=800)]
    assert texts(decode(WedgeDecoder(), events)) == [LOST, "WO-7"]


def test_an_overrun_between_two_scans_is_over_after_a_silence(strike):
    keys = WedgeDecoder()
    assert texts(decode(keys, timed([DROPPED, REPORT]))) == [LOST]
    assert list(keys.quiet(keys.due_ns)) == []
    assert texts(decode(keys, timed(strike("WO-7\n"), start_ms=900))) == ["WO-7"]


def test_several_overruns_in_one_scan_are_reported_once(strike):
    events = timed(
        [*strike("W"), DROPPED, REPORT, *strike("O"), DROPPED, DROPPED, REPORT, *strike("\n"), *strike("a\n")]
    )
    assert texts(decode(WedgeDecoder(), events)) == [LOST, "a"]


def test_a_burst_of_scans_that_the_kernel_swallows_is_one_loss_of_unknown_number_and_the_next_is_whole(strike):
    # Six scans are lost between SYN_DROPPED and the next events; of the last one the rest arrives.
    outcomes = decode(WedgeDecoder(), timed([*strike("WO-A\nWO-"), DROPPED, REPORT, *strike("5\n"), *strike("WO-B\n")]))
    assert texts(outcomes) == ["WO-A", LOST, "WO-B"]
    assert outcomes[1].many


def test_a_second_loss_after_a_complete_scan_is_reported_again(strike):
    events = [DROPPED, REPORT, *strike("x\n"), *strike("WO-1\n"), DROPPED, REPORT, *strike("y\n"), *strike("WO-2\n")]
    assert texts(decode(WedgeDecoder(), timed(events))) == [LOST, "WO-1", LOST, "WO-2"]


def test_a_head_that_was_lost_is_one_scan(strike):
    (lost,) = decode(WedgeDecoder(opened_ns=0), timed(strike("042\n"), start_ms=5))
    assert (lost.why, lost.many) == (HEAD_LOST, False)


def test_a_shift_whose_release_was_lost_does_not_stay(strike):
    events = timed([key(42), DROPPED, REPORT, *ENTER, *strike("a\n")])
    assert texts(decode(WedgeDecoder(), events)) == [LOST, "a"]


def test_garbage_between_scans_costs_at_most_the_scan_it_hits(strike):
    rng = random.Random(20260101)
    for round_number in range(200):
        code = f"WO-{round_number}"
        noise = [(rng.choice((0, 1, 1, 4)), rng.randrange(0x300), rng.randrange(3)) for _ in range(rng.randrange(30))]
        keys = WedgeDecoder()
        decode(keys, timed(noise))
        for modifier in (42, 54, 29, 97, 56, 100):
            decode(keys, timed([key(modifier, 0)], start_ms=40))
        decode(keys, timed([REPORT, *ENTER], start_ms=50))
        outcomes = decode(keys, timed(strike(code + "\n"), start_ms=60))
        assert [text.lower() for text in texts(outcomes)] == [code.lower()], noise


HEAD_LOST = "The reader was typing when it was taken, and the head of the scan was lost."


def test_a_scanner_that_was_typing_at_the_opening_yields_no_half_scan(strike):
    keys = WedgeDecoder(opened_ns=0)
    tail = [*strike("042"), *ENTER]
    assert texts(decode(keys, timed(tail, start_ms=5))) == [HEAD_LOST]
    whole = [*strike("WO-1043"), *ENTER]
    assert texts(decode(keys, timed(whole, start_ms=100))) == ["WO-1043"]


def test_a_scan_that_begins_after_the_opening_is_complete(strike):
    keys = WedgeDecoder(opened_ns=0)
    assert texts(decode(keys, timed([*strike("WO-1042"), *ENTER], start_ms=51))) == ["WO-1042"]
