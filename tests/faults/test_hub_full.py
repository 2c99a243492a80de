"""The hub on a disk that is really full: a tmpfs of 16 MiB in a mount namespace."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from missing import not_here

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

SCRIPT = Path(__file__).parents[1] / "support" / "full_disk.py"
FULL = "The hub's disk is full: nothing can be written. Free some space."


def test_a_full_disk_is_answered_503_and_the_hub_goes_on_when_there_is_room(tmp_path):
    if not shutil.which("unshare"):
        not_here("no unshare here: sudo apt-get install util-linux")
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    shell = 'mount -t tmpfs -o size=16m none "$1" && exec "$2" "$3" "$1"'
    command = [*own, "sh", "-c", shell, "sh", str(tmp_path), sys.executable, str(SCRIPT)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    print(told)
    assert told["first"] == [200, None]
    assert told["events"][0] == told["entries"][0] == 503
    for name in ("events", "entries", "session", "heartbeat"):
        status, retry_after = told[name]
        # A small row may still fit into a page that is there; what does not is never an error of the hub itself.
        assert (status, retry_after) in [(503, "30"), (200, None)], name
    assert told["health"][0] == 503
    assert any("disk" in line for line in told["health"][1])
    assert told["board"] == [200]
    assert told["events again"] == told["entries again"] == [200, None]
    assert [line for line in told["health again"][1] if "disk" in line] == []
    assert told["breaks"] == []
