"""Every row of the list of hostile inputs has its test, and no test answers a row that is none."""

from __future__ import annotations

import re
from pathlib import Path

from tests.hostile_rows import ELSEWHERE, NOT_YET, ROWS

TESTS = Path(__file__).resolve().parent
NAMED = re.compile(r"^ *(?:async )?def test_rows?_(\d+)(?:_and_(\d+))?_", re.M)
# "1-5, 7", with what it is of them behind.
FIRST = re.compile(r"\d+(-\d+)?(, \d+(-\d+)?)*")


def _named() -> set[int]:
    """Return the rows that are in the names of tests."""
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for names in NAMED.findall(path.read_text()):
            found |= {int(row) for row in names if row}
    return found


def _elsewhere() -> set[int]:
    """Return the rows that ``ELSEWHERE`` begins with: "1-5, 7" are six."""
    found: set[int] = set()
    for about in ELSEWHERE:
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", FIRST.match(about)[0]):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_row_has_a_test_or_is_about_what_does_not_exist_yet() -> None:
    proven = _named() | _elsewhere()

    assert sorted(set(ROWS) - proven - set(NOT_YET)) == []
    assert sorted(proven - set(ROWS)) == []
    # What exists now is proven, and not put off any more.
    assert sorted(set(NOT_YET) & proven) == []


def test_every_proof_that_stands_elsewhere_is_there() -> None:
    missing = []
    for row, place in ELSEWHERE.items():
        file, name = place.split("::")
        path = TESTS / file
        if not path.exists() or f"def {name}(" not in path.read_text():
            missing.append(f"{row}: {place}")

    assert missing == []
