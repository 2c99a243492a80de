"""Query words: a view declares the words of its query, and a request with any other word gets 400.

A NUL character in an address, a query or a form gets 400 too: no text of the hub has one, and PostgreSQL holds none.

An ignored word is an untrue answer: `/api/v1/orders?as_of=…` would list the orders of now under a past time. Views that
every caller may use without credentials (sign-in, health, static files), and those of UNCHECKED, take any word.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, request

from server.api_errors import ApiError
from server.text import nearest

View = TypeVar("View", bound=Callable[..., Any])
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
UNCHECKED = frozenset({"/metrics", "/openapi.json"})  # scrapers add words of their own
AS_OF = "as_of"
PAST_WORDS = (AS_OF, "known")
PAST = (
    "The board, stages, items, orders, carriers and `/api/v1/wip?as_of=` answer for a past time; leave it out for now."
)


def query_words(*words: str) -> Callable[[View], View]:
    """Declare the query words of a view; a view without a declaration has none."""

    def declare(view: View) -> View:
        view.query_words = words  # type: ignore[attr-defined]
        return view

    return declare


def refuse_nul() -> None:
    """Refuse a NUL in the address, the query or the form of the request. Raises `ApiError` 400."""
    fields = [("the address", request.path)]
    fields += [(f"the query word {word[:40]!r}", word + value) for word, value in request.args.items(multi=True)]
    if request.mimetype in FORMS:
        fields += [(f"the field {name[:40]!r}", name + value) for name, value in request.form.items(multi=True)]
    for name, text in fields:
        if "\0" in text:
            raise ApiError(
                400, f"a NUL character in {name}", "text without control characters", "Remove that character."
            )


def check_query_words() -> None:
    """Compare the query of the request with the words of its view. Raises `ApiError` 400."""
    view = current_app.view_functions.get(request.endpoint or "")
    access = getattr(view, "access", None)
    if view is None or getattr(access, "anybody", False) or request.path in UNCHECKED:
        return
    words = getattr(view, "query_words", ())
    expected = f"one of {', '.join(words)}" if words else "no query words"
    for word, values in request.args.lists():
        if word not in words:
            do = PAST if word in PAST_WORDS else _advice(word, words)
            raise ApiError(400, f"the query word {word[:40]!r}", expected, do)
        if len(values) > 1:
            raise ApiError(400, f"the query word {word} {len(values)} times", "each word once", "Send one of them.")


def _advice(word: str, words: tuple[str, ...]) -> str:
    return nearest(word, words) if words else "Leave it out."
