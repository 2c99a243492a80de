"""Request bodies: read and decompress within limits, and decode into the structs that openapi.json describes.

A body is JSON, plain or gzip, at most 1 MiB before and after decompression. The server passes on a request after all of it
has arrived (`server.http.request_worker`), so a read never blocks here.
"""

import re
import zlib
from typing import Any, TypeVar

import msgspec
from flask import request

from server.api_errors import ApiError
from server.text import counted

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 16  # nesting of lists and objects in stored data
CHUNK_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # with an even number of backslashes before it

T = TypeVar("T")


def read_json(form: type[T], *, nul: bool = False) -> T:
    """The request's body as `form`. Raises `ApiError` 400 or 413.

    `nul`: keep a NUL in a text, for the caller to refuse it. Otherwise it is escaped, so that no station is refused.
    """
    if request.mimetype not in ("application/json", ""):
        raise ApiError(400, f"content type {request.mimetype}", "application/json", "Send JSON with that Content-Type.")
    raw = _decompressed(_read_body())
    try:
        return msgspec.json.decode(raw if nul else escape_nul(raw), type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ApiError(
            400,
            f"a body of {counted(len(raw), 'byte')}: {error}",
            f"JSON as /openapi.json describes {form.__name__}{_known_fields(form, error)}",
            "Correct the body and send it again.",
        ) from error


def escape_nul(encoded: bytes) -> bytes:
    r"""JSON with `{00}` for each NUL in its texts, as the canonical text of a code has it.

    >>> escape_nul(rb'{"sw":"a\u0000b","boot":"c\\u0000"}')
    b'{"sw":"a{00}b","boot":"c\\\\u0000"}'
    """
    return _NUL.sub(rb"\1{00}", encoded) if b"\\u0000" in encoded else encoded


def _known_fields(form: type[Any], error: Exception) -> str:
    """For an unknown field of a form that refuses them, the fields that it has."""
    if "unknown field" not in str(error) or not issubclass(form, msgspec.Struct):
        return ""
    return f", with the fields {', '.join(field.encode_name for field in msgspec.structs.fields(form))}"


def _read_body() -> bytes:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_long(str(request.content_length))
    parts, size = [], 0
    try:
        while chunk := request.stream.read(CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise too_long(str(size))
    except OSError as error:
        raise ApiError(
            400, f"{counted(size, 'byte')} of a body, then nothing", "all of it", "Send it again."
        ) from error
    return b"".join(parts)


def _decompressed(raw: bytes) -> bytes:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding == "identity":
        return raw
    if coding != "gzip":
        raise ApiError(400, f"content encoding {coding}", "gzip, or none", "Send the body plain.")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(raw, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise ApiError(400, f"a body that is not gzip: {error}", "gzip", "Send it again.") from error
    if len(plain) > MAX_BODY_BYTES:
        raise too_long(str(len(plain)))
    if not unpacker.eof:
        raise ApiError(400, "a gzip body that ends too early", "all of it", "Send it again.")
    return plain


def depth_of(value: Any) -> int:
    """The nesting depth of lists and objects: 0 for a number.

    >>> depth_of({"a": [1, {"b": 2}]})
    3
    """
    deepest, level = 0, [value]
    while level:
        level = [inner for outer in level if isinstance(outer, list | dict) for inner in _parts(outer)]
        deepest += bool(level)
    return deepest


def _parts(outer: list[Any] | dict[Any, Any]) -> list[Any]:
    return [*outer.values()] if isinstance(outer, dict) else outer


def too_long(size: str) -> ApiError:
    """The answer 413 for a body of this many bytes."""
    return ApiError(
        413, f"a body of {size} bytes or more", f"at most {MAX_BODY_BYTES} bytes", "Send it in smaller parts."
    )
