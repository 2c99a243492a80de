"""The session cookie: `__Host-wipline`, Secure, over https; plain `wipline` over http, where browsers drop a Secure one."""

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

SECURE_NAME = "__Host-wipline"
PLAIN_NAME = "wipline"


class SessionCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, named for how the request came."""

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002  Flask's signature
        """The name, which for a browser is part of the promise."""
        return SECURE_NAME if request.is_secure else PLAIN_NAME

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Whether browsers may send it over https only."""
        return request.is_secure

    def get_cookie_domain(self, app: Flask) -> None:  # noqa: ARG002
        """This host and no other."""
        return

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        """The whole hub."""
        return "/"
