"""`wipline-hub demo`, as a person starts it: real processes on real sockets and pipes, and nothing left afterwards."""

import html
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from queue import Queue

import msgspec
import pytest
import urllib3
from postgres_server import postgres_server

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("demo")]
COMMAND = str(Path(sys.executable).with_name("wipline-hub"))
UP_S = 60.0  # on a machine that does much else; the figure is printed
STATIONS = ("assembly-1", "cutting-1", "finishing-1")


class Demo:
    """A running demo: what it printed, line by line, and where it keeps its files."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        started = time.monotonic()
        self.process = subprocess.Popen(
            [COMMAND, "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.said = self._until(lambda line: "Ctrl-C" in line)
        self.up_s = time.monotonic() - started
        self.url = re.search(r"http://127\.0\.0\.1:\d+", self.said)[0]
        self.link = re.search(r"http://\S+/sign-in/\S+", self.said)[0]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def _until(self, wanted) -> str:
        deadline = time.monotonic() + UP_S
        while True:
            line = self._queue.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, f"the demo ended: {''.join(self.lines)}"
            self.lines.append(line)
            if wanted(line):
                return "".join(self.lines)

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", self.url + path, timeout=10.0)

    def json(self, path: str):
        return msgspec.json.decode(self.get(path).data)

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        self.process.stdout.close()
        while (line := self._queue.get(timeout=1)) is not None:
            self.lines.append(line)
        return code

    def programs(self) -> list[int]:
        """The ids of the processes that were started on the demo's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if f"{self.folder}/wipline-demo-".encode() in words:
                    found.append(int(entry.name))
        return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    demo = Demo(tmp_path_factory.mktemp("demo"), "--port", "0")
    print(f"demo up in {demo.up_s:.1f} s")
    yield demo
    demo.end()


def until(true, seconds: float = 30.0):
    """Wait until something holds, and give it back."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
    return found


def test_it_says_where_it_is_and_how_to_come_in(shown):
    assert shown.said == (
        f"The demo is at {shown.url}/\n\n"
        f"  sign in (once, within 15 minutes): {shown.link}\n"
        "  stations: cutting-1, finishing-1, assembly-1; about a scan a second\n"
        "  Ctrl-C ends it and deletes all its data.\n"
    )
    assert shown.get(shown.link.removeprefix(shown.url)).status == 200


def test_ten_days_lie_behind_it_and_all_of_them_are_folded(shown):
    health = shown.json("/healthz")
    assert health["wrong"] == []
    assert health["pos"] > 1_000
    assert health["projected_pos"] > 1_000
    stations = shown.json("/api/v1/stations")["stations"]
    assert [station["station"] for station in stations] == list(STATIONS)
    assert all(max(log["accepted_thru"] for log in station["logs"]) > 100 for station in stations)


def test_two_months_are_closed_the_first_is_exported_and_a_count_has_differences(shown):
    periods = shown.json("/api/v1/periods")["periods"]
    assert [period["holds"] for period in periods] == [True, True]
    assert all(period["value_micros"] > 0 for period in periods)
    newer, older = (shown.json(f"/api/v1/journal?period={period['id']}") for period in periods)
    assert (older["number"], newer["number"]) == (1, None)
    assert newer["from"] == older["to"]
    for made in (older, newer):
        assert made["unmapped"] == []
        assert sum(line["debit_micros"] - line["credit_micros"] for line in made["lines"]) == 0
        assert {"material", "labour"} <= {line["line"] for line in made["lines"]}
    count = shown.json("/api/v1/counts/C-1")
    assert count["count"]["how"] == "finished"
    kinds = Counter(line["kind"] for line in count["lines"])
    assert (kinds["differs"], kinds["missing"], kinds["elsewhere"] + kinds["found"]) == (1, 1, 1)
    assert sum(kinds.values()) == 3 + kinds["agrees"]
    for page in ("/value", "/rollforward", "/month-end", "/journal", "/counts", "/counts/C-1"):
        assert shown.get(page).status == 200


def test_three_real_stations_scan_on(shown):
    """Each station sends from a journal of its own, beside the log of its past."""

    def live():
        stations = shown.json("/api/v1/stations")["stations"]
        beating = [station for station in stations if station["heartbeat"] is not None]
        sent = {
            station["station"]: log["accepted_thru"]
            for station in beating
            for log in station["logs"]
            if log["log"] == station["heartbeat"]["log"] and log["accepted_thru"] > 1
        }
        return sent if len(sent) == len(STATIONS) else None

    before = until(live, 60)
    after = until(lambda: (now := live()) and sum(now.values()) > sum(before.values()) + 3 and now)
    assert set(after) == set(STATIONS)
    assert all(len(station["logs"]) == 2 for station in shown.json("/api/v1/stations")["stations"])


def test_new_scans_are_answered_green_and_folded(shown):
    (folder,) = shown.folder.glob("wipline-demo-*")

    def answers():
        lines = (line for path in folder.glob("*/answers") for line in path.read_bytes().splitlines())
        return [msgspec.json.decode(line) for line in lines]

    until(lambda: len(answers()) >= 5, 60)
    pos = shown.json("/healthz")["pos"]
    until(lambda: shown.json("/healthz")["projected_pos"] > pos + 2)
    states = [answer["state"] for answer in answers()]
    assert set(states) <= {"green", "amber"}
    assert states.count("green") > len(states) // 2


def test_ctrl_c_ends_all_of_it(tmp_path):
    demo = Demo(tmp_path, "--port", "0")
    # A hub and its worker, three stations; right after its start a process has no command line yet.
    until(lambda: len(demo.programs()) >= 4)
    started = time.monotonic()
    assert demo.end(signal.SIGINT) == 0
    print(f"up in {demo.up_s:.1f} s, ended in {time.monotonic() - started:.1f} s")
    assert demo.lines[-2:] == ["\n", "Ending the demo.\n"]
    assert (demo.programs(), list(tmp_path.iterdir())) == ([], [])


def test_it_ends_by_itself_after_the_seconds_given(tmp_path):
    demo = Demo(tmp_path, "--port", "0", "--seconds", "1")
    assert demo.process.wait(30) == 0
    assert demo.end() == 0
    assert (demo.programs(), list(tmp_path.iterdir())) == ([], [])


def test_a_station_that_dies_ends_the_demo_and_is_named(tmp_path):
    demo = Demo(tmp_path, "--port", "0")
    (victim,) = [
        pid for pid in demo.programs() if b"finishing-1/station.toml" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(victim, signal.SIGKILL)
    assert demo.process.wait(30) == 1
    demo.end()
    assert "Error: finishing-1 ended with exit code -9. The end of its log:\n" in "".join(demo.lines)
    assert (demo.programs(), list(tmp_path.iterdir())) == ([], [])


def test_a_taken_port_is_said_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [COMMAND, "demo", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        (
            f"Error: 127.0.0.1:{port} cannot be used: Address already in use. "
            "Expected a free port; name another, or --port 0.\n"
        ),
    )
    assert list(tmp_path.iterdir()) == []


def test_the_demo_on_postgresql_answers_with_every_page_and_leaves_its_database_empty(tmp_path):
    with postgres_server() as server:
        demo = Demo(tmp_path, "--port", "0", "--db", server.url())
        board = demo.get("/").data.decode()
        links = sorted(set(re.findall(r'href="(/[^"#]*)"', board)))
        answers = {link: demo.get(html.unescape(link)).status for link in ["/", *links]}
        (events,) = server.execute("SELECT count(*) FROM ledger", "hub")[0]
        assert demo.end(signal.SIGINT) == 0
        left = server.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "hub")
    print(f"{len(answers)} pages of a demo with {events} events on PostgreSQL, up in {demo.up_s:.1f} s")
    assert answers == dict.fromkeys(answers, 200)
    assert (len(answers) > 10, events > 500, left) == (True, True, [(0,)])
