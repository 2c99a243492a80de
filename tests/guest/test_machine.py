"""The guest itself: a whole Debian station under systemd, in which every other test of this folder stands."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.guest.installed import Installed
from tests.guest.machine import HUB_URL, Machine

pytestmark = pytest.mark.guest


def test_the_guest_runs_under_systemd_and_no_unit_has_failed(installed: Installed, guest: Machine) -> None:
    guest.settle()
    kernel = guest.sh("uname -r")
    figures = json.loads((installed.image.folder / "figures.json").read_text())
    print(f"\nguest: kernel {kernel}, from snapshot to first answer {guest.up_s:.1f} s, image {figures}")
    assert guest.sh("cat /proc/1/comm") == "systemd"
    assert guest.sh("systemctl --failed --no-legend") == ""
    assert guest.sh(". /etc/os-release && echo $VERSION_CODENAME") == "bookworm"


def test_a_guest_from_a_snapshot_has_todays_clock(guest: Machine) -> None:
    assert abs(int(guest.sh("date +%s")) - time.time()) < 2


def test_each_test_starts_from_the_same_disk(start: Callable[..., Machine]) -> None:
    first = start()
    first.write("/root/left-behind", "something\n")
    first.sh("sync")
    first.power_cut()
    assert start().ask("test -e /root/left-behind")[0] == 1


class SaysHub(BaseHTTPRequestHandler):
    """A hub that says so."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the hub")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def hub_port() -> Iterator[int]:
    """The port of a hub on the host's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SaysHub) as hub:
        threading.Thread(target=hub.serve_forever, args=(0.1,)).start()
        yield hub.server_port
        hub.shutdown()


def test_only_the_hub_answers_on_the_network_and_only_while_the_cable_is_in(
    start: Callable[..., Machine], hub_port: int
) -> None:
    guest = start(hub_port=hub_port)
    get = (
        f"/usr/bin/python3 -c 'import urllib.request as u; print(u.urlopen(\"{HUB_URL}\", timeout=4).read().decode())'"
    )
    assert guest.sh(get) == "the hub"
    guest.cable(plugged=False)
    guest.wait_until("grep -qx 0 /sys/class/net/en*/carrier")
    assert guest.ask(get)[0] == 1
    guest.cable(plugged=True)
    assert guest.wait_until(get) == "the hub"
    the_host_itself = get.replace("10.0.2.100:8080", f"10.0.2.2:{hub_port}")
    assert guest.ask(the_host_itself)[0] == 1


def test_a_line_that_hangs_is_stopped_with_all_it_started_and_the_next_one_runs(guest: Machine) -> None:
    assert guest.ask("echo before; sleep 60 & sleep 60; echo after", timeout_s=1) == (124, "before\n")
    assert guest.ask("pgrep -x sleep") == (1, "")


def test_what_a_line_left_running_writes_to_its_log(guest: Machine) -> None:
    process = guest.background("echo started; sleep 30", "/run/line.log")
    assert guest.wait_until("grep started /run/line.log") == "started"
    guest.sh(f"kill -- -{process}")


def test_a_long_answer_arrives_whole(guest: Machine) -> None:
    assert guest.sh("seq 30000") == "\n".join(str(number) for number in range(1, 30_001))
