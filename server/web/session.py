"""Coming in and going out: signing in with a password or a link, the first person, a read link, signing out."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import login_user, logout_user
from werkzeug.wrappers import Response

from server.auth import accounts, rate_limit
from server.auth.gate import Visitor, anybody
from server.auth.roles import Role
from server.context import running

blueprint = Blueprint("session", __name__)
Page = str | tuple[str, int] | tuple[str, int, dict[str, str]] | Response


@blueprint.route("/sign-in", methods=["GET", "POST"])
@anybody
def sign_in() -> Page:
    """The page with name and password; a wrong one makes the next try wait."""
    with running().store.read() as connection:
        nobody_yet = not accounts.anyone(connection)
    if request.method == "GET":
        return render_template("sign_in.html", trouble=None, nobody_yet=nobody_yet)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    with running().turns.turn(name) as taken:
        key = _try(name, password, request.remote_addr or "") if taken else 1
    if isinstance(key, int):
        trouble = f"Too many wrong passwords. Wait {key} {'second' if key == 1 else 'seconds'}, then try again."
        page = render_template("sign_in.html", trouble=trouble, nobody_yet=nobody_yet)
        return page, 429, {"Retry-After": str(key)}
    if key is None:
        trouble = "Name and password do not belong together. Check both, or ask for a sign-in link."
        return render_template("sign_in.html", trouble=trouble, nobody_yet=nobody_yet), 401
    return _come_in(key, _own(request.args.get("next", "")))


def _try(name: str, password: str, address: str) -> str | int | None:
    """Try one password: the new session's key, None for a wrong one, or the seconds to wait until one is compared.

    1. Where the counters say to wait, nothing is written.
    2. The try is counted and committed, so that it counts whatever happens next.
    3. The password is compared outside of any transaction: that takes a tenth of a second.
    4. A right one takes its count back, renews an old text and starts the session, in one transaction.
    """
    store, now_us = running().store, running().clock.utc_us()
    with store.read() as connection:
        if wait := rate_limit.wait_s(connection, name, address, now_us):
            return wait
    with store.write() as connection:
        # Again under the lock: another account's try may have been counted for this address meanwhile.
        if wait := rate_limit.wait_s(connection, name, address, now_us):
            return wait
        counted = rate_limit.count(connection, name, address, now_us)
        person = accounts.person_named(connection, name)
        old_texts_left = accounts.old_passwords_left(connection)
    kept = None if person is None else person.password
    compared = running().passwords.compare(kept, password, old_texts_left=old_texts_left)
    if not compared.fits:
        return None
    with store.write() as connection:
        rate_limit.forgive(connection, counted)
        if accounts.person_named(connection, name) is None:
            return None  # let out while the password was compared
        if compared.renewed is not None:
            accounts.renew_password(connection, person, compared.renewed)
        return accounts.start_session(connection, now_us, person=person.id)


@blueprint.route("/sign-in/<secret>", methods=["GET", "POST"])
@anybody
def link(secret: str) -> Page:
    """A sign-in link: nothing is spent by looking at it; the button on the page spends it."""
    store, now_us = running().store, running().clock.utc_us()
    with store.read() as connection:
        row = accounts.link_row(connection, secret, now_us)
    if row is None:
        return render_template("link_over.html"), 410
    if request.method == "GET":
        return render_template("link.html", first=row.person is None, trouble=None)
    try:
        with store.write() as connection:
            person = row.person if row.person is not None else _first_person(connection, now_us)
            if not accounts.use_link(connection, secret, now_us):
                return render_template("link_over.html"), 410
            key = accounts.start_session(connection, now_us, person=person)
    except accounts.AccountError as error:
        return render_template("link.html", first=True, trouble=str(error)), 400
    return _come_in(key, "/")


@blueprint.route("/read/<token>", methods=["GET", "POST"])
@anybody
def read_link(token: str) -> Page:
    """A read link: whoever holds it may look, on this browser, until its token is revoked."""
    store, now_us = running().store, running().clock.utc_us()
    with store.read() as connection:
        row = accounts.token_row(connection, token)
    if row is None or row.roles != str(Role.VIEW):
        return render_template("link_over.html"), 410
    if request.method == "GET":
        return render_template("link.html", first=False, trouble=None)
    with store.write() as connection:
        key = accounts.start_session(connection, now_us, token=row.id)
    return _come_in(key, "/")


@blueprint.post("/sign-out")
@anybody
def sign_out() -> Page:
    """End the session, here and on the hub."""
    key = session.get("_user_id")
    if key:
        with running().store.write() as connection:
            accounts.end_session(connection, key)
    logout_user()
    session.clear()
    return redirect("/")


def _first_person(connection: Any, now_us: int) -> int:
    if accounts.anyone(connection):
        msg = "Somebody was quicker: there is a first person already. Ask them for a sign-in link."
        raise accounts.AccountError(msg)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    return accounts.add_person(connection, name, str(Role.ADMINISTER), password, now_us)


def _come_in(key: str, target: str) -> Response:
    session.clear()  # a new session: nothing that was there before the sign-in stays
    login_user(Visitor(key))
    return redirect(target or url_for("session.sign_in"))


def _own(target: str) -> str:
    """A path of this hub to go back to; anything else leads to the first page."""
    parts = urlsplit(target)
    own = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if own else "/"
