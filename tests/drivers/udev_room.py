"""A machine's udev in a test's hand: devices that are there, and news of them."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers import hotplug
from drivers.decode.plugged import Facts
from drivers.hotplug import Hotplug

FIRST = Facts("/dev/input/event3", "Symbol Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", True, False)
SECOND = replace(FIRST, node="/dev/input/event4", serial="SN78", place="usb-1.4")
OTHER = replace(SECOND, node="/dev/input/event3")


class Udev:
    """What pyudev shows of a machine: devices that can be listed, and a queue of what happened."""

    def __init__(self, monkeypatch, *there):
        self.there = list(there)
        self._happened = []
        self._read_end, self._write_end = os.pipe()
        looks = dict.fromkeys(hotplug.LOOKS, lambda node: next((f for f in self.there if f.node == node), None))
        monkeypatch.setattr(hotplug, "LOOKS", looks)

    def watch(self, known=None):
        watching = Hotplug(known)
        watching._context = SimpleNamespace(list_devices=self._list)
        watching._monitor = SimpleNamespace(fileno=lambda: self._read_end, poll=self._poll)
        return watching

    def device(self, action, facts, name=None):
        node = facts.node
        return SimpleNamespace(
            action=action,
            subsystem=facts.subsystem,
            device_node=node,
            device_links=(),
            device_type="usb_interface" if facts.subsystem == "usb" else None,
            device_path=node,
            sys_name=name or node.rpartition("/")[2],
        )

    def happens(self, what):
        self._happened.append(what)
        os.write(self._write_end, b".")

    def _list(self, *, subsystem):
        return [self.device("add", facts) for facts in self.there if facts.subsystem == subsystem]

    def _poll(self, *, timeout):
        assert timeout == 0
        os.read(self._read_end, 1)
        what = self._happened.pop(0)
        if isinstance(what, Exception):
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
