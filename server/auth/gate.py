"""Gate: authentication and authorisation of every request of the hub.

A caller is a device (a station's token), a program (a hub token), a person or the holder of a read link (a cookie), or
anonymous. A view declares its permitted callers with one of the decorators of this module. A view without a decorator
permits readers to read and supervisors to write, so a forgotten decorator opens nothing. A writing request that is
authenticated by a cookie must come from the hub's own pages.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth import accounts
from server.auth import devices as stations
from server.auth.entry_rights import UNDOING, lacking
from server.auth.roles import Role, granted
from server.context import current_hub
from server.db.storage_errors import storage_trouble

csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])
FOR_PROGRAMS = ("/api/", "/metrics", "/openapi.json")  # these answer 401; pages redirect to the sign-in
READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. `kind`: nobody, person, link, token, device; `name`: the value of `by` in entries."""

    kind: str = "nobody"
    name: str = ""
    roles: frozenset[Role] = frozenset()
    device: stations.Device | None = None

    @property
    def by_cookie(self) -> bool:
        """Whether the browser adds the credentials by itself, which another site could exploit (CSRF)."""
        return self.kind in ("nobody", "person", "link")


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The permitted callers of a view: anybody, readers, devices, or callers with one of the roles."""

    anybody: bool = False
    readers: bool = False
    devices: bool = False
    confirms: bool = False  # the view checks in its own transaction that the device is active
    roles: frozenset[Role] = frozenset()
    own_pages_only: bool = True


class Visitor(UserMixin):  # type: ignore[misc]  # flask-login has no types
    """A session as flask-login represents it: the key in the cookie, and its identity."""

    def __init__(self, key: str, principal: accounts.Principal | None = None) -> None:
        self.key = key
        self.principal = principal

    def get_id(self) -> str:
        """The value that flask-login stores in the cookie."""
        return self.key


def anybody(view: View) -> View:
    """Permit every caller, without credentials."""
    return _with(view, AccessRule(anybody=True))


def beacon(view: View) -> View:
    """Permit every caller, and posts that a browser sends by itself, such as reports; the view only counts them."""
    return _with(view, AccessRule(anybody=True, own_pages_only=False))


def readers(view: View) -> View:
    """Permit readers: every caller where `[web] read` is open, else persons, read links, tokens and stations."""
    return _with(view, AccessRule(readers=True))


def devices(view: View) -> View:
    """Permit stations only, each for its own log."""
    return _with(view, AccessRule(devices=True))


def known_devices(view: View) -> View:
    """As `devices`, with the token in memory; the view calls `confirm_device` in its transaction."""
    return _with(view, AccessRule(devices=True, confirms=True))


def confirm_device(connection: Connection, device: stations.Device) -> ApiError | None:
    """The error 401 for a device whose token was revoked, read in this transaction; None for an active one."""
    if stations.is_active(connection, device):
        return None
    current_hub().known_devices.forget(device)
    return _invalid_token()


def needs(*roles: Role) -> Callable[[View], View]:
    """Permit persons and tokens with one of these roles."""
    return lambda view: _with(view, AccessRule(roles=frozenset(roles)))


def caller() -> Caller:
    """The caller, authenticated once a request. Raises `ApiError` 401 for an unknown or revoked token."""
    if "caller" not in g:
        g.caller = _by_token() if request.headers.get("Authorization") else _by_cookie()
    return g.caller  # type: ignore[no-any-return]


def visitor() -> Caller:
    """The caller for the content of a page; anonymous for an invalid token, because error pages need one too."""
    try:
        return caller()
    except ApiError:
        return Caller()


def may(role: Role) -> bool:
    """Whether the visitor has this role; also available to templates."""
    return role in visitor().roles


def demand_rights(author: Caller, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Check that the caller may make all entries (what, data). Raises `ApiError` 403 for the first forbidden one."""
    with current_hub().store.read() as connection:
        missing = lacking(connection, entries, author.roles)
    if missing is not None:
        what, role = missing
        came = f"{what} by {author.name}"
        if what in UNDOING:
            came += ", of an event that requires more rights than this caller has, or that is not in the ledger"
        raise ApiError(403, came, f"the role {role}", "Ask a person who has it.")


def guard(app: Flask) -> None:
    """Install the gate in front of every view of the application."""
    csrf.init_app(app)
    login = LoginManager(app)
    login.user_loader(_visitor)
    app.before_request(_gate)


def _with(view: View, access: AccessRule) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def _gate() -> Response | None:
    view = request.routing_exception is None and _view()
    if not view:
        return None  # 404 and 405 are the same for every caller
    writes = request.method not in READING
    fallback = AccessRule(roles=frozenset({Role.SUPERVISE})) if writes else AccessRule(readers=True)
    access: AccessRule = getattr(view, "access", fallback)
    if access.confirms:
        _remember_known()
    author = Caller() if access.anybody else caller()
    if not _is_permitted(access, author):
        return _reject(access, author)
    if writes and author.by_cookie and access.own_pages_only:
        _check_origin()
    return None


def _view() -> Any:
    return current_app.view_functions.get(request.endpoint or "")


def _is_permitted(access: AccessRule, author: Caller) -> bool:
    if access.anybody:
        return True
    if access.devices:
        return author.device is not None
    if access.readers:
        return author.kind == "device" or Role.VIEW in author.roles or current_hub().config.reads_open
    return bool(access.roles & author.roles)


def _reject(access: AccessRule, author: Caller) -> Response:
    """Redirect an anonymous reader of a page to the sign-in; raise `ApiError` 401 or 403 for every other request."""
    expected = "a station's token" if access.devices else _expected_caller(access)
    if author.kind == "nobody":
        if not request.path.startswith(FOR_PROGRAMS) and request.method in READING:
            return redirect(url_for("session.sign_in", next=request.full_path.rstrip("?")))
        raise ApiError(401, "no credentials", expected, "Sign in, or send Authorization: Bearer <token>.")
    raise ApiError(
        403, f"{author.kind} {author.name}", expected, "Ask a person with that role, or let an administrator grant it."
    )


def _expected_caller(access: AccessRule) -> str:
    if access.readers:
        return "a reader: a person, a read link, a token or a station"
    return f"a person or token with the role {' or '.join(sorted(access.roles))}"


def _check_origin() -> None:
    site = request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin", "none"):
        raise ApiError(403, f"a request from another site ({site})", "a page of this hub", "Use the hub's own pages.")
    csrf.protect()


def _remember_known() -> None:
    """Take the caller from memory where its token was valid before."""
    token = _bearer()
    device = current_hub().known_devices.get(token) if token else None
    if device is not None:
        g.caller = Caller("device", device.station, device=device)


def _bearer() -> str:
    """The token of the request; empty where it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _by_token() -> Caller:
    token = _bearer()
    if token:
        with current_hub().store.read() as connection:
            device = stations.device_of(connection, token)
            if device is not None:
                current_hub().known_devices.add(token, device)
                return Caller("device", device.station, device=device)
            row = accounts.token_row(connection, token)
        if row is not None:
            return Caller("token", row.name, granted(row.roles))
    raise _invalid_token()


def _invalid_token() -> ApiError:
    return ApiError(
        401,
        "an invalid token",
        "Authorization: Bearer <token> of a station or of wipline-hub token",
        "Check for blanks and line ends; if it was revoked, let a new one be made.",
    )


def _by_cookie() -> Caller:
    principal = current_user.principal if current_user.is_authenticated else None
    if principal is None:
        return Caller()
    roles = granted(principal.roles)
    if not principal.fresh:
        roles -= {Role.ADMINISTER}
    is_link = principal.name.startswith("link ") and principal.roles == "view"
    return Caller("link" if is_link else "person", principal.name, roles)


def _visitor(key: str) -> Visitor | None:
    store = current_hub().store
    now_us = store.clock.utc_us()
    with store.read() as connection:
        session = accounts.principal_of(connection, key, now_us)
    if session is None:
        return None
    principal, stale = session
    if stale:
        try:
            with store.write() as connection:
                accounts.touch_session(connection, key, now_us)
        except Exception as error:
            # A full disk must not prevent reading; /healthz and the next entry report it.
            if storage_trouble(error) is None:
                raise
    return Visitor(key, principal)
