"""A hub whose answers are altered in one field each, as JSON texts: what no honest hub sends."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.station.test_stored_shop import EXTREMES as VALUES

Answer = tuple[int, dict[str, str], bytes]
Alter = Callable[[str, Answer], Answer]
MARK = "@@here@@"
HUGE = "[" + ",".join(["0"] * 200_000) + "]"
EXTREMES = (*VALUES, '"log_ahead"', '"reidentify"', '"fork"', '"ok"', '"an unknown word"', HUGE, '{"seq":1}')
NO_BODIES = (b"", b"null", b"[]", b"7", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000, b"<html>", b'{"a":"\\ud800"}')
HEADERS = (
    "", "0", "-1", "1", "2147483648", "9223372036854775808", "9" * 400, "1.5", "soon", "x" * 70_000, "\x7f\xff", '""',
    'W/"v"',
)  # fmt: skip

FIELDS: Mapping[str, tuple[tuple[str | int, ...], ...]] = {
    "/session": (
        ("hub_epoch",), ("accepted_thru",), ("durable_thru",), ("accepted_hash",), ("limits",), ("limits", "events"),
        ("limits", "body_bytes"), ("snapshot_version",), ("t2",), ("t3",), ("hub_clk",), ("mac",), ("do",),
    ),
    "/logs": (
        ("verdicts",), ("verdicts", 0), ("verdicts", 0, "seq"), ("verdicts", 0, "verdict"), ("accepted_thru",),
        ("durable_thru",), ("hub_epoch",), ("head",), ("wait_ms",),
    ),
    "/heartbeat": (
        ("wait_ms",), ("snapshot_version",), ("epoch",), ("head",), ("accepted_thru",), ("durable_thru",),
    ),
    "/snapshot": (("definitions",), ("definitions", 0), ("bindings",), ("codes",), ("refused",), ("epoch",), ("head",)),
    "/items": (
        ("cursor",), ("items",), ("items", 0), ("items", 0, "item"), ("items", 0, "product"), ("items", 0, "operation"),
        ("items", 0, "state"), ("items", 0, "qty_milli"), ("items", 0, "stage"), ("reset",), ("complete",), ("epoch",),
        ("head",),
    ),
}  # fmt: skip
ITEM = {"item": "1", "product": "p", "operation": 10, "state": "waiting", "qty_milli": 5_000, "stage": "saw"}


def endpoint(path: str) -> str:
    """The endpoint of an address."""
    return "/" + path.split("/")[1].split("?", maxsplit=1)[0]


def with_field(content: bytes, place: tuple[str | int, ...], text: str) -> bytes:
    """An answer in which the value at this place is another, given as JSON; added where the answer lacks it."""
    answer = json.loads(content)
    if "items" in answer and isinstance(answer["items"], list):
        answer["items"] = answer["items"] or [dict(ITEM)]
    inner: Any = answer
    for name in place[:-1]:
        if isinstance(inner, list) and not inner:
            return content
        inner = inner[name]
    if isinstance(inner, list):
        inner[:1] = [MARK]
    else:
        inner[place[-1]] = MARK
    return json.dumps(answer).encode().replace(json.dumps(MARK).encode(), text.encode())


def altered(at: str) -> Iterator[tuple[str, Alter]]:
    """Every alteration of the answers of one endpoint, with its name."""
    for place in FIELDS[at]:
        for text in EXTREMES:
            yield f"{place} = {text[:30]}", _field(at, place, text)
    for body in NO_BODIES:
        yield (
            f"body {body[:20]!r}",
            lambda path, answer, body=body: (answer[0], answer[1], body) if endpoint(path) == at else answer,
        )


def _field(at: str, place: tuple[str | int, ...], text: str) -> Alter:
    def alter(path: str, answer: Answer) -> Answer:
        status, headers, content = answer
        if endpoint(path) != at or status != 200:
            return answer
        return status, headers, with_field(content, place, text)

    return alter


def refusals() -> Iterator[tuple[str, Alter]]:
    """Every status with every value in its error, every Retry-After and every ETag."""
    for status in (304, 400, 401, 403, 404, 409, 413, 429, 500, 503):
        for name in ("came", "expected", "do", "seq"):
            for text in EXTREMES:
                error = {"came": '"a"', "expected": '"b"', "do": '"c"', "seq": "1", name: text}
                inner = ",".join(f'"{field}":{value}' for field, value in error.items())
                yield f"{status} {name} = {text[:30]}", _refusal(status, {}, f'{{"error":{{{inner}}}}}'.encode())
        for value in HEADERS:
            yield f"{status} Retry-After {value[:20]!r}", _refusal(status, {"Retry-After": value}, b"{}")
        for body in NO_BODIES:
            yield f"{status} body {body[:20]!r}", _refusal(status, {}, body)


def _refusal(status: int, headers: dict[str, str], body: bytes) -> Alter:
    return lambda _path, _answer: (status, headers, body)


def etags() -> Iterator[tuple[str, Alter]]:
    """Every ETag of a snapshot."""
    for value in HEADERS:
        yield (
            f"ETag {value[:20]!r}",
            lambda path, answer, value=value: (
                (answer[0], {**answer[1], "ETag": value}, answer[2]) if endpoint(path) == "/snapshot" else answer
            ),
        )
