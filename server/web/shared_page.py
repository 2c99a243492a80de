"""Shared page: a page that follows the shop, rendered once for all viewers of one kind and one answer.

Such pages differ in the name of the viewer, the token of the session, the keys of the forms and the clock of running times
alone; the kind of viewer and its roles decide which forms there are. So the page is rendered for a viewer who is nobody:
marks stand in place of these, and the shared text has nothing of any viewer. Each request fills in its own. A page with the
tag that a viewer already has is answered by 304, without a body.

A page that a person opens is rendered for that request, as is one with a message for its viewer.
"""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from flask import Response, current_app, g, render_template, request, session
from flask_wtf.csrf import generate_csrf
from markupsafe import escape

from server.auth.gate import Caller, caller
from server.queries.shared_board import BoardAnswer
from server.web.form_results import form_key
from server.web.template_filters import clock_s

REFRESH = "X-Refresh"  # the header of a page that follows the shop (`live.js`)
FLASHES = "_flashes"  # the key of Flask for messages that are not shown yet
_EXTENSION = "shared_pages"


class PageKey(NamedTuple):
    """What a shared text depends on beside the answer."""

    template: str
    path: str
    encrypted: bool
    behind: bool
    kind: str
    roles: frozenset[Any]


@dataclass(slots=True)
class SharedPages:
    """The texts of the newest answer by kind of viewer. Thread-safe; a text is rendered by one request.

    `mark`: cannot be guessed, so that no text of the shop has it. `number`: of the answer, in this process.
    """

    mark: str = field(default_factory=lambda: secrets.token_hex(16))
    number: int = 0
    _of: object = None
    _texts: dict[PageKey, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def text(self, answer: BoardAnswer, key: PageKey, render: Callable[[], str]) -> tuple[int, list[str]]:
        """The number of the answer, and the text in parts: between two parts of text is the name of a mark."""
        with self._lock:
            if answer.shop is not self._of:
                self._of, self.number = answer.shop, self.number + 1
                self._texts.clear()
            if key not in self._texts:
                self._texts[key] = re.split(f"{self.mark}-([a-z]+)-", render())
            return self.number, self._texts[key]


def following_page(template: str, answer: BoardAnswer, context: Callable[[], dict[str, Any]]) -> Response | str:
    """A page that shows an answer. `context`: makes the variables of its template."""
    if REFRESH not in request.headers or request.args or FLASHES in session:
        return render_template(template, **context())
    pages: SharedPages = current_app.extensions.get(_EXTENSION) or current_app.extensions.setdefault(
        _EXTENSION, SharedPages()
    )
    viewer = caller()
    key = PageKey(template, request.path, request.is_secure, answer.behind, viewer.kind, viewer.roles)
    number, parts = pages.text(answer, key, lambda: _rendered(template, context(), pages.mark, viewer))
    tag = sha256(repr((pages.mark, number, key[:5], sorted(key.roles), viewer.name)).encode()).hexdigest()[:24]
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        response = Response("".join(_filled(parts, viewer)), mimetype="text/html")
    response.set_etag(tag, weak=True)
    return response


def _rendered(template: str, context: dict[str, Any], mark: str, viewer: Caller) -> str:
    """The page for a viewer of this kind with these roles, who has marks in place of a name, a token and form keys."""
    g.page_now = f"{mark}-now-"
    try:
        return render_template(
            template,
            **context,
            visitor=Caller(viewer.kind, f"{mark}-name-", viewer.roles),
            may=viewer.roles.__contains__,
            csrf_token=lambda: f"{mark}-token-",
            form_key=lambda: f"{mark}-key-",
        )
    finally:
        del g.page_now


def _filled(parts: list[str], viewer: Caller) -> Iterator[str]:
    values: dict[str, Callable[[], str]] = {
        "name": lambda: viewer.name, "token": generate_csrf, "key": form_key, "now": clock_s
    }  # fmt: skip
    for place, part in enumerate(parts):
        yield str(escape(values[part]())) if place % 2 else part
