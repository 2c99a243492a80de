"""Session cookie: `__Host-wipline` with Secure over https; `wipline` over http, where browsers drop a Secure cookie."""

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

SECURE_NAME = "__Host-wipline"
PLAIN_NAME = "wipline"


class SessionCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, with name and Secure attribute by the scheme of the request."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of the cookie; an empty one without a cookie, as for each request of a station."""
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie, where the request used or changed the session."""
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002  Flask's signature
        """The name; browsers enforce the rules of the prefix `__Host-`."""
        return SECURE_NAME if request.is_secure else PLAIN_NAME

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Whether browsers send the cookie only over https."""
        return request.is_secure

    def get_cookie_domain(self, app: Flask) -> None:  # noqa: ARG002
        """No domain: this host only."""
        return

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        """All addresses of the hub."""
        return "/"
