"""Proving who one is: one answer for every wrong try, and a limit on tries."""

from __future__ import annotations

import pytest
import time_machine

from apps.accounts import actions
from apps.accounts.hashers import BoundedArgon2
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Conflict, NotSignedIn, TooMany

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"


@pytest.fixture
def person() -> User:
    return actions.register_person(
        email="Ada@Example.com", password=PASSWORD, display_name="Ada", now=clock.now()
    )


def test_one_address_is_one_person_in_whichever_case(person: User) -> None:
    assert person.email == "ada@example.com"
    with pytest.raises(Conflict) as refusal:
        actions.register_person(
            email="ADA@example.com", password=PASSWORD, display_name="Eve", now=clock.now()
        )

    assert refusal.value.code == "email_taken"
    assert User.objects.count() == 1


def test_the_right_password_is_enough(person: User) -> None:
    assert (
        actions.check_credentials(email="ADA@example.com", password=PASSWORD, now=clock.now())
        == person
    )


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "wrong"),
        ("ada@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("", ""),
    ],
)
def test_every_wrong_try_gets_the_same_answer(person: User, email: str, password: str) -> None:
    with pytest.raises(NotSignedIn) as refusal:
        actions.check_credentials(email=email, password=password, now=clock.now())

    assert refusal.value.code == "invalid_credentials"
    assert refusal.value.message == "The e-mail address or the password is wrong."
    assert refusal.value.data == {}


def test_who_was_switched_off_gets_the_same_answer_too(person: User) -> None:
    person.is_active = False
    person.save()

    with pytest.raises(NotSignedIn) as refusal:
        actions.check_credentials(email=person.email, password=PASSWORD, now=clock.now())

    assert refusal.value.code == "invalid_credentials"


def test_from_the_eleventh_wrong_try_even_the_right_password_waits(person: User) -> None:
    for _ in range(10):
        with pytest.raises(NotSignedIn):
            actions.check_credentials(email=person.email, password="wrong", now=clock.now())

    with pytest.raises(TooMany) as refusal:
        actions.check_credentials(email=person.email, password=PASSWORD, now=clock.now())

    assert refusal.value.code == "too_many_attempts"
    assert refusal.value.data["retry_after_seconds"] in range(1, 91)


def test_tries_that_succeed_do_not_count(person: User) -> None:
    for _ in range(15):
        actions.check_credentials(email=person.email, password=PASSWORD, now=clock.now())


def test_one_persons_wrong_tries_keep_nobody_else_out(person: User) -> None:
    other = actions.register_person(
        email="bob@example.com", password=PASSWORD, display_name="Bob", now=clock.now()
    )
    for _ in range(10):
        with pytest.raises(NotSignedIn):
            actions.check_credentials(email=person.email, password="wrong", now=clock.now())

    assert actions.check_credentials(email=other.email, password=PASSWORD, now=clock.now()) == other


def test_unknown_address_and_wrong_password_cost_one_hash_each(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    from django.contrib.auth.hashers import MD5PasswordHasher

    plain = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashes.append(password)
        return plain(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)

    for email in (person.email, "nobody@example.com"):
        hashes.clear()
        with pytest.raises(NotSignedIn):
            actions.check_credentials(email=email, password="wrong", now=clock.now())
        assert hashes == ["wrong"]


def test_passwords_are_hashed_with_argon2_first() -> None:
    from config.settings import base

    assert base.PASSWORD_HASHERS[0] == "apps.accounts.hashers.BoundedArgon2"
    encoded = BoundedArgon2().encode("a-long-enough-password", "c2FsdHNhbHRzYWx0")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert BoundedArgon2().verify("a-long-enough-password", encoded)


def test_any_password_of_any_alphabet_works() -> None:
    password = "пароль 🔑 " + "x" * 64

    with time_machine.travel("2026-11-21T12:00:00Z", tick=False):
        user = actions.register_person(
            email="uni@example.com", password=password, display_name="Ü", now=clock.now()
        )

    assert (
        actions.check_credentials(email="uni@example.com", password=password, now=clock.now())
        == user
    )
