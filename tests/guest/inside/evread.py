"""Runs inside the guest: holds one input device as the kernel gives it and prints what happens, a JSON object a line.

`evread.py NODE` prints {"open"}, for each Enter {"keys": [...]}, and when the device goes {"gone": errno, "half": [...]}.
"""

import json
import sys

import evdev
from evdev import ecodes


def say(**fact: object) -> None:
    """One line, at once."""
    print(json.dumps(fact), flush=True)


device = evdev.InputDevice(sys.argv[1])
device.grab()
ids = device.info
say(open=device.name, ids=f"{ids.vendor:04x}:{ids.product:04x}", serial=device.uniq)
keys: list[str] = []
try:
    for event in device.read_loop():
        if event.type == ecodes.EV_KEY and event.value == 1:
            name = str(ecodes.KEY[event.code])
            if name == "KEY_ENTER":
                say(keys=keys)
                keys = []
            else:
                keys.append(name.removeprefix("KEY_"))
except OSError as error:
    say(gone=error.errno, half=keys)
