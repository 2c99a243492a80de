"""Session pages: sign in with a password or a link, create the first person, open a read link, sign out."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import login_user, logout_user
from werkzeug.wrappers import Response

from server.auth import accounts, rate_limit
from server.auth.gate import Visitor, anybody
from server.auth.roles import Role
from server.context import current_hub
from server.text import counted

blueprint = Blueprint("session", __name__)
Page = str | tuple[str, int] | tuple[str, int, dict[str, str]] | Response


@blueprint.route("/sign-in", methods=["GET", "POST"])
@anybody
def sign_in() -> Page:
    """The form with name and password; wrong passwords delay the next attempt."""
    with current_hub().store.read() as connection:
        no_account_yet = not accounts.anyone(connection)
    if request.method == "GET":
        return render_template("sign_in.html", trouble=None, no_account_yet=no_account_yet)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    with current_hub().turns.turn(name) as has_turn:
        key = _check_password(name, password, request.remote_addr or "") if has_turn else 1
    if isinstance(key, int):
        trouble = f"Too many wrong passwords. Wait {counted(key, 'second')}, then try again."
        page = render_template("sign_in.html", trouble=trouble, no_account_yet=no_account_yet)
        return page, 429, {"Retry-After": str(key)}
    if key is None:
        trouble = "Name and password do not belong together. Check both, or ask for a sign-in link."
        return render_template("sign_in.html", trouble=trouble, no_account_yet=no_account_yet), 401
    return _start(key, _safe_target(request.args.get("next", "")))


def _check_password(name: str, password: str, address: str) -> str | int | None:
    """Check one password. Returns the new session's key, None for a wrong password, or the seconds to wait.

    1. Read the rate limit; a limited attempt writes nothing.
    2. Count and commit the attempt before the comparison, so that an aborted request counts too.
    3. Compare the password outside of any transaction, because that takes a tenth of a second.
    4. For a right password, remove the count, renew an old hash and start the session, in one transaction.
    """
    store, now_us = current_hub().store, current_hub().clock.utc_us()
    with store.read() as connection:
        if wait := rate_limit.wait_s(connection, name, address, now_us):
            return wait
    with store.write() as connection:
        # Check again under the write lock: another attempt from this address may have been counted meanwhile.
        if wait := rate_limit.wait_s(connection, name, address, now_us):
            return wait
        counted = rate_limit.count(connection, name, address, now_us)
        person = accounts.person_named(connection, name)
        old_texts_left = accounts.old_passwords_left(connection)
    stored_hash = None if person is None else person.password
    compared = current_hub().passwords.compare(stored_hash, password, old_texts_left=old_texts_left)
    if not compared.fits:
        return None
    with store.write() as connection:
        rate_limit.forgive(connection, counted)
        if accounts.person_named(connection, name) is None:
            return None  # the account was removed during the comparison
        if compared.renewed is not None:
            accounts.renew_password(connection, person, compared.renewed)
        return accounts.start_session(connection, now_us, person=person.id)


@blueprint.route("/sign-in/<secret>", methods=["GET", "POST"])
@anybody
def link(secret: str) -> Page:
    """A sign-in link. GET does not use it up, because mail scanners open links; the button on the page does."""
    store, now_us = current_hub().store, current_hub().clock.utc_us()
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
    return _start(key, "/")


@blueprint.route("/read/<token>", methods=["GET", "POST"])
@anybody
def read_link(token: str) -> Page:
    """A read link: its holder may read all pages in this browser until the token is revoked."""
    store, now_us = current_hub().store, current_hub().clock.utc_us()
    with store.read() as connection:
        row = accounts.token_row(connection, token)
    if row is None or row.roles != str(Role.VIEW):
        return render_template("link_over.html"), 410
    if request.method == "GET":
        return render_template("link.html", first=False, trouble=None)
    with store.write() as connection:
        key = accounts.start_session(connection, now_us, token=row.id)
    return _start(key, "/")


@blueprint.post("/sign-out")
@anybody
def sign_out() -> Page:
    """End the session in the browser and in the database."""
    key = session.get("_user_id")
    if key:
        with current_hub().store.write() as connection:
            accounts.end_session(connection, key)
    logout_user()
    session.clear()
    return redirect("/")


def _first_person(connection: Any, now_us: int) -> int:
    if accounts.anyone(connection):
        msg = "The first person already exists. Ask that person for a sign-in link."
        raise accounts.AccountError(msg)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    return accounts.add_person(connection, name, str(Role.ADMINISTER), password, now_us)


def _start(key: str, target: str) -> Response:
    session.clear()  # nothing from before the sign-in may remain in the new session
    login_user(Visitor(key))
    return redirect(target or url_for("session.sign_in"))


def _safe_target(target: str) -> str:
    """The target if it is a path of this hub, else "/": a foreign address would be an open redirect."""
    parts = urlsplit(target)
    own = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if own else "/"
