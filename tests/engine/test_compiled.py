"""The compiled engine: the same tests, the same decisions, and never another source's."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from apps.matching import compiled

# Of the simulator, what runs in half a minute; `make test-compiled` runs all of it.
TESTS = (
    "tests/engine",
    "tests/simulation/test_state_machine.py",
    "tests/simulation/test_differential.py::test_engine_decides_as_the_naive_engine_does[0]",
)


def test_the_engine_is_the_one_that_was_asked_for() -> None:
    loaded = str(importlib.import_module("apps.engine.matching").__file__)

    assert loaded.endswith(".so" if settings.COMPILED_ENGINE else "matching.py")


def test_an_engine_of_another_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"sources": "another", "python": "3"}')

    with pytest.raises(compiled.NotUsable, match="compiled from another source"):
        compiled.use(tmp_path)


def test_without_a_compiled_engine_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(compiled.NotUsable, match="There is no compiled engine in .*make compile"):
        compiled.use(tmp_path)


@pytest.mark.needs_source
def test_the_compiled_engine_does_not_replace_one_that_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module("apps.engine.matching")
    monkeypatch.setattr(compiled, "why_not", lambda folder: "")

    with pytest.raises(compiled.NotUsable, match="was loaded before the compiled engine"):
        compiled.use(tmp_path)


def test_without_a_compiler_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    code = compiled.main(["build", str(tmp_path / "engine")])

    assert code == 1
    assert "There is no C compiler here (cc, gcc or clang)" in capsys.readouterr().err
    assert not (tmp_path / "engine").exists()


def test_only_what_was_built_is_removed(tmp_path: Path) -> None:
    built, other = tmp_path / "built", tmp_path / "other"
    built.mkdir()
    other.mkdir()
    (built / "manifest.json").write_text("{}")

    compiled.main(["remove", str(built)])
    compiled.main(["remove", str(other)])

    assert (built.exists(), other.exists()) == (False, True)


@pytest.mark.slow
@pytest.mark.needs_source
def test_the_same_tests_pass_on_the_compiled_engine(tmp_path: Path) -> None:
    try:
        compiled.build(tmp_path / "engine")
    except compiled.CannotCompile as error:
        if "no C compiler" in str(error):
            pytest.skip(str(error))
        raise
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "SUM1_TEST"))}

    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS],
        cwd=compiled.ROOT,
        env={**kept, "COMPILED_ENGINE": str(tmp_path / "engine")},
        check=False,
        capture_output=True,
        text=True,
    )

    assert said.returncode == 0, said.stdout[-4000:] + said.stderr[-2000:]
