"""A stream notices that its page is closed, whatever number its descriptor has."""

import fcntl
import resource
import socket
from collections.abc import Iterator

import pytest

from server.api.stream import _is_closed

HIGH = 1_100  # above the 1,024 descriptors that `select` can watch


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The hub's end of a connection, with a descriptor above 1,023, and the page's end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * HIGH), hard))
    low, page = socket.socketpair()
    hub = socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH))
    low.close()
    yield hub, page
    hub.close()
    page.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_open_connection_with_a_high_descriptor_is_open_until_it_is_closed(ends):
    hub, page = ends
    assert hub.fileno() >= HIGH
    assert not _is_closed(hub)
    page.close()
    assert _is_closed(hub)


def test_a_closed_socket_is_closed(ends):
    hub, _ = ends
    hub.close()
    assert _is_closed(hub)
    assert not _is_closed(None)
