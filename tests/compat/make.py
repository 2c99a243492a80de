"""Make the files of one released version: `python tests/compat/make.py TARGET` with that version's code as the first path.

    mkdir build/old && git archive COMMIT | tar -x -C build/old && cd build/old
    PYTHONPATH=$PWD:$PWD/tests/support ../../.venv/bin/python ../../tests/compat/make.py $OLDPWD/tests/compat/VERSION

TARGET then holds `hub.db`, `journal.db`, `wire.jsonl` (each request of that station with the hub's answer) and `about.json`.
Run it as root: the machine's id is hidden, so that the journal belongs to no board. These files are kept for ever.
"""

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

HIDE = "mount --bind /dev/null /etc/machine-id; [ ! -e /sys/class/dmi/id ] || mount -t tmpfs none /sys/class/dmi/id; "
SCANS = (
    "WO-1", "WO-2", "WIP:BADGE:K7", "WIP:SCRAP", "WIP:QTY:2", "WIP:REASON:burr", "WO-1", "WIP:UNDO", "]C10104012345678901",
    "{80}{FF} not text", "WO-1",
)  # fmt: skip


def until(true, within_s=60.0):
    """Wait until this is true."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


class Capture:
    """A proxy that keeps each request and its answer."""

    def __init__(self, hub_port: int) -> None:
        from bad_wire import BadWire

        self.kept: list[dict[str, object]] = []
        capture = self

        class Keeping(BadWire):
            def _hub(self, request: bytes) -> bytes:
                reply = super()._hub(request)
                capture.kept.append(exchange(request, reply))
                return reply

        self.wire = Keeping(lambda: hub_port, lambda _request: "none")


def exchange(request: bytes, reply: bytes) -> dict[str, object]:
    """One line of wire.jsonl."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    answer_head, _, answer = reply.partition(b"\r\n\r\n")
    answer_headers = dict(line.decode().split(": ", 1) for line in answer_head.split(b"\r\n")[1:])
    return {
        "method": method,
        "path": path,
        "headers": {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")},
        "body": base64.b64encode(body).decode(),
        "status": int(answer_head.split(b" ")[1]),
        "etag": answer_headers.get("ETag"),
        "answer": base64.b64encode(answer).decode(),
    }


def make_hub(folder: Path) -> str:
    """A hub with a small shop in it; the token of its station."""
    from shop_writer import ShopWriter

    from server.db.store import Store
    from server.ops.bootstrap import initialise

    store = Store(folder / "hub.db")
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    for order in ("WO-1", "WO-2"):
        shop_writer.release(order, qty=40)
        shop_writer.scan(order, "saw", shop_writer.ago(hours=30))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=4))
    shop_writer.settle()
    token = shop_writer.station("saw-1")
    store.close()
    return token


def sent(status: Path) -> bool:
    """Whether the station has told the hub all it has, and how it is."""
    found = json.loads(status.read_bytes())
    return found["hub"]["state"] == "ok" and not found["waiting"]


def learned(kept: dict[str, object]) -> bool:
    """Whether this request asked for the items that changed since the last answer."""
    return "/items/changes?" in str(kept["path"]) and "after=" in str(kept["path"])


def run(target: Path, folder: Path) -> None:
    """Play station and hub once."""
    from running_hub import RunningHub

    token = make_hub(folder)
    hub = RunningHub(folder / "hub.db").start().ready()
    capture = Capture(hub.port)
    (folder / "token").write_text(token)
    os.mkfifo(folder / "scans")
    (folder / "station.toml").write_text(
        f'station = "saw-1"\nstage = "saw"\njournal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n'
        f'[hub]\nurl = "{capture.wire.url}"\ntoken_file = "{folder}/token"\n'
        f'[[reader]]\nkind = "replay"\npath = "{folder}/scans"\n[[signal]]\nkind = "lines"\npath = "{folder}/answers"\n'
    )
    command = [sys.executable, "-m", "station.cli", "run", "--config", str(folder / "station.toml")]
    station = subprocess.Popen(["unshare", "--mount", "sh", "-c", HIDE + 'exec "$@"', "sh", *command])
    until(lambda: (folder / "status.json").exists() and sent(folder / "status.json"))
    with (folder / "scans").open("w") as scans:
        for number, scan in enumerate(SCANS, 1):
            scans.write(f"{scan}\n")
            scans.flush()
            until(lambda count=number: len((folder / "answers").read_bytes().splitlines()) >= count)
    until(lambda: sent(folder / "status.json") and any(learned(each) for each in capture.kept))
    station.terminate()
    station.wait(30)
    until(lambda: (health := hub.get("/healthz"))["projected_pos"] == health["pos"])
    item = hub.get("/api/v1/items/WO-1")
    hub.stop()
    (target / "wire.jsonl").write_text("".join(json.dumps(each) + "\n" for each in capture.kept))
    for name in ("hub.db", "journal.db"):
        with closing(sqlite3.connect(folder / name)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("VACUUM")
        shutil.copy(folder / name, target / name)
    with closing(sqlite3.connect(target / "journal.db")) as db:
        (tip,) = db.execute("SELECT max(seq) FROM event").fetchone()
    with closing(sqlite3.connect(target / "hub.db")) as db:
        (events,) = db.execute("SELECT count(*) FROM ledger").fetchone()
    about = {"token": token.strip(), "tip": tip, "ledger_events": events, "accounts": item["accounts"]}
    (target / "about.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    """Make the files."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        run(target, Path(folder))


if __name__ == "__main__":
    main()
