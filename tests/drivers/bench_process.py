"""The product's side of the umockdev lane: what a station does with readers, told as JSON lines on standard output.

Watches, takes what it may, and reads each in a thread, as the station does; ends when standard input does. The argument
is the configured readers as JSON.
"""

import json
import sys
import threading
from typing import Any

from drivers import Driver, DriverError, Read, open_driver
from drivers.hotplug import Added, Facts, Hotplug, verdict

_telling = threading.Lock()


def say(**words: Any) -> None:
    """One line."""
    with _telling:
        print(json.dumps(words), flush=True)


def read(driver: Driver) -> None:
    """Tell every scan of one reader until it goes."""
    try:
        for scan in driver.reads():
            if isinstance(scan, Read):
                say(read=scan.raw.decode(), reader=scan.reader, sym=scan.sym)
            else:
                say(dropped=scan.why, reader=scan.reader)
    except DriverError as lost:
        say(lost=str(lost))


def take(node: str) -> None:
    """Open the reader at this node and read it in a thread of its own."""
    try:
        driver = open_driver("keyboard", {"path": node})
    except DriverError as error:
        say(refused=str(error))
        return
    say(opened=driver.reader)
    threading.Thread(target=read, args=(driver,), daemon=True).start()


def watch(hotplug: Hotplug, rows: list[dict[str, str | None]]) -> None:
    """Follow what is plugged in; the same told again is no news."""
    there: dict[str, Facts] = {}
    for change in hotplug.watch():
        facts = change.facts
        if isinstance(change, Added):
            if there.get(facts.node) == facts:
                continue
            there[facts.node] = facts
            judged = verdict(facts, rows)
            say(added=facts.node, name=facts.name, take=judged.take, why=judged.why)
            if judged.take:
                take(facts.node)
        else:
            there.pop(facts.node, None)
            say(removed=facts.node)


def main() -> None:
    """Serve until standard input ends."""
    hotplug = Hotplug()
    thread = threading.Thread(target=watch, args=(hotplug, json.loads(sys.argv[1])))
    thread.start()
    sys.stdin.read()
    hotplug.close()
    thread.join()
    say(ended=True)


if __name__ == "__main__":
    main()
