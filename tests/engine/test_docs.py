"""What ``docs/engine.md`` says is true: its scenarios play, and it names every reason there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from apps import engine
from tests.engine.scenario import play
from tests.simulation.test_planted_bugs import BUGS

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"
TEXT = PAGE.read_text(encoding="utf-8")
SCENARIOS = re.findall(r"```scenario\n(.*?)```", TEXT, re.DOTALL)


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 7


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_a_scenario_of_the_page_is_true(number: int) -> None:
    play(SCENARIOS[number])


def test_the_page_names_every_reason_and_no_other() -> None:
    single = "user|kill|replaced|pair|ioc|fok|gtd|band|budget"
    told = set(re.findall(rf"`([a-z]+(?:_[a-z]+)+|{single})`", TEXT))

    reasons = _strings_of_the_code()

    assert reasons - told == set()
    assert _words_of_the_tables() - reasons == set()


def test_the_page_counts_the_planted_bugs() -> None:
    """In round numbers: it may be more by now."""
    told = re.search(r"more than (\d+) planted bugs", TEXT)

    assert told is not None
    assert int(told[1]) < len(BUGS) <= int(told[1]) + 25


def _strings_of_the_code() -> set[str]:
    """Every string of one lower-case word: the reasons, as nothing else is written so."""
    found: set[str] = set()
    slots: set[str] = set()
    for path in Path(engine.__path__[-1]).glob("*.py"):
        if path.name in ("messages.py", "snapshot.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = {
                part.value
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
                slots |= words
            elif isinstance(node, ast.Module):
                found |= {word for word in words if re.fullmatch(r"[a-z]+(_[a-z]+)*", word)}
    return found - slots


def _words_of_the_tables() -> set[str]:
    """What stands in the first column of the tables of reasons."""
    first_columns = re.findall(r"^\| (`[^|]+) \|", TEXT, re.MULTILINE)
    return {word for column in first_columns for word in re.findall(r"`(\w+)`", column)}
