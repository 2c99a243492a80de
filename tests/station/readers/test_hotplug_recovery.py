"""The watch of what is plugged in fails and begins again: what was pulled out meanwhile is known to be gone."""

import errno
import os
from typing import TYPE_CHECKING, Any

from waiting import until

from station.readers.device_access import DeviceAccess
from station.readers.hotplug import HotplugManager
from station.readers.registry import ReaderRegistry
from tests.drivers.fixtures.fake_udev import FIRST, SECOND
from tests.station.fixtures.reader_manager import SHORT

if TYPE_CHECKING:
    from station.readers.reader_thread import ReaderSpec


def test_what_was_pulled_out_while_nobody_looked_is_gone_and_what_stayed_is_not_begun_twice(udev: Any) -> None:
    udev.there = [FIRST, SECOND]
    begun, changes, registry = list["ReaderSpec"](), list[int](), ReaderRegistry(lambda *_, **__: None, lambda: None)
    devices = DeviceAccess(open_monitor=udev.watch, pauses=SHORT)
    plugs = HotplugManager((), registry, dict, begun.append, lambda: changes.append(1), devices)
    plugs.start()
    until(lambda: len(changes) == 2)
    udev.there = [SECOND]
    udev.happens(OSError(errno.EIO, os.strerror(errno.EIO)))
    until(lambda: len(changes) == 4)
    assert [(each.settings["path"], each.gone.is_set()) for each in begun] == [(FIRST.node, True), (SECOND.node, False)]
    udev.there = [FIRST, SECOND]
    udev.happens(udev.device("add", FIRST))
    until(lambda: len(changes) == 5)
    assert [(each.settings["path"], each.gone.is_set()) for each in begun[2:]] == [(FIRST.node, False)]
    assert registry.lines() == []
    plugs.close()
