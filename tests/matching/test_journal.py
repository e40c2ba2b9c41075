"""The journal's guards, against the real database."""

from __future__ import annotations

import pytest

from apps.matching.models import JournalRow


@pytest.mark.django_db
def test_x() -> None:
    assert JournalRow.objects.count() == 0
