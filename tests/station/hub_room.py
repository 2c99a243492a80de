"""A stand-in for a hub: keeps what it is sent, and misbehaves on request. The real one has tests of its own."""

import gzip
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import msgspec

from station.core.chain import anchor_mac, boot_bytes, genesis, link

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"k" * 32
TOKEN = "a-token"  # noqa: S105 - for a hub that exists for one test


class StandIn:
    """A hub on a port of its own. `fate` says of each request what becomes of it: None, or a misbehaviour's name.

    `delay_s` is for how long it holds back the reply to a request, which it decides when the request comes. `do` forces what
    the answer to a session asks of a log; without that it is decided as the real hub decides it.
    """

    def __init__(self) -> None:
        self.logs: dict[str, list[tuple[bytes, bytes]]] = {}  # (bytes, hash)
        self.epoch, self.do = 1, dict[str, str]()
        self.fate: Callable[[str], str | None] = lambda _path: None
        self.delay_s: Callable[[str], float] = lambda _path: 0.0
        self.paths: list[str] = []
        self.beats: list[dict[str, Any]] = []
        self.parents: dict[str, Any] = {}
        self.snapshot = b'{"definitions":[]}'
        self.version = "v1"
        self.items: list[dict[str, Any]] = []
        self.forks: list[bytes] = []
        self.forked: set[bytes] = set()  # hashes
        self.lock = threading.Lock()
        stand_in = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.answer(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                stand_in.answer(self, msgspec.json.decode(body))

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: Any) -> None:
        """Do what is asked, then answer as the request's fate is."""
        path = request.path.removeprefix("/api/v1")
        fate = self.fate(path)
        with self.lock:
            self.paths.append(path)
            if request.headers["Authorization"] != f"Bearer {TOKEN}":
                status, told = 401, b'{"error":{"came":"a token","expected":"a known one","do":"Add the station."}}'
            elif fate == "500":
                status, told = 500, b"oops"
            else:
                status, told = self._do(path, body)
        threading.Event().wait(self.delay_s(path))
        if fate == "html":
            status, told = 200, b"<html>Please log in</html>"
        if fate == "lost":
            request.close_connection = True
            return
        cut = told[: len(told) // 2] if fate == "half" else told
        request.send_response(status)
        request.send_header("Content-Length", str(len(told) if fate != "half" else len(cut)))
        request.send_header("ETag", f'"{self.version}"')
        request.end_headers()
        with suppress(ConnectionError):  # the station gave up, or was killed
            request.wfile.write(cut)

    def _do(self, path: str, body: Any) -> tuple[int, bytes]:
        if path == "/session":
            return 200, msgspec.json.encode(self._session(body))
        if path.startswith("/logs/"):
            return self._events(path.split("/")[2], body)
        if path == "/heartbeat":
            self.beats.append(body)
            return 200, msgspec.json.encode({"wait_ms": 1000, "snapshot_version": self.version})
        if path == "/snapshot":
            return 200, self.snapshot
        told = {"cursor": f"{self.epoch}:1", "reset": True, "complete": True, "items": self.items}
        return 200, msgspec.json.encode(told)

    def _session(self, body: Any) -> dict[str, Any]:
        log = body["log"]
        self.parents[log] = body["parent"]
        have = self.logs.setdefault(log, [])
        t2, t3 = 1_800_000_000_000_000, 1_800_000_000_000_100
        mac = anchor_mac(KEY, bytes.fromhex(log), boot_bytes(body["boot"]), t2, t3)
        return {
            "hub_epoch": self.epoch, "accepted_thru": len(have), "durable_thru": 0, "snapshot_version": self.version,
            "accepted_hash": have[-1][1].hex() if have else "", "t2": t2, "t3": t3, "hub_clk": "synced", "mac": mac,
            "do": self.do.get(log) or self._what_to_do(have, body),
        }  # fmt: skip

    def _what_to_do(self, have: list[tuple[bytes, bytes]], body: Any) -> str | None:
        """`log_ahead` where the log that is introduced is an older copy, `reidentify` where it has another past."""
        seq = body["tip_seq"]
        if seq > len(have):
            return "reidentify" if bytes.fromhex(body["tip_hash"] or "") in self.forked else None
        if seq and have[seq - 1][1].hex() != body["tip_hash"]:
            return "reidentify"
        return "log_ahead" if seq < len(have) else None

    def _events(self, log: str, body: Any) -> tuple[int, bytes]:
        have, first = self.logs[log], body["from_seq"]
        events = [msgspec.convert(each, bytes, strict=False) for each in body["events"]]
        before, verdicts = bytes.fromhex(body["prev"]), []
        if first > len(have) + 1:
            trouble = {"came": f"seq {first}", "expected": f"{len(have) + 1}", "do": "Send that.", "seq": len(have) + 1}
            return 409, msgspec.json.encode({"error": trouble})
        assert first > 1 or before == genesis(bytes.fromhex(log))
        for seq, encoded in enumerate(events, first):
            before = link(before, encoded)
            if seq > len(have):
                have.append((encoded, before))
                verdicts.append({"seq": seq, "verdict": "ok"})
            elif have[seq - 1][1] == before:
                verdicts.append({"seq": seq, "verdict": "dup"})
            else:
                self.forks.append(encoded)
                self.forked.add(before)
                verdicts.append({"seq": seq, "verdict": "fork"})
        assert before.hex() == body["tip"]
        told = {
            "verdicts": verdicts, "accepted_thru": len(have), "durable_thru": 0, "hub_epoch": self.epoch, "head": "aa",
            "wait_ms": 0,
        }  # fmt: skip
        return 200, msgspec.json.encode(told)
