"""What the pages on security name as evidence is there, and every requirement has its row."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

BASE_DIR: Final = Path(__file__).resolve().parents[1]
ROW: Final = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([123]) \| (.*) \| ([\w/ ]+) \| ?(.*) ?\|$")
STATES: Final = {"met", "not met", "n/a", "operator"}
# Of chapters 1 to 17 in edition 5.0.0: how many requirements of levels 1 and 2 there are.
# Of 10 those of servers and providers, 4, 6 and 7, are answered in one sentence; so is 17.
NEEDED: Final = {
    1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 15, 11: 14, 12: 9, 13: 13,
    14: 9, 15: 13, 16: 16,
}  # fmt: skip


@cache
def _text(path: Path) -> str:
    return path.read_text()


def _found(name: str) -> Path | None:
    for folder in ("", "apps", "tests"):
        path = BASE_DIR / folder / name
        if path.exists():
            return path
    return None


def _missing(place: str) -> bool:
    """Whether a file, or a test in it, is not there."""
    name, _, test = place.partition("::")
    path = _found(name)
    if path is None:
        return True
    return bool(test) and re.search(rf"^(async )?def {test}\(", _text(path), re.M) is None


@pytest.mark.parametrize("page", ["security.md", "security-asvs.md"])
def test_every_file_and_test_that_is_named_is_there(page: str) -> None:
    text = _text(BASE_DIR / "docs" / page)
    named = set(re.findall(r"`([\w./]+/[\w./]*(?:::\w+)?|[\w/]+\.(?:py|txt)(?:::\w+)?)`", text))
    places = {name for name in named if not re.match(r"/|[A-Z_]+/", name)}

    assert len(places) > 20
    assert sorted(place for place in places if _missing(place)) == []


def test_every_requirement_of_the_standard_has_one_row_and_a_state() -> None:
    lines = _text(BASE_DIR / "docs/security-asvs.md").splitlines()
    wanted = [line for line in lines if re.match(r"\| \d", line)]
    rows = [ROW.match(line) for line in wanted]

    assert [line for line, row in zip(wanted, rows, strict=True) if row is None] == []
    ids = [row[1] for row in rows if row]
    assert len(set(ids)) == len(ids)
    assert {row[4] for row in rows if row} == STATES
    # What is not met says what is missing.
    assert [row[1] for row in rows if row and row[4] == "not met" and not row[5].strip()] == []
    counted = {
        chapter: sum(1 for row in rows if row and row[1].startswith(f"{chapter}.") and row[2] < "3")
        for chapter in NEEDED
    }
    assert counted == NEEDED
