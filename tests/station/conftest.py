"""Fixtures of the station's tests that more than one of them needs."""

from tests.drivers.fixtures.fake_udev import udev
from tests.station.fixtures.fake_hotplug import station
from tests.station.fixtures.reader_manager import plugs

__all__ = ["plugs", "station", "udev"]  # fixtures: pytest finds them here by name
