"""The cursor of the open items: what a hub sends comes back to it unchanged, or is refused before it is stored."""

from collections.abc import Mapping

import msgspec
import pytest

from station.core.protocol import ItemsAnswer
from station.sync.client import HubClient, HubError
from station.sync.transport import HttpReply
from tests.station.fixtures.rogue_hub import Answer, endpoint, with_field
from tests.station.sync.test_rogue_hub import Rogue, rogue

__all__ = ["rogue"]


class OneAnswer:
    """A hub with this cursor; `paths`: what was asked."""

    def __init__(self, cursor: str) -> None:
        self.paths: list[str] = []
        self._body = msgspec.json.encode(ItemsAnswer(cursor, []))

    def request(self, _method: str, url: str, _body: bytes | None, _headers: Mapping[str, str]) -> HttpReply:
        self.paths.append(url)
        return HttpReply(200, {}, self._body)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("cursor", ["a\0b", "a b", "a\n", "ä", "\u202e"])
def test_a_cursor_that_is_none_is_no_answer_of_a_hub(cursor: str) -> None:
    with pytest.raises(HubError, match="with the cursor"):
        HubClient("http://hub", "t", OneAnswer(cursor)).items("", "00")


def test_a_cursor_is_one_query_word_whatever_it_holds() -> None:
    hub = OneAnswer("2:8")
    client = HubClient("http://hub", "t", hub)
    assert client.items("1:7", "00").cursor == "2:8"
    client.items("1&log=ff#%", "00")
    assert [path.partition("?")[2] for path in hub.paths] == ["log=00&after=1:7", "log=00&after=1%26log%3Dff%23%25"]


def test_a_hub_that_refuses_the_stored_cursor_is_asked_for_all_items(rogue: Rogue) -> None:
    def other(path: str, answer: Answer) -> Answer:
        if endpoint(path) != "/items":
            return answer
        return answer[0], answer[1], with_field(answer[2], ("cursor",), '"not-there"')

    def refusing(path: str, answer: Answer) -> Answer:
        return (400, {}, b"{}") if endpoint(path) == "/items" and "after=not-there" in path else answer

    rogue.lives_through("STORED", other)
    rogue.lives_through("REFUSED", refusing)
    rogue.alter, asked = None, len(rogue.asked)
    rogue.station.power_off()
    rogue.station.boot()
    rogue.settle()
    rogue.all_counted_once()
    assert not [path for path in rogue.asked[asked:] if "after=not-there" in path]
