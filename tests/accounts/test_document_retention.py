"""What was shown and said for a verification goes years after it is of no use any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.kyc import actions, retention
from apps.accounts.kyc.models import Document, Verification
from apps.accounts.personal.models import Deletion
from tests.accounts.kyc_world import NOON, handed_in, known, picture, reviewer

pytestmark = pytest.mark.django_db
FIVE_YEARS = datetime(2031, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    return tmp_path


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_of_who_was_refused_everything_goes_five_years_later(
    folder: Path, django_capture_on_commit_callbacks: Any
) -> None:
    ada = known(tier=1)
    row = handed_in(ada)
    actions.refuse(actor=reviewer(), verification_id=row.pk, reason="Blurred.", now=NOON)
    kept = handed_in(known(tier=1))

    with django_capture_on_commit_callbacks(execute=True):
        early = retention.forget_old(now=FIVE_YEARS - timedelta(seconds=1))
        assert (early, _files(folder)) == (0, 4)
        done = retention.forget_old(now=FIVE_YEARS)
        again = retention.forget_old(now=FIVE_YEARS)

    assert (done, again, _files(folder)) == (1, 0, 2)
    assert set(Document.objects.values_list("verification", flat=True)) == {kept.pk}
    row.refresh_from_db()
    assert (row.status, row.reason) == ("refused", "Blurred.")
    (event,) = row.events.filter(what="forgotten")
    assert (event.at, event.actor, event.words) == (
        FIVE_YEARS, None, "2 documents and what was said, after 5 years",
    )  # fmt: skip


def test_of_who_has_left_everything_goes_and_of_who_is_here_nothing(settings: Any) -> None:
    settings.KYC_DOCUMENTS_KEPT_YEARS = 1
    ada, bob = known(tier=2), known(tier=2)
    Deletion.objects.create(person=ada, asked_at=NOON, due_at=NOON, closed_at=NOON, done_at=NOON)

    done = retention.forget_old(now=NOON.replace(year=2027))

    assert done == 2
    assert not Verification.objects.filter(person=ada, details__isnull=False).exists()
    assert set(Document.objects.values_list("verification__person", flat=True)) == {bob.pk}


def test_what_was_begun_and_left_lying_goes_too() -> None:
    ada = known(tier=1)
    actions.begin(actor=ada, details={}, now=NOON)
    actions.add_document(actor=ada, kind="selfie", data=picture(), now=NOON)

    assert retention.forget_old(now=FIVE_YEARS) == 1
    assert not Document.objects.exists()


def test_years_are_counted_over_leap_days() -> None:
    leap = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)

    assert retention._years_before(leap, 5) == datetime(2023, 2, 28, 12, 0, tzinfo=UTC)
    assert retention._years_before(leap, 4) == leap.replace(year=2024)
