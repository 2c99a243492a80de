"""Clock audit: anchors that were issued with a wrong time are found, listed and voided."""

from click.testing import CliRunner
from clock_bench import office, told
from sqlalchemy import select

from server.cli.commands import main
from server.clock import audit
from server.db import schema
from server.ops.scheduler import ClockMonitor


def test_suspicious_anchors_are_listed_and_voided_in_one_command(hub_with_wrong_anchors, machine):
    hub, bench = hub_with_wrong_anchors
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


def test_voiding_twice_writes_nothing_more(hub_with_wrong_anchors):
    hub, bench = hub_with_wrong_anchors
    office(hub, "clock void", by="Kim")

    def ledger():
        with hub.read() as connection:
            return len(connection.execute(select(schema.ledger.c.pos)).all())

    before = ledger()
    assert office(hub, "clock void", by="Kim") == 0, "also before the projection has folded the first"
    bench.intervals()
    assert office(hub, "clock void", by="Kim") == 0
    assert ledger() == before


def test_the_board_and_healthz_name_wrong_anchors_until_they_are_voided(hub_with_wrong_anchors):
    hub, bench = hub_with_wrong_anchors
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


def test_the_command_lists_and_voids(hub_with_wrong_anchors):
    hub, _ = hub_with_wrong_anchors
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
