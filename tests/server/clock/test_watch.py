"""The hub's clock: when stations are given the time, and how a time when it was wrong is mended."""

import base64
from contextlib import closing

import pytest
from click.testing import CliRunner
from fake_host import FakeMachine
from sqlalchemy import select

from server.app import create_app
from server.auth import devices
from server.cli.commands import main
from server.clock import audit
from server.config import HubConfig
from server.db import schema
from server.db.position_signal import PositionSignal
from server.ledger import hub_log
from server.ledger.hub_log import keep_time
from server.ops.admin_commands import handle
from server.ops.bootstrap import open_hub
from server.ops.control_protocol import ControlRequest
from server.ops.scheduler import ClockMonitor
from server.projection.tables import event_state
from server.projection.worker import Projector
from server.queries.snapshot import current_alerts, snapshot_now
from server.web.template_filters import tongue
from station.core.event import Event, encode
from station.core.hash_chain import genesis, link

DAY_S = 86_400
YEARS_30_S = 30 * 365.25 * DAY_S


class Bench:
    """A station whose boottime never steps, at a hub whose clock does; it knows the true time of its scans."""

    def __init__(self, hub, machine, name="saw-1", log=bytes(range(16)), headers=None):
        self.hub, self.machine, self.name, self.log, self.boot = hub, machine, name, log, f"boot-of-{name}"
        if headers is None:
            with hub.write() as connection:
                headers = {"Authorization": f"Bearer {devices.add(connection, name, 0)}"}
        self.headers = headers
        self.events, self.tip, self.seq = [], genesis(log), 0
        self.true = {}

    def at(self, hub):
        """The same station at a hub that was started again."""
        self.hub = hub
        return self

    @property
    def mono_ns(self):
        return self.machine.true_ns + 77_000_000_000

    def post(self, path, body):
        answer = create_app(HubConfig(), self.hub).test_client().post(f"/api/v1{path}", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    def session(self):
        """Ask for the time; True where it was given, and then written down as an anchor."""
        t1 = self.mono_ns
        body = {"log": self.log.hex(), "boot": BOOTS[self.name], "t1": t1, "tip_seq": self.seq}
        answer = self.post("/session", body | {"tip_hash": self.tip.hex()})
        if answer["mac"] is None:
            return False
        times = {"t1": t1, "t4": t1, "t2": answer["t2"], "t3": answer["t3"]}
        self.write("anchor", **times, hub_clk=answer["hub_clk"], mac=answer["mac"])
        return True

    def scan(self):
        self.write("scan", raw=b"WO-1", stage="saw")
        self.true[self.seq] = self.machine.true_us

    def beat(self, wall_us=None, clock="synced"):
        self.post("/heartbeat", {"clock": clock, "wall_us": wall_us})

    def write(self, kind, **fields):
        event = encode(
            Event(kind=kind, station=self.name, sw="t", boot=BOOTS[self.name], mono_ns=self.mono_ns, **fields)
        )
        before, self.tip, self.seq = self.tip, link(self.tip, event), self.seq + 1
        body = {"from_seq": self.seq, "prev": before.hex(), "tip": self.tip.hex()}
        self.post(f"/logs/{self.log.hex()}/events", body | {"events": [base64.b64encode(event).decode()]})

    def intervals(self):
        """seq -> (lo, hi, approx) of its scans, as the pages have them."""
        Projector(self.hub, PositionSignal()).drain()
        row = event_state.c
        wanted = select(row.at_seq, row.lo_us, row.hi_us, row.approx).where(row.at_log == self.log, row.kind == "scan")
        with self.hub.read() as connection:
            return {seq: (lo, hi, approx) for seq, lo, hi, approx in connection.execute(wanted)}

    def wrong(self):
        """Scans whose true time lies outside their interval: there must be none."""
        found = self.intervals()
        assert found.keys() == self.true.keys()
        return [seq for seq, (lo, hi, _) in found.items() if not lo <= self.true[seq] <= hi]


BOOTS = {"saw-1": "11111111-1111-4111-8111-111111111111", "weld-2": "22222222-2222-4222-8222-222222222222"}


class World(FakeMachine):
    """A hub's machine, and the true time beside its clock."""

    true_ns = 0
    start_us = 0

    def wait(self, seconds):
        self.true_ns += int(seconds * 1e9)
        self.clock.wait(seconds)

    def reboot(self, off_s=60.0, clock_off_s=None):
        """Switched off for `off_s`; its clock goes on by `clock_off_s`."""
        self.true_ns += int(off_s * 1e9)
        self.clock.reboot(off_s if clock_off_s is None else clock_off_s)

    @property
    def true_us(self):
        return self.start_us + self.true_ns // 1000


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


def told(hub):
    """What healthz, the stations page and the board say of the hub's clock."""
    app = create_app(HubConfig(), hub)
    browser = app.test_client()
    health = browser.get("/healthz").json
    with app.test_request_context(), hub.read() as connection:
        board = [
            each.sentence for each in current_alerts(connection, snapshot_now(connection, tongue(), hub.clock.utc_us()))
        ]
    return (
        [line for line in health["wrong"] if "clock" in line],
        "No station is given the time." in browser.get("/stations").get_data(as_text=True),
        [line for line in board if "hub's clock" in line],
    )


def office(hub, name, **arguments):
    reply = handle(hub, ControlRequest(name, arguments))
    assert (reply.error, reply.refused) == (None, None)
    return reply.value


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
    from server.context import HubContext

    real = HubContext.definitions

    def stepped(hub):
        machine.clock.step(3)
        return real(hub)

    monkeypatch.setattr(HubContext, "definitions", stepped)
    assert not bench.session()


@pytest.fixture
def poisoned(bench, machine, started):
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


def test_suspicious_anchors_are_listed_and_voided_in_one_command(poisoned, machine):
    hub, bench = poisoned
    assert len(bench.wrong()) == 3, "the intervals are poisoned"
    state = office(hub, "clock")
    assert len(state["anchors"]) == 4, "three of the station, one of the hub"
    assert office(hub, "clock void", by="Kim") == 4
    assert bench.wrong() == []
    assert bench.session()
    machine.wait(60)
    bench.scan()
    assert bench.wrong() == []
    assert told(hub) == ([], False, [])


def test_voiding_twice_writes_nothing_more(poisoned):
    hub, bench = poisoned
    office(hub, "clock void", by="Kim")

    def ledger():
        with hub.read() as connection:
            return len(connection.execute(select(schema.ledger.c.pos)).all())

    before = ledger()
    assert office(hub, "clock void", by="Kim") == 0, "also before the projection has folded the first"
    bench.intervals()
    assert office(hub, "clock void", by="Kim") == 0
    assert ledger() == before


def test_the_board_and_healthz_name_wrong_anchors_until_they_are_voided(poisoned):
    hub, bench = poisoned
    office(hub, "clock confirm")
    bench.intervals()
    ClockMonitor(hub).step()
    wrong, on_stations, board = told(hub)
    assert wrong == [
        "4 anchors were given while the hub's clock was wrong: times of scans are off. See: wipline-hub clock"
    ]
    assert (on_stations, board) == (False, ["The hub's clock was wrong when stations were given the time, 4 times"])
    office(hub, "clock void", by="Kim")
    assert told(hub) == ([], False, [])


def test_a_healthy_hub_has_no_suspicious_anchor(bench, machine, started):
    for number in range(6):
        machine.wait(3600)
        bench.session()
        bench.scan()
        if number % 2:
            bench.at(started(off_s=20 * 3600))
        machine.clock.step((-1) ** number * 2)
        ClockMonitor(bench.hub).step()
    assert office(bench.hub, "clock")["anchors"] == []
    assert office(bench.hub, "clock void", by="Kim") == 0


def test_an_anchor_against_the_boottime_of_its_own_boot_is_suspicious():
    good = [audit.IssuedAnchor(n, "aa", n, "b", n * 10**9, 10**12 + n * 10**6, own=False) for n in range(1, 4)]
    wrong = audit.IssuedAnchor(4, "aa", 4, "b", 4 * 10**9, 10**12 - 2 * 3_600_000_000, own=False)
    assert audit.suspicious([*good, wrong], now_us=10**13) == [wrong]


def test_the_command_lists_and_voids(poisoned):
    hub, _ = poisoned
    hub.close()

    def run(*arguments):
        done = CliRunner().invoke(main, ["clock", *arguments, "--db", str(hub.path)])
        return done.exit_code, done.stdout, done.stderr

    code, said, hint = run()
    assert code == 0
    assert said.startswith("The hub's clock: ")
    assert len(said.splitlines()) == 5
    assert hint.startswith("4 anchors were given while the clock was wrong.")
    assert run("void") == (0, "", "4 anchors voided.\n")
    assert run("void") == (0, "", "No anchor is wrong.\n")
