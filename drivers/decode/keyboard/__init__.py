"""Decoding of keyboard-wedge scanners: key events, layouts, dead keys and affixes. Pure."""
