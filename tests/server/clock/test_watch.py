"""Clock watch: when stations get the time from the hub, and when the hub's clock is in doubt."""

from contextlib import closing

import pytest
from clock_bench import DAY_S, YEARS_30_S, Bench, office, told

from server.api import snapshot_cache
from server.db.position_signal import PositionSignal
from server.ledger import hub_log
from server.ledger.hub_log import keep_time
from server.ops.bootstrap import open_hub
from server.ops.scheduler import ClockMonitor
from server.projection.definitions import change_count
from server.projection.worker import Projector


@pytest.mark.parametrize("ahead_s", [YEARS_30_S, 400 * DAY_S, 5 * DAY_S, -2 * 3600, -YEARS_30_S])
def test_a_new_boot_with_a_wrong_clock_gives_no_time_until_a_person_confirms_it(bench, machine, started, ahead_s):
    hub = started(clock_off_s=60 + ahead_s)
    bench.at(hub)
    for _ in range(4):
        assert not bench.session()
        bench.scan()
        machine.wait(3600)
        ClockMonitor(hub).step()
    wrong, on_stations, board = told(hub)
    assert (len(wrong), on_stations, len(board)) == (1, True, 1)
    machine.clock.step(-ahead_s)
    assert not bench.session(), "also when it is right again: no person has confirmed it"
    office(hub, "clock confirm")
    assert bench.session()
    bench.scan()
    assert told(hub) == ([], False, [])
    assert bench.wrong() == []


@pytest.mark.parametrize("step_s", [-2 * 3600, 400 * DAY_S, YEARS_30_S, -YEARS_30_S])
def test_a_clock_that_is_set_while_the_hub_runs_leaves_the_times_of_scans_right(bench, store, machine, step_s):
    machine.clock.step(step_s)
    assert not bench.session(), "noticed at once, before the hub's own look"
    bench.scan()
    ClockMonitor(store).step()
    wrong, on_stations, board = told(store)
    assert (len(wrong), on_stations, len(board)) == (1, True, 1)
    assert "while the hub ran" in board[0]
    machine.clock.step(-step_s)
    office(store, "clock confirm")
    assert bench.session()
    bench.scan()
    assert bench.wrong() == []


def test_many_small_steps_are_a_large_one(bench, store, machine):
    for _ in range(3):
        machine.clock.step(1500)
        ClockMonitor(store).step()
    assert not bench.session()


@pytest.mark.parametrize("step_s", [1, -3, 40])
def test_a_small_step_gets_an_anchor_and_no_doubt(bench, store, machine, step_s):
    with store.read() as connection:
        before = hub_log.hub_row(connection).anchor_us
    machine.clock.step(step_s)
    ClockMonitor(store).step()
    with store.read() as connection:
        assert hub_log.hub_row(connection).anchor_us == machine.clock.now_us != before
    assert bench.session()
    assert told(store) == ([], False, [])


def test_a_weekend_switched_off_needs_no_person(bench, started):
    bench.at(started(off_s=3 * DAY_S))
    assert bench.session()
    assert told(bench.hub) == ([], False, [])
    bench.scan()
    assert bench.wrong() == []


def test_weeks_switched_off_are_vouched_for_by_a_stations_boottime(bench, started):
    hub = started(off_s=40 * DAY_S)
    assert len(told(hub)[0]) == 1
    assert bench.at(hub).session()
    bench.scan()
    assert told(hub) == ([], False, [])
    assert bench.wrong() == []


def test_weeks_switched_off_are_vouched_for_by_a_synchronised_station(bench, machine, started):
    hub = started(off_s=40 * DAY_S)
    other = Bench(hub, machine, "weld-2", bytes(16))
    other.beat(machine.true_us, clock="holdover")
    assert not other.session()
    other.beat(machine.true_us)
    assert other.session()
    assert told(hub) == ([], False, [])


@pytest.mark.parametrize("ahead_s", [3 * DAY_S, 40 * DAY_S])
def test_a_station_that_contradicts_a_new_boot_ends_the_trust(bench, machine, started, ahead_s):
    hub = started(off_s=60, clock_off_s=60 + ahead_s)
    assert not bench.at(hub).session()
    other = Bench(hub, machine, "weld-2", bytes(16))
    other.beat(machine.clock.now_us)
    assert not other.session(), "after a contradiction another station's word is not enough"
    assert "from station saw-1's" in told(hub)[2][0]


def test_an_anchor_of_this_boot_vouches_for_nothing(bench, machine, started):
    hub = started(off_s=60, clock_off_s=60 + 3 * DAY_S)
    other = Bench(hub, machine, "weld-2", bytes(16))
    for _ in range(2):
        assert other.session(), "trusted so far"
        Projector(hub, PositionSignal()).drain()
    assert not bench.at(hub).session()
    assert not other.session()


def test_a_station_with_a_wrong_clock_cannot_stop_a_hub_that_agrees_with_its_ledger(bench, machine, started):
    hub = started()
    bench.at(hub).beat(machine.true_us - 400 * DAY_S * 10**6)
    assert bench.session()
    assert told(hub) == ([], False, [])


def test_a_restarted_process_in_the_same_boot_goes_on_with_its_baseline(bench, store, machine):
    store.close()
    machine.clock.step(2 * 3600)
    with closing(open_hub(store.path, host=machine.host)) as hub:
        with hub.write() as connection:
            keep_time(connection, machine.clock, start=True)
        assert not bench.at(hub).session()


def test_a_clock_set_between_question_and_answer_seals_nothing(bench, machine, monkeypatch):
    steps = []

    def step_once(connection):
        # Read after the check of the clock, before the answer.
        if not steps:
            steps.append(connection)
            machine.clock.step(3)
        return change_count(connection)

    monkeypatch.setattr(snapshot_cache, "change_count", step_once)
    assert not bench.session()
    assert len(steps) == 1
