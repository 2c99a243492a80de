"""The hub's limit of open files: a thousand stations keep a connection each."""

import subprocess
import sys

import pytest

from server.http.connection import MAX_CONNECTIONS
from server.ops.serve import MAX_FILES

TRIED = """
import resource
from server.ops.serve import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("soft", "hard", "limit"), [(1024, 10_000, MAX_FILES), (256, 1024, 1024), (8192, 8192, 8192)])
def test_the_limit_is_raised_as_far_as_the_system_allows(soft: int, hard: int, limit: int) -> None:
    code = TRIED.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{limit} {limit}\n"


def test_a_thousand_stations_may_be_connected() -> None:
    assert MAX_CONNECTIONS >= 1_000 + 64
    assert MAX_FILES > MAX_CONNECTIONS + 3 * 104  # a connection of SQLite has three files
