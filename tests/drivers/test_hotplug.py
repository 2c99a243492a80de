"""Hotplug, as far as umockdev cannot test it: an overflowed queue, and close at any time."""

import errno
import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers import hotplug
from drivers.hotplug import DeviceAdded, DeviceRemoved, Hotplug
from tests.drivers.fixtures.fake_udev import FIRST, OTHER, SECOND


def test_what_a_full_queue_lost_is_found_by_looking(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == DeviceAdded(FIRST)
    udev.there = [SECOND]
    udev.happens(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))
    assert [next(changes), next(changes)] == [DeviceRemoved(FIRST), DeviceAdded(SECOND)]
    watching.close()
    assert list(changes) == []


def test_news_that_cannot_be_read_is_no_end_but_a_look(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == DeviceAdded(FIRST)
    for error in (ValueError(os.strerror(errno.EINVAL)), OverflowError(os.strerror(errno.EOVERFLOW))):  # as pyudev does
        udev.there = [SECOND]
        udev.happens(error)
        assert [next(changes), next(changes)] == [DeviceRemoved(FIRST), DeviceAdded(SECOND)]
        udev.there = [FIRST]
        udev.happens(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))
        assert [next(changes), next(changes)] == [DeviceRemoved(SECOND), DeviceAdded(FIRST)]
    watching.close()
    assert list(changes) == []


def test_a_device_that_took_anothers_node_while_the_queue_was_full_is_found_too(udev):
    udev.there = [FIRST, SECOND]
    watching = udev.watch()
    changes = watching.watch()
    assert [next(changes), next(changes)] == [DeviceAdded(FIRST), DeviceAdded(SECOND)]
    udev.there = [OTHER]
    udev.happens(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))
    assert [next(changes) for _ in range(3)] == [DeviceRemoved(SECOND), DeviceRemoved(FIRST), DeviceAdded(OTHER)]
    watching.close()
    assert list(changes) == []


def test_another_device_under_the_same_node_is_removed_and_added(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == DeviceAdded(FIRST)
    udev.there = [OTHER]
    udev.happens(udev.device("add", OTHER))
    assert [next(changes), next(changes)] == [DeviceRemoved(FIRST), DeviceAdded(OTHER)]
    watching.close()
    assert list(changes) == []


def test_a_device_is_reported_again_when_udev_has_processed_it(udev):
    udev.there = [FIRST]
    watching = udev.watch()
    changes = watching.watch()
    assert next(changes) == DeviceAdded(FIRST)
    udev.happens(udev.device("add", FIRST))
    assert next(changes) == DeviceAdded(FIRST)
    watching.close()
    assert list(changes) == []


def test_other_nodes_and_removed_devices_are_not_reported(udev):
    watching = udev.watch()
    changes = watching.watch()
    udev.happens(udev.device("add", FIRST, name="mouse0"))
    udev.happens(SimpleNamespace(action="add", subsystem="input", device_node=None, device_links=(), sys_name="input4"))
    udev.happens(udev.device("add", FIRST))  # removed again: sysfs has no such device
    udev.happens(udev.device("remove", FIRST))
    udev.happens(udev.device("change", FIRST))
    udev.there = [SECOND]
    udev.happens(udev.device("add", SECOND))
    assert next(changes) == DeviceAdded(SECOND)
    watching.close()
    assert list(changes) == []


def test_serial_ports_and_smart_card_readers_are_reported(udev):
    port = replace(FIRST, node="/dev/ttyUSB0", subsystem="tty")
    reader = replace(FIRST, node="/devices/usb1/1-1/1-1:1.0", subsystem="usb")
    udev.there = [FIRST, port, reader]
    watching = udev.watch()
    changes = watching.watch()
    assert {next(changes).info.node for _ in range(3)} == {FIRST.node, port.node, reader.node}
    udev.happens(udev.device("remove", reader))
    assert next(changes) == DeviceRemoved(reader)
    watching.close()
    assert list(changes) == []


def test_of_a_usb_device_only_a_smart_card_interface_is_reported(tmp_path):
    device = tmp_path / "sys" / "1-1"
    for number, kind in (("0", "0b"), ("1", "03")):
        interface = device / f"1-1:1.{number}"
        interface.mkdir(parents=True)
        (interface / "bInterfaceClass").write_text(f"{kind}\n")
        (interface / "bInterfaceProtocol").write_text("00\n")
        (interface / "bInterfaceNumber").write_text(f"0{number}\n")
    for name, error in (("idVendor", "072f"), ("idProduct", "2200"), ("product", "ACR122U PICC"), ("serial", "R1")):
        (device / name).write_text(f"{error}\n")
    device_found = hotplug.smart_card_reader_of("/1-1/1-1:1.0", tmp_path)
    assert device_found is not None
    assert (device_found.ids, device_found.name, device_found.serial, device_found.subsystem) == (
        "072f:2200",
        "ACR122U PICC",
        "R1",
        "usb",
    )
    assert hotplug.smart_card_reader_of("/1-1/1-1:1.1", tmp_path) is None
    assert hotplug.smart_card_reader_of("/1-1/1-1:1.9", tmp_path) is None


def test_a_watch_that_follows_one_that_failed_tells_what_went_in_between(udev):
    known = {}
    udev.there = [FIRST, SECOND]
    changes = udev.watch(known).watch()
    assert [next(changes), next(changes)] == [DeviceAdded(FIRST), DeviceAdded(SECOND)]
    udev.happens(OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(OSError, match="Input/output error"):
        next(changes)
    udev.there = [SECOND]
    watching = udev.watch(known)
    changes = watching.watch()
    assert [next(changes), next(changes)] == [DeviceRemoved(FIRST), DeviceAdded(SECOND)]
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
