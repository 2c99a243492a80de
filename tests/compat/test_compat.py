"""Released versions and this one: each opens the files of the other's time, and each understands the other on the wire.

The files of a version were made by its own code (`make.py`) and are kept for ever. Decoders of that version's station are
kept beside them, as they were: they say which fields an answer must have.
"""

import base64
import json
import shutil
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from running_hub import RunningHub, hub_command

from server.projection.tables import FOLD_VERSION
from tests.compat.releases import VERSIONS, Release, a_log, endpoint_of
from tests.station.fixtures.fake_hub import TOKEN, FakeHub
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]


@pytest.fixture(params=VERSIONS)
def release(request: pytest.FixtureRequest) -> Release:
    """Each version that was released."""
    return Release(request.param)


def stored(journal: Path) -> list[tuple[int, bytes, bytes]]:
    """Every event of a journal: seq, bytes, hash."""
    with closing(sqlite3.connect(journal)) as db:
        return [tuple(row) for row in db.execute("SELECT seq, bytes, hash FROM event ORDER BY seq")]


def exported(hub: RunningHub) -> list[dict[str, Any]]:
    """The ledger, an event a line."""
    return [json.loads(line) for line in hub.command("export").stdout.splitlines()]


def test_the_kept_files_hold_every_kind_of_request(release: Release) -> None:
    found = {endpoint_of(each["path"]) for each in release.wire}
    assert found == {"session", "events", "heartbeat", "changes", "snapshot"}
    assert release.tip >= 10
    assert release.ledger_events >= 30


def test_this_station_opens_an_old_journal_and_goes_on_in_its_log(release: Release, tmp_path: Path) -> None:
    shutil.copy(release.folder / "journal.db", tmp_path / "journal.db")
    before = stored(tmp_path / "journal.db")
    assert before[-1][0] == release.tip
    with Daemon(tmp_path) as station:
        station.start().scan("WO-1", "WO-3")
        answers = station.answered(2)
        assert [each["state"] for each in answers] == ["green", "amber"]  # WO-3 is not one of the shop's, and is kept
        assert station.command("verify").returncode == 0
        assert station.end() == 0
    after = stored(tmp_path / "journal.db")
    assert after[: len(before)] == before
    assert [each["seq"] for each in answers] == [row[0] for row in after[-2:]]
    assert not (tmp_path / "quarantine").exists()


def test_this_hub_opens_an_old_database_and_shows_what_the_old_one_showed(release: Release, tmp_path: Path) -> None:
    shutil.copy(release.folder / "hub.db", tmp_path / "hub.db")
    hub = RunningHub(tmp_path / "hub.db").start().ready()
    try:
        assert hub.get("/api/v1/items/WO-1")["accounts"] == release.accounts
        with closing(sqlite3.connect(release.folder / "hub.db")) as old:
            kept = {
                (bytes(log).hex(), seq): bytes(event)
                for log, seq, event in old.execute("SELECT log_id, seq, bytes FROM ledger")
            }
        now = {(each["log"], each["seq"]): base64.b64decode(each["bytes"]) for each in exported(hub)}
        assert {place: now.get(place) for place in kept} == kept
        assert hub.command("verify").returncode == 0
    finally:
        hub.stop()


def repeat(hub: RunningHub, asked: dict[str, Any], token: str) -> tuple[int, bytes]:
    """Send a recorded request once more, with this token."""
    body = base64.b64decode(asked["body"]) or None
    headers = {**asked["headers"], "Authorization": f"Bearer {token}"}
    headers.pop("If-None-Match", None)
    request = urllib.request.Request(hub.url + asked["path"], body, headers, method=asked["method"])  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("fresh", [True, False], ids=["a new hub", "its own hub"])
def test_this_hub_answers_every_request_of_an_old_station_as_that_station_takes_it(
    release: Release, tmp_path: Path, fresh: bool
) -> None:
    """On a new hub every event is new; on the one that has them each is a duplicate, and nothing is there twice."""
    if not fresh:
        shutil.copy(release.folder / "hub.db", tmp_path / "hub.db")
    hub = RunningHub(tmp_path / "hub.db")
    token = hub.command("station", "add", "saw-1").stdout.strip() if fresh else release.token
    hub.start().ready()
    try:
        for asked in release.wire:
            status, answer = repeat(hub, asked, token)
            assert status == 200, (asked["path"], answer)
            endpoint = endpoint_of(asked["path"])
            if endpoint == "snapshot":
                assert "definitions" in json.loads(answer)
                continue
            decoded: Any = msgspec.json.decode(answer, type=release.decoder(endpoint))
            if endpoint == "events":
                assert {each.verdict for each in decoded.verdicts} == {"ok" if fresh else "dup"}
        station_log = next(each["path"].split("/")[4] for each in release.wire if endpoint_of(each["path"]) == "events")
        held = [each["seq"] for each in exported(hub) if each["log"] == station_log]
        assert held == list(range(1, release.tip + 1))
        assert hub.command("verify").returncode == 0
    finally:
        hub.stop()


class OldHub(FakeHub):
    """A hub that answers with the fields that the recorded one used, and with no other."""

    def __init__(self, release: Release) -> None:
        super().__init__()
        self._release = release
        snapshot = next(each for each in release.wire if endpoint_of(each["path"]) == "snapshot" and each["etag"])
        self.snapshot, self.version = base64.b64decode(snapshot["answer"]), snapshot["etag"].strip('"')

    def _do(self, path: str, body: Any) -> tuple[int, bytes]:
        status, told = super()._do(path, body)
        endpoint = endpoint_of(path)
        if status != 200 or endpoint == "snapshot":
            return status, told
        recorded = self._release.answers(endpoint)[0]
        if endpoint == "changes":
            return status, msgspec.json.encode(recorded)
        now = msgspec.json.decode(told)
        kept = {name: now.get(name, value) for name, value in recorded.items()}
        if endpoint == "events":
            names = set(recorded["verdicts"][0])
            kept["verdicts"] = [{name: each[name] for name in names} for each in now["verdicts"]]
        return status, msgspec.json.encode(kept)


def test_this_station_sends_all_to_an_old_hub_and_learns_its_shop(release: Release, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with (
        OldHub(release) as hub,
        Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n') as one,
    ):
        one.start()
        one.until(
            lambda: (
                "/snapshot" in hub.paths
                and "/heartbeat" in hub.paths
                and any(path.startswith("/items/changes") for path in hub.paths)
            )
        )
        one.scan("WO-1", "WIP:BADGE:K7", "WIP:SCRAP", "WIP:QTY:1", "WO-1")
        answers = one.answered(5)
        assert "red" not in {each["state"] for each in answers}
        one.until(lambda: [len(events) for events in hub.logs.values()] == [max(each["seq"] for each in answers)])
        one.until(lambda: one.status()["hub"]["state"] == "ok" and not one.status()["waiting"])
        assert hub.forks == []
        drawn = tmp_path / "cards.svg"
        assert one.command("sheet", "--cards", "--svg", str(drawn)).returncode == 0
        assert "Burr left" in "".join(path.read_text() for path in tmp_path.glob("cards*.svg"))  # of the old snapshot


def test_commands_that_only_read_leave_an_old_database_as_it_is(release: Release, tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    shutil.copy(release.folder / "hub.db", db)
    before = db.read_bytes()
    verified = hub_command("verify", "--db", str(db))
    assert "The rows of items are of an earlier version, and are not verified. Start the hub once." in verified.stdout
    refused = hub_command("snapshot", str(tmp_path / "questions.db"), "--db", str(db), check=False)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Error: {db} is of an earlier version; expected items that this version folded."
        " Start the hub once, wait until its pages are up to date, and repeat the command.\n"
    )
    assert db.read_bytes() == before


def test_a_hub_of_the_version_before_opens_makes_its_projections_anew_and_takes_scans(tmp_path: Path) -> None:
    """Its rules of the fold are made earlier ones in the copy, so that there is something to make anew."""
    release = Release("v0.1.0-moves")
    db = tmp_path / "hub.db"
    shutil.copy(release.folder / "hub.db", db)
    with closing(sqlite3.connect(db)) as old:
        old.execute("UPDATE projection SET v = v - 1 WHERE k = 'fold_version'")
        old.commit()
    hub = RunningHub(db).start().ready()
    try:
        log, _, scans = a_log(bytes(range(16, 32)), "WO-2", "WO-1")
        url = f"{hub.url}/api/v1/logs/{log.hex()}/events"
        headers = {"Authorization": f"Bearer {release.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(scans).encode(), headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            assert [verdict["verdict"] for verdict in json.load(answer)["verdicts"]] == ["ok", "ok"]
        hub.until(lambda health: health["projected_pos"] == health["pos"] and not health["running"])
        assert hub.get("/api/v1/items/WO-1")["accounts"] == release.accounts
        assert hub.get("/api/v1/items/WO-1")["events"][-1]["log"] == log.hex()
    finally:
        hub.stop()
    with closing(sqlite3.connect(db)) as now:
        assert now.execute("SELECT v FROM projection WHERE k = 'fold_version'").fetchone() == (FOLD_VERSION,)
    assert hub.command("verify").stdout.endswith(" verified, no break.\n")
