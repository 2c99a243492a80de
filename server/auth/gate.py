"""Who is asking, and may they: one gate before every address of the hub.

A caller is a device (a station's token), a program (a hub token), a person or the holder of a read link (a cookie), or
nobody. Each view says whom it lets in with one of the decorators here; one that says nothing lets readers read and
supervisors write, so a forgotten decorator opens no door. What comes with a cookie must come from our own pages.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response

from server.api_errors import ApiError
from server.auth import accounts
from server.auth import devices as stations
from server.auth.entry_rights import UNDOING, lacking
from server.auth.roles import Role, granted
from server.context import running
from server.db.storage_errors import storage_trouble

csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])
FOR_PROGRAMS = ("/api/", "/metrics", "/openapi.json")  # these answer 401; a page leads to the sign-in
READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `kind`: nobody, person, link, token, device; `name` stands in `by` of what they enter."""

    kind: str = "nobody"
    name: str = ""
    roles: frozenset[Role] = frozenset()
    device: stations.Device | None = None

    @property
    def by_cookie(self) -> bool:
        """Whether the browser sent the proof by itself, so that another site could have made it do so."""
        return self.kind in ("nobody", "person", "link")


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Whom a view lets in: anybody, readers, devices, or callers with one of the roles."""

    anybody: bool = False
    readers: bool = False
    devices: bool = False
    roles: frozenset[Role] = frozenset()
    own_pages_only: bool = True


class Visitor(UserMixin):  # type: ignore[misc]  # flask-login has no types
    """A session as flask-login knows it: the key in the cookie, and whom it stands for."""

    def __init__(self, key: str, someone: accounts.Principal | None = None) -> None:
        self.key = key
        self.someone = someone

    def get_id(self) -> str:
        """What the cookie keeps."""
        return self.key


def anybody(view: View) -> View:
    """No proof is asked for."""
    return _with(view, AccessRule(anybody=True))


def beacon(view: View) -> View:
    """Anybody, and also what a browser posts by itself, such as reports: it changes nothing but a counter."""
    return _with(view, AccessRule(anybody=True, own_pages_only=False))


def readers(view: View) -> View:
    """Whoever may read: everybody where `[web] read` is open, else a person, a read link, a token or a station."""
    return _with(view, AccessRule(readers=True))


def devices(view: View) -> View:
    """Stations only, each for its own log."""
    return _with(view, AccessRule(devices=True))


def needs(*roles: Role) -> Callable[[View], View]:
    """Persons and tokens with one of these roles."""
    return lambda view: _with(view, AccessRule(roles=frozenset(roles)))


def caller() -> Caller:
    """Who asks; found out once a request. Raises `ApiError` 401 for a token that is not, or no longer, let in."""
    if "caller" not in g:
        g.caller = _by_token() if request.headers.get("Authorization") else _by_cookie()
    return g.caller  # type: ignore[no-any-return]


def visitor() -> Caller:
    """Who asks, for what a page shows: nobody where the token they came with is not let in."""
    try:
        return caller()
    except ApiError:
        return Caller()


def may(role: Role) -> bool:
    """Whether the visitor has this role; templates ask it too."""
    return role in visitor().roles


def demand_rights(who: Caller, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Let the caller enter these (what, data), all of them. Raises `ApiError` 403 for the first that needs another role."""
    with running().store.read() as connection:
        missing = lacking(connection, entries, who.roles)
    if missing is not None:
        what, role = missing
        came = f"{what} by {who.name}"
        if what in UNDOING:
            came += ", of an event that needs more than this caller may do, or that is not in the ledger"
        raise ApiError(403, came, f"the role {role}", "Ask somebody who has it.")


def guard(app: Flask) -> None:
    """Put the gate before every view of the application."""
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
        return None  # 404 and 405 are answered to everybody alike
    writes = request.method not in READING
    fallback = AccessRule(roles=frozenset({Role.SUPERVISE})) if writes else AccessRule(readers=True)
    access: AccessRule = getattr(view, "access", fallback)
    who = Caller() if access.anybody else caller()
    if not _lets_in(access, who):
        return _turn_away(access, who)
    if writes and who.by_cookie and access.own_pages_only:
        _from_our_pages()
    return None


def _view() -> Any:
    return current_app.view_functions.get(request.endpoint or "")


def _lets_in(access: AccessRule, who: Caller) -> bool:
    if access.anybody:
        return True
    if access.devices:
        return who.device is not None
    if access.readers:
        return who.kind == "device" or Role.VIEW in who.roles or running().config.reads_open
    return bool(access.roles & who.roles)


def _turn_away(access: AccessRule, who: Caller) -> Response:
    wanted = "a station's token" if access.devices else _wanted(access)
    if who.kind == "nobody":
        if not request.path.startswith(FOR_PROGRAMS) and request.method in READING:
            return redirect(url_for("session.sign_in", next=request.full_path.rstrip("?")))
        raise ApiError(401, "no proof of who is asking", wanted, "Sign in, or send Authorization: Bearer <token>.")
    raise ApiError(
        403, f"{who.kind} {who.name}", wanted, "Ask somebody who may, or have an administrator give you the role."
    )


def _wanted(access: AccessRule) -> str:
    if access.readers:
        return "somebody who may read: a person, a read link, a token or a station"
    return f"a person or token with the role {' or '.join(sorted(access.roles))}"


def _from_our_pages() -> None:
    site = request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin", "none"):
        raise ApiError(403, f"a request from a page elsewhere ({site})", "one of the hub's own pages", "Use them.")
    csrf.protect()


def _by_token() -> Caller:
    scheme, _, token = request.headers["Authorization"].partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer" and token:
        with running().store.read() as connection:
            device = stations.device_of(connection, token)
            if device is not None:
                return Caller("device", device.station, device=device)
            row = accounts.token_row(connection, token)
        if row is not None:
            return Caller("token", row.name, granted(row.roles))
    raise ApiError(
        401,
        "a token that is not let in",
        "Authorization: Bearer <token> of a station or of wipline-hub token",
        "Check for blanks and line ends; if it was revoked, have a new one made.",
    )


def _by_cookie() -> Caller:
    someone = current_user.someone if current_user.is_authenticated else None
    if someone is None:
        return Caller()
    roles = granted(someone.roles)
    if not someone.fresh:
        roles -= {Role.ADMINISTER}
    return Caller(
        "link" if someone.name.startswith("link ") and someone.roles == "view" else "person", someone.name, roles
    )


def _visitor(key: str) -> Visitor | None:
    store = running().store
    now_us = store.clock.utc_us()
    with store.read() as connection:
        found = accounts.someone_of(connection, key, now_us)
    if found is None:
        return None
    if found[1]:
        try:
            with store.write() as connection:
                accounts.touch_session(connection, key, now_us)
        except Exception as error:
            # A full disk must not take the pages from a person who reads; healthz and the next entry name it.
            if storage_trouble(error) is None:
                raise
    return Visitor(key, found[0])
