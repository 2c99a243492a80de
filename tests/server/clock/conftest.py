"""A hub whose machine can be started again with another clock, and a station at it."""

import pytest
from clock_bench import YEARS_30_S, Bench, World, office

from server.db.position_signal import PositionSignal
from server.ledger.hub_log import keep_time
from server.ops.bootstrap import open_hub
from server.projection.worker import Projector


@pytest.fixture
def machine():
    world = World()
    world.start_us = world.clock.now_us
    return world


@pytest.fixture
def started(store, machine):
    """Start the hub again in a new boot of its machine, as `wipline-hub run` does; the store that is open then."""
    opened = [store]

    def start(**how):
        Projector(opened[-1], PositionSignal()).drain()
        opened[-1].close()
        machine.reboot(**how)
        opened.append(open_hub(store.path, host=machine.host))
        with opened[-1].write() as connection:
            keep_time(connection, machine.clock, start=True)
        return opened[-1]

    with store.write() as connection:
        keep_time(connection, machine.clock, start=True)
    yield start
    opened[-1].close()


@pytest.fixture
def bench(store, machine, started):
    """A station that has the time, and a scan."""
    made = Bench(store, machine)
    assert made.session()
    machine.wait(60)
    made.scan()
    return made


@pytest.fixture
def hub_with_wrong_anchors(bench, machine, started):
    """A hub on which a person confirmed a clock that was 30 years ahead: (hub, station), the clock right again."""
    hub = started(clock_off_s=60 + YEARS_30_S)
    bench.at(hub)
    office(hub, "clock confirm")
    for _ in range(3):
        assert bench.session()
        machine.wait(60)
        bench.scan()
        machine.wait(3600)
    hub = started(clock_off_s=60 - YEARS_30_S)
    return hub, bench.at(hub)
