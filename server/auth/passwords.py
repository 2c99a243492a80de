"""Passwords: the rules for new passwords, their hashes, and the comparison at a sign-in.

A password has at least twelve characters and is not common: not one of the 30,000 most frequent of zxcvbn's list, also with
digits and signs around it, or repeated. It is stored as argon2id with 19 MiB, two passes and one lane, as OWASP's password
storage cheat sheet recommends. Older hashes are werkzeug's scrypt; a sign-in replaces them.

>>> Passwords().check("four words in a row", "Kim")
>>> Passwords().check("Password1234", "Kim")
Traceback (most recent call last):
    ...
server.auth.passwords.PasswordRefused: A password that is one of the most common ones. Use a few words in a row.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from werkzeug.security import check_password_hash, generate_password_hash

from server.text import counted

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1_024
MIN_DIFFERENT = 5
AT_ONCE = 2  # hashes at a time in one process: each takes 19 MiB, an old one 32 MiB
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
_OLD = ("scrypt:", "pbkdf2:")  # prefixes of werkzeug's hashes


class PasswordRefused(ValueError):
    """A password that is not accepted; the message has what came, what was expected and what to do."""


class HasherPort(Protocol):
    """The used part of `argon2.PasswordHasher`."""

    def hash(self, password: str) -> str:
        """Hash a password; returns the text to store."""

    def verify(self, hash: str, password: str) -> object:  # noqa: A002  argon2's own name
        """Compare a password with a hash. Raises `Argon2Error` for a wrong password."""

    def check_needs_rehash(self, hash: str) -> bool:  # noqa: A002
        """Whether the hash was made with other cost parameters."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password is right, and a new hash to store where the stored one is outdated."""

    fits: bool
    renewed: str | None = None


class Passwords:
    """Hashes and compares, at most `at_once` at a time; further calls wait. One instance serves a whole process."""

    def __init__(self, hasher: HasherPort | None = None, at_once: int = AT_ONCE) -> None:
        self._hasher = hasher or PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._turns = threading.BoundedSemaphore(at_once)
        self._dummies: tuple[str, str] | None = None

    def check(self, password: str, name: str) -> None:
        """Raise `PasswordRefused` for a new password that breaks a rule for a person of this name."""
        if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
            expected = f"at least {MIN_CHARACTERS}" if len(password) < MIN_CHARACTERS else f"at most {MAX_CHARACTERS}"
            msg = f"A password of {counted(len(password), 'character')}; expected {expected}. Use a few words in a row."
            raise PasswordRefused(msg)
        if len(set(password)) < MIN_DIFFERENT:
            msg = (
                f"A password of the same few characters; expected at least {MIN_DIFFERENT} different ones."
                " Use a few words in a row."
            )
            raise PasswordRefused(msg)
        if is_common(password, name):
            msg = "A password that is one of the most common ones. Use a few words in a row."
            raise PasswordRefused(msg)

    def keep(self, password: str) -> str:
        """Hash a password; returns the text to store."""
        with self._turns:
            return self._hasher.hash(password)

    def compare(self, stored: str | None, password: str, *, old_texts_left: bool) -> PasswordCheck:
        """Compare a password with a stored hash; `stored` None: unknown person, or a person without a password.

        Every comparison computes one argon2id hash, and one scrypt hash more while any old hash is left on this hub. So the
        duration reveals neither whether a person exists nor which kind of hash is stored.
        """
        password = password[:MAX_CHARACTERS]
        with self._turns:
            dummy, old_dummy = self._dummy_texts()
            if stored is not None and stored.startswith(_OLD):
                fits = check_password_hash(stored, password)
                renewed = self._hasher.hash(password)
                return PasswordCheck(fits, renewed if fits else None)
            if old_texts_left:
                check_password_hash(old_dummy, password)
            fits = self._verify(stored or dummy, password) and stored is not None
            renew = fits and stored is not None and self._hasher.check_needs_rehash(stored)
            return PasswordCheck(fits, self._hasher.hash(password) if renew else None)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False
        return True

    def _dummy_texts(self) -> tuple[str, str]:
        """Hashes of both kinds that match no known password; made once."""
        if self._dummies is None:
            self._dummies = self._hasher.hash(secrets.token_urlsafe()), generate_password_hash(secrets.token_urlsafe())
        return self._dummies


def is_old(stored: str | None) -> bool:
    """Whether a stored hash is from before argon2id."""
    return stored is not None and stored.startswith(_OLD)


def is_common(password: str, name: str = "") -> bool:
    """Whether a password is a frequent one or the person's name: plain, repeated, or between digits and signs.

    >>> is_common("qwertyqwerty"), is_common("!!Sunshine2024!!"), is_common("Mara Weiss 12", "Mara Weiss")
    (True, True, True)
    >>> is_common("blue lathe by the door")
    False
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 14 MiB, needed only for a new password

    plain = password.casefold()
    core = plain.strip("0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~§€£")
    frequent = FREQUENCY_LISTS["passwords"]
    own = {name.casefold(), *name.casefold().split()} - {""}
    return any(part in frequent or part in own for text in (plain, core) for part in (text, _period(text)))


def _period(text: str) -> str:
    """The shortest text whose repetition gives this one.

    >>> _period("abcabcabc"), _period("abcd")
    ('abc', 'abcd')
    """
    return text[: (text + text).find(text, 1)] if text else text


PASSWORDS = Passwords()
