"""The link: a real station against a hub that loses answers, sends pages, is away, and was restored."""

import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.core.event import decode
from station.journal import JournalReader
from tests.station.fixtures.fake_hub import TOKEN, FakeHub
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]

RETRIED_S = 90.0  # a pause after failures may be a minute


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A hub that behaves until it is told otherwise."""
    with FakeHub() as fake_hub:
        yield fake_hub


def a_daemon(folder: Path, hub: FakeHub) -> Daemon:
    """A station with this hub."""
    (folder / "token").write_text(TOKEN + "\n")
    return Daemon(folder, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{folder}/token"\n')


def raws(hub: FakeHub, log: str) -> list[bytes | None]:
    """What the hub has of a log's scans."""
    events = [decode(encoded) for encoded, _ in hub.logs.get(log, [])]
    return [event.raw for event in events if event.kind == "scan"]


def test_every_scan_reaches_the_hub_and_the_first_event_it_needs_is_an_anchor(tmp_path: Path, hub: FakeHub) -> None:
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start().scan("WO-1", "WO-2")
        log = daemon.answered(2)[0]["log"]
        daemon.until(lambda: raws(hub, log) == [b"WO-1", b"WO-2"])
        daemon.until(lambda: daemon.status()["waiting"] == 0 and daemon.status()["hub"]["state"] == "ok")
        events = [decode(encoded) for encoded, _ in hub.logs[log]]
        (anchor,) = [event for event in events if event.kind == "anchor"]
        assert (anchor.t2, anchor.t3, anchor.hub_clk) == (1_800_000_000_000_000, 1_800_000_000_000_100, "synced")
        assert anchor.t1 is not None
        assert anchor.t4 is not None
        assert anchor.t1 < anchor.t4
        assert hub.paths.count("/session") == 1 + 8  # one to begin with, and eight round trips for its time
        daemon.until(lambda: hub.beats != [])
        assert (hub.beats[0]["log"], hub.beats[0]["readers"][0]["kind"]) == (log, "replay")
        daemon.end()
        daemon.start().scan("WO-3")  # the same boot: the hub's time is known
        daemon.until(lambda: raws(hub, log)[-1] == b"WO-3")
        assert [decode(encoded).kind for encoded, _ in hub.logs[log]].count("anchor") == 1


def test_lost_answers_pages_and_half_answers_lose_nothing_and_double_nothing(tmp_path: Path, hub: FakeHub) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    hub.fate = lambda path: draw.choice(["lost", "500", "html", "half", None, None, None]) if "logs" in path else None
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start()
        for start in range(0, 300, 30):
            daemon.scan(*(f"WO-{number}" for number in range(start, start + 30)))
        log = daemon.answered(300, 60)[0]["log"]
        assert {each["state"] for each in daemon.answers()} == {"green"}
        daemon.until(lambda: len(raws(hub, log)) == 300, 60)
        hub.fate = lambda _path: None
        daemon.until(lambda: daemon.status()["waiting"] == 0, 90)
        assert raws(hub, log) == [f"WO-{number}".encode() for number in range(300)]
        assert hub.forks == []


def test_a_station_scans_on_without_its_hub_and_says_so(tmp_path: Path, hub: FakeHub) -> None:
    hub.fate = lambda _path: "500"
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start().scan("WO-1")
        assert daemon.answered(1)[0]["state"] == "green"
        daemon.until(lambda: daemon.status()["hub"]["error"] == "The hub answers 500")
        daemon.until(lambda: daemon.status()["waiting"] == 1)  # the status may be from before the scan
        assert daemon.status()["hub"]["state"] == "never"
        hub.fate = lambda _path: None
        daemon.until(lambda: daemon.status()["hub"]["state"] == "ok", RETRIED_S)


def test_a_wrong_token_is_said_and_scans_go_on(tmp_path: Path, hub: FakeHub) -> None:
    with a_daemon(tmp_path, hub) as daemon:
        (tmp_path / "token").write_text("another\n")
        daemon.start().scan("WO-1")
        daemon.answered(1)
        daemon.until(lambda: daemon.status()["hub"]["state"] == "refused")
        assert "Add the station." in daemon.status()["hub"]["error"]


def test_a_restored_hub_gets_what_it_lost(tmp_path: Path, hub: FakeHub) -> None:
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start().scan("WO-1", "WO-2", "WO-3")
        log = daemon.answered(3)[0]["log"]
        daemon.until(lambda: len(raws(hub, log)) == 3)
        with hub.lock:
            hub.epoch = 2
            del hub.logs[log][1:]
        daemon.scan("WO-4")  # its batch does not fit any more: the station opens a session
        daemon.until(lambda: sorted(filter(None, raws(hub, log))) == [b"WO-1", b"WO-2", b"WO-3", b"WO-4"], RETRIED_S)
        assert hub.forks == []
        daemon.until(lambda: daemon.status()["hub"]["epoch"] == "2")


def test_a_card_put_back_to_an_older_image_goes_on_in_a_new_log(tmp_path: Path, hub: FakeHub) -> None:
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start().scan("WO-1")
        log = daemon.answered(1)[0]["log"]
        daemon.end()
        shutil.copy(tmp_path / "journal.db", tmp_path / "image")
        daemon.start().scan("WO-2")
        daemon.until(lambda: b"WO-2" in raws(hub, log))
        daemon.end()
        for name in ("journal.db-wal", "journal.db-shm"):  # the card as it was, not a part of it
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(tmp_path / "image", tmp_path / "journal.db")
        hub.do[log] = "log_ahead"
        daemon.start()
        daemon.until(lambda: len(hub.logs) == 2)
        daemon.scan("WO-3")
        new = next(each for each in hub.logs if each != log)
        daemon.until(lambda: raws(hub, new) == [b"WO-3"])
        assert hub.parents[new]["log"] == log
        assert raws(hub, log) == [b"WO-1", b"WO-2"]


def test_one_of_two_devices_with_one_identity_sends_what_the_hub_lacks_in_a_log_of_its_own(
    tmp_path: Path, hub: FakeHub
) -> None:
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start().scan("WO-1")
        log = daemon.answered(1)[0]["log"]
        daemon.until(lambda: daemon.status()["waiting"] == 0 and b"WO-1" in raws(hub, log))
        daemon.end()
        with closing(JournalReader(tmp_path / "journal.db")) as reader:
            common = reader.tip.seq
        hub.fate = lambda _path: "500"
        daemon.start().scan("WO-2")
        daemon.answered(2)
        hub.do[log] = "reidentify"  # meanwhile the other device took the next place
        hub.fate = lambda _path: None
        daemon.until(lambda: len(hub.logs) == 2, RETRIED_S)
        new = next(each for each in hub.logs if each != log)
        daemon.until(lambda: raws(hub, new) == [b"WO-2"])
        again = next(decode(encoded) for encoded, _ in hub.logs[new] if decode(encoded).raw == b"WO-2")
        assert again.origin is not None
        assert again.origin.log == log
        assert again.origin.seq > common


def test_definitions_and_open_items_are_kept_for_judging_offline(tmp_path: Path, hub: FakeHub) -> None:
    hub.snapshot = (
        b'{"definitions":[{"what":"pattern.define","data":{"name":"order","regex":"WO-(?P<id>[0-9]+)","as":"item"}},'
        b'{"what":"person.define","data":{"badge":"7","name":"A. Kim"}}]}'
    )
    hub.items = [
        {"item": "1", "product": None, "operation": None, "state": "waiting", "qty_milli": 5000, "stage": "saw"}
    ]
    with a_daemon(tmp_path, hub) as daemon:
        daemon.start()
        daemon.until(lambda: any(path.startswith("/items/changes") for path in hub.paths))
        with closing(JournalReader(tmp_path / "journal.db")) as reader:
            daemon.until(lambda: reader.items().rows != [])
            assert reader.snapshot() == ("v1", hub.snapshot)
            assert [(row.item, row.qty_milli) for row in reader.items().rows] == [("1", 5000)]
        daemon.scan("WO-1")
        daemon.answered(1)
        daemon.end()
        hub.fate = lambda _path: "500"
        daemon.start().scan("WO-2")
        daemon.answered(2)
        with closing(JournalReader(tmp_path / "journal.db")) as reader:
            events = [decode(stored.encoded) for stored in reader.events()]
        assert [event.scheme for event in events if event.kind == "scan"] == ["own", "own"]
