"""Runs inside the guest, in the station's place: the station itself, with the grab taken out of its reader.

`ungrabbed.py run --config FILE`, as `wipline-station`. What then reaches the console is what the grab keeps away from it.
"""

import evdev

from station.cli.commands import main

evdev.InputDevice.grab = lambda _device: None
main()
