"""Messages with a number: the noun and the verb agree with it, in /healthz, alerts, errors and commands."""

import pytest
from click.testing import CliRunner
from fake_host import FakeMachine
from shop_folder import mistakes

from server.api.health import health
from server.auth.passwords import PASSWORDS, PasswordRefused
from server.cli.commands import main
from server.clock import watch
from server.config import HubConfig
from server.context import HubContext
from server.db import schema
from server.db.position_signal import PositionSignal
from server.ledger.hub_log import keep_time
from server.projection.dead_letters import ITEM, SHOWN, add_dead_letters
from server.projection.worker import Projector
from server.queries.station_alerts import of_hub_clock, of_stations

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def machine():
    return FakeMachine()


@pytest.mark.parametrize(
    ("count", "events", "wait", "are", "were", "anchors"),
    [
        (1, "1 event", "waits", "is", "1 more was", "1 anchor was"),
        (2, "2 events", "wait", "are", "2 more were", "2 anchors were"),
    ],
)
def test_the_sentences_of_healthz(store, append_batch, a_log, machine, count, events, wait, are, were, anchors):
    with store.write() as connection:
        keep_time(connection, machine.clock, start=True)
    Projector(store, PositionSignal()).drain()
    append_batch(a_log.batch(1, count))
    machine.clock.wait(121)
    beat = {"station": "saw-1", "seen_us": machine.clock.utc_us(), "waiting": count, "oldest_waiting_s": 660}
    lost = {"log_id": a_log.log_id, "from_seq": 5, "to_seq": 4 + count, "seen_us": 0}
    with store.write() as connection:
        watch.note_suspects(connection, count)
        connection.execute(schema.heartbeat.insert(), [beat])
        connection.execute(schema.gap.insert(), [lost])
        add_dead_letters(connection, [(0, ITEM, f"WO-{number}", "planted") for number in range(SHOWN + count)])
    wrong = health(HubContext(HubConfig(), store)).wrong
    span = f"station saw-1, log {a_log.log_id.hex()}, from 5 to {4 + count}"
    assert [sentence for sentence in wrong if not sentence.startswith("Item WO-")] == [
        f"The pages have not moved for 2 min: {events} {wait}. See the hub's log.",
        f"{anchors} given while the hub's clock was wrong: times of scans are off. See: wipline-hub clock",
        f"{were} set aside.",
        f"Station saw-1 is connected, but its events do not come in: {events} {wait}, the oldest for 11 min.",
        f"{events} {are} permanently lost: {span}.",
    ]


@pytest.mark.parametrize(
    ("count", "times", "numbers", "safe", "scans", "items"),
    [
        (1, "once", "1 number", "its 1 event up to then is safe here", "1 scan", "1 item"),
        (2, "2 times", "2 numbers", "its 2 events up to then are safe here", "2 scans", "2 items"),
    ],
)
def test_the_sentences_of_alerts(count, times, numbers, safe, scans, items):
    beat = {"seen_us": NOW_US - 600_000_000, "log": None, "waiting": count, "oldest_waiting_s": 660, "aside": None}
    log = {"log": "00" * 16, "accepted_thru": count, "gaps": [], "forks": count}
    row = {"station": "saw-1", "revoked_us": None, "clone_us": None, "heartbeat": beat, "logs": [log]}
    fork, silent, queue, clock = of_stations([row], NOW_US, {"saw-1": count})
    (anchors,) = of_hub_clock(None, count)
    assert anchors.sentence == f"The hub's clock was wrong when stations were given the time, {times}"
    assert f" wrote {numbers} twice" in fork.sentence
    assert silent.detail == safe
    assert f" holds {scans} back, " in queue.sentence
    assert clock.sentence.endswith(f" {items}")


def test_the_errors_of_requests(hub_app, a_log):
    path, station = f"/api/v1/logs/{a_log.log_id.hex()}/events", hub_app.station()

    def came(**sent):
        return hub_app.anonymous().post(path, headers=station, **sent).json["error"]["came"]

    hashes = [own.hex() for own in a_log.hashes]
    assert came(json=a_log.body(1, 2, hashes=hashes[:1])) == "1 hash for 2 events"
    assert came(json=a_log.body(1, 1, hashes=hashes[:2])) == "2 hashes for 1 event"
    assert came(data=b"{", content_type="application/json").startswith("a body of 1 byte: ")
    assert came(data=b"{]", content_type="application/json").startswith("a body of 2 bytes: ")


@pytest.mark.parametrize(("password", "came"), [("x", "1 character"), ("xy", "2 characters")])
def test_the_refusal_of_a_short_password(password, came):
    with pytest.raises(PasswordRefused) as refused:
        PASSWORDS.check(password, "Kim")
    assert str(refused.value) == f"A password of {came}; expected at least 12. Use a few words in a row."


def test_the_mistakes_of_a_shop_folder():
    (cell,) = mistakes(stages_csv=b"stage,name,type\nsaw,Saw,process\npack,Packed,done\ntest\n")
    assert cell.startswith("stages.csv, line 4: came 1 cell, expected 3, ")
    orders = b"order,product,qty\nW1,Q,2.55\n"
    (quantity,) = mistakes(orders_csv=orders)
    assert ": came 2.55, expected at most 1 decimal, as product Q has; " in quantity


@pytest.mark.parametrize(("count", "events"), [(1, "1 event"), (2, "2 events")])
def test_the_answers_of_commands(store, append_batch, a_log, tmp_path, count, events):
    append_batch(a_log.batch(1, count))
    store.close()

    def output(*arguments):
        return CliRunner().invoke(main, [*map(str, arguments), "--db", str(store.path)]).stdout

    assert output("verify") == f"{events} verified, no break.\n"
    assert output("backup", tmp_path / "copy.db") == f"{tmp_path / 'copy.db'}: {events}, verified.\n"
