"""Fonts: the fonts of the hub's machine, as the writers of papers use them."""

from station.core.printing.libraries import MachineFonts
from station.system.fonts import font_file, letters_without_font

MACHINE_FONTS = MachineFonts(font_file, letters_without_font)
