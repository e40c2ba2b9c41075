"""Second factors: what makes one right, once, and what tries cost."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection

from apps.accounts.factors import actions, passkeys, queries, recovery, totp
from apps.accounts.factors.actions import Given
from apps.accounts.models import User
from apps.core import crypto
from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound, Refused
from apps.core.models import OutboxEvent
from tests.accounts.software_key import SoftwareKey
from tests.factories import person

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOST = "testserver"


def _code(secret: str, at: datetime = NOON) -> str:
    return totp.code_at(secret, int(at.timestamp()) // 30)


def _with_app(ada: User, at: datetime = NOON) -> tuple[str, list[str]]:
    secret = totp.new_secret()
    codes = actions.add_totp(actor=ada, secret=secret, code=_code(secret, at), proved_at=at, now=at)
    return secret, codes


def _with_passkey(ada: User, **traits: Any) -> SoftwareKey:
    key = SoftwareKey(**traits)
    options, state = passkeys.begin_registration(
        host=HOST, person_key=ada.public_id.bytes, email=ada.email, name="Ada", known=()
    )
    actions.add_passkey(
        actor=ada, name="Blue key", answer=key.register(options), state=state, host=HOST,
        proved_at=NOON, now=NOON,
    )  # fmt: skip
    return key


def _given(ada: User, key: SoftwareKey) -> Given:
    begun = queries.begin_passkey(person=ada, host=HOST)
    assert begun is not None
    return Given(passkey=key.answer(begun[0]), state=begun[1], host=HOST)


def _refused(ada: User, given: Given, at: datetime = NOON) -> str:
    with pytest.raises(DomainError) as refusal:
        actions.check_second_factor(person=ada, given=given, now=at)
    return refusal.value.code


def _told(kind: str) -> list[dict[str, Any]]:
    events = OutboxEvent.objects.filter(topic="notice", data__kind=kind).order_by("id")
    return [event.data["data"] for event in events]


@pytest.mark.parametrize(
    ("at_seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(at_seconds: int, code: str) -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()

    assert totp.code_at(secret, at_seconds // 30) == code


@pytest.mark.django_db
def test_an_app_is_added_with_recovery_codes_and_its_secret_is_sealed() -> None:
    ada = person("ada@example.com")

    secret, codes = _with_app(ada)

    assert len(set(codes)) == 10
    assert queries.methods_of(person=ada) == ["totp", "recovery_code"]
    row = Authenticator.objects.get(user=ada, type="totp")
    assert secret not in str(row.data)
    ada.refresh_from_db()
    assert ada.security_changed_at == NOON
    assert _told("second_factor_added") == [{"name": "an authenticator app"}]
    assert [code for code in codes if code in str(list(Authenticator.objects.values()))] == []


@pytest.mark.django_db
def test_a_code_is_right_once_and_for_a_minute_and_a_half() -> None:
    ada = person()
    secret, _ = _with_app(ada, NOON - timedelta(minutes=5))

    actions.check_second_factor(person=ada, given=Given(code=_code(secret)), now=NOON)

    assert _refused(ada, Given(code=_code(secret))) == "invalid_second_factor"
    earlier = _code(secret, NOON - timedelta(seconds=30))
    assert _refused(ada, Given(code=earlier)) == "invalid_second_factor"
    later = _code(secret, NOON + timedelta(seconds=30))
    actions.check_second_factor(person=ada, given=Given(code=f"{later[:3]} {later[3:]}"), now=NOON)
    far = _code(secret, NOON + timedelta(minutes=2))
    assert _refused(ada, Given(code=far)) == "invalid_second_factor"


@pytest.mark.django_db
def test_the_code_that_added_the_app_is_used_up() -> None:
    ada = person()
    secret, _ = _with_app(ada)

    assert _refused(ada, Given(code=_code(secret))) == "invalid_second_factor"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "code", ["", "000000", "12345", "1234567", "１２３４５６", "x" * 10, "\x00"]
)
def test_other_codes_are_wrong(code: str) -> None:
    ada = person()
    secret, _ = _with_app(ada, NOON - timedelta(minutes=5))
    assert code != _code(secret)

    assert _refused(ada, Given(code=code)) == "invalid_second_factor"


@pytest.mark.django_db
def test_a_recovery_code_works_once_however_it_is_typed() -> None:
    ada = person()
    _, codes = _with_app(ada)

    typed = codes[3].upper().replace("-", " ")
    actions.check_second_factor(person=ada, given=Given(code=typed), now=NOON)

    assert _refused(ada, Given(code=codes[3])) == "invalid_second_factor"
    assert queries.recovery_codes_left(viewer=ada) == 9
    assert _told("recovery_codes_used") == [{"left": "9"}]


@pytest.mark.django_db
def test_new_recovery_codes_end_the_old_ones() -> None:
    ada = person()
    _, old = _with_app(ada)

    new = actions.renew_recovery_codes(actor=ada, proved_at=NOON, now=NOON)

    assert _refused(ada, Given(code=old[0])) == "invalid_second_factor"
    actions.check_second_factor(person=ada, given=Given(code=new[0]), now=NOON)


@pytest.mark.django_db
def test_a_recovery_code_of_another_person_is_wrong() -> None:
    ada, bob = person(), person()
    _, codes = _with_app(ada)
    _with_app(bob)

    assert _refused(bob, Given(code=codes[0])) == "invalid_second_factor"


@pytest.mark.django_db
def test_a_secret_in_another_persons_row_does_not_open() -> None:
    ada, bob = person(), person()
    secret, _ = _with_app(ada, NOON - timedelta(minutes=5))
    _with_app(bob, NOON - timedelta(minutes=5))
    stolen = Authenticator.objects.get(user=ada, type="totp").data
    Authenticator.objects.filter(user=bob, type="totp").update(data=stolen)

    with pytest.raises(crypto.Unreadable):
        actions.check_second_factor(person=bob, given=Given(code=_code(secret)), now=NOON)


@pytest.mark.django_db
def test_from_the_eleventh_wrong_try_even_the_right_code_waits() -> None:
    ada = person()
    _, codes = _with_app(ada)
    for _ in range(10):
        assert _refused(ada, Given(code="abcde-fghij")) == "invalid_second_factor"

    assert _refused(ada, Given(code=codes[0])) == "too_many_attempts"


@pytest.mark.django_db
def test_after_fifty_wrong_codes_none_is_right_until_there_is_a_new_password() -> None:
    ada = person()
    _, codes = _with_app(ada)
    User.objects.filter(pk=ada.pk).update(wrong_codes=49)
    assert _refused(ada, Given(code="abcde-fghij")) == "invalid_second_factor"

    assert _refused(ada, Given(code=codes[0])) == "invalid_second_factor"

    assert _told("codes_locked") == [{"tries": "50"}]
    ada.set_password("another password of length")
    ada.save()
    actions.check_second_factor(person=ada, given=Given(code=codes[0]), now=NOON)


@pytest.mark.django_db
def test_a_passkey_is_added_and_answers() -> None:
    ada = person()
    key = _with_passkey(ada)

    actions.check_second_factor(person=ada, given=_given(ada, key), now=NOON)

    (factor,) = queries.factors_of(viewer=ada)
    assert (factor.name, factor.is_passkey, factor.used_at) == ("Blue key", True, NOON)
    assert queries.methods_of(person=ada) == ["passkey", "recovery_code"]


@pytest.mark.django_db
def test_an_answer_to_another_question_is_wrong() -> None:
    ada = person()
    key = _with_passkey(ada)
    old = _given(ada, key)
    fresh = _given(ada, key)

    crossed = Given(passkey=old.passkey, state=fresh.state, host=HOST)

    assert _refused(ada, crossed) == "invalid_second_factor"
    assert _refused(ada, Given(passkey=fresh.passkey, host=HOST)) == "invalid_second_factor"


@pytest.mark.django_db
def test_a_copy_of_a_passkey_is_noticed_by_its_count() -> None:
    ada = person()
    key = _with_passkey(ada)
    actions.check_second_factor(person=ada, given=_given(ada, key), now=NOON)
    key.count = 0

    assert _refused(ada, _given(ada, key)) == "invalid_second_factor"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://testserver", "https://testserver.evil"]
)
def test_a_passkey_does_not_answer_for_a_page_of_another_site(origin: str) -> None:
    ada = person()
    key = _with_passkey(ada)
    key.origin = origin

    assert _refused(ada, _given(ada, key)) == "invalid_second_factor"


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [{}, {"id": 1}, {"response": []}, {"rawId": "x", "id": "x"}])
def test_junk_is_no_passkey(answer: dict[str, Any]) -> None:
    ada = person()
    _with_passkey(ada)
    begun = queries.begin_passkey(person=ada, host=HOST)
    assert begun is not None

    given = Given(passkey=answer, state=begun[1], host=HOST)
    assert _refused(ada, given) == "invalid_second_factor"
    with pytest.raises(Invalid):
        passkeys.finish_registration(host=HOST, state=begun[1], answer=answer)


@pytest.mark.django_db
def test_a_passkey_alone_must_have_asked_its_owner() -> None:
    ada = person()
    for verifies, found in ((True, True), (False, False)):
        key = _with_passkey(ada, verifies=verifies)
        options, state = passkeys.begin(host=HOST, known=(), alone=True)
        answer = key.answer(options)
        if found:
            owner = actions.find_passkey_owner(answer=answer, state=state, host=HOST, now=NOON)
            assert owner == ada
        else:
            with pytest.raises(DomainError) as refusal:
                actions.find_passkey_owner(answer=answer, state=state, host=HOST, now=NOON)
            assert refusal.value.code == "invalid_second_factor"


@pytest.mark.django_db
def test_changes_take_a_fresh_proof_and_ones_own_factor() -> None:
    ada, bob = person(), person()
    _with_app(ada)
    factor = queries.factors_of(viewer=ada)[0]

    with pytest.raises(NotAllowed, match="Confirm"):
        actions.remove_factor(
            actor=ada, factor_id=factor.id, proved_at=NOON - timedelta(minutes=20), now=NOON
        )
    with pytest.raises(NotFound):
        actions.remove_factor(actor=bob, factor_id=factor.id, proved_at=NOON, now=NOON)
    with pytest.raises(Conflict):
        _with_app(ada)
    assert queries.has_second_factor(person=ada)


@pytest.mark.django_db
def test_recovery_codes_go_with_the_last_factor() -> None:
    ada = person()
    _with_app(ada)
    factor = queries.factors_of(viewer=ada)[0]

    actions.remove_factor(actor=ada, factor_id=factor.id, proved_at=NOON, now=NOON)

    assert not Authenticator.objects.filter(user=ada).exists()
    assert _told("second_factor_removed") == [{"name": "the authenticator app"}]


@pytest.mark.django_db
def test_a_short_password_is_not_left_alone() -> None:
    ada = person()
    _with_app(ada)
    ada.set_password("eight ch")
    ada.save()
    factor = queries.factors_of(viewer=ada)[0]

    with pytest.raises(Refused) as refusal:
        actions.remove_factor(actor=ada, factor_id=factor.id, proved_at=NOON, now=NOON)

    assert refusal.value.code == "password_too_short"
    assert queries.has_second_factor(person=ada)


@pytest.mark.django_db(transaction=True)
def test_of_eight_uses_of_one_code_at_once_one_is_right() -> None:
    ada = person()
    _, codes = _with_app(ada)
    outcomes: Counter[str] = Counter()
    ready = threading.Barrier(8)

    def use() -> None:
        ready.wait()
        try:
            actions.check_second_factor(person=ada, given=Given(code=codes[0]), now=NOON)
            outcomes["right"] += 1
        except DomainError as refusal:
            outcomes[refusal.code] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == {"right": 1, "invalid_second_factor": 7}


def test_recovery_codes_are_of_fifty_bits() -> None:
    codes = [code for _ in range(100) for code in recovery.new_codes()]

    assert len(set(codes)) == 1000
    assert all(recovery.looks_like_one(code) and len(code) == 11 for code in codes)
