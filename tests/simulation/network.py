"""The simulated network: a wire between one station and the hub, with everything that goes wrong on wires.

A request may be lost, arrive twice, arrive late once more after other requests, or meet a hub that is away; a reply may be
lost, cut, replaced by a page of something in between, or altered. `Weather` says how often; a perfect one alters nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from station.sync.transport import HttpReply, TransportError
from tests.simulation.world import PowerCut, S, World

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Weather:
    """The chances (0 to 1) of each fault for one request, and how long a way takes at most (us)."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    twice: float = 0.0
    again_later: float = 0.0
    cut_reply: float = 0.0
    page: float = 0.0
    busy: float = 0.0
    slow_us: int = 20_000
    away: bool = False
    alter: Callable[[str, Any], Any] | None = None  # (path, answer) -> answer: an odd or an older hub


@dataclass
class SimWire:
    """The wire of one station. `hub` answers (method, path, body, headers); `alive` is whether the station still runs."""

    world: World
    hub: Callable[[str, str, bytes | None, Mapping[str, str]], Answer | None]
    alive: Callable[[], bool]
    weather: Weather = field(default_factory=Weather)

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply:
        path = url.partition("/api/v1")[2]
        chance, sky = self.world.random, self.weather
        self._pass()
        if sky.away or chance.random() < sky.lost_request:
            self._wait(15 * S)
            msg = "timed out"
            raise TransportError(msg)
        answer = self.hub(method, path, body, headers)
        if method == "POST" and chance.random() < sky.twice:
            answer = self.hub(method, path, body, headers)
        if method == "POST" and chance.random() < sky.again_later:
            late_us = chance.randrange(1, 40 * S)
            kept = dict(headers)
            self.world.at(late_us, lambda: self.hub(method, path, body, kept) and None)
        self._pass()
        if answer is None or chance.random() < sky.lost_reply or sky.away:
            self._wait(15 * S)
            msg = "connection reset"
            raise TransportError(msg)
        status, found, content = answer
        if chance.random() < sky.busy:
            return HttpReply(
                503, {"Retry-After": "2"}, b'{"error":{"came":"a busy hub","expected":"a free one","do":"wait"}}'
            )
        if chance.random() < sky.page:
            return HttpReply(200, {}, b"<html>Sign in to the guest network</html>")
        if chance.random() < sky.cut_reply:
            return HttpReply(status, found, content[: len(content) // 2])
        if sky.alter is not None and status == 200:
            content = _altered(sky.alter, path, content)
        return HttpReply(status, found, content)

    def close(self) -> None:
        """Nothing is held."""

    def _pass(self) -> None:
        """One way of a message; the station may lose its power meanwhile."""
        self._wait(self.world.random.randrange(1_000, max(2_000, self.weather.slow_us)))

    def _wait(self, us: int) -> None:
        self.world.advance(us)
        if not self.alive():
            raise PowerCut


def _altered(alter: Callable[[str, Any], Any], path: str, content: bytes) -> bytes:
    try:
        return json.dumps(alter(path.partition("?")[0], json.loads(content))).encode()
    except ValueError:
        return content


NEW_FIELDS = ("epoch", "head", "accepted_thru", "durable_thru", "thru")


def of_an_older_hub(path: str, answer: Any) -> Any:
    """The answer as a hub of the version before gave it: without the fields that were added since."""
    if path in ("/heartbeat", "/snapshot", "/items/changes") and isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name not in NEW_FIELDS}
    return answer
