"""Watching what is plugged in, where umockdev cannot go: a queue that ran over, and close at any time."""

import errno
import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers import hotplug
from drivers.decode.plugged import Facts
from drivers.hotplug import Added, Hotplug, Removed

FIRST = Facts("/dev/input/event3", "Symbol Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", True, False)
SECOND = replace(FIRST, node="/dev/input/event4", serial="SN78", place="usb-1.4")
OTHER = replace(SECOND, node="/dev/input/event3")


class Udev:
    """What pyudev shows of a machine: devices that can be listed, and a queue of what happened."""

    def __init__(self, monkeypatch, *there):
        self.there = list(there)
        self._happened = []
        self._read_end, self._write_end = os.pipe()
        monkeypatch.setattr(hotplug, "facts_of", lambda node: next((f for f in self.there if f.node == node), None))

    def watch(self):
        watching = Hotplug()
        watching._context = SimpleNamespace(list_devices=self._list)
        watching._monitor = SimpleNamespace(fileno=lambda: self._read_end, poll=self._poll)
        return watching

    def device(self, action, facts, name=None):
        node = facts.node
        return SimpleNamespace(
            action=action, device_node=node, device_links=(), sys_name=name or node.rpartition("/")[2]
        )

    def happens(self, what):
        self._happened.append(what)
        os.write(self._write_end, b".")

    def _list(self, *, subsystem):
        assert subsystem == "input"
        return [self.device("add", facts) for facts in self.there]

    def _poll(self, *, timeout):
        assert timeout == 0
        os.read(self._read_end, 1)
        what = self._happened.pop(0)
        if isinstance(what, OSError):
            raise what
        return what

    def end(self):
        os.close(self._read_end)
        os.close(self._write_end)


@pytest.fixture
def udev(monkeypatch):
    udev = Udev(monkeypatch)
    yield udev
    udev.end()


def test_what_a_full_queue_lost_is_found_by_looking(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == Added(FIRST)
    udev.there = [SECOND]
    udev.happens(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))
    assert [next(changes), next(changes)] == [Removed(FIRST), Added(SECOND)]
    watching.close()
    assert list(changes) == []


def test_another_device_under_the_same_node_is_removed_and_added(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == Added(FIRST)
    udev.there = [OTHER]
    udev.happens(udev.device("add", OTHER))
    assert [next(changes), next(changes)] == [Removed(FIRST), Added(OTHER)]
    watching.close()
    assert list(changes) == []


def test_a_device_is_told_again_when_udev_has_finished_with_it(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == Added(FIRST)
    udev.happens(udev.device("add", FIRST))
    assert next(changes) == Added(FIRST)
    watching.close()
    assert list(changes) == []


def test_what_is_no_event_node_or_gone_or_unknown_says_nothing(udev):
    watching = udev.watch()
    changes = watching.watch()
    udev.happens(udev.device("add", FIRST, name="mouse0"))
    udev.happens(SimpleNamespace(action="add", device_node=None, device_links=(), sys_name="input4"))
    udev.happens(udev.device("add", FIRST))  # gone again: there are no facts of it
    udev.happens(udev.device("remove", FIRST))
    udev.happens(udev.device("change", FIRST))
    udev.there = [SECOND]
    udev.happens(udev.device("add", SECOND))
    assert next(changes) == Added(SECOND)
    watching.close()
    assert list(changes) == []


def test_close_ends_a_watch_that_sleeps():
    watching = Hotplug()
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(watching.watch()))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    watching.close()
    thread.join(10)
    assert not thread.is_alive()
    watching.close()
    assert list(watching.watch()) == []
