"""Passwords: which are taken, how they are kept, and the comparison at a sign-in.

A password has at least twelve characters and is none of the common ones: the 30,000 most frequent of zxcvbn's list, also
with digits and signs around them, or repeated. It is kept as argon2id with 19 MiB, two passes and one lane, as OWASP's
password storage cheat sheet recommends. Passwords from before are scrypt texts of werkzeug; a sign-in renews them.

>>> Passwords().check("four words in a row", "Kim")
>>> Passwords().check("Password1234", "Kim")
Traceback (most recent call last):
    ...
server.auth.passwords.PasswordRefused: A password that is one of the most common ones. A few words in a row do well.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from werkzeug.security import check_password_hash, generate_password_hash

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1_024
MIN_DIFFERENT = 5
AT_ONCE = 2  # hashes in one process: each holds 19 MiB, an old one 32 MiB
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
_OLD = ("scrypt:", "pbkdf2:")  # how werkzeug's texts begin


class PasswordRefused(ValueError):
    """A password that is not taken; the message says what came, what was expected and what to do."""


class HasherPort(Protocol):
    """What is needed of `argon2.PasswordHasher`."""

    def hash(self, password: str) -> str:
        """The text to keep."""

    def verify(self, hash: str, password: str) -> object:  # noqa: A002  argon2's own name
        """Raises `Argon2Error` where the password does not fit."""

    def check_needs_rehash(self, hash: str) -> bool:  # noqa: A002
        """Whether the text was made with other costs."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password fits, and the text to keep from now on where the kept one is of an older kind."""

    fits: bool
    renewed: str | None = None


class Passwords:
    """Hashes and compares, at most `at_once` at a time; further calls wait. One instance serves a whole process."""

    def __init__(self, hasher: HasherPort | None = None, at_once: int = AT_ONCE) -> None:
        self._hasher = hasher or PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._turns = threading.BoundedSemaphore(at_once)
        self._dummies: tuple[str, str] | None = None

    def check(self, password: str, name: str) -> None:
        """Raise `PasswordRefused` for a password that a person of this name may not have."""
        if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
            expected = f"at least {MIN_CHARACTERS}" if len(password) < MIN_CHARACTERS else f"at most {MAX_CHARACTERS}"
            msg = f"A password of {len(password)} characters; expected {expected}. A few words in a row do well."
            raise PasswordRefused(msg)
        if len(set(password)) < MIN_DIFFERENT:
            msg = (
                f"A password of the same few characters; expected at least {MIN_DIFFERENT} different ones."
                " A few words in a row do well."
            )
            raise PasswordRefused(msg)
        if is_common(password, name):
            msg = "A password that is one of the most common ones. A few words in a row do well."
            raise PasswordRefused(msg)

    def keep(self, password: str) -> str:
        """The text to keep of a password."""
        with self._turns:
            return self._hasher.hash(password)

    def compare(self, kept: str | None, password: str, *, old_texts_left: bool) -> PasswordCheck:
        """Compare a password with the text that is kept of it; `kept` None: no such person, or one without a password.

        Every comparison costs one argon2id hash, and one scrypt hash more while old texts are left anywhere on this hub. So
        the time says neither whether a person exists nor which kind of text is kept.
        """
        password = password[:MAX_CHARACTERS]
        with self._turns:
            new, old = self._dummy_texts()
            if kept is not None and kept.startswith(_OLD):
                fits = check_password_hash(kept, password)
                renewed = self._hasher.hash(password)
                return PasswordCheck(fits, renewed if fits else None)
            if old_texts_left:
                check_password_hash(old, password)
            fits = self._verify(kept or new, password) and kept is not None
            renew = fits and kept is not None and self._hasher.check_needs_rehash(kept)
            return PasswordCheck(fits, self._hasher.hash(password) if renew else None)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            self._hasher.verify(kept, password)
        except (Argon2Error, InvalidHashError):
            return False
        return True

    def _dummy_texts(self) -> tuple[str, str]:
        """Texts that fit no password, of both kinds; made once, inside a turn."""
        if self._dummies is None:
            self._dummies = self._hasher.hash(secrets.token_urlsafe()), generate_password_hash(secrets.token_urlsafe())
        return self._dummies


def is_old(kept: str | None) -> bool:
    """Whether a kept text is from before argon2id."""
    return kept is not None and kept.startswith(_OLD)


def is_common(password: str, name: str = "") -> bool:
    """Whether this is a frequent password or the person's own name: as it is, repeated, or between digits and signs.

    >>> is_common("qwertyqwerty"), is_common("!!Sunshine2024!!"), is_common("Mara Weiss 12", "Mara Weiss")
    (True, True, True)
    >>> is_common("blue lathe by the door")
    False
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 14 MiB that only a new password needs

    plain = password.casefold()
    core = plain.strip("0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~§€£")
    known = FREQUENCY_LISTS["passwords"]
    own = {name.casefold(), *name.casefold().split()} - {""}
    return any(part in known or part in own for text in (plain, core) for part in (text, _unit(text)))


def _unit(text: str) -> str:
    """The shortest text that repeated gives this one.

    >>> _unit("abcabcabc"), _unit("abcd")
    ('abc', 'abcd')
    """
    return text[: (text + text).find(text, 1)] if text else text


PASSWORDS = Passwords()
