"""The kept files of each released version: `hub.db`, `journal.db`, `wire.jsonl`, `about.json`, `hub_words.py`."""

import base64
import importlib.util
import json
from pathlib import Path
from typing import Any

import msgspec

from station.core.hash_chain import genesis, link

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.glob("v*"))
ANSWERS = {
    "session": "SessionAnswer",
    "events": "EventsAnswer",
    "heartbeat": "HeartbeatAnswer",
    "changes": "ItemsAnswer",
}


class Release:
    """The kept files of one version."""

    def __init__(self, version: str) -> None:
        self.folder = HERE / version
        about = json.loads((self.folder / "about.json").read_text())
        self.token, self.tip = str(about["token"]), int(about["tip"])
        self.ledger_events, self.accounts = int(about["ledger_events"]), dict(about["accounts"])
        self.wire = [json.loads(line) for line in (self.folder / "wire.jsonl").read_text().splitlines()]

    def decoder(self, endpoint: str) -> type[msgspec.Struct]:
        """What the station of that version takes for an answer."""
        spec = importlib.util.spec_from_file_location("old_hub_words", self.folder / "hub_words.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: type[msgspec.Struct] = getattr(module, ANSWERS[endpoint])
        return found

    def answers(self, endpoint: str) -> list[dict[str, Any]]:
        """What its hub answered, decoded."""
        found = [each for each in self.wire if endpoint_of(each["path"]) == endpoint and each["status"] == 200]
        return [json.loads(base64.b64decode(each["answer"])) for each in found]


def endpoint_of(path: str) -> str:
    """The last word of an address."""
    return path.partition("?")[0].rpartition("/")[2]


def a_log(log_id: bytes, *texts: str) -> tuple[bytes, bytes, dict[str, Any]]:
    """The scans of a new log as a station sends them: the log, its tip, and the body of the request."""
    tip, events = genesis(log_id), []
    for text in texts:
        raw = base64.b64encode(text.encode())
        events.append(b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","stage":"saw","raw":"%s"}' % raw)
        tip = link(tip, events[-1])
    encoded = [base64.b64encode(event).decode() for event in events]
    body = {"from_seq": 1, "prev": genesis(log_id).hex(), "tip": tip.hex(), "events": encoded}
    return log_id, tip, body
