"""Flask application of the hub: pages, station protocol and API behind one gate, with common security headers.

`create_app(config, store)` starts no threads and opens no sockets; `server.ops.serve` does.
"""

import logging
from collections.abc import Callable, Sequence
from threading import BoundedSemaphore
from typing import Any

from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from server.api import addresses
from server.api.request_body import MAX_BODY_BYTES
from server.api_errors import ApiError, answer_error
from server.auth import gate, session_cookie
from server.config import HubConfig
from server.context import Duty, HubContext, HubLimits, current_hub
from server.db.position_signal import PositionSignal
from server.db.storage_errors import storage_trouble
from server.db.store import Store
from server.ledger.heartbeats import WaitingHeartbeats
from server.ledger.hub_log import hub_row
from server.queries.shared_board import SharedBoard
from server.query_words import check_query_words, refuse_nul
from server.web import pages

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " object-src 'none'; frame-ancestors 'none'; form-action 'self'; report-uri /csp-report"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_WORDS = {
    400: ("a malformed request", "a request as /openapi.json describes it", "Correct it and send it again."),
    404: ("an unknown address", "an address of this hub", "Start from the first page, or /openapi.json."),
    405: ("a method that this address does not support", "a supported method", "See /openapi.json."),
    413: ("a body that is too long", f"at most {MAX_BODY_BYTES} bytes", "Send it in smaller parts."),
}
_log = logging.getLogger(__name__)


class HubFlask(Flask):
    """Flask without the test whether each of its functions is a coroutine: the hub has none."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(
    config: HubConfig,
    store: Store,
    projected: PositionSignal | None = None,
    duties: Sequence[Duty] = (),
    limits: HubLimits = HubLimits(),  # noqa: B008  frozen
    heartbeats: WaitingHeartbeats | None = None,
) -> Flask:
    """The application of one hub.

    `projected`: the projector's signal. `duties`: further checks of /healthz. `limits`: of the answers to open pages.
    `heartbeats`: those of the store, with a thread that writes them; without it each one is written at once.
    """
    app = HubFlask("server", template_folder="web/templates", static_folder="web/static", static_url_path="/static")
    with store.read() as connection:
        app.secret_key = hub_row(connection).cookie_key
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # the gate checks it for requests that are authenticated by a cookie
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.session_interface = session_cookie.SessionCookie()
    app.extensions["wipline"] = HubContext(
        config,
        store,
        projected or PositionSignal(),
        duties=tuple(duties),
        limits=limits,
        heartbeats=heartbeats,
        streams=BoundedSemaphore(limits.max_streams),
        board=SharedBoard(limits.board_every_s, limits.board_keep_s),
    )
    gate.guard(app)
    app.before_request(refuse_nul)
    app.before_request(check_query_words)  # behind the gate: a caller without access learns nothing of the words
    for blueprint in (*addresses(), *pages()):
        app.register_blueprint(blueprint)
    gate.anybody(app.view_functions["static"])
    app.register_error_handler(ApiError, _answer)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _failed)
    app.after_request(_finish)
    app.context_processor(_template_variables)
    return app


def _template_variables() -> dict[str, object]:
    """The variables of every template."""
    return {
        "encrypted": request.is_secure,
        "settings": current_hub().config,
        "visitor": gate.visitor(),
        "may": gate.may,
    }


def _finish(response: Response) -> Response:
    own = {name.lower() for name, _ in response.headers}  # `setdefault` searches all headers for each of them
    response.headers.extend([header for header in HEADERS.items() if header[0].lower() not in own])
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "private, no-cache")
    current_hub().counts.answers.labels(str(response.status_code)).inc()
    return response


def _answer(error: ApiError) -> Response:
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        return answer_error(error)
    response = Response(render_template("error.html", trouble=error.trouble), error.status, mimetype="text/html")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    came, expected, do = _WORDS.get(status, (error.name, "another request", error.description or "Check the address."))
    if status == 400 and error.description:
        came = error.description.rstrip(".")
    return _answer(ApiError(status, came, expected, do))


def _failed(error: Exception) -> Response:
    trouble = storage_trouble(error)
    if trouble is not None:
        g.setdefault("caller", gate.Caller())  # the error page must not read the database again
        _log.error("%s %r: %s (%s)", request.method, request.path, trouble.text, error)
        do = "Nothing was partly written. Try again later; stations retry by themselves."
        return _answer(ApiError(503, trouble.text, "a database that can be written", do, retry_after_s=trouble.retry_s))
    _log.exception("%s %r failed", request.method, request.path, exc_info=error)
    return _answer(
        ApiError(
            500,
            "an error of the hub itself",
            "an answer",
            "Nothing was partly written. See the hub's log for the error.",
        )
    )
