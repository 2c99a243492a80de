"""The guest for tests: built, booted and furnished at most once, then started from a snapshot for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from missing import not_here

from tests.guest.image import NotOnThisMachine, ensure_image
from tests.guest.installed import Installed, copy_disk, ensure_installed
from tests.guest.machine import Machine
from tests.guest.scanner import Scanner
from tests.guest.story_line import finish


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A pipeline that ran the guest tells the story, or has failed."""
    finish(session)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The product in a guest, ready to start from; its disk is this session's own."""
    scratch = tmp_path_factory.mktemp("guest")
    try:
        image = ensure_image()
    except NotOnThisMachine as error:
        not_here(str(error))
    kept = ensure_installed(image, scratch)
    copy_disk(kept.disk, scratch / "disk.qcow2")
    return Installed(kept.image, scratch / "disk.qcow2", kept.project)


@pytest.fixture
def start(installed: Installed, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """`start(hub_port=None, snapshot="installed")`: a guest as it was when the product had just been installed, or, with
    `snapshot=None`, one that boots from the disk as the last one left it; one at a time."""
    with ExitStack() as running:

        def start(hub_port: int | None = None, snapshot: str | None = "installed") -> Machine:
            return running.enter_context(
                Machine(
                    installed.image,
                    installed.disk,
                    tmp_path,
                    snapshot=snapshot,
                    project=installed.project,
                    hub_port=hub_port,
                )
            )

        yield start


@pytest.fixture
def guest(start: Callable[..., Machine]) -> Machine:
    """A running guest without a hub."""
    return start()


@pytest.fixture
def scanner(guest: Machine) -> Scanner:
    """A Symbol scanner, 05e0:1200 with serial number SN77, plugged in."""
    return Scanner(guest).add()
