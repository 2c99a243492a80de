"""Adapters to the operating system and vendor libraries: HID, serial ports, PC/SC, sysfs, xkb."""
