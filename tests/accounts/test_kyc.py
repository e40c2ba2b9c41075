"""Verification: what each tier takes, who decides, what is kept, and when it ends."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.accounts.kyc import actions, queries, rules, vendors
from apps.accounts.kyc.models import Document, Verification, VerificationEvent
from apps.accounts.models import User
from apps.core import crypto, outbox, sealed
from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound, Refused
from apps.notifications.models import Notice
from tests.accounts.kyc_world import ADA, HOME, NOON, handed_in, known, picture, reviewer
from tests.factories import person, staff

pytestmark = pytest.mark.django_db
Status = Verification.Status


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    """Private files of this test alone."""
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    return tmp_path


def _tier(who: User) -> int:
    return User.objects.values_list("kyc_tier", flat=True).get(pk=who.pk)


def _told(who: User) -> list[tuple[str, dict[str, str]]]:
    outbox.deliver(now=NOON)
    return list(Notice.objects.filter(person=who).order_by("id").values_list("kind", "data"))


def test_the_first_tier_is_declared_and_decided_by_the_rules() -> None:
    ada = person()

    row = handed_in(ada)

    assert (row.status, row.tier, row.decided_by) == (Status.APPROVED, 1, None)
    assert row.expires_at == NOON + timedelta(days=3 * 365)
    assert _tier(ada) == 1
    assert queries.details_of(row) == {**ADA, "legal_name": "Ada Lovelace"}
    assert _told(ada) == [("kyc_approved", {"tier": "1"})]


def test_the_second_tier_takes_one_member_of_compliance() -> None:
    ada, cleo = known(tier=1), reviewer()

    row = handed_in(ada)
    assert (row.status, _tier(ada)) == (Status.WAITING, 1)
    actions.approve(actor=cleo, verification_id=row.pk, now=NOON)

    row.refresh_from_db()
    assert (row.status, row.decided_by, _tier(ada)) == (Status.APPROVED, cleo, 2)
    with pytest.raises(Conflict, match="does not wait"):
        actions.approve(actor=cleo, verification_id=row.pk, now=NOON)


def test_the_third_tier_takes_two_and_nobody_is_both() -> None:
    ada, cleo, dora = known(tier=2), reviewer(), reviewer()
    row = handed_in(ada)

    actions.approve(actor=cleo, verification_id=row.pk, now=NOON)
    assert _tier(ada) == 2
    with pytest.raises(NotAllowed) as twice:
        actions.approve(actor=cleo, verification_id=row.pk, now=NOON)
    assert (twice.value.code, _tier(ada)) == ("four_eyes", 2)
    actions.approve(actor=dora, verification_id=row.pk, now=NOON)

    row.refresh_from_db()
    assert (row.proposed_by, row.decided_by, _tier(ada)) == (cleo, dora, 3)
    assert [each.what for each in row.events.order_by("id")] == [
        "began", "document", "submitted", "proposed", "approved",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="highest level"):
        actions.begin(actor=ada, details={}, now=NOON)


def test_nobody_decides_on_his_own_and_only_compliance_decides() -> None:
    cleo = reviewer()
    mine = handed_in(_reached(cleo, 1))
    theirs = handed_in(known(tier=1))

    with pytest.raises(NotAllowed) as own:
        actions.approve(actor=cleo, verification_id=mine.pk, now=NOON)
    assert own.value.code == "own_verification"
    for actor in (person(), staff(), theirs.person):
        for decide in (actions.approve, _refuse):
            with pytest.raises(NotAllowed) as refusal:
                decide(actor=actor, verification_id=theirs.pk, now=NOON)
            assert refusal.value.code == "not_reviewer"

    assert set(Verification.objects.filter(tier=2).values_list("status", flat=True)) == {"waiting"}


def test_who_was_refused_reads_why_and_may_try_again() -> None:
    ada, cleo = known(tier=1), reviewer()
    row = handed_in(ada)

    with pytest.raises(Invalid, match="Say why"):
        actions.refuse(actor=cleo, verification_id=row.pk, reason="  ", now=NOON)
    actions.refuse(actor=cleo, verification_id=row.pk, reason="The photo is blurred.", now=NOON)

    assert _tier(ada) == 1
    assert _told(ada)[-1] == ("kyc_refused", {"tier": "2", "reason": "The photo is blurred."})
    assert handed_in(ada).status == Status.WAITING


def test_who_proposed_may_still_refuse() -> None:
    ada, cleo = known(tier=2), reviewer()
    row = handed_in(ada)
    actions.approve(actor=cleo, verification_id=row.pk, now=NOON)

    actions.refuse(actor=cleo, verification_id=row.pk, reason="Forged after all.", now=NOON)

    row.refresh_from_db()
    assert (row.status, row.proposed_by, row.decided_by) == (Status.REFUSED, None, cleo)


@pytest.mark.parametrize(
    ("changed", "family", "code"),
    [
        ({"legal_name": ""}, Invalid, "invalid_details"),
        ({"legal_name": "x" * 101}, Invalid, "invalid_details"),
        ({"legal_name": "Ada\u202e"}, Invalid, "invalid_details"),
        ({"birth_date": "17.5.1990"}, Invalid, "invalid_details"),
        ({"birth_date": "1990-02-30"}, Invalid, "invalid_details"),
        ({"birth_date": "1850-01-01"}, Invalid, "invalid_details"),
        ({"birth_date": "2030-01-01"}, Invalid, "invalid_details"),
        ({"birth_date": "2008-11-23"}, Refused, "too_young"),
        ({"country": "XX"}, Invalid, "invalid_details"),
        ({"country": "gb"}, Invalid, "invalid_details"),
        ({"country": "KP"}, Refused, "country_refused"),
        ({"kyc_tier": "3"}, Invalid, "unknown_field"),
    ],
)
def test_details_that_cannot_be_are_refused_and_nothing_is_kept(
    changed: dict[str, str], family: type[DomainError], code: str, settings: Any
) -> None:
    settings.KYC_COUNTRIES_REFUSED = ("KP",)

    with pytest.raises(family) as refusal:
        actions.begin(actor=person(), details={**ADA, **changed}, now=NOON)

    assert refusal.value.code == code
    assert not Verification.objects.exists()


def test_who_turns_eighteen_today_is_old_enough() -> None:
    assert rules.years_between(date(2008, 11, 22), NOON.date()) == 18
    assert rules.years_between(date(2008, 11, 23), NOON.date()) == 17
    assert rules.years_between(date(2008, 2, 29), date(2026, 2, 28)) == 17


def test_nothing_is_handed_in_before_everything_is_there() -> None:
    ada = known(tier=1)
    actions.begin(actor=ada, details={}, now=NOON)
    actions.add_document(actor=ada, kind="selfie", data=picture(), now=NOON)

    with pytest.raises(Refused) as refusal:
        actions.submit(actor=ada, now=NOON)

    assert refusal.value.data == {"missing": ["identity_front"]}
    with pytest.raises(Invalid, match="does not ask"):
        actions.add_document(actor=ada, kind="proof_of_address", data=picture(), now=NOON)


def test_what_waits_is_not_changed_any_more() -> None:
    ada = known(tier=1)
    handed_in(ada)

    for step in (
        lambda: actions.begin(actor=ada, details={}, now=NOON),
        lambda: actions.add_document(actor=ada, kind="selfie", data=picture(), now=NOON),
        lambda: actions.submit(actor=ada, now=NOON),
    ):
        with pytest.raises(Conflict) as refusal:
            step()
        assert refusal.value.code == "verification_waiting"


def test_documents_lie_sealed_and_one_of_a_kind_replaces_the_other(
    folder: Path, django_capture_on_commit_callbacks: Any
) -> None:
    ada = known(tier=1)
    actions.begin(actor=ada, details={}, now=NOON)
    actions.add_document(actor=ada, kind="selfie", data=picture(), now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        kept = actions.add_document(actor=ada, kind="selfie", data=picture(size=(80, 60)), now=NOON)

    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    assert b"JFIF" not in file.read_bytes()
    assert "selfie" not in file.name
    assert file.stat().st_mode & 0o777 == 0o600
    shown = queries.picture_of(queries.document_by_id(viewer=ada, document_id=kept.pk))
    assert shown.startswith(b"\xff\xd8")
    assert (kept.width, kept.height) == (80, 60)


def test_a_document_of_another_or_one_that_was_changed_does_not_open(folder: Path) -> None:
    ada, bob = known(tier=1), known(tier=1)
    for who in (ada, bob):
        actions.begin(actor=who, details={}, now=NOON)
    mine = actions.add_document(actor=ada, kind="selfie", data=picture(), now=NOON)
    theirs = actions.add_document(actor=bob, kind="selfie", data=picture(), now=NOON)

    Document.objects.filter(pk=mine.pk).update(key=theirs.key)
    with pytest.raises(crypto.Unreadable):
        queries.picture_of(Document.objects.get(pk=mine.pk))
    Document.objects.filter(pk=mine.pk).update(key=mine.key, file=theirs.file)
    with pytest.raises(NotFound):
        queries.picture_of(Document.objects.get(pk=mine.pk))
    with pytest.raises(NotFound):
        queries.document_by_id(viewer=ada, document_id=theirs.pk)


def test_documents_and_details_open_after_the_keys_were_rotated(settings: Any) -> None:
    ada = known(tier=1)
    row = handed_in(ada)
    settings.FIELD_KEYS = [crypto.new_key(), *settings.FIELD_KEYS]

    list(sealed.rewrap_everything())
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]

    assert queries.picture_of(row.documents.all()[0]).startswith(b"\xff\xd8")
    first = Verification.objects.get(person=ada, tier=1)
    assert queries.details_of(first)["country"] == "GB"


def test_who_does_not_renew_is_warned_once_and_falls_to_the_tier_below() -> None:
    ada = known(tier=2)
    ends = NOON + timedelta(days=2 * 365)

    assert actions.recheck(now=ends - timedelta(days=31)) == 0
    assert actions.recheck(now=ends - timedelta(days=30)) == 1
    assert actions.recheck(now=ends - timedelta(days=29)) == 0
    assert _tier(ada) == 2
    assert actions.recheck(now=ends) == 1
    assert actions.recheck(now=ends) == 0

    assert _tier(ada) == 1
    assert _told(ada)[2:] == [
        ("kyc_expires", {"tier": "2", "until": "2028-11-21"}),
        ("kyc_expired", {"tier": "2", "now_tier": "1"}),
    ]


def test_who_renews_in_time_keeps_his_tier_when_the_old_one_ends() -> None:
    ada, cleo = known(tier=2), reviewer()
    ends = NOON + timedelta(days=2 * 365)
    soon = ends - timedelta(days=10)

    assert queries.next_tier(viewer=ada, now=soon) == 2
    actions.begin(actor=ada, details={}, now=soon)
    for kind in rules.NEEDED[2]:
        actions.add_document(actor=ada, kind=kind, data=picture(), now=soon)
    row = actions.submit(actor=ada, now=soon)
    actions.approve(actor=cleo, verification_id=row.pk, now=soon)
    actions.recheck(now=ends)

    assert _tier(ada) == 2
    assert queries.next_tier(viewer=ada, now=ends) == 3


class _Company:
    """A vendor that knows what it was given."""

    def __init__(self) -> None:
        self.given: list[Verification] = []

    def begin(self, verification: Verification, now: Any) -> str:
        self.given.append(verification)
        return f"case-{len(self.given)}"


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch, settings: Any) -> _Company:
    found = _Company()
    monkeypatch.setitem(vendors._vendors, "company", found)
    settings.KYC_VENDOR = "company"
    return found


def _hear(message_id: str, reference: str = "case-1", outcome: str = "approved") -> bool:
    return actions.hear_vendor(
        vendor="company", message_id=message_id, reference=reference, outcome=outcome, reason="",
        now=NOON,
    )  # fmt: skip


def test_a_vendor_gets_what_was_handed_in_once_and_its_answer_counts_once(
    company: _Company,
) -> None:
    ada = known(tier=1)
    row = handed_in(ada)

    outbox.deliver(now=NOON)
    outbox.deliver(now=NOON)
    assert company.given == [row]
    assert _hear("m1")
    assert not _hear("m1")
    assert not _hear("m2", outcome="refused")

    row.refresh_from_db()
    assert (row.status, row.decided_by, _tier(ada)) == (Status.APPROVED, None, 2)
    assert VerificationEvent.objects.filter(verification=row, what="approved").count() == 1
    with pytest.raises(NotFound):
        _hear("m3", reference="case-9")
    with pytest.raises(NotFound):
        _hear("m4", reference="")


def test_of_what_takes_two_a_vendor_is_one(company: _Company) -> None:
    ada = _reached(person(), 2)
    row = handed_in(ada)
    outbox.deliver(now=NOON)

    assert _hear("m1")
    assert _tier(ada) == 2
    actions.approve(actor=reviewer(), verification_id=row.pk, now=NOON)

    assert _tier(ada) == 3


@pytest.mark.django_db(transaction=True)
def test_thirty_that_hand_in_at_once_hand_in_one() -> None:
    ada = person()
    outcomes: list[str] = []
    barrier = threading.Barrier(30, timeout=60)

    def try_it() -> None:
        barrier.wait()
        try:
            actions.begin(actor=ada, details=ADA, now=NOON)
            outcomes.append(actions.submit(actor=ada, now=NOON).status)
        except DomainError as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 30
    assert outcomes.count("approved") == 1
    assert Verification.objects.filter(status=Status.APPROVED).count() == 1
    assert _tier(ada) == 1


def _reached(who: User, tier: int) -> User:
    """Somebody at a tier without having been looked at, as people of a demo are."""
    User.objects.filter(pk=who.pk).update(kyc_tier=tier)
    return User.objects.get(pk=who.pk)


def _refuse(*, actor: User, verification_id: Any, now: Any) -> Verification:
    return actions.refuse(actor=actor, verification_id=verification_id, reason="No.", now=now)


def test_the_third_tier_says_where_money_comes_from() -> None:
    ada = known(tier=2)

    row = actions.begin(actor=ada, details=HOME, now=NOON)

    assert queries.details_of(row) == HOME
    with pytest.raises(Invalid):
        actions.begin(actor=ada, details={"address": "x"}, now=NOON)
