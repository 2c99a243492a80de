"""Guessing passwords: tries are counted before they are compared, and neither parallel tries nor an own account help."""

import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from server.auth import accounts, rate_limit
from server.auth.passwords import AT_ONCE, PasswordCheck, PasswordRefused, Passwords, is_common
from server.auth.rate_limit import MAX_WAIT_S, SignInLimiter
from server.db import schema
from station.system import clock

PASSWORD = "four words in a row"  # noqa: S105  a test's
WRONG = "wrong words in a row"


@pytest.fixture
def kim(store, hub_app):
    with store.write() as connection:
        for name in ("Kim", "Mallory"):
            accounts.add_person(connection, name, "supervise", PASSWORD, clock.utc_us())
    return hub_app


@pytest.fixture
def sign_in(kim, csrf_of):
    """One try from an address; its status."""

    def tried(name="Kim", password=WRONG, address="192.0.2.1"):
        browser = kim.anonymous()
        form = {"csrf_token": csrf_of(browser, "/sign-in"), "name": name, "password": password}
        return browser.post("/sign-in", data=form, environ_base={"REMOTE_ADDR": address}).status_code

    return tried


@pytest.fixture
def failures(rows):
    return lambda: dict(rows(select(schema.attempt.c.who, schema.attempt.c.failures)))


def at_once(count, act):
    """What `act(number)` returned in as many threads, all begun together."""
    ready, done = threading.Barrier(count), [None] * count

    def run(number):
        ready.wait()
        done[number] = act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_a_success_clears_only_the_account_from_that_address(sign_in, failures):
    assert [sign_in(), sign_in()] == [401, 401]
    assert sign_in("Kim", PASSWORD) == 302
    assert failures() == {"account Kim": 2, "address 192.0.2.1": 2}


def test_an_account_of_ones_own_does_not_clear_the_count_of_guesses(sign_in):
    """Two guesses at others, then the own account, and so on: there are no more guesses than without it."""
    statuses = []
    for number in range(4):
        statuses += [sign_in(f"other-{number}"), sign_in(), sign_in("Mallory", PASSWORD)]
    assert statuses.count(401) == rate_limit.FREE_TRIES + 1


def test_a_right_password_is_not_counted_itself(sign_in, failures):
    assert [sign_in("Kim", PASSWORD) for _ in range(8)] == [302] * 8
    assert failures() == {}


def test_tries_in_parallel_from_one_address_are_counted_before_they_are_compared(sign_in, failures):
    statuses = at_once(16, lambda _number: sign_in())
    assert statuses.count(401) <= rate_limit.FREE_TRIES + 1
    assert failures()["pair 192.0.2.1 Kim"] == statuses.count(401)


def test_tries_in_parallel_at_many_accounts_from_one_address_are_counted_together(sign_in, failures):
    statuses = at_once(16, lambda number: sign_in(f"nobody-{number}"))
    assert statuses.count(401) <= rate_limit.FREE_TRIES + 1
    assert failures() == {"address 192.0.2.1": statuses.count(401)}, "invented names leave no trace"


def test_an_attacked_person_signs_in_from_another_address(sign_in):
    for number in range(40):
        sign_in(address=f"198.51.100.{number}")
    assert at_once(6, lambda n: sign_in(address=f"203.0.113.{n}") if n else sign_in("Kim", PASSWORD)).count(302) <= 1
    assert sign_in("Kim", PASSWORD, "192.0.2.77") == 302
    assert sign_in("Kim", PASSWORD, "192.0.2.77") == 302


def test_an_address_that_failed_at_an_account_waits_for_all_guesses_at_it(sign_in):
    assert sign_in(address="192.0.2.9") == 401
    for number in range(8):
        sign_in(address=f"198.51.100.{number}")
    assert sign_in(address="192.0.2.9") == 429


def test_the_wait_doubles_up_to_a_minute_and_is_forgotten(store):
    waits, now_us = [], 10**15
    with store.write() as connection:
        accounts.add_person(connection, "Kim", "view", None, 1)
        for _ in range(12):
            rate_limit.count(connection, "Kim", "192.0.2.1", now_us)
            waits.append(rate_limit.wait_s(connection, "Kim", "192.0.2.1", now_us))
            now_us += MAX_WAIT_S * 1_000_000
        assert waits == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]
        now_us += rate_limit.FORGET_US + MAX_WAIT_S * 1_000_000
        rate_limit.count(connection, "Kim", "192.0.2.1", now_us)
        assert rate_limit.wait_s(connection, "Kim", "192.0.2.1", now_us) == 0


def test_a_forgiven_try_leaves_the_pause_that_another_one_set(store, failures):
    now_us = 10**15
    with store.write() as connection:
        for _ in range(3):
            rate_limit.count(connection, "nobody", "192.0.2.1", now_us)
        right = rate_limit.count(connection, "nobody", "192.0.2.1", now_us)
        rate_limit.count(connection, "nobody", "192.0.2.1", now_us)
        rate_limit.forgive(connection, right)
        assert rate_limit.wait_s(connection, "nobody", "192.0.2.1", now_us) == 4
    assert failures() == {"address 192.0.2.1": 4}


def test_a_name_is_not_the_counter_of_another_account():
    assert not set(rate_limit.keys("Kim", "192.0.2.1")) & set(rate_limit.keys("192.0.2.1 Kim", "192.0.2.2"))


class CountingHasher:
    """Hashes by name only, slowly, and knows how many hashes there were at once and in all."""

    def __init__(self):
        self._lock = threading.Lock()
        self._now = self.most = self.made = 0

    def _work(self):
        with self._lock:
            self._now += 1
            self.made += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._lock:
            self._now -= 1

    def hash(self, password):
        self._work()
        return f"kept {password}"

    def verify(self, kept, password):
        from argon2.exceptions import VerifyMismatchError

        self._work()
        if kept != f"kept {password}":
            raise VerifyMismatchError

    def check_needs_rehash(self, kept):
        return not kept.startswith("kept")


def test_at_most_two_hashes_are_made_at_a_time():
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    fits = at_once(12, lambda n: passwords.compare(f"kept {n}", "3", old_texts_left=False).fits)
    assert (fits.count(True), fits[3], hasher.most, AT_ONCE) == (1, True, 2, 2)


def test_tries_in_parallel_from_many_addresses_are_compared_one_at_a_time(sign_in, kim, store):
    hasher = CountingHasher()
    hub = kim.app.extensions["wipline"]
    kim.app.extensions["wipline"] = replace(hub, passwords=Passwords(hasher, at_once=8))
    with store.write() as connection:
        connection.execute(schema.person.update().values(password="kept right"))  # noqa: S106
    statuses = at_once(8, lambda number: sign_in(address=f"198.51.100.{number}"))
    assert set(statuses) <= {401, 429}
    assert (hasher.most, hasher.made) == (1, statuses.count(401) + 1), "one for the dummy text"


def test_one_try_at_a_time_is_made_for_an_account():
    turns, lock, inside, most = SignInLimiter(wait_s=20, most=50), threading.Lock(), {}, {}

    def tried(number):
        name = "Kim" if number % 2 else "Ada"
        with turns.turn(name) as taken:
            assert taken
            with lock:
                inside[name] = inside.get(name, 0) + 1
                most[name] = max(most.get(name, 0), inside[name])
            time.sleep(0.01)
            with lock:
                inside[name] -= 1

    at_once(20, tried)
    assert most == {"Kim": 1, "Ada": 1}


def test_tries_that_wait_hold_a_bounded_number_of_threads():
    turns, release = SignInLimiter(wait_s=20, most=3), threading.Event()

    def tried(_number):
        with turns.turn("Kim") as taken:
            if taken:
                release.wait(20)
            else:
                release.set()
            return taken

    assert at_once(4, tried).count(False) == 1
    with turns.turn("Kim") as taken:
        assert taken


def test_an_unknown_person_costs_the_hashes_of_a_known_one():
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    passwords.compare(None, "x", old_texts_left=False)
    costs = []
    for kept, fits in (("kept right", "right"), ("kept right", "wrong"), (None, "wrong"), (None, "")):
        before = hasher.made
        compared = passwords.compare(kept, fits, old_texts_left=False)
        costs.append((hasher.made - before, compared.fits))
    assert costs == [(1, True), (1, False), (1, False), (1, False)]


def test_no_dummy_text_fits_a_password():
    passwords = Passwords()
    for password in ("", "None", PASSWORD):
        assert passwords.compare(None, password, old_texts_left=True) == PasswordCheck(False)


def test_a_password_is_kept_as_argon2id_with_the_advised_costs(kim, rows):
    kept = rows(select(schema.person.c.password))[0][0]
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("method", ["scrypt", "pbkdf2:sha256:1000"])
def test_an_old_text_is_verified_and_renewed_at_the_sign_in(kim, sign_in, store, rows, method):
    old = generate_password_hash(PASSWORD, method=method)
    with store.write() as connection:
        connection.execute(schema.person.update().where(schema.person.c.name == "Kim").values(password=old))
    kept = select(schema.person.c.password).where(schema.person.c.name == "Kim")
    assert sign_in() == 401
    assert rows(kept) == [(old,)]
    assert sign_in("Kim", PASSWORD) == 302
    assert rows(kept)[0][0].startswith("$argon2id$")
    assert [sign_in("Kim", PASSWORD), sign_in()] == [302, 401]


def test_a_renewal_does_not_undo_a_password_that_was_given_meanwhile(store, rows):
    with store.write() as connection:
        accounts.add_person(connection, "Kim", "view", PASSWORD, 1)
        before = accounts.person_named(connection, "Kim")
        accounts.set_password(connection, before.id, "five other words in a row")
        now = accounts.person_named(connection, "Kim").password
        accounts.renew_password(connection, before, "of the old password")
    assert rows(select(schema.person.c.password)) == [(now,)]


@pytest.mark.parametrize(
    "password",
    [
        "qwerty123456",
        "Password1234",
        "passwordpassword",
        "!!sunshine2024!!",
        "1q2w3e4r5t6y",
        "Iloveyou-2026",
        "MARA weiss 77",
    ],
)
def test_a_common_password_is_refused(password):
    assert is_common(password, "Mara Weiss")
    with pytest.raises(PasswordRefused, match="one of the most common ones"):
        Passwords().check(password, "Mara Weiss")


@pytest.mark.parametrize(
    "password", [PASSWORD, "correct lathe staple", "tr0ub4dor&3-saw", "Säge und Bohrer 7", "パスワードの長い文です。"]
)
def test_a_password_of_ones_own_is_taken(password):
    Passwords().check(password, "Mara Weiss")
