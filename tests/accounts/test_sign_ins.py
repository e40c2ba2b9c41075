"""API sign-ins: refresh tokens that are good once, and what happens when one comes back."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from apps.accounts import access, actions
from apps.accounts.models import RefreshToken, SignIn, User
from apps.accounts.queries import caller_of_token
from apps.core import clock
from apps.core.errors import NotSignedIn

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _person(email: str = "ada@example.com") -> User:
    return actions.register_person(
        email=email, password="a-long-enough-password", display_name="Ada", now=NOON
    )


def _sign_in(user: User, now: datetime = NOON) -> actions.TokenPair:
    return actions.open_sign_in(actor=user, client="app/1", address="192.0.2.1", now=now)


def _refused(refresh: str, now: datetime) -> bool:
    with pytest.raises(NotSignedIn) as refusal:
        actions.rotate_refresh(refresh=refresh, now=now)
    return refusal.value.code == "token_invalid"


@pytest.mark.django_db
def test_a_sign_in_gives_a_pair_and_keeps_only_a_hash() -> None:
    user = _person()

    pair = _sign_in(user)

    assert pair.expires_in == 600
    assert len(pair.refresh) == 43
    token = RefreshToken.objects.get()
    assert pair.refresh.encode() not in bytes(token.token_hash)
    assert token.expires_at == NOON + timedelta(days=30)
    caller = caller_of_token(token=pair.access)
    assert caller.user == user
    sign_in = SignIn.objects.get(pk=caller.sign_in_id)
    assert (sign_in.client, sign_in.address) == ("app/1", "192.0.2.1")


@pytest.mark.django_db
def test_a_refresh_token_is_good_for_one_successor() -> None:
    first = _sign_in(_person())

    second = actions.rotate_refresh(refresh=first.refresh, now=NOON + timedelta(minutes=9))

    assert second.refresh != first.refresh
    assert SignIn.objects.count() == 1
    third = actions.rotate_refresh(refresh=second.refresh, now=NOON + timedelta(minutes=18))
    assert caller_of_token(token=third.access).sign_in_id == SignIn.objects.get().pk


@pytest.mark.django_db
def test_a_lost_answer_is_repeated_for_ten_seconds() -> None:
    first = _sign_in(_person())
    second = actions.rotate_refresh(refresh=first.refresh, now=NOON)

    again = actions.rotate_refresh(refresh=first.refresh, now=NOON + timedelta(seconds=10))

    assert again.refresh == second.refresh
    assert RefreshToken.objects.count() == 2
    assert SignIn.objects.get().ended_at is None


@pytest.mark.django_db
def test_a_used_token_that_comes_back_later_ends_the_sign_in() -> None:
    first = _sign_in(_person())
    second = actions.rotate_refresh(refresh=first.refresh, now=NOON)

    assert _refused(first.refresh, NOON + timedelta(seconds=11))

    sign_in = SignIn.objects.get()
    assert (sign_in.end_reason, sign_in.ended_at) == ("reuse", NOON + timedelta(seconds=11))
    assert _refused(second.refresh, NOON + timedelta(seconds=12))
    with pytest.raises(NotSignedIn):
        caller_of_token(token=second.access)


@pytest.mark.django_db
def test_the_grace_ends_when_the_successor_is_used() -> None:
    first = _sign_in(_person())
    second = actions.rotate_refresh(refresh=first.refresh, now=NOON)
    actions.rotate_refresh(refresh=second.refresh, now=NOON + timedelta(seconds=1))

    assert _refused(first.refresh, NOON + timedelta(seconds=2))

    assert SignIn.objects.get().end_reason == "reuse"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "refresh",
    ["", "x", "A" * 43, "A" * 44, "A" * 10_000, "é" * 43, "../../etc/passwd", "\x00" * 43],
)
def test_unknown_tokens_are_refused_and_change_nothing(refresh: str) -> None:
    _sign_in(_person())

    assert _refused(refresh, NOON)

    assert SignIn.objects.get().ended_at is None
    assert RefreshToken.objects.get().used_at is None


@pytest.mark.django_db
def test_an_old_token_is_refused() -> None:
    pair = _sign_in(_person())

    assert _refused(pair.refresh, NOON + timedelta(days=30))

    assert RefreshToken.objects.get().used_at is None


@pytest.mark.django_db
def test_who_is_switched_off_or_gone_cannot_refresh() -> None:
    off, gone = _person(), _person("gone@example.com")
    pairs = [_sign_in(off), _sign_in(gone)]
    User.objects.filter(pk=off.pk).update(is_active=False)
    SignIn.objects.filter(user=gone).delete()

    for pair in pairs:
        assert _refused(pair.refresh, NOON)
        with pytest.raises(NotSignedIn):
            caller_of_token(token=pair.access)


@pytest.mark.django_db
def test_signing_out_ends_both_kinds_of_token_and_no_other_sign_in() -> None:
    user = _person()
    here, there = _sign_in(user), _sign_in(user)

    actions.end_sign_in_of_refresh(refresh=here.refresh, now=NOON)

    assert _refused(here.refresh, NOON)
    with pytest.raises(NotSignedIn):
        caller_of_token(token=here.access)
    assert caller_of_token(token=there.access).user == user


@pytest.mark.django_db
def test_old_tokens_are_forgotten_and_live_ones_kept() -> None:
    user = _person()
    _sign_in(user, NOON - timedelta(days=31))
    live = _sign_in(user)

    assert actions.forget_old_tokens(now=NOON) == 1

    assert SignIn.objects.count() == 1
    actions.rotate_refresh(refresh=live.refresh, now=NOON)


@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once_get_one_and_the_same_successor() -> None:
    pair = _sign_in(_person(), clock.now())
    barrier = threading.Barrier(16)
    successors: Counter[str] = Counter()
    lock = threading.Lock()

    def refresh() -> None:
        barrier.wait()
        try:
            successor = actions.rotate_refresh(refresh=pair.refresh, now=clock.now()).refresh
        except NotSignedIn:
            successor = "refused"
        finally:
            connection.close()
        with lock:
            successors[successor] += 1

    threads = [threading.Thread(target=refresh) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(successors) == 1
    assert sum(successors.values()) == 16
    assert RefreshToken.objects.count() == 2
    assert SignIn.objects.get().ended_at is None


@pytest.mark.django_db
def test_an_access_token_lives_ten_minutes() -> None:
    import time_machine

    with time_machine.travel(NOON, tick=False):
        pair = _sign_in(_person())
    with time_machine.travel(NOON + timedelta(minutes=10), tick=False):
        caller_of_token(token=pair.access)
    with (
        time_machine.travel(NOON + timedelta(minutes=10, seconds=31), tick=False),
        pytest.raises(NotSignedIn),
    ):
        access.read(pair.access)
