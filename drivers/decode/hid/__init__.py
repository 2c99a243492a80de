"""Decoding of HID report descriptors and HID POS scanners. Pure."""
