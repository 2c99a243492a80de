"""Fixtures of the station's tests that more than one of them needs."""

from tests.drivers.udev_room import udev
from tests.station.plugs_room import station
from tests.station.readers_room import opened, plugs

__all__ = ["opened", "plugs", "station", "udev"]  # fixtures: pytest finds them here by name
