"""A port that is kept for a server is given to nothing else, and the server still gets it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from reserved_ports import ReservedPorts

FEW_PORTS = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reserved_ports import ReservedPorts
Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40009")
kept = ReservedPorts(2)
held, got = [], set()
server = socket.create_server(("127.0.0.1", 39999))
for reuse in (0, 1) * 4:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    held.append(one)
    try:
        if len(held) % 4 < 2:
            one.bind(("127.0.0.1", 0))
        else:
            one.connect(("127.0.0.1", 39999))
        got.add(one.getsockname()[1])
    except OSError:
        pass
print(len(got), sorted(got & {kept.first, kept.first + 1}))
"""


@pytest.fixture
def ports():
    kept = ReservedPorts(2)
    yield kept
    kept.close()


def test_a_server_that_reuses_addresses_listens_on_a_kept_port(ports):
    for port in (ports.first, ports.first + 1) * 2:  # the second time connections to it are in TIME_WAIT
        with socket.create_server(("", port)) as server, socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""


def test_a_connection_to_a_kept_port_without_a_server_is_refused(ports):
    for _ in range(200):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports.first), timeout=5)


@pytest.mark.host
def test_where_ports_are_few_a_kept_one_is_still_given_to_no_connection_and_no_other_socket():
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    script = f'ip link set lo up && exec {sys.executable} -c "$1" {Path(__file__).parent / "support"}'
    done = subprocess.run([*apart, "sh", "-c", script, "sh", FEW_PORTS], capture_output=True, text=True, check=True)
    given, kept = done.stdout.split(" ", 1)
    assert int(given) >= 4
    assert kept == "[]\n"
