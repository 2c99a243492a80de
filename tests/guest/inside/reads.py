"""Runs inside the guest, in the station's place: takes every scanner as it comes and writes down what the drivers say.

`reads.py FILE` appends a JSON object a line: {"took": id}, {"raw", "sym", "reader"}, {"dropped": why}, {"lost": sentence}.
"""

import json
import sys
import threading

from drivers import DeviceLost, DriverError, Read, open_driver
from drivers.hotplug import DeviceAdded, Hotplug, verdict

lock = threading.Lock()


def say(**fact: object) -> None:
    """One line, at once, whichever thread says it."""
    with lock, open(sys.argv[1], "a") as out:  # noqa: PTH123 - a plain script of the guest
        out.write(json.dumps(fact) + "\n")


def listen(node: str) -> None:
    """Read one scanner until it goes."""
    try:
        driver = open_driver("keyboard", {"path": node})
    except DriverError as error:
        say(refused=str(error))
        return
    say(took=driver.reader)
    try:
        for read in driver.reads():
            if isinstance(read, Read):
                say(raw=read.raw.decode(), sym=read.sym, reader=read.reader)
            else:
                say(dropped=read.why)
    except DeviceLost as lost:
        say(lost=str(lost))


hotplug = Hotplug()
say(ready=True)
for change in hotplug.watch():
    if isinstance(change, DeviceAdded) and verdict(change.info).take:
        threading.Thread(target=listen, args=(change.info.node,)).start()
