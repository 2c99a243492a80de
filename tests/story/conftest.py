"""What the stories in a browser share: the hub as it runs in a shop, and the browser, once for each file of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import a_browser
from live_hub import LiveHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """The hub as it runs in a shop."""
    live = LiveHub(tmp_path_factory.mktemp("hub"))
    yield live
    live.running.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a file."""
    with a_browser() as browser:
        yield browser
