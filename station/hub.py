"""The hub over HTTP: CONTRACT section 4 as five calls, each an answer that was understood or a `HubError`.

An answer that is not exactly what was promised (a page with status 200, half a JSON, the wrong verdicts) counts as none.
"""

import gzip
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import urllib3

from station.hub_words import EventsAnswer, HeartbeatAnswer, ItemsAnswer, SessionAnswer

CONNECT_S = 5.0
READ_S = 15.0
WHOLE_S = 60.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
GZIP_FROM_BYTES = 1024
CHUNK_BYTES = 65_536
OK, NOT_MODIFIED, CONFLICT, TOO_MANY = 200, 304, 409, 429
REFUSED = frozenset({401, 403})


class HubError(Exception):
    """The hub gave no usable answer. `refused`: it does not let this station in; `retry_s`: when it asked to be tried."""

    def __init__(self, sentence: str, *, refused: bool = False, retry_s: float | None = None) -> None:
        super().__init__(sentence)
        self.refused, self.retry_s = refused, retry_s


class Conflict(HubError):
    """The hub took nothing of a batch: `seq` is the first event that does not fit."""

    def __init__(self, sentence: str, seq: int) -> None:
        super().__init__(sentence)
        self.seq = seq


class _Trouble(msgspec.Struct, frozen=True):
    came: str = ""
    expected: str = ""
    do: str = ""
    seq: int | None = None


class _ErrorAnswer(msgspec.Struct, frozen=True):
    error: _Trouble = _Trouble()


Answer = TypeVar("Answer")


class Hub:
    """One hub, reached with this station's token. Used by one thread."""

    def __init__(self, url: str, token: str, ca_file: str | None = None, agent: str = "wipline-station") -> None:
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": agent, "Accept": "application/json"}
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, retries=False, ca_certs=ca_file,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        )  # fmt: skip

    def session(self, body: Mapping[str, Any]) -> SessionAnswer:
        """Open a session for a log."""
        return self._post("/session", body, SessionAnswer)

    def events(self, log: str, body: Mapping[str, Any]) -> EventsAnswer:
        """Send a batch; raises `Conflict` where its chain does not fit."""
        return self._post(f"/logs/{log}/events", body, EventsAnswer)

    def heartbeat(self, body: Mapping[str, Any]) -> HeartbeatAnswer:
        """Say how the station is."""
        return self._post("/heartbeat", body, HeartbeatAnswer)

    def snapshot(self, version: str | None) -> tuple[str, bytes] | None:
        """The definitions, (version, body); None where `version` still holds."""
        headers = {"If-None-Match": f'"{version}"'} if version is not None else {}
        status, answer, body = self._ask("GET", "/snapshot", None, headers)
        if status == NOT_MODIFIED:
            return None
        self._decode(body, dict)
        return answer.headers.get("ETag", "").removeprefix("W/").strip('"'), body

    def items(self, after: str) -> ItemsAnswer:
        """Open items that changed since a cursor ("" for all)."""
        query = "/items/changes" + (f"?after={after}" if after else "")
        return self._decode(self._ask("GET", query, None, {})[2], ItemsAnswer)

    def close(self) -> None:
        """Let go of the connection."""
        self._pool.clear()

    def _post(self, path: str, body: Mapping[str, Any], kind: type[Answer]) -> Answer:
        content = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        if len(content) >= GZIP_FROM_BYTES:
            content, headers["Content-Encoding"] = gzip.compress(content, 1), "gzip"
        return self._decode(self._ask("POST", path, content, headers)[2], kind)

    def _decode(self, body: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            msg = f"What answers at {self._base} is no hub: {error}. Correct the hub's url, or look at what stands between."
            raise HubError(msg) from error

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, urllib3.BaseHTTPResponse, bytes]:
        try:
            answer = self._pool.request(
                method, self._base + path, body=body, headers={**self._headers, **headers},
                preload_content=False, redirect=False,
            )  # fmt: skip
            content = self._read(answer)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            msg = f"The hub at {self._base} cannot be reached: {_reason(error)}."
            raise HubError(msg) from error
        if answer.status in (OK, NOT_MODIFIED):
            return answer.status, answer, content
        raise self._error(answer, content)

    def _read(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        deadline, parts, size = time.monotonic() + WHOLE_S, [], 0
        try:
            while part := answer.read1(CHUNK_BYTES):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    answer.close()
                    msg = f"The hub at {self._base} sent {size} bytes and did not end; expected less, or sooner."
                    raise HubError(msg)
        finally:
            answer.release_conn()
        return b"".join(parts)

    def _error(self, answer: urllib3.BaseHTTPResponse, content: bytes) -> HubError:
        try:
            trouble = msgspec.json.decode(content, type=_ErrorAnswer).error
        except (msgspec.MsgspecError, ValueError, RecursionError):
            trouble = _Trouble()
        sentence = f"The hub answers {answer.status}"
        if trouble.came or trouble.do:
            sentence += f": {trouble.came}; expected {trouble.expected}. {trouble.do}"
        if answer.status == CONFLICT and trouble.seq is not None:
            return Conflict(sentence, trouble.seq)
        retry = answer.headers.get("Retry-After", "")
        return HubError(sentence, refused=answer.status in REFUSED, retry_s=float(retry) if retry.isdigit() else None)


def _reason(error: Exception) -> str:
    """What went wrong, without the addresses of our own objects in it."""
    text = str(getattr(error, "reason", None) or error)
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text if "object at 0x" in text else text
