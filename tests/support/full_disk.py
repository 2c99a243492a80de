"""A hub on a small file system that fills up: `python full_disk.py FOLDER` prints what each request was answered, as JSON.

FOLDER is the mount point of a tmpfs of a few MiB, in a mount namespace of its own.
"""

import base64
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from server.app import create_app
from server.auth import accounts, devices
from server.config import HubConfig
from server.db.store import Store
from server.ledger.verify import verify
from server.ops.bootstrap import initialise
from station.core.hash_chain import genesis, link

CHUNK = 4096


def batches(log: bytes, count: int) -> list[dict[str, Any]]:
    """Batches of one log, 100 events of 3 KiB each."""
    found, before, seq = [], genesis(log), 1
    for _ in range(count):
        text = base64.b64encode(b"X" * 2200).decode()
        events = [b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","raw":"%s"}' % text.encode()] * 100
        tip = before
        for event in events:
            tip = link(tip, event)
        encoded = [base64.b64encode(event).decode() for event in events]
        found.append({"from_seq": seq, "prev": before.hex(), "tip": tip.hex(), "events": encoded})
        before, seq = tip, seq + len(events)
    return found


def main(folder: Path) -> None:
    store = Store(folder / "hub.db")
    initialise(store)
    with store.write() as connection:
        station = {"Authorization": f"Bearer {devices.add(connection, 'saw-1', 0)}"}
        office = {"Authorization": f"Bearer {accounts.add_token(connection, None, 'supervise', 0)}"}
    app = create_app(HubConfig(), store)
    app.testing = False
    browser, log, told = app.test_client(), bytes(range(16)), {}
    pending = batches(log, 5)

    def post(name: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> int:
        answer = browser.post(path, json=body, headers=headers)
        told[name] = [answer.status_code, answer.headers.get("Retry-After")]
        return answer.status_code

    events = f"/api/v1/logs/{log.hex()}/events"
    post("first", events, pending[0], station)
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * CHUNK)
        except OSError:
            pass
    sent = 1
    while sent < len(pending) and post("events", events, pending[sent], station) == 200:
        sent += 1
    notes = {"entries": [{"what": "note", "data": {"item": "WO-1", "text": "n" * 3000}}] * 100}
    post("entries", "/api/v1/entries", notes, office)
    post("session", "/api/v1/session", {"log": bytes(16).hex()}, station)
    post("heartbeat", "/api/v1/heartbeat", {"readers": [{"id": "x" * 200}] * 60}, station)
    health = browser.get("/healthz")
    told["health"] = [health.status_code, health.json["wrong"]]
    told["board"] = [browser.get("/").status_code]
    (folder / "filler").unlink()
    post("events again", events, pending[sent], station)
    post("entries again", "/api/v1/entries", notes, office)
    health = browser.get("/healthz")
    told["health again"] = [health.status_code, health.json["wrong"]]
    store.close()
    with closing(Store(folder / "hub.db")) as again, again.read() as connection:
        told["breaks"] = [str(found) for found in verify(connection)]
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
