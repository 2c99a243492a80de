"""The wire to the guest, without a guest."""

import socket
from collections.abc import Iterator

import pytest

from tests.guest.wires import Wire


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A wire, and the bare socket at its other end."""
    here, there = socket.socketpair()
    with here, there:
        yield Wire(here), there


def test_an_object_is_a_line(ends: tuple[Wire, socket.socket]) -> None:
    wire, there = ends
    wire.send({"id": 1, "line": "echo é\n"})
    assert there.recv(100) == b'{"id": 1, "line": "echo \\u00e9\\n"}\n'


def test_objects_are_read_whole_however_they_arrive(ends: tuple[Wire, socket.socket]) -> None:
    wire, there = ends
    there.sendall(b'{"a": 1}\n{"b"')
    assert wire.receive(timeout_s=1) == {"a": 1}
    there.sendall(b": 2}\n")
    assert wire.receive(timeout_s=1) == {"b": 2}


def test_a_silent_guest_is_late_and_a_dead_one_is_gone(ends: tuple[Wire, socket.socket]) -> None:
    wire, there = ends
    with pytest.raises(TimeoutError):
        wire.receive(timeout_s=0.01)
    there.close()
    with pytest.raises(EOFError):
        wire.receive(timeout_s=1)
