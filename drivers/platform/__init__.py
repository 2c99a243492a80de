"""Adapters to the operating system and vendor libraries: HID, serial ports, PC/SC, sysfs, xkb."""

from pathlib import Path

ROOT = Path("/")
"""The folder with `sys` and `dev`, in which devices are looked up."""
