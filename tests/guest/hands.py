"""The hands at the bench, from outside: orders to `inside/hands.py`, and everything it says, with the guest's own times.

Orders and facts go over a wire of their own, so that nothing waits for a shell, and what happens between a plug and a green
light is stamped where it happens.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.guest.image import GuestError
from tests.guest.machine import Machine

LIMIT_S = 30.0
Fact = dict[str, Any]


class Hands:
    """Starts the program in the guest; `facts` is all that it has said, in order. Times are the guest's, in ns."""

    def __init__(self, guest: Machine) -> None:
        self.guest = guest
        self.facts: list[Fact] = []
        self._said = threading.Condition()
        self._orders = 0
        self._end = guest.line_to("hands")
        guest.monitor("device_add", driver="virtserialport", id="hands", chardev="hands", name="wipline.hands")
        guest.wait_until("[ -e /dev/virtio-ports/wipline.hands ]")
        guest.background("exec /usr/bin/python3 /project/hands.py", "/run/hands.log")
        threading.Thread(target=self._listen, daemon=True).start()
        self.until(lambda fact: fact.get("ready"))

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._end.makefile("rb") as stream:
            for line in stream:
                with self._said:
                    self.facts.append(json.loads(line))
                    self._said.notify_all()

    def order(self, who: str, do: str, **how: Any) -> int:
        """Have something done with a device; the order's number. Nothing is waited for."""
        self._orders += 1
        self._end.sendall(json.dumps({"id": self._orders, "who": who, "do": do, **how}).encode() + b"\n")
        return self._orders

    def done(self, order: int) -> int:
        """Wait until this order is carried out; when that was begun."""
        fact = self.until(lambda fact: fact.get("id") == order)
        if "error" in fact:
            raise GuestError(fact["error"])
        at_ns: int = fact["at_ns"]
        return at_ns

    def now_ns(self) -> int:
        """The guest's time."""
        return self.done(self.order("clock", "look"))

    def until(self, true: Callable[[Fact], Any], since: int = 0, within_s: float = LIMIT_S, what: str = "") -> Fact:
        """The first fact from number `since` on of which this is true, waited for."""
        found = self.maybe(true, since, within_s)
        if found is None:
            last = "\n".join(map(str, self.facts[-20:]))
            log = self.guest.sh("cat /run/hands.log; journalctl -u wipline-station -o cat --no-pager | tail -n 40")
            msg = f"The hands did not see this in {within_s:g} s: {what or 'it'}. Last:\n{last}\n{log}"
            raise GuestError(msg)
        return found

    def maybe(self, true: Callable[[Fact], Any], since: int, within_s: float) -> Fact | None:
        """The same; None where it does not come."""
        until = time.monotonic() + within_s
        number = since
        while True:
            with self._said:
                while number >= len(self.facts):
                    if not self._said.wait(max(until - time.monotonic(), 0)) and time.monotonic() >= until:
                        return None
                fact = self.facts[number]
            number += 1
            if true(fact):
                return fact

    def state_of(self, reader: str) -> str:
        """How the station says this reader is."""
        return next((fact["state"] for fact in reversed(self.facts) if fact.get("reader") == reader), "")
