"""Form results: the answer of a form that was sent, so that the same form sent twice writes its entries once.

Every form has a key that is rendered once, in the hidden field `once`. A second request with the same key and the same
fields, such as that of a double click, gets the answer of the first. Other fields with the same key are another form: a
person went back and changed the form. So is the same form after KEEP_S: a person went back and wants it again, because
somebody has changed what it had written. The results are in memory: a hub that restarts has none.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

from flask import current_app, flash, make_response, request, session
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth.gate import caller

FIELD = "once"
MOST_RESULTS = 1_000
MOST_KEY = 64  # characters
FIRST_S = 30.0  # wait of the second request for the first
KEEP_S = 60.0  # from the answer of the first on
_FLASHES = "_flashes"  # the key of Flask for messages that are not shown yet
_EXTENSION = "form_results"


class FormResult(NamedTuple):
    """The answer of a form at a time (monotonic seconds), and the messages for the next page."""

    status: int
    body: bytes
    content_type: str
    location: str | None
    messages: list[tuple[str, str]]
    at_s: float


class FormResults:
    """The newest results of one hub, by the author, the address, the key and the fields of the form."""

    def __init__(self, most: int = MOST_RESULTS) -> None:
        self._most, self._lock = most, Lock()
        self._results: OrderedDict[tuple[Any, ...], Future[FormResult | None]] = OrderedDict()

    def claim(self, key: tuple[Any, ...]) -> tuple[Future[FormResult | None], bool]:
        """The result of a form, and whether this request is the first and sets it."""
        with self._lock:
            known = self._results.get(key)
            if known is not None and not self._is_old(known):
                return known, False
            self._results.pop(key, None)  # a new one is the newest
            future = self._results[key] = Future()
            while len(self._results) > self._most:
                self._results.popitem(last=False)
            return future, True

    @staticmethod
    def _is_old(future: Future[FormResult | None]) -> bool:
        result = future.result() if future.done() else None
        return result is not None and time.monotonic() - result.at_s >= KEEP_S

    def drop(self, key: tuple[Any, ...]) -> None:
        """Remove a form that wrote nothing, so that it can be sent again."""
        with self._lock:
            self._results.pop(key, None)


def form_key() -> str:
    """The value of the field `once` of one form."""
    return secrets.token_urlsafe(12)


def written_once(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view that writes the entries of a form, for which the same form sent twice is one.

    1. Without a key, call the view. 2. Of the first request, keep the answer below status 400 with its messages. 3. A second
    request waits for the first and gets its answer; where that failed, it calls the view itself.
    """

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Any:
        once = request.form.get(FIELD, "")
        if not once or len(once) > MOST_KEY:
            return view(*args, **kwargs)
        results: FormResults = current_app.extensions.setdefault(_EXTENSION, FormResults())
        fields = [pair for pair in request.form.items(multi=True) if pair[0] not in ("csrf_token", FIELD)]
        author = caller()
        # A digest, because a form may have as many fields as a request may have bytes.
        digest = sha256(repr(sorted(fields)).encode("utf-8", "surrogatepass")).digest()
        key = (author.kind, author.name, request.full_path, once, digest)
        future, is_first = results.claim(key)
        if not is_first:
            try:
                result = future.result(FIRST_S)
            except TimeoutError:
                came, expected = "this form a second time", "to wait until the first one is written"
                do = "Look at the page in some seconds: it shows whether it was written."
                raise ApiError(503, came, expected, do, retry_after_s=5) from None
            return view(*args, **kwargs) if result is None else _again(result)
        result = None
        try:
            before = len(session.get(_FLASHES, []))
            answer = make_response(view(*args, **kwargs))
            if answer.status_code < 400:
                messages = [tuple(message) for message in session.get(_FLASHES, [])[before:]]
                location = answer.headers.get("Location")
                body, content_type = answer.get_data(), answer.content_type
                result = FormResult(answer.status_code, body, content_type, location, messages, time.monotonic())
            return answer
        finally:
            if result is None:
                results.drop(key)
            future.set_result(result)

    return answered


def _again(result: FormResult) -> Response:
    for category, message in result.messages:
        flash(message, category)
    answer = make_response(result.body, result.status)
    answer.content_type = result.content_type
    if result.location is not None:
        answer.headers["Location"] = result.location
    return answer
